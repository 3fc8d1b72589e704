"""Intervals of precision, recall, density and coverage: a jackknife over one set of distances."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from evaluation.metrics.inputs import Array
from evaluation.metrics.neighbours import as_neighbourhoods
from evaluation.uncertainty.interval import Interval
from evaluation.uncertainty.jackknife import jackknife_interval, random_groups, some_draws
from latte.data.errors import InputError

Distances = tuple[Array, Array, Array]  # squared: real-real (N, N), fake-fake (M, M), (N, M)
MAX_ROWS = 4096  # rows used of each set: three matrices of their squares are in memory
GROUPS = 20  # groups of each set


def jackknife_precision_recall(
    real: ArrayLike, fake: ArrayLike, k: int = 3, *, seed: int = 0
) -> tuple[Interval, Interval]:
    """Intervals of `evaluation.metrics.precision_recall`, centred on the measured values."""
    return _intervals(_precision_recall, (1.0, 1.0), real, fake, k, seed)


def jackknife_density_coverage(
    real: ArrayLike, fake: ArrayLike, k: int = 5, *, seed: int = 0
) -> tuple[Interval, Interval]:
    """Intervals of `evaluation.metrics.density_coverage`, centred on the measured values."""
    return _intervals(_density_coverage, (np.inf, 1.0), real, fake, k, seed)


def _intervals(
    statistic: Callable[[Distances, int], tuple[float, float]],
    ceilings: tuple[float, float],
    real: ArrayLike,
    fake: ArrayLike,
    k: int,
    seed: int,
) -> tuple[Interval, Interval]:
    """Both intervals, each group of each set left out once.

    A set of more than 4096 rows is represented by 4096 at random, and their spread is scaled to the
    set's own size as 1/√N.
    """
    tables = as_neighbourhoods(real, fake, k)
    x, y = (
        rows[some_draws(len(rows), MAX_ROWS, seed, number)] for number, rows in enumerate(tables)
    )
    distances = (cdist(x, x, "sqeuclidean"), cdist(y, y, "sqeuclidean"), cdist(x, y, "sqeuclidean"))
    values = np.array(statistic(distances, k))
    left_out = []
    for number, rows in enumerate((x, y)):
        members = random_groups(len(rows), GROUPS, seed, number)
        if len(rows) - max(map(len, members)) <= k:
            raise InputError(
                f"{len(rows)} clips are too few for an interval with k = {k}: add videos or ask "
                "for no interval"
            )
        estimates = np.array(
            [statistic(_without(distances, number, group), k) for group in members]
        )
        shrink = np.sqrt(len(rows) / len(tables[number]))
        left_out.append(values + shrink * (estimates - values))
    first, second = (
        jackknife_interval(
            float(values[i]), [table[:, i] for table in left_out], floor=0.0, ceiling=ceiling
        )
        for i, ceiling in enumerate(ceilings)
    )
    return first, second


def _without(distances: Distances, number: int, group: Array) -> Distances:
    """The distances without a group of rows of set `number`."""
    xx, yy, xy = distances
    kept = np.setdiff1d(np.arange(len((xx, yy)[number])), group)
    if number == 0:
        return xx[np.ix_(kept, kept)], yy, xy[kept]
    return xx, yy[np.ix_(kept, kept)], xy[:, kept]


def _precision_recall(distances: Distances, k: int) -> tuple[float, float]:
    xx, yy, xy = distances
    precise = (xy <= _radii(xx, k)[:, None]).any(axis=0)
    recalled = (xy <= _radii(yy, k)).any(axis=1)
    return float(precise.mean()), float(recalled.mean())


def _density_coverage(distances: Distances, k: int) -> tuple[float, float]:
    xx, _, xy = distances
    within = xy < _radii(xx, k)[:, None]
    return float(within.sum() / (k * xy.shape[1])), float(within.any(axis=1).mean())


def _radii(squared: Array, k: int) -> Array:
    return np.asarray(np.partition(squared, k, axis=1)[:, k])
