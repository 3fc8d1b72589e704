"""Statistics of one set as a file: `mu` and `sigma` in one `.npz` or `.safetensors`.

The form in which FID packages exchange references. A file of ours also holds `count` and, as JSON
text under `provenance`, how it was made; other packages read its `mu` and `sigma` all the same.
A file of theirs does not say how it was made, and a result that uses one says so.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from evaluation.features.store import content_key, write_whole
from evaluation.protocol.fields import Covariance
from evaluation.results.record import SetRecord
from evaluation.statistics.running import Array, Statistics
from latte.data.errors import InputError

SUFFIXES = (".npz", ".safetensors")
PROVENANCE = "provenance"
FORM = 1  # of the provenance; raised when an older program would misread it
Side = Literal["real", "fake"]
KINDS: Mapping[str, type | tuple[type, ...]] = {  # of an origin's fields that anything rests on
    "protocol": str,
    "protocol_fields": dict,
    "network": str,
    "network_version": int,
    "weights_sha256": (str, type(None)),
    "num_clips": (int, type(None)),
    "dataset": (str, type(None)),
    "stated": bool,
    "versions": dict,
}
UNREADABLE = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, SafetensorError)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How statistics were made: the protocol as it was carried out, the network and the set."""

    protocol: str  # its name
    protocol_fields: Mapping[str, Any]  # those that move a number; `covariance` is sigma's
    side: Side  # whether the clips were chosen as the protocol chooses real or generated ones
    network: str
    network_version: int
    weights_sha256: str | None  # None: stated by name only
    num_clips: int | None  # None: not known
    dataset: str | None = None
    record: SetRecord | None = None  # the set that was measured; None: imported
    stated: bool = False  # by whoever imported the file, instead of by the program that made it
    source_sha256: str | None = None  # of the file that was imported
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """That of the protocol, for `latte-eval protocols` and results to be held against."""
        return content_key(self.protocol_fields).hex()[:16]


@dataclass(frozen=True, kw_only=True)
class StatisticsFile:
    """What a statistics file holds."""

    path: Path
    statistics: Statistics  # count 0: not known
    digest: str  # SHA-256 of the file
    origin: Origin | None  # None: the file does not say how it was made


def is_statistics_file(path: Path) -> bool:
    """Whether a file holds `mu` and `sigma`; a file that cannot be read does not."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    try:
        return {"mu", "sigma"} <= set(array_names(path))
    except UNREADABLE:
        return False


def read_statistics(path: Path) -> tuple[Statistics, str]:
    """Mean (D,), covariance (D, D) as the file has it, count (0: not known), and the SHA-256.

    Raises:
        InputError: damaged, or `mu` and `sigma` do not fit together or are not finite.
    """
    file = read_statistics_file(path)
    return file.statistics, file.digest


def read_statistics_file(path: Path) -> StatisticsFile:
    """Statistics with how they were made, where the file says it.

    Raises:
        InputError: damaged, changed after it was written, or `mu` and `sigma` do not fit together
            or are not finite.
    """
    try:
        arrays = read_arrays(path, ("mu", "sigma", "count"))
        mean, covariance = (np.asarray(arrays[name], np.float64) for name in ("mu", "sigma"))
        count = int(arrays.get("count", np.zeros(()))[()])
        text = _provenance_text(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except UNREADABLE as error:
        raise InputError(
            f"{path}: not a readable statistics file ({error}); write it again"
        ) from None
    check_statistics_arrays(path, mean, covariance)
    origin = None if text is None else _origin(path, text, _checksum(mean, covariance, count))
    statistics = Statistics(mean=mean, covariance=covariance, count=count)
    return StatisticsFile(path=path, statistics=statistics, digest=digest, origin=origin)


def write_statistics_file(path: Path, statistics: Statistics, origin: Origin) -> StatisticsFile:
    """Write statistics and how they were made; the file is there whole or not at all.

    The same statistics and origin give the same bytes.

    Raises:
        InputError: a name without one of the two endings, a file there that holds anything but
            statistics, or a folder that cannot be written.
    """
    check_target(path)
    mean, covariance = statistics.mean, statistics.covariance
    provenance = {
        "form": FORM,
        "fingerprint": origin.fingerprint,
        "checksum": _checksum(mean, covariance, statistics.count),
        **asdict(origin),
    }
    text = json.dumps(provenance, allow_nan=False)
    arrays = {
        "mu": np.ascontiguousarray(mean, np.float64),
        "sigma": np.ascontiguousarray(covariance, np.float64),
        "count": np.array(statistics.count, np.int64),
    }
    if path.suffix.lower() == ".npz":
        stream = BytesIO()
        np.savez(stream, allow_pickle=False, **arrays, **{PROVENANCE: np.array(text)})  # type: ignore[arg-type]
        data = stream.getvalue()
    else:
        data = save(arrays, metadata={PROVENANCE: text})
    try:
        write_whole(path, data)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose another --out"
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    return StatisticsFile(path=path, statistics=statistics, digest=digest, origin=origin)


def check_target(path: Path) -> None:
    """Refuse a file that cannot be written before hours of work, not after.

    Raises:
        InputError: see `write_statistics_file`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"--out {path}: the name of a statistics file ends in .safetensors or .npz"
        )
    if path.exists() and not is_statistics_file(path):
        raise InputError(f"--out {path}: something else is there already: choose another name")
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {path}: cannot be written ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"--out {path}: {folder} cannot be written: choose another folder")


def check_statistics_arrays(path: Path, mean: Array, covariance: Array) -> None:
    """Refuse what cannot be a mean (D,) and a covariance (D, D)."""
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise InputError(
            f"{path}: mu {mean.shape} and sigma {covariance.shape} do not fit: statistics are "
            "(D,) and (D, D)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise InputError(f"{path}: its statistics are not finite: make them again")
    scale = np.abs(covariance).max(initial=0.0)
    if np.abs(covariance - covariance.T).max(initial=0.0) > 1e-6 * scale:
        raise InputError(f"{path}: sigma is not symmetric, so no covariance: make it again")
    if not _is_semidefinite(covariance, 1e-6 * scale):
        raise InputError(f"{path}: sigma has negative eigenvalues, so is no covariance")


def _is_semidefinite(covariance: Array, tolerance: float) -> bool:
    """Whether no eigenvalue is below −tolerance; a tenth of the time of computing them."""
    if tolerance == 0:
        return True
    try:
        np.linalg.cholesky(covariance + tolerance * np.eye(len(covariance)))
    except np.linalg.LinAlgError:
        return False
    return True


def array_names(path: Path) -> list[str]:
    """Names of the arrays in an `.npz` or `.safetensors`; nothing is unpickled."""
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return list(archive.files)
    with safe_open(path, framework="numpy") as file:
        return list(file.keys())


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Those of these arrays that are there; nothing is unpickled."""
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in names if name in archive.files}
    else:
        with safe_open(path, framework="numpy") as file:
            known = set(file.keys())
            found = {name: file.get_tensor(name) for name in names if name in known}
    for name, array in found.items():
        if np.iscomplexobj(array):
            raise ValueError(f"{name} is complex: a root of a matrix went wrong where it was made")
    return found


def _provenance_text(path: Path) -> str | None:
    if path.suffix.lower() == ".npz":
        arrays = read_arrays(path, (PROVENANCE,))
        return str(arrays[PROVENANCE][()]) if arrays else None
    with safe_open(path, framework="numpy") as file:
        return (file.metadata() or {}).get(PROVENANCE)


def stated_split(path: Path | None) -> str | None:
    """The split of a data set that a statistics file of ours was made of; None if none is said.

    Looks at nothing else in the file: `read_statistics_file` refuses a damaged one.
    """
    if path is None or not is_statistics_file(path):
        return None
    try:
        return str(json.loads(_provenance_text(path) or "")["protocol_fields"]["split"])
    except UNREADABLE:
        return None


def _origin(path: Path, text: str, checksum: str) -> Origin:
    try:
        values = json.loads(text)
        form, stated_checksum = values.pop("form"), values.pop("checksum")
        fingerprint = values.pop("fingerprint")
        record = values.pop("record")
        if form != FORM:
            raise InputError(
                f"{path}: written by a newer latte-eval (form {form}, this one knows {FORM}): "
                "install a newer one"
            )
        origin = Origin(record=None if record is None else _record(record), **values)
        wrong = [
            name for name, kind in KINDS.items() if not isinstance(getattr(origin, name), kind)
        ]
        if wrong or origin.side not in get_args(Side):
            raise ValueError(f"no usable {', '.join(wrong) or 'side'}")
        if origin.protocol_fields.get("covariance") not in get_args(Covariance):
            raise ValueError("no usable covariance")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: what it says of how it was made cannot be read ({error}): write it again"
        ) from None
    if checksum != stated_checksum or fingerprint != origin.fingerprint:
        raise InputError(
            f"{path}: its statistics or its protocol were changed after it was written: write it "
            "again"
        )
    return origin


def _record(values: Mapping[str, Any]) -> SetRecord:
    tupled: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return SetRecord(**tupled)


def _checksum(mean: Array, covariance: Array, count: int) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(mean).tobytes())
    digest.update(np.ascontiguousarray(covariance).tobytes())
    digest.update(str(count).encode())
    return digest.hexdigest()
