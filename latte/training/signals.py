"""Ctrl-C and signals to stop: a run ends between two steps."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from latte.data.workers import polite_signals

logger = logging.getLogger(__name__)


@contextmanager
def stop_between_steps() -> Iterator[Callable[[], bool]]:
    """Ctrl-C or a polite kill ends the run after the step under way; a second one at once."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        logger.warning("stopping after this step. Interrupt again to stop without saving it.")

    before = {number: signal.getsignal(number) for number in polite_signals()}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
