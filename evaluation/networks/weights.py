"""Published files: where they are on this machine, their identity, and how they are fetched.

A file that carries a published name has the published content, or is refused: a number made with
another file must not look like one made with this one. Where no hash is published, the SHA-256 of
the first use is kept beside the file (`FILE.sha256`, as `sha256sum` writes it) and compared later.
"""

import contextlib
import hashlib
import logging
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from evaluation.networks.spec import GIT_BLOB, SHA256, HashKind, NetworkSpec, PublishedFile
from latte.data.errors import InputError, outside
from latte.data.files import atomic_path, cache_folder, read_text
from latte.data.hashing import file_sha256

VARIABLE = "LATTE_WEIGHTS"
SUFFIXES = (".pt", ".pth", ".safetensors")
TIMEOUTS = (5, 30)  # seconds to connect, seconds without a byte
PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml")  # how an answer that is no file begins

logger = logging.getLogger(__name__)
Hashes = Mapping[HashKind, str]


@dataclass(frozen=True, kw_only=True)
class LocatedWeights:
    """A file of weights on this machine, and what it is."""

    path: Path
    sha256: str  # hash of its content
    published: bool  # its content is the published one, or bundled with this package
    label: str  # file name of published weights, "bundled", or "sha256:…" of any others


def locate_weights(
    spec: NetworkSpec, given: Path | None = None, *, trust: bool = False
) -> LocatedWeights:
    """The weights of a network, fetched if they are nowhere.

    In this order: `given`; the bundled ones; `$LATTE_WEIGHTS`, a file or a folder; the cache of
    this user; a download into that folder. A file that is named by `given` or by the variable may
    have any content, and is marked as not published; in a folder, only the published names are
    looked for, and the content must be the published one.

    TorchScript is code, which runs while it is loaded. Nothing of a file is loaded here.

    Args:
        trust: TorchScript may be used even where no hash of it is published, or another one is.

    Raises:
        InputError: no such file, another content than the name promises, TorchScript that is not
            trusted, or a failed download (three lines: what, from where, where to put it).
    """
    located = _locate(spec, given)
    if not located.published and is_torchscript(located.path):
        if not trust:
            raise InputError(
                f"{located.path}: is TorchScript, which is code that runs when it is loaded, and "
                f"its SHA-256 {located.sha256} is none that is published: give trust_weights "
                "(--trust-weights) if you trust where it comes from, or a state dict"
            )
        logger.warning(
            "running the code in %s (TorchScript, SHA-256 %s), whose hash is not published",
            *(located.path, located.sha256),
        )
    return located


def is_torchscript(path: Path) -> bool:
    """Whether the file is a TorchScript archive: code and constants beside the tensors."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(PurePath(name).name == "constants.pkl" for name in archive.namelist())
    except Exception:  # a damaged archive fails in any way, and whoever reads it says so
        return False


def _locate(spec: NetworkSpec, given: Path | None) -> LocatedWeights:
    if given is not None:
        return _named(spec, given.expanduser())
    if spec.bundled is not None:
        path = spec.bundled
        if not path.is_file():
            raise InputError(
                f"{path}: the weights of {spec.name} that are bundled with latte-eval are missing: "
                "install it again"
            )
        return LocatedWeights(path=path, sha256=file_sha256(path), published=True, label="bundled")
    folder = weights_folder()
    if folder.is_file() or folder.suffix in SUFFIXES:
        return _named(spec, folder)
    present = [file for file in spec.weight_files if (folder / file.file_name).is_file()]
    file = (present or spec.weight_files)[0]
    path = folder / file.file_name
    try:
        return _located(path, obtain(file, folder, "--weights"), [file])
    except DownloadError as error:
        known = f" ({' '.join(file.hash)})" if file.hash else ""
        raise InputError(
            f"network {spec.name} needs {file.file_name}{known}, and fetching it failed: {error}\n"
            f"download it from {file.url}\n"
            f"put it at {path}, name it with weights (--weights) or ${VARIABLE}, or use network "
            "shapes (--network shapes), which needs no download (it gives FVD-shapes, not FVD)"
        ) from None


def is_here(spec: NetworkSpec) -> bool:
    """Whether weights are bundled, or lie in the folder of weights by their name."""
    return spec.bundled is not None or any(
        (weights_folder() / file.file_name).is_file() for file in spec.weight_files
    )


def weights_folder() -> Path:
    """`$LATTE_WEIGHTS`, else a folder in `$LATTE_CACHE` or the user's cache."""
    return Path(os.environ.get(VARIABLE) or cache_folder("weights")).expanduser()


def _named(spec: NetworkSpec, path: Path) -> LocatedWeights:
    if path.is_dir():
        raise InputError(
            f"{path}: is a folder, not a file of weights: name the file, or set ${VARIABLE} to "
            "the folder"
        )
    with outside(path, f"a file of weights for {spec.name}", "check the path"):
        return _located(path, content_hashes(path), spec.weight_files)


def _located(path: Path, own: Hashes, files: Sequence[PublishedFile]) -> LocatedWeights:
    names = [file.file_name for file in files if file.is_same(own)]
    sha256 = own[SHA256]
    label = names[0] if names else f"sha256:{sha256[:16]}"
    return LocatedWeights(path=path, sha256=sha256, published=bool(names), label=label)


class DownloadError(Exception):
    """A file could not be fetched; the message is the reason, half a sentence."""


def content_hashes(path: Path) -> Hashes:
    """The hashes of a file by which others may be published, in one reading."""
    sha256, blob = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    blob.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            sha256.update(chunk)
            blob.update(chunk)
    return {SHA256: sha256.hexdigest(), GIT_BLOB: blob.hexdigest()}


def obtain(file: PublishedFile, folder: Path, option: str) -> Hashes:
    """The hashes of a published file in a folder, where it is fetched if it is not there.

    Args:
        option: how a file of another content can be given, for the message.

    Raises:
        InputError: the file there has not the published content, or not that of its first use.
        DownloadError: it cannot be fetched.
    """
    path = folder / file.file_name
    if not path.is_file():
        return _fetch(file, path)
    own = content_hashes(path)
    problem = _other_content(path, file, own)
    if problem:
        removed = "it" if file.hash else "both"
        raise InputError(
            f"{path}: {problem}: delete {removed} to have it fetched again, or name it with "
            f"{option} if you mean it"
        )
    return own


def _fetch(file: PublishedFile, target: Path) -> Hashes:
    """Download a file; it gets its name only after its content was compared.

    Several processes may fetch the same file at once.
    """
    import pooch  # takes longer to import than most runs need for weights that are here

    try:
        with atomic_path(target) as part:
            logger.info("fetching %s from %s", file.file_name, file.url)
            download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUTS)
            download(file.url, str(part), None)
            with part.open("rb") as opened:
                head = opened.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
            if not head:
                raise DownloadError("the answer was empty")
            if head.startswith(PAGES):
                raise DownloadError("the answer was a web page, not the file")
            own = content_hashes(part)
            problem = _other_content(target, file, own)
            if problem:
                raise DownloadError(f"the answer {problem}")
    except OSError as error:  # requests' errors are among them
        raise DownloadError(_reason(error)) from None
    return own


def _other_content(path: Path, file: PublishedFile, own: Hashes) -> str | None:
    """How content differs from the published one or, without a hash, from that of its first use.

    The first use is written down.
    """
    if file.hash is not None:
        kind, published = file.hash
        differs = f"({kind} {own[kind][:12]}…, not {published[:12]}…)"
        return None if file.is_same(own) else f"is not the published {file.file_name} {differs}"
    sha256, record = own[SHA256], path.with_name(f"{path.name}.sha256")
    if record.exists():
        first = read_text(record, "the SHA-256 of a file", "remove it").partition(" ")[0]
        differs = f"(SHA-256 {sha256[:12]}…, but {record.name} says {first[:12]}…)"
        return None if first == sha256 else f"is not the file of its first use {differs}"
    logger.warning(
        "no hash of %s is published, so its SHA-256 %s is noted in %s and compared from now on",
        *(path.name, sha256, record.name),
    )
    with contextlib.suppress(OSError):  # a folder that others fill may not be ours to write to
        record.write_text(f"{sha256}  {path.name}\n", encoding="utf-8")
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
