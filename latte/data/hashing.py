"""Hashes that choices and identities are made of."""

import hashlib
from pathlib import Path


def hash64(text: str) -> int:
    """A number of 64 bits: the first 8 bytes of the text's SHA-256.

    Text from a file name need not be UTF-8: Python keeps its bytes as surrogates.
    """
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big")


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
