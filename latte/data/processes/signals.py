"""The signals that ask a process to end, and moments in which none may interrupt it."""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType


def polite_signals() -> set[signal.Signals]:
    """Ctrl-C, the request of a scheduler, and the end of a terminal; Windows has no SIGHUP."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return {getattr(signal, name) for name in names if hasattr(signal, name)}


@contextmanager
def handed_to(hear: Callable[[int], object], numbers: Iterable[int]) -> Iterator[None]:
    """Within the block, these signals call `hear` instead of their handlers.

    Ignored ones stay ignored, and only the main thread hears any.
    """
    before = {}

    def note(number: int, frame: FrameType | None) -> None:
        hear(number)

    try:
        if current_thread() is main_thread():
            for number in numbers:
                if callable(signal.getsignal(number)):
                    before[number] = signal.getsignal(number)
                    signal.signal(number, note)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Handle signals after the block: within, an exception would lose a process that was started.

    They are not blocked, which the process would inherit.
    """
    heard: list[int] = []
    try:
        with handed_to(heard.append, signal.valid_signals()):
            yield
    finally:
        for number in heard:
            signal.raise_signal(number)
