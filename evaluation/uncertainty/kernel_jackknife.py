"""Interval of a squared MMD: a jackknife over groups of rows from one pass over the kernel."""

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.metrics.kernel import Kernel
from evaluation.uncertainty.interval import Interval
from evaluation.uncertainty.jackknife import jackknife_interval, random_groups, some_draws
from evaluation.uncertainty.resampling import FeaturePair

MAX_ROWS = 8192  # rows used of each set: the kernel has as many entries as their squares
GROUPS = 20  # groups of each set
Sums = float | Array


def jackknife_mmd(
    pair: FeaturePair,
    kernel: Kernel,
    *,
    value: float,
    unbiased: bool = True,
    scale: float = 1.0,
    seed: int = 0,
) -> Interval:
    """Interval of a squared MMD (KID, KVD, JEDi), centred on the measured value.

    The rows of each set are put into groups at random. The kernel summed over each pair of groups
    is all that is needed to leave any group out, so the kernel is computed once.

    Sets of more than 8192 rows are represented by 8192 at random, and the standard error is
    scaled to their real size as 1/√N.

    Args:
        pair: features of both sets.
        kernel, unbiased, scale: as the metric has them.
        value: the metric, in the middle of the interval.
        seed: random seed of the groups.

    Raises:
        InputError: too few draws for groups.
    """
    x, y = (
        _parts(rows, pair.rows_per_draw, seed, number)
        for number, rows in enumerate((pair.x, pair.y))
    )
    xx, yy = _within(x, kernel, unbiased), _within(y, kernel, unbiased)
    xy = np.array([[kernel(a, b).sum() for b in y] for a in x])
    n, m = (np.array([len(part) for part in parts], float) for parts in (x, y))

    def mmd(within_x: Sums, n: Sums, within_y: Sums, m: Sums, across: Array) -> Array:
        less = 1 if unbiased else 0
        value = within_x / (n * (n - less)) + within_y / (m * (m - less)) - 2 * across / (n * m)
        return np.asarray(value)

    without_x = mmd(_without(xx), n.sum() - n, yy.sum(), m.sum(), xy.sum() - xy.sum(axis=1))
    without_y = mmd(xx.sum(), n.sum(), _without(yy), m.sum() - m, xy.sum() - xy.sum(axis=0))
    left_out = [
        scale * np.sqrt(used.sum() / len(rows)) * estimates
        for rows, used, estimates in ((pair.x, n, without_x), (pair.y, m, without_y))
    ]
    return jackknife_interval(value, left_out, floor=-np.inf if unbiased else 0.0)


def _without(sums: Array) -> Array:
    """The kernel summed over all pairs of rows, with each group left out in turn, (G,)."""
    return np.asarray(sums.sum() - 2 * sums.sum(axis=1) + np.diag(sums))


def _within(parts: list[Array], kernel: Kernel, unbiased: bool) -> Array:
    """Kernel sums of pairs of groups of one set, (G, G), without the diagonal if unbiased."""
    sums = np.empty((len(parts), len(parts)))
    for i, a in enumerate(parts):
        for j, b in enumerate(parts[: i + 1]):
            sums[i, j] = sums[j, i] = kernel(a, b).sum()
        if unbiased:
            sums[i, i] -= kernel.diagonal(a).sum()
    return sums


def _parts(rows: Array, rows_per_draw: int, seed: int, number: int) -> list[Array]:
    """The rows in groups at random; rows that are drawn together stay together."""
    draws = rows.reshape(-1, rows_per_draw, rows.shape[1])
    draws = draws[some_draws(len(draws), MAX_ROWS // rows_per_draw, seed, number)]
    members = random_groups(len(draws), GROUPS, seed, number)
    return [draws[group].reshape(-1, rows.shape[1]) for group in members]
