"""What the user can mend. The command lines turn these into one sentence and exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(Exception):
    """Bad input: the message says what is wrong, where, and what to do."""


class BrokenVideoError(InputError):
    """One video that cannot be used: unreadable, truncated, too short, or fatal to its decoder."""


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Give an OSError the path it is about: those of writing to an open file have none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
