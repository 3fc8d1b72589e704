"""Files and folders that appear complete or not at all."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from latte.data.errors import InputError, named, outside
from latte.data.limits import MAX_TEXT_BYTES
from latte.data.locks import lock

CACHE = "LATTE_CACHE"  # environment: the folder of all caches


def cache_folder(kind: str) -> Path:
    """Where weights, features and the like are kept: in `$LATTE_CACHE`, else in the user's cache.

    Args:
        kind: name of its folder there, "weights" for instance.
    """
    import pooch  # takes a while to import

    return Path(os.environ.get(CACHE) or pooch.os_cache("latte-eval")).expanduser() / kind


@contextmanager
def atomic_path(final: Path, *, durable: bool = False) -> Iterator[Path]:
    """A hidden path beside `final` for a new file or folder, renamed to it when the block ends.

    The folder of `final` is made where it is missing. After an error nothing is left, and what had
    the name before is still there.

    Args:
        durable: wait until the content is on the disk before the file gets its name.

    Raises:
        InputError: what has the name is a pipe or a device, which would be lost.
    """
    if final.exists() and not (final.is_file() or final.is_dir()):
        raise InputError(f"{final} is a pipe or a device: give the name of a file or a new name")
    partial = final.with_name(f".partial-{uuid.uuid4().hex[:12]}-{final.name}")
    try:
        with named(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            if durable:
                _flush(partial)
            if final.is_dir():
                shutil.rmtree(final)
            partial.replace(final)
    finally:
        _remove(partial)


def is_dangling(path: Path) -> bool:
    """Whether a path is a link that leads to nothing: what is written there goes astray."""
    return path.is_symlink() and not path.exists()


def write_atomically(final: Path, content: bytes | str, *, durable: bool = False) -> None:
    """Write bytes, or text in UTF-8, as one file that appears complete or not at all."""
    with atomic_path(final, durable=durable) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def read_bytes(path: Path, what: str, advice: str = "write it again") -> bytes:
    """The content of a file from outside that is small enough to be a text.

    Args:
        what, advice: what it should be, and what to do if it cannot be read.

    Raises:
        InputError: it is missing, no regular file, too large, or cannot be read.
    """
    with outside(path, what, advice), path.open("rb") as file:
        content = file.read(MAX_TEXT_BYTES + 1)
        if len(content) > MAX_TEXT_BYTES:
            raise ValueError(f"it has more than {MAX_TEXT_BYTES >> 20} MiB")
        return content


def read_text(path: Path, what: str, advice: str = "write it again") -> str:
    """`read_bytes` as UTF-8."""
    with outside(str(path), what, advice):
        return read_bytes(path, what, advice).decode()


@contextmanager
def writing_in(
    folder: Path, left_over: Sequence[str] = (".partial-*", "*/.partial-*")
) -> Iterator[None]:
    """Remove what killed processes have left of files in a folder, if no other writes there now.

    Everything that writes there must do so within. Where a file system has no locks, nothing is
    removed.

    Args:
        folder: is there.
        left_over: patterns of their names, as `atomic_path` makes them.
    """
    if os.name != "posix":  # folders cannot be opened
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if lock(descriptor, wait=False):
            for path in [path for pattern in left_over for path in folder.glob(pattern)]:
                _remove(path)
        lock(descriptor, shared=True)
        yield
    finally:
        os.close(descriptor)


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file that several processes add to: whole, and on the disk, or not at all.

    A last line without its end, as an editor may leave it, is ended first.
    """
    with named(path), path.open("a+b", buffering=0) as file:
        lock(file.fileno())
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        data = b"\n" * (file.read(1) not in (b"", b"\n")) + line + b"\n"
        written = 0
        try:
            written = file.write(data)
            if written < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            if os.fstat(file.fileno()).st_size == size + written:  # nobody wrote without the lock
                file.truncate(size)
            raise


@contextmanager
def folder_if_used(folder: Path) -> Iterator[None]:
    """Make a folder with its parents; new ones that are empty in the end are removed again.

    Raises:
        OSError: it cannot be made; nothing is left of the attempt.
    """
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for place in new:
            with suppress(OSError):  # it could not be made, or is not empty
                place.rmdir()


def can_write(folder: Path) -> bool:
    """Whether files can be written in a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
