"""An interval, and what every way to one needs: quantiles, and calls on all cores."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from evaluation.metrics.inputs import Array
from latte.data.errors import InputError

Progress = Callable[[int], None]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where the value would lie for other samples of the same size."""

    low: float
    high: float
    level: float = 0.95
    method: str = "bootstrap"


def two_sided_quantile(level: float, degrees: float = math.inf) -> float:
    """t with P(|T| ≤ t) = level, for Student's T with so many degrees of freedom.

    Raises:
        InputError: a level outside 0 … 1.
    """
    # Not at the top: this module is read by commands that compute nothing.
    from scipy.special import ndtri, stdtrit

    check_level(level)
    tail = (1 + level) / 2
    return float(ndtri(tail) if math.isinf(degrees) else stdtrit(degrees, tail))


def percentiles(samples: Array, level: float) -> tuple[float, float]:
    """Low and high end of the middle part `level` of the samples."""
    check_level(level)
    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def check_level(level: float) -> None:
    """Raises InputError where a level is no part of one."""
    if not 0 < level < 1:
        raise InputError(f"the level of an interval is a part between 0 and 1, not {level}")


def each(function: Callable[[int], T], count: int, progress: Progress | None = None) -> Iterator[T]:
    """function(0), …, function(count − 1), side by side on all cores.

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
        torch.set_num_threads(threads)  # threads to come inherit the last setting of any thread


@contextmanager
def one_core() -> Iterator[None]:
    """Sums that all resamples share are made on one core, so that the bits stay the same."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
