"""Published files: their identity, and how they are fetched.

A file that carries a published name has the published content, or is refused: a number made with
another file must not look like one made with this one. Where no hash is published, the SHA-256 of
the first use is kept beside the file (`FILE.sha256`, as `sha256sum` writes it) and compared later.
"""

import contextlib
import hashlib
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import pooch

from evaluation.networks.spec import PublishedFile
from latte.data.errors import InputError
from latte.data.files import atomic_path

TIMEOUTS = (5, 30)  # seconds to connect, seconds without a byte
PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml")  # how an answer that is no file begins

logger = logging.getLogger(__name__)


class DownloadError(Exception):
    """A file could not be fetched; the message is the reason, half a sentence."""


@dataclass(frozen=True)
class Digest:
    """Content of a file, in the two ways in which hashes of files are published."""

    sha256: str
    git_blob_sha1: str

    def is_of(self, file: PublishedFile) -> bool:
        """Whether this is the published content. False where no hash is published."""
        published = ((file.sha256, self.sha256), (file.git_blob_sha1, self.git_blob_sha1))
        pairs = [(wanted, own) for wanted, own in published if wanted]
        # Some files carry but the first digits of their SHA-256, as a part of their name.
        return bool(pairs) and all(own.startswith(wanted) for wanted, own in pairs)

    def difference(self, file: PublishedFile) -> str:
        """How this differs from the published content, with the first digits of both hashes."""
        if file.sha256:
            return f"SHA-256 {self.sha256[:12]}…, not {file.sha256[:12]}…"
        return f"git blob SHA-1 {self.git_blob_sha1[:12]}…, not {str(file.git_blob_sha1)[:12]}…"


def digest(path: Path) -> Digest:
    """SHA-256 and git blob SHA-1 of a file, in one reading."""
    sha256, blob = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    blob.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            sha256.update(chunk)
            blob.update(chunk)
    return Digest(sha256=sha256.hexdigest(), git_blob_sha1=blob.hexdigest())


def default_folder(kind: str) -> Path:
    """Where downloads are kept by default: a folder in the user's cache."""
    return Path(pooch.os_cache("latte-eval")) / kind


def check_published(path: Path, file: PublishedFile, option: str) -> Digest:
    """The digest of a file on this machine that carries a published name.

    Args:
        path: the file.
        file: what is published under its name.
        option: how a file of another content can be given, for the message.

    Raises:
        InputError: its content is not the published one, or not that of its first use.
    """
    own = digest(path)
    if file.has_hash and not own.is_of(file):
        raise InputError(
            f"{path}: is not the published {file.file_name} ({own.difference(file)}): delete it "
            f"to have it fetched again, or name it with {option} if you mean it"
        )
    change = None if file.has_hash else _change_since_first_use(path, own)
    if change:
        raise InputError(
            f"{path}: {change}: delete both to start again, or name it with {option} if you mean it"
        )
    return own


def fetch(file: PublishedFile, folder: Path) -> Digest:
    """Download a file into a folder; it gets its name only after its content was compared.

    Several processes may fetch the same file at once.

    Raises:
        DownloadError: no connection, another content, or a folder that cannot be written.
    """
    target = folder / file.file_name
    try:
        with atomic_path(target) as part:
            logger.info("fetching %s from %s", file.file_name, file.url)
            download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUTS)
            download(file.url, str(part), None)
            own = digest(part)
            problem = _problem(part, file, own)
            if problem is None and not file.has_hash:
                problem = _change_since_first_use(target, own)
            if problem:
                raise DownloadError(problem)
    except OSError as error:  # requests' errors are among them
        raise DownloadError(_reason(error)) from None
    return own


def _change_since_first_use(path: Path, own: Digest) -> str | None:
    """Half a sentence if the file is not that of its first use; the first use is written down."""
    record = path.with_name(f"{path.name}.sha256")
    try:
        first = record.read_text(encoding="utf-8").partition(" ")[0]
    except FileNotFoundError:
        logger.warning(
            "no hash of %s is published, so its SHA-256 %s is noted in %s and compared from now on",
            *(path.name, own.sha256, record.name),
        )
        with contextlib.suppress(OSError):  # a folder that others fill may not be ours to write to
            record.write_text(f"{own.sha256}  {path.name}\n", encoding="utf-8")
        return None
    if first == own.sha256:
        return None
    return (
        f"is not the file of its first use (SHA-256 {own.sha256[:12]}…, but {record.name} says "
        f"{first[:12]}…)"
    )


def _problem(path: Path, file: PublishedFile, own: Digest) -> str | None:
    """What is wrong with a download, or None."""
    with path.open("rb") as opened:
        head = opened.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "the answer was empty"
    if head.startswith(PAGES):
        return "the answer was a web page, not the file"
    if file.has_hash and not own.is_of(file):
        return f"the answer was another file ({own.difference(file)})"
    return None


def _reason(error: OSError) -> str:
    """An error of the system or of requests as half a sentence in one line."""
    if error.strerror:
        return error.strerror.lower()
    name = type(error).__name__
    if name == "ConnectionError":
        return "no connection"
    if "Timeout" in name:
        return "no answer in time"
    message = str(error.args[0]) if error.args else ""  # its own text names the file, not the fault
    return " ".join(message.split())[:200] or name
