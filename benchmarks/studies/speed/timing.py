"""Times that can be compared although the machine has other work to do."""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import torch

K = TypeVar("K", bound=Hashable)


def race(
    jobs: Mapping[K, Callable[[], object]], repetitions: int, device: torch.device
) -> dict[K, float]:
    """Median seconds of each job. They take turns, so that a busy machine slows all alike.

    Each is to have run before: what it prepares at first is not counted.
    """
    times: dict[K, list[float]] = {name: [] for name in jobs}
    for _ in range(repetitions):
        for name, job in jobs.items():
            times[name].append(seconds(job, device))
    return {name: statistics.median(runs) for name, runs in times.items()}


def seconds(job: Callable[[], object], device: torch.device) -> float:
    """Wall time of one call, until a GPU is done as well."""
    _wait(device)
    started = time.perf_counter()
    job()
    _wait(device)
    return time.perf_counter() - started


def matrix_product(
    dtype: torch.dtype, device: torch.device, size: int
) -> tuple[Callable[[], object], float]:
    """A product of square matrices, and its FLOPs."""
    a, b = torch.rand((2, size, size), device=device).to(dtype)
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out), 2.0 * size**3


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
