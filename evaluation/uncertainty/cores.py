"""Repeated computations on all cores whose results do not depend on how many cores there are."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from evaluation.metrics.inputs import Array

Progress = Callable[[int], object]


def on_all_cores(
    function: Callable[[int], float | tuple[float, ...]],
    count: int,
    progress: Progress = lambda number: None,
) -> Array:
    """function(0), …, function(count − 1), in parallel on all cores: (count,), or (count, values).

    Each call keeps to one core: matrices of this size gain little from several, lose much where
    others use them too, and the bits stay the same on every number of cores.
    """
    threads, values = torch.get_num_threads(), []
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for value in pool.map(function, range(count)):
                progress(1)
                values.append(value)
    finally:
        torch.set_num_threads(threads)  # new threads inherit the last setting of any thread
    return np.array(values)


@contextmanager
def one_core() -> Iterator[None]:
    """Sums that all resamples share are computed on one core, so that the bits stay the same."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
