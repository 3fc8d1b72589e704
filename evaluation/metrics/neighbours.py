"""Distances to nearest neighbours, for precision, recall, density and coverage.

Distances are sums of squared differences, not |a|² + |b|² − 2 a·b: a copy is at exactly 0, the
distance there is the distance back, and no result depends on the blocks.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from evaluation.metrics.inputs import Array, as_feature_pair
from latte.data.errors import InputError

VALUES_AT_ONCE = 2**22  # of a matrix of distances, 32 MB; bounds memory only


def as_neighbourhoods(real: ArrayLike, fake: ArrayLike, k: int) -> tuple[Array, Array]:
    """Two tables of features in which every row has k others: float64 (N, D) and (M, D).

    Raises:
        InputError: as `as_feature_pair`; k below 1, or k rows or fewer.
    """
    first, second = as_feature_pair(real, fake, labels=("real features", "fake features"))
    if k < 1:
        raise InputError(f"k = {k} neighbours make no neighbourhood: give 1 or more")
    for rows, label in ((first, "real"), (second, "fake")):
        if len(rows) <= k:
            raise InputError(
                f"{label} features have {len(rows)} rows: a row has its k = {k} nearest others "
                f"only among {k + 1} or more"
            )
    return first, second


def squared_distances(x: Array, y: Array) -> Iterator[tuple[slice, Array]]:
    """Blocks of rows of the (N, M) matrix of squared distances, with the rows they are."""
    step = max(1, VALUES_AT_ONCE // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        yield rows, cdist(x[rows], y, "sqeuclidean")


def squared_radii(x: Array, k: int) -> Array:
    """Squared distance of each row to its k-th nearest other row, (N,).

    A copy of the row is another row: with k copies the radius is 0.
    """
    radii = np.empty(len(x))
    for rows, distances in squared_distances(x, x):
        # In order, a row itself comes first, at 0.
        radii[rows] = np.partition(distances, k, axis=1)[:, k]
    return radii
