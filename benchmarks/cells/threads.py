"""One thread: the same sums in the same order on every machine with the same instructions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

# What the libraries under NumPy and PyTorch read when they are loaded.
NUMBERS_OF_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def one_thread(device: str = "cpu") -> Iterator[None]:
    """However many cores there are; on a GPU the CPU's threads stay as they are."""
    import torch  # processes that only plan the work do without it

    before = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def processes_of_one_thread() -> Iterator[None]:
    """Processes that are started within compute with one thread each.

    Small matrices gain nothing from more, and several processes of several threads wait for each
    other.
    """
    before = {name: os.environ.get(name) for name in NUMBERS_OF_THREADS}
    os.environ.update(dict.fromkeys(NUMBERS_OF_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
