"""What every metric asks of its features before it computes anything."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latte.data.errors import InputError

Array = NDArray[np.float64]
MAX_ABSOLUTE = float(np.finfo(np.float32).max)  # beyond it, squares and cubes leave float64
TOLERANCE = 1e-6  # relative: float32 statistics of others are symmetric and positive to this


def as_features(features: ArrayLike, label: str = "features") -> Array:
    """The features as float64 (N, D).

    Args:
        features: (N, D), N and D at least 1, finite.
        label: what to call them in a message, such as "real features".

    Raises:
        InputError: another number of axes, no rows, or a row that is not finite (the first such
            row is named, counted from 0).
    """
    array = np.asarray(features, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(
            f"{label} have shape {array.shape}: give (samples, features), one of each or more"
        )
    finite = (np.abs(array) <= MAX_ABSOLUTE).all(axis=1)
    if not finite.all():
        raise InputError(
            f"{label} are not finite (or beyond float32) in {np.count_nonzero(~finite)} of "
            f"{len(array)} rows, first in row {int(np.argmin(finite))}: leave that sample out or "
            "check the network's weights"
        )
    return array


def as_feature_pair(
    x: ArrayLike, y: ArrayLike, *, ddof: int = 0, labels: tuple[str, str] = ("x", "y")
) -> tuple[Array, Array]:
    """Two tables of features that can be compared: float64 (N, D) and (M, D).

    Raises:
        InputError: as `as_features`; different D; too few rows for a covariance over N − ddof.
    """
    first, second = as_features(x, labels[0]), as_features(y, labels[1])
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"{labels[0]} have {first.shape[1]} features but {labels[1]} {second.shape[1]}: "
            "compare features of one network"
        )
    for array, label in ((first, labels[0]), (second, labels[1])):
        if len(array) <= ddof:
            raise InputError(
                f"{label} have {len(array)} rows: a covariance over N − {ddof} needs more"
            )
    return first, second


def blocks(rows: Array, size: int) -> Iterator[Array]:
    """The rows, `size` at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def as_moments(mu: ArrayLike, sigma: ArrayLike, label: str) -> tuple[Array, Array]:
    """Mean (D,) and covariance (D, D) of one set as float64.

    Args:
        mu, sigma: finite, sigma symmetric.
        label: what to call them in a message, such as "the first" or "FILE:".

    Raises:
        InputError: they are not of these kinds.
    """
    mean, covariance = np.asarray(mu, np.float64), np.asarray(sigma, np.float64)
    if mean.ndim != 1 or not mean.size or covariance.shape != (mean.size, mean.size):
        raise InputError(
            f"{label} mean {mean.shape} and covariance {covariance.shape} do not fit: statistics "
            "are (D,) and (D, D)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise InputError(f"{label} mean or covariance is not finite: check the features")
    if max(np.abs(mean).max(), np.abs(covariance).max()) > MAX_ABSOLUTE:
        raise InputError(f"{label} mean or covariance is beyond float32: check the features")
    if np.array_equal(covariance, covariance.T):  # as usual, and seen sooner
        return mean, covariance
    if np.abs(covariance - covariance.T).max() > TOLERANCE * np.abs(covariance).max():
        raise InputError(f"{label} covariance is not symmetric, so is none: make it again")
    return mean, covariance
