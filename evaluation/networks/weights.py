"""Where weights come from: a file that is named, a folder, the package, or a download."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.networks.downloads import (
    DownloadError,
    Hashes,
    check_published,
    content_hashes,
    default_folder,
    fetch,
)
from evaluation.networks.spec import SHA256, NetworkSpec, PublishedFile
from latte.data.errors import InputError
from latte.data.hashing import file_sha256

VARIABLE = "LATTE_WEIGHTS"
SUFFIXES = (".pt", ".pth", ".safetensors")


@dataclass(frozen=True, kw_only=True)
class LocatedWeights:
    """A file of weights on this machine, and what it is."""

    path: Path
    sha256: str  # of its content
    published: bool  # its content is the published one, or bundled with this package
    label: str  # file name of published weights, "bundled", or "sha256:…" of any others


def locate_weights(spec: NetworkSpec, given: Path | None = None) -> LocatedWeights:
    """The weights of a network, fetched if they are nowhere.

    In this order: `given`; the bundled ones; `$LATTE_WEIGHTS`, a file or a folder; the cache of
    this user; a download into that folder. A file that is named by `given` or by the variable may
    have any content, and is marked as not published; in a folder, only the published names are
    looked for, and the content must be the published one.

    Raises:
        InputError: no such file, another content than the name promises, or a failed download
            (three lines: what, from where, where to put it).
    """
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
    here = [file for file in spec.weight_files if (folder / file.file_name).is_file()]
    file = (here or spec.weight_files)[0]
    path = folder / file.file_name
    if here:
        return _located(path, check_published(path, file, "--weights"), [file])
    try:
        return _located(path, fetch(file, folder), [file])
    except DownloadError as error:
        raise InputError(_instructions(spec, file, path, str(error))) from None


def is_here(spec: NetworkSpec) -> bool:
    """Whether weights are bundled, or lie in the folder of weights by their name."""
    return spec.bundled is not None or any(
        (weights_folder() / file.file_name).is_file() for file in spec.weight_files
    )


def weights_folder() -> Path:
    """`$LATTE_WEIGHTS`, else a folder in the user's cache."""
    return Path(os.environ.get(VARIABLE) or default_folder("weights")).expanduser()


def _named(spec: NetworkSpec, path: Path) -> LocatedWeights:
    if path.is_dir():
        raise InputError(
            f"{path}: is a folder, not a file of weights: name the file, or set ${VARIABLE} to "
            "the folder"
        )
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights for {spec.name}: check the path")
    return _located(path, content_hashes(path), spec.weight_files)


def _located(path: Path, own: Hashes, files: Sequence[PublishedFile]) -> LocatedWeights:
    names = [file.file_name for file in files if file.is_same(own)]
    sha256 = own[SHA256]
    label = names[0] if names else f"sha256:{sha256[:16]}"
    return LocatedWeights(path=path, sha256=sha256, published=bool(names), label=label)


def _instructions(spec: NetworkSpec, file: PublishedFile, path: Path, reason: str) -> str:
    """Three lines: what, from where, where to put it."""
    known = f" ({' '.join(file.hash)})" if file.hash else ""
    return (
        f"network {spec.name} needs {file.file_name}{known}, and fetching it failed: {reason}\n"
        f"download it from {file.url}\n"
        f"put it at {path}, name it with weights (--weights) or ${VARIABLE}, or use network shapes "
        "(--network shapes), which needs no download (it gives FVD-shapes, not FVD)"
    )
