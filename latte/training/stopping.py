"""Requests to stop a training: heard after a step, or at once where no step is under way."""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from latte.data.processes.signals import polite_signals

logger = logging.getLogger(__name__)

# Seconds in which signals are one request: `timeout` sends two, a terminal signals every process.
ONE_REQUEST = 1.0


class StopNow(KeyboardInterrupt):
    """A request to stop while no step was under way: the state is that of whole steps."""


class StopRequests:
    """What signals have asked for."""

    def __init__(self) -> None:
        self.asked = False
        self._asked_at = 0.0
        self._at_once = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise StopNow within, also for an earlier request."""
        self._at_once = True
        try:
            if self.asked:
                raise StopNow
            yield
        finally:
            self._at_once = False

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if not self.asked:
            self.asked, self._asked_at = True, time.monotonic()
            if self._at_once:
                raise StopNow
            logger.warning("stopping after this step: interrupt again to stop without saving it")
        elif time.monotonic() - self._asked_at >= ONE_REQUEST:
            raise KeyboardInterrupt


@contextmanager
def hearing_signals() -> Iterator[StopRequests]:
    """Ctrl-C or a polite kill ends the run after the step under way; a second one at once."""
    requests = StopRequests()
    before = {number: signal.getsignal(number) for number in polite_signals()}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, requests.hear)
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
