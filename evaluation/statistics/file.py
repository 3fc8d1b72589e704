"""Statistics of one set as a file: `mu` and `sigma` in one `.npz` or `.safetensors`.

The form in which FID packages exchange references. A file of ours also holds `count` and, as JSON
text under `provenance`, how it was made; other packages read its `mu` and `sigma` all the same.
A file of theirs does not say how it was made, and a result that uses one says so.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from evaluation.metrics.inputs import TOLERANCE, Array, as_moments
from evaluation.protocol.content import content_key, fingerprint
from evaluation.protocol.fields import DDOF, Side
from evaluation.results.record import SetRecord
from evaluation.statistics.running import Statistics
from latte.data.errors import InputError, outside
from latte.data.files import can_write, is_dangling, write_atomically
from latte.data.hashing import file_sha256
from latte.data.npy import npz_names, open_npz
from latte.data.schema import convert

SUFFIXES = (".npz", ".safetensors")
PROVENANCE = "provenance"  # name of the JSON text beside the arrays


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How statistics were made: the protocol as it was carried out, the network and the set."""

    protocol: str  # its name
    protocol_fields: Mapping[str, Any]  # fields that affect results; `covariance` is sigma's
    side: Side  # whose clips they are, real or generated, as the protocol chooses them
    network: str
    network_version: int
    weights_sha256: str | None  # None: stated by name only
    num_clips: int | None  # None: not known
    dataset: str | None = None
    record: SetRecord | None = None  # the set that was measured; None: imported
    stated: bool = False  # True: the importer declares the protocol
    source_sha256: str | None = None  # hash of the file that was imported
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.protocol_fields.get("covariance") not in DDOF:
            raise ValueError("protocol_fields.covariance must be n or n-1")

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the protocol, which results and presets are compared with."""
        return fingerprint(self.protocol_fields)


@dataclass(frozen=True, kw_only=True)
class OriginRecord:
    """The JSON text of a file of ours."""

    checksum: str  # covers the statistics and the protocol
    origin: Origin


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
    except InputError:
        return False


def read_statistics_file(path: Path) -> StatisticsFile:
    """Statistics with how they were made, where the file says it.

    Raises:
        InputError: damaged, changed after it was written, or `mu` and `sigma` do not fit together
            or are not finite.
    """
    arrays = read_arrays(path, ("mu", "sigma", "count", PROVENANCE))
    with outside(path, "statistics"):
        mean, covariance = as_moments(arrays["mu"], arrays["sigma"], f"{path}:")
        count = int(arrays.get("count", np.zeros(()))[()])
        if not 0 <= count < 2**63:
            raise ValueError(f"its count is {count:.3g}")
        digest = file_sha256(path)
    if not _is_semidefinite(covariance):
        raise InputError(f"{path}: sigma has negative eigenvalues, so is no covariance")
    statistics = Statistics(mean=mean, covariance=covariance, count=count)
    origin = None
    if PROVENANCE in arrays:
        record = _origin_record(path, str(arrays[PROVENANCE]))
        origin = record.origin
        if record.checksum != _checksum(statistics, origin):
            raise InputError(
                f"{path}: its statistics or its protocol were changed after it was written: write "
                "it again"
            )
    return StatisticsFile(path=path, statistics=statistics, digest=digest, origin=origin)


def write_statistics_file(path: Path, statistics: Statistics, origin: Origin) -> StatisticsFile:
    """Write statistics and how they were made; the file is there whole or not at all.

    The same statistics and origin give the same bytes.

    Raises:
        InputError: a name without one of the two endings, a file there that holds anything but
            statistics, or a folder that cannot be written.
        OSError: the disk is full.
    """
    check_target(path)
    provenance = OriginRecord(checksum=_checksum(statistics, origin), origin=origin)
    text = json.dumps(asdict(provenance), allow_nan=False)  # ASCII: names may hold any bytes
    arrays = {
        "mu": np.ascontiguousarray(statistics.mean, np.float64),
        "sigma": np.ascontiguousarray(statistics.covariance, np.float64),
        "count": np.array(statistics.count, np.int64),
    }
    if path.suffix.lower() == ".npz":
        stream = BytesIO()
        np.savez(stream, allow_pickle=False, **arrays, **{PROVENANCE: np.array(text)})  # type: ignore[arg-type]
        data = stream.getvalue()
    else:
        data = save(arrays, metadata={PROVENANCE: text})
    write_atomically(path, data, durable=True)
    return read_statistics_file(path)


def check_target(path: Path) -> None:
    """Refuse a file that cannot be written before hours of work, not after.

    Raises:
        InputError: see `write_statistics_file`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"--out {path}: give a name that ends in .safetensors or .npz")
    if is_dangling(path) or (path.exists() and not is_statistics_file(path)):
        raise InputError(f"--out {path}: something else is there already: choose another name")
    if not can_write(path.parent):
        raise InputError(f"--out {path}: {path.parent} cannot be written: choose another folder")


def array_names(path: Path) -> list[str]:
    """Names of the arrays in an `.npz` or `.safetensors`.

    Raises:
        InputError: it cannot be read.
    """
    with outside(path, f"a {path.suffix} file"):
        if path.suffix.lower() == ".npz":
            return npz_names(path)
        with safe_open(path, framework="numpy") as file:
            return list(file.keys())


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Those of these arrays, and texts, that are there; nothing is unpickled.

    Raises:
        InputError: the file cannot be read, or an array is of complex numbers, dates or the like.
    """
    with outside(path, f"a {path.suffix} file"):
        if path.suffix.lower() == ".npz":
            present = {*names} & {*npz_names(path)}
            arrays = {name: np.array(open_npz(path, name)) for name in present}
        else:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in {*names} & {*file.keys()}}
                texts = file.metadata() or {}
                arrays |= {name: np.array(texts[name]) for name in {*names} & {*texts}}
        for name, array in arrays.items():
            if array.dtype.kind not in "biufUS":
                raise ValueError(f"{name} is {array.dtype}, not real numbers or a text")
        return arrays


def stated_split(path: Path | None) -> str | None:
    """The split of a data set that a statistics file of ours states; None if it states none.

    Raises:
        InputError: the file cannot be read.
    """
    if path is None or not is_statistics_file(path):
        return None
    origin = read_statistics_file(path).origin
    split = origin and origin.protocol_fields.get("split")
    return None if split is None else str(split)


def _origin_record(path: Path, text: str) -> OriginRecord:
    with outside(f"{path}, provenance", "JSON"):
        # It is written in ASCII. NumPy's strings may hold numbers that are no characters at all,
        # over which Python fails wherever it looks at them.
        text.encode("ascii")
        # msgspec refuses the lone surrogates that stand for file names of other encodings.
        values = json.loads(text)
    return convert(values, OriginRecord, f"{path}, provenance")


def _checksum(statistics: Statistics, origin: Origin) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(statistics.mean).tobytes())
    digest.update(np.ascontiguousarray(statistics.covariance).tobytes())
    digest.update(str(statistics.count).encode())
    digest.update(content_key(origin.protocol_fields))
    return digest.hexdigest()


def _is_semidefinite(covariance: Array) -> bool:
    """Whether no eigenvalue is much below 0; a tenth of the time of computing them."""
    tolerance = TOLERANCE * np.abs(covariance).max()
    if tolerance == 0:
        return True
    try:
        np.linalg.cholesky(covariance + tolerance * np.eye(len(covariance)))
    except np.linalg.LinAlgError:
        return False
    return True
