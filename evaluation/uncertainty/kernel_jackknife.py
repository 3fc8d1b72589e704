"""Interval of a squared MMD: a jackknife over groups of rows from one pass over the kernel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.inputs import Array, as_feature_pair
from evaluation.metrics.kernel import Kernel
from evaluation.uncertainty.interval import Interval
from evaluation.uncertainty.jackknife import jackknife_interval, random_groups, some_draws

MOST_ROWS = 8192  # of each set: the kernel has as many entries as their squares


def jackknife_mmd(
    x: ArrayLike,
    y: ArrayLike,
    kernel: Kernel,
    *,
    value: float,
    unbiased: bool = True,
    scale: float = 1.0,
    groups: int = 20,
    level: float = 0.95,
    rows_per_draw: int = 1,
    seed: int = 0,
) -> Interval:
    """Interval of a squared MMD (KID, KVD, JEDi), centred on the measured value.

    The rows of each set are dealt into groups. The kernel summed over each pair of groups is all
    that is needed to leave any group out, so the kernel is computed once.

    Sets of more than 8192 rows are represented by as many at random, and the standard error is
    brought to their real size as 1/√N.

    Args:
        x, y: (N, D) and (M, D).
        kernel: of the metric.
        value: the metric, in the middle of the interval.
        unbiased, scale: as of the metric.
        groups: at most; fewer where there are fewer draws.
        rows_per_draw: neighbouring rows that stay together: the frames of a clip.
        seed: of the dealing.

    Raises:
        InputError: features that cannot be compared, or too few draws for groups.
    """
    tables = as_feature_pair(x, y)
    parts = [
        _parts(rows, groups, rows_per_draw, seed, number) for number, rows in enumerate(tables)
    ]
    sums = _BlockSums.of(parts[0], parts[1], kernel, unbiased)
    left_out = []
    for rows, used, estimates in zip(
        tables, parts, (sums.without_first(), sums.without_second()), strict=True
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


def _parts(rows: Array, groups: int, rows_per_draw: int, seed: int, number: int) -> list[Array]:
    """The rows in groups at random; those that are drawn together stay together."""
    draws = rows.reshape(-1, rows_per_draw, rows.shape[1])
    draws = draws[some_draws(len(draws), MOST_ROWS // rows_per_draw, seed, number)]
    members = random_groups(len(draws), groups, seed, number)
    return [draws[group].reshape(-1, rows.shape[1]) for group in members]
