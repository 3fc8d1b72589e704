"""Errors that the user can fix. The command lines turn them into one sentence and exit code 2."""

import errno
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

FAILURE_FILE = "LATTE_FAILURE_FILE"  # environment: where a command line leaves its `Failure`
LAUNCHED = "LATTE_LAUNCHED"  # environment: who started torchrun prints that `Failure`
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
    errno.ELOOP,
}


class InputError(Exception):
    """Bad input: the message says what is wrong, where, and what to do.

    Control characters, which names of files may hold, are shown escaped.
    """

    def __str__(self) -> str:
        return escaped(super().__str__(), keep="\n")


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
        return escaped(f"{self.problem}: {self.advice}" if self.advice else self.problem)


class LostProcessError(BrokenVideoError):
    """A task whose process was lost: it crashed, was killed, or took too long.

    Args:
        ending: how the process ended, after the name of the task: "ended its process (…)".
    """

    def __init__(self, problem: str, advice: str, *, ending: str) -> None:
        super().__init__(problem, advice)
        self.ending = ending

    def __reduce__(self) -> tuple[Any, ...]:
        """How another process makes it again."""
        return partial(LostProcessError, ending=self.ending), (self.problem, self.advice)


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
    near = get_close_matches(name[:100], known, n=3, cutoff=0.5)
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
def outside(
    path: Path | str,
    what: str,
    advice: str = "write it again",
    *,
    error: type[InputError] = InputError,
) -> Iterator[None]:
    """Read data from outside: whatever a library raises over it becomes one sentence of ours.

    Parsers, archives and decoders fail on damaged and hostile data in any way: by errors of their
    own, MemoryError, RecursionError, OverflowError, … None of them tells a user what to do. Our own
    errors, those of a pipe whose reader left, and interruptions pass.

    Args:
        path: a file, which has to be a regular one (so that nothing waits for a pipe); or, as a
            string, what messages call data that are no file.
        what: what it should be, with an article: "a PNG or JPEG picture".
        advice: what to do about it.
        error: type of the error; BrokenVideoError for what `skip_broken` may leave out.

    Raises:
        InputError: "PATH: cannot be read as WHAT (reason): advice", or that it is missing.
    """
    try:
        if isinstance(path, Path):
            _check_regular(path)
        yield
    except (InputError, FailedRunError, BrokenPipeError):
        raise
    except Exception as fault:
        reason = reason_of(fault)
        missing = isinstance(fault, FileNotFoundError)
        skippable = issubclass(error, BrokenVideoError)
        told = reason if missing else f"cannot be read as {what} ({reason})"
        advice = "check the path" if missing and not skippable else advice
        problem = f"{escaped(str(path))}: {told}"
        if skippable:
            raise error(problem, advice) from fault
        raise error(f"{problem}: {advice}") from fault


def reason_of(fault: Exception) -> str:
    """Why something cannot be read, in half a sentence, from whatever was raised.

    >>> reason_of(MemoryError()), reason_of(EOFError("Ran out of input"))
    ('it needs more memory than there is', 'ran out of input')
    """
    text = first_line(fault)
    if isinstance(fault, MemoryError):
        return "it needs more memory than there is"
    if isinstance(fault, RecursionError):
        return "it is nested too deeply"
    if isinstance(fault, UnicodeError):
        return "its text is not UTF-8"
    if isinstance(fault, OSError) and fault.strerror:
        text = str(fault.strerror)
    if "integer string conversion" in text:
        return "it holds an integer of too many digits"
    if "allow_pickle" in text:  # numpy's advice, which nobody should follow
        return "it holds Python objects, or a header of unusual length"
    return escaped(text[:1].lower() + text[1:] if text[1:2].islower() else text)


def escaped(text: str, keep: str = "") -> str:
    """Text without control characters, line separators and marks that turn its direction.

    >>> escaped("red\\x1b[31m, two\\nlines")
    'red\\\\x1b[31m, two\\\\nlines'
    """
    if text.isprintable():
        return text
    hidden = ("Cc", "Cf", "Zl", "Zp")
    return "".join(
        repr(sign)[1:-1] if unicodedata.category(sign) in hidden and sign not in keep else sign
        for sign in text
    )


def _check_regular(path: Path) -> None:
    """Refuse what is no regular file, before it is opened: a pipe would be waited for.

    Raises:
        OSError: there is no such file, or another kind is there.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link that leads back to itself") from None
        if isinstance(error, FileNotFoundError) and path.is_symlink():
            target = escaped(str(path.readlink()))
            raise FileNotFoundError(
                errno.ENOENT, f"it is a link to {target}, which does not exist"
            ) from None
        raise
    if not stat.S_ISREG(mode):
        kinds = {
            stat.S_IFDIR: "a folder",
            stat.S_IFIFO: "a named pipe",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        kind = kinds.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file")


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Give an OSError the path it is about: errors of writing to an open file have none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
