"""Files and folders that appear complete or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from latte.data.errors import named


@contextmanager
def atomic_path(final: Path, *, durable: bool = False) -> Iterator[Path]:
    """A hidden path beside `final` for a new file or folder, renamed to it when the block ends.

    The folder of `final` is made where it is missing. After an error nothing is left, and what had
    the name before is still there.

    Args:
        durable: wait until the content is on the disk before the file gets its name.
    """
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
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def write_atomically(final: Path, content: bytes | str, *, durable: bool = False) -> None:
    """Write bytes, or text in UTF-8, as one file that appears complete or not at all."""
    with atomic_path(final, durable=durable) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


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


def _flush(path: Path) -> None:
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
