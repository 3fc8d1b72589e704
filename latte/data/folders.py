"""Folders that are made before it is known whether anything comes into them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def made_if_used(folder: Path) -> Iterator[None]:
    """Make a folder with those above it; of those that were not there the empty ones go again.

    Raises:
        OSError: it cannot be made; nothing is left of the attempt.
    """
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for place in new:
            with suppress(OSError):  # not made, or something has come into it
                place.rmdir()
