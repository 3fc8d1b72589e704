"""Repeated computations on all cores whose results do not depend on how many cores there are."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from evaluation.metrics.inputs import Array
from latte.data.processes.workers import usable_cores

MAX_THREADS = 32  # OpenBLAS keeps memory for a fixed number of threads
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
    values = []
    with one_core(), ThreadPoolExecutor(num_threads()) as pool:
        for value in pool.map(function, range(count)):
            progress(1)
            values.append(value)
    return np.array(values)


def num_threads() -> int:
    """The cores that this process may use: $OMP_NUM_THREADS, as torchrun sets it, or all."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return min(int(given), MAX_THREADS)
    return min(usable_cores(), MAX_THREADS)


def one_core() -> threadpool_limits:
    """A context whose products of matrices run on one core, so that their bits stay the same."""
    return threadpool_limits(limits=1, user_api="blas")
