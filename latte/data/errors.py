"""Errors that the user can fix. The command lines turn them into one sentence and exit code 2."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

FAILURE_FILE = "LATTE_FAILURE_FILE"  # environment: where a command line leaves its `Failure`
SKIP = "leave it out with skip_broken (--skip-broken)"  # advice on a broken video
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
# System errors that another path or more room on the disk fixes.
FIXABLE_ERRNOS = {
    *DISK_FULL,
    errno.EACCES,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENOENT,
    errno.ENAMETOOLONG,
}


class InputError(Exception):
    """Bad input: the message says what is wrong, where, and what to do."""


class BrokenVideoError(InputError):
    """A video that cannot be used: unreadable, truncated, too short, or fatal to its decoder.

    Args:
        problem: what is wrong with which file.
        advice: what to do about it.
    """

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(problem, advice)
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.problem}: {self.advice}" if self.advice else self.problem


class LostProcessError(BrokenVideoError):
    """A task whose process was lost: it crashed, was killed, or took too long.

    Args:
        ending: how the process ended, after the name of the task: "ended its process (…)".
    """

    def __init__(self, problem: str, advice: str, *, ending: str) -> None:
        super().__init__(problem, advice)
        self.ending = ending


class FailedRunError(Exception):
    """Parts of a run failed; the others are kept.

    Args:
        fixable: the user can fix all of them: exit code 2, else 1.
    """

    def __init__(self, message: str, *, fixable: bool) -> None:
        super().__init__(message)
        self.fixable = fixable


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a command failed: what it leaves, as JSON, for the process that started it."""

    message: str


def check_frames(frames: Sequence[int], count: int, video: str) -> None:
    """Refuse frames that a video of `count` frames does not have.

    Raises:
        BrokenVideoError: naming one of them.
    """
    beyond = [frame for frame in frames if not 0 <= frame < count]
    if beyond:
        raise BrokenVideoError(
            f"{video}: frame {max(beyond)} is wanted but it has {count} frames",
            f"give a longer video, copy it again if it is damaged, or {SKIP}",
        )


def nearest(name: str, known: Sequence[str]) -> str:
    """ "did you mean …?" where a known name is near, else all known names."""
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(known)}"


def some_of(items: Sequence[str], shown: int = 5) -> str:
    """ "a; b; c (and 5 more)" """
    more = f" (and {len(items) - shown} more)" if len(items) > shown else ""
    return "; ".join(items[:shown]) + more


def first_line(error: Exception) -> str:
    """The first line of a message that may be long."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Give an OSError the path it is about: errors of writing to an open file have none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
