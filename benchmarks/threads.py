"""One thread: the same sums in the same order on every machine with the same instructions."""

from collections.abc import Iterator
from contextlib import contextmanager


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
