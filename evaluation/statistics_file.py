"""Statistics that somebody has already computed: `mu` and `sigma` in one `.npz` or `.safetensors`.

The form in which FID packages exchange references. How such a file was made is not written in it,
so a result that uses one says that it is not known.
"""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from evaluation.statistics import Statistics
from latte.data.errors import InputError

SUFFIXES = (".npz", ".safetensors")


def is_statistics_file(path: Path) -> bool:
    """Whether a file holds `mu` and `sigma`; a file that cannot be read does not."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    try:
        return {"mu", "sigma"} <= set(_names(path))
    except (OSError, ValueError, zipfile.BadZipFile, SafetensorError):
        return False


def read_statistics(path: Path) -> tuple[Statistics, str]:
    """Mean (D,), covariance (D, D) as the file has it, count (0: not known), and the SHA-256.

    Raises:
        InputError: damaged, or `mu` and `sigma` do not fit together or are not finite.
    """
    try:
        arrays = _arrays(path)
        mean, covariance = (np.asarray(arrays[name], np.float64) for name in ("mu", "sigma"))
        count = int(arrays.get("count", np.zeros(()))[()])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, SafetensorError) as error:
        raise InputError(
            f"{path}: not a readable statistics file ({error}); write it again"
        ) from None
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise InputError(
            f"{path}: mu {mean.shape} and sigma {covariance.shape} do not fit: statistics are "
            "(D,) and (D, D)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise InputError(f"{path}: its statistics are not finite: make them again")
    scale = np.abs(covariance).max()
    if np.abs(covariance - covariance.T).max() > 1e-6 * scale:
        raise InputError(f"{path}: sigma is not symmetric, so no covariance: make it again")
    if np.linalg.eigvalsh(covariance).min() < -1e-6 * scale:
        raise InputError(f"{path}: sigma has negative eigenvalues, so is no covariance")
    return Statistics(mean=mean, covariance=covariance, count=count), digest


def _names(path: Path) -> list[str]:
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return list(archive.files)
    with safe_open(path, framework="numpy") as file:
        return list(file.keys())


def _arrays(path: Path) -> dict[str, np.ndarray]:
    names = [name for name in _names(path) if name in ("mu", "sigma", "count")]
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in names}
