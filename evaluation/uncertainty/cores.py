"""Repeated computations on all cores whose results do not depend on how many cores there are."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Progress = Callable[[int], object]
T = TypeVar("T")


def on_all_cores(
    function: Callable[[int], T], count: int, progress: Progress | None = None
) -> Iterator[T]:
    """function(0), …, function(count − 1), in parallel on all cores.

    Each call keeps to one core: matrices of this size gain little from several, lose much where
    others use them too, and the bits stay the same on every number of cores.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for value in pool.map(function, range(count)):
                if progress is not None:
                    progress(1)
                yield value
    finally:
        torch.set_num_threads(threads)  # new threads inherit the last setting of any thread


@contextmanager
def one_core() -> Iterator[None]:
    """Sums that all resamples share are computed on one core, so that the bits stay the same."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
