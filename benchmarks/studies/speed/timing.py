"""Times that can be compared although the machine has other work to do."""

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from torch.utils.benchmark import timer  # waits for a GPU

K = TypeVar("K", bound=Hashable)


def time_in_turns(jobs: Mapping[K, Callable[[], object]], repetitions: int) -> dict[K, list[float]]:
    """Seconds of each job. They take turns, so that a busy machine slows all alike.

    Each is to have run before: what it prepares at first is not counted.
    """
    times: dict[K, list[float]] = {name: [] for name in jobs}
    for _ in range(repetitions):
        for name, job in jobs.items():
            started = timer()
            job()
            times[name].append(timer() - started)
    return times
