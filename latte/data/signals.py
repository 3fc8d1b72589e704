"""The signals that ask a process to end."""

import signal


def polite_signals() -> set[signal.Signals]:
    """Ctrl-C, the request of a scheduler, and the end of a terminal; Windows has no SIGHUP."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return {getattr(signal, name) for name in names if hasattr(signal, name)}
