"""Where weights come from: a file that is named, a folder, the package, or the network.

A file that carries a published name has the published content, or is refused: a number made with
other weights must not look like one made with these. Where no hash is published, the SHA-256 of
the first use is kept beside the file (`FILE.sha256`, as `sha256sum` writes it) and compared later.
"""

import contextlib
import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pooch

from evaluation.networks.spec import NetworkSpec, WeightFile
from latte.data.errors import InputError

VARIABLE = "LATTE_WEIGHTS"
SUFFIXES = (".pt", ".pth", ".safetensors")
TIMEOUTS = (5, 30)  # seconds to connect, seconds without a byte


@dataclass(frozen=True, kw_only=True)
class LocatedWeights:
    """A file of weights on this machine, and what it is."""

    path: Path
    sha256: str  # of its content
    published: bool  # its content is the published one, or ships with this package
    label: str  # file name of published weights, "bundled", or "sha256:…" of any others


@dataclass(frozen=True)
class Digest:
    """Content of a file, in the two ways in which weights are published."""

    sha256: str
    git_blob_sha1: str

    def is_of(self, file: WeightFile) -> bool:
        """Whether this is the published content. False where no hash is published."""
        known = [
            (file.sha256, self.sha256),
            (file.git_blob_sha1, self.git_blob_sha1),
        ]
        pairs = [(wanted, found) for wanted, found in known if wanted]
        # Some files carry but the first digits of their SHA-256, as a part of their name.
        return bool(pairs) and all(found.startswith(wanted) for wanted, found in pairs)


def locate_weights(spec: NetworkSpec, given: Path | None = None) -> LocatedWeights:
    """The weights of a network, fetched if they are nowhere.

    In this order: `given`; what ships with the package; `$LATTE_WEIGHTS`, a file or a folder; the
    cache of this user; a download into that folder. A file that is named by `given` or by the
    variable may have any content, and is marked as not published; in a folder, only the published
    names are looked for, and the content must be the published one.

    Raises:
        InputError: no such file, another content than the name promises, or a failed download
            (three lines: what, from where, where to put it).
    """
    if given is not None:
        return _named(spec, given.expanduser())
    if spec.bundled is not None:
        return _bundled(spec, spec.bundled)
    configured = os.environ.get(VARIABLE)
    folder = Path(configured).expanduser() if configured else default_folder()
    if folder.is_file() or folder.suffix in SUFFIXES:
        return _named(spec, folder)
    for file in spec.weight_files:
        path = folder / file.file_name
        if path.is_file():
            return _published(path, file)
    return _fetch(spec, spec.weight_files[0], folder)


def is_here(spec: NetworkSpec) -> bool:
    """Whether this network's weights ship, or lie in the folder of weights by their name."""
    if spec.bundled is not None:
        return True
    folder = Path(os.environ.get(VARIABLE) or default_folder()).expanduser()
    return any((folder / file.file_name).is_file() for file in spec.weight_files)


def default_folder() -> Path:
    """Where downloads are kept when `$LATTE_WEIGHTS` says nothing."""
    return Path(pooch.os_cache("latte-eval")) / "weights"


def digest(path: Path) -> Digest:
    """SHA-256 and git blob SHA-1 of a file, in one reading."""
    sha256, blob = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    blob.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            sha256.update(chunk)
            blob.update(chunk)
    return Digest(sha256=sha256.hexdigest(), git_blob_sha1=blob.hexdigest())


def _named(spec: NetworkSpec, path: Path) -> LocatedWeights:
    if path.is_dir():
        raise InputError(
            f"{path}: is a folder, not a file of weights: name the file, or set ${VARIABLE} to "
            "the folder"
        )
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights for {spec.name}: check the path")
    found = digest(path)
    for file in spec.weight_files:
        if found.is_of(file):
            return _located(path, found, label=file.file_name)
    return _located(path, found)


def _bundled(spec: NetworkSpec, path: Path) -> LocatedWeights:
    if not path.is_file():
        raise InputError(
            f"{path}: the weights of {spec.name} that ship with latte-eval are missing: install "
            "it again"
        )
    return _located(path, digest(path), label="bundled")


def _published(path: Path, file: WeightFile) -> LocatedWeights:
    found = digest(path)
    if found.is_of(file):
        return _located(path, found, label=file.file_name)
    if file.has_hash:
        raise InputError(
            f"{path}: is not the published {file.file_name} ({_differs(file, found)}): delete it "
            "to have it fetched again, or name it with --weights if you mean it"
        )
    changed = _changed(path, found)
    if changed:
        raise InputError(
            f"{path}: {changed}: delete both to start again, or name it with --weights if you "
            "mean it"
        )
    return _located(path, found)


def _changed(path: Path, found: Digest) -> str | None:
    """Half a sentence if the file is not that of its first use; the first use is written down."""
    record = path.with_name(f"{path.name}.sha256")
    try:
        first, _, _ = record.read_text(encoding="utf-8").partition(" ")
    except FileNotFoundError:
        print(
            f"note: no hash of {path.name} is published; its SHA-256 {found.sha256} goes into "
            f"{record.name} and is compared from now on",
            file=sys.stderr,
        )
        with contextlib.suppress(OSError):  # a folder that others fill may not be ours to write to
            record.write_text(f"{found.sha256}  {path.name}\n", encoding="utf-8")
        return None
    if first == found.sha256:
        return None
    return (
        f"is not the file of its first use (SHA-256 {found.sha256[:12]}…, but {record.name} says "
        f"{first[:12]}…)"
    )


def _located(path: Path, found: Digest, *, label: str | None = None) -> LocatedWeights:
    return LocatedWeights(
        path=path,
        sha256=found.sha256,
        published=label is not None,
        label=label or f"sha256:{found.sha256[:16]}",
    )


def _fetch(spec: NetworkSpec, file: WeightFile, folder: Path) -> LocatedWeights:
    """Download into a file beside the target, look at it, and only then give it its name."""
    target = folder / file.file_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A name of its own for each process, so that two may fetch the same file at once.
        handle, name = tempfile.mkstemp(prefix=f".{file.file_name}.", suffix=".part", dir=folder)
        os.close(handle)
        part = Path(name)
        try:
            print(f"fetching {file.file_name} from {file.url}", file=sys.stderr)
            download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUTS)
            download(file.url, str(part), None)
            found = digest(part)
            fault = _fault(part, file, found)
            if fault is None and not file.has_hash:
                fault = _changed(target, found)
            if fault:
                raise InputError(_instructions(spec, file, target, fault))
            part.chmod(0o644)  # a temporary file is for its owner alone
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:  # requests' errors are among them
        raise InputError(_instructions(spec, file, target, _reason(error))) from None
    return _located(target, found, label=file.file_name if found.is_of(file) else None)


def _fault(path: Path, file: WeightFile, found: Digest) -> str | None:
    """What is wrong with a download, or None."""
    with path.open("rb") as opened:
        head = opened.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "the answer was empty"
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return "the answer was a web page, not the file"
    if file.has_hash and not found.is_of(file):
        return f"the answer was another file ({_differs(file, found)})"
    return None


def _instructions(spec: NetworkSpec, file: WeightFile, target: Path, reason: str) -> str:
    """Three lines: what, from where, where to put it."""
    blob = f" (git blob SHA-1 {file.git_blob_sha1})" if file.git_blob_sha1 else ""
    if file.sha256:
        blob = f" (SHA-256 {file.sha256}{'' if len(file.sha256) == 64 else '…'})"
    return (
        f"network {spec.name} needs {file.file_name}{blob}, and fetching it failed: {reason}\n"
        f"download it from {file.url}\n"
        f"put it at {target}, or name it with --weights or ${VARIABLE}; "
        "or use --network shapes, which needs no download (it gives FVD-shapes, not FVD)"
    )


def _differs(file: WeightFile, found: Digest) -> str:
    if file.sha256:
        return f"SHA-256 {found.sha256[:12]}…, not {file.sha256[:12]}…"
    return f"git blob SHA-1 {found.git_blob_sha1[:12]}…, not {str(file.git_blob_sha1)[:12]}…"


def _reason(error: OSError) -> str:
    """An error of the system or of requests as half a sentence in one line."""
    if error.strerror:
        return error.strerror.lower()
    name = type(error).__name__
    if name == "ConnectionError":
        return "no connection"
    if "Timeout" in name:
        return "no answer in time"
    return " ".join(str(error).split())[:200] or name
