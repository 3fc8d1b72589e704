"""Interval of a squared MMD: a jackknife over groups of rows from one pass over the kernel."""

from dataclasses import dataclass

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.metrics.kernel import Kernel
from evaluation.uncertainty.interval import Interval
from evaluation.uncertainty.jackknife import jackknife_interval, random_groups, some_draws
from evaluation.uncertainty.resampling import FeaturePair

MAX_ROWS = 8192  # rows used of each set: the kernel has as many entries as their squares
GROUPS = 20  # groups of each set


def jackknife_mmd(
    pair: FeaturePair,
    kernel: Kernel,
    *,
    value: float,
    unbiased: bool = True,
    scale: float = 1.0,
    level: float = 0.95,
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
    parts = [
        _parts(rows, pair.rows_per_draw, seed, number)
        for number, rows in enumerate((pair.x, pair.y))
    ]
    sums = _BlockSums.of(parts[0], parts[1], kernel, unbiased)
    left_out = []
    for rows, used, estimates in zip(
        (pair.x, pair.y), parts, (sums.without_first(), sums.without_second()), strict=True
    ):
        shrink = np.sqrt(sum(map(len, used)) / len(rows))
        left_out.append(scale * shrink * estimates)
    return jackknife_interval(value, left_out, level, floor=-np.inf if unbiased else 0.0)


@dataclass(frozen=True)
class _BlockSums:
    """Kernel sums of pairs of groups, without the diagonal of a set where it does not count."""

    xx: Array  # (G, G)
    yy: Array  # (H, H)
    xy: Array  # (G, H)
    x_counts: Array  # (G,) rows
    y_counts: Array  # (H,)
    unbiased: bool

    @classmethod
    def of(cls, x: list[Array], y: list[Array], kernel: Kernel, unbiased: bool) -> "_BlockSums":
        return cls(
            _within(x, kernel, unbiased),
            _within(y, kernel, unbiased),
            np.array([[kernel(a, b).sum() for b in y] for a in x]),
            np.array([len(part) for part in x], float),
            np.array([len(part) for part in y], float),
            unbiased,
        )

    def without_first(self) -> Array:
        """The squared MMD with each group of x left out in turn, (G,)."""
        within = self.xx.sum() - 2 * self.xx.sum(axis=1) + np.diag(self.xx)
        across = self.xy.sum() - self.xy.sum(axis=1)
        n, m = self.x_counts.sum() - self.x_counts, self.y_counts.sum()
        return self._value(within, n, self.yy.sum(), m, across)

    def without_second(self) -> Array:
        """The same with the groups of y."""
        within = self.yy.sum() - 2 * self.yy.sum(axis=1) + np.diag(self.yy)
        across = self.xy.sum() - self.xy.sum(axis=0)
        n, m = self.x_counts.sum(), self.y_counts.sum() - self.y_counts
        return self._value(self.xx.sum(), n, within, m, across)

    def _value(
        self, xx: float | Array, n: float | Array, yy: float | Array, m: float | Array, xy: Array
    ) -> Array:
        less = 1 if self.unbiased else 0
        return np.asarray(xx / (n * (n - less)) + yy / (m * (m - less)) - 2 * xy / (n * m))


def _within(parts: list[Array], kernel: Kernel, unbiased: bool) -> Array:
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
