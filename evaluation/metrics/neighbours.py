"""Metrics of nearest neighbours: precision and recall, density and coverage.

Distances are sums of squared differences, not |a|² + |b|² − 2 a·b: a copy is at exactly 0, the
distance there is the distance back, and no result depends on the blocks.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.inputs import Array, as_feature_pair
from latte.data.errors import InputError

VALUES_AT_ONCE = 2**22  # distances are computed in parts of 32 MB; bounds memory only


class PrecisionRecall(NamedTuple):
    """Both from 0 to 1; higher is better."""

    precision: float
    recall: float


def precision_recall(real: ArrayLike, fake: ArrayLike, k: int = 3) -> PrecisionRecall:
    """Precision and recall of generated samples; higher is better, at most 1.

    precision = share of fake rows within a ball of a real row      [Kynkäänniemi et al., 2019]
    recall    = share of real rows within a ball of a fake row

    The ball of a row reaches to its k-th nearest other row of its own set, edge included: the
    conventions of kynkaat/improved-precision-and-recall-metric and of torch-fidelity. (`prdc`
    leaves the edge out.) Both depend on N and M: compare values of equal numbers.

    Args:
        real, fake: (N, D) and (M, D), any floating type; computed in float64.
        k: 3 in both references.

    Raises:
        InputError: as `as_neighbourhoods`.
    """
    first, second = as_neighbourhoods(real, fake, k)
    return PrecisionRecall(
        precision=_share_within(second, first, squared_radii(first, k)),
        recall=_share_within(first, second, squared_radii(second, k)),
    )


def _share_within(x: Array, centres: Array, radii: Array) -> float:
    """Share of the rows of x that lie within a ball, edge included."""
    within = 0
    for _, distances in squared_distances(x, centres):
        within += int((distances <= radii).any(axis=1).sum())
    return within / len(x)


class DensityCoverage(NamedTuple):
    """Density from 0, about 1 for real samples; coverage from 0 to 1; higher is better."""

    density: float
    coverage: float


def density_coverage(real: ArrayLike, fake: ArrayLike, k: int = 5) -> DensityCoverage:
    """Density and coverage of generated samples; higher is better.

    density  = mean over fake rows of (number of real balls it lies in) / k    [Naeem et al., 2020]
    coverage = share of real rows with a fake row in their ball

    The ball of a real row reaches to its k-th nearest other real row, edge left out: the
    conventions of `prdc`. Where both sets come from one distribution the expected density is 1,
    and the expected coverage 1 − Π (N − 1 − j) / (N + M − 1 − j) over j = 0 … k − 1, about
    1 − 2⁻ᵏ at N = M. Density is not bounded by 1: samples where real ones are dense raise it.

    Args:
        real, fake: (N, D) and (M, D), any floating type; computed in float64.
        k: 5 in the paper.

    Raises:
        InputError: as `as_neighbourhoods`.
    """
    first, second = as_neighbourhoods(real, fake, k)
    radii = squared_radii(first, k)
    inside = covered = 0
    for rows, distances in squared_distances(first, second):
        within = distances < radii[rows, None]
        inside += int(within.sum())
        covered += int(within.any(axis=1).sum())
    return DensityCoverage(density=inside / (k * len(second)), coverage=covered / len(first))


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
    from scipy.spatial.distance import cdist  # takes longer to import than a warm run lasts

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
        # The smallest distance is that of a row to itself, 0.
        radii[rows] = np.partition(distances, k, axis=1)[:, k]
    return radii
