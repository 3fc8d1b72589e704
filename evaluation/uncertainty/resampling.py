"""Fréchet distances of weighted rows, from sums instead of from copies of the rows.

Every method here resamples by weights, one for each row: how often the row was drawn, or 1 and 0
for kept and left out. The distance needs only the weighted sums of the rows and of their outer
products. The sums over all rows are computed once; a resample adds (w − 1) of each row whose weight
is not 1, or w of each whose weight is not 0, whichever are fewer, in blocks of 256 rows. Its memory
is O(D² + 256 D). With N ≤ D rows the outer products would be the larger matrices: there the inner
products of the rows of both sets, (N, M), are computed once, and a resample weights those.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.metrics.frechet import (
    distance_of_product,
    frechet_distance_from_features,
    squares_suffice,
    without_direction,
)
from evaluation.metrics.inputs import Array, as_feature_pair
from evaluation.uncertainty.cores import one_core

BLOCK_ROWS = 256
MIN_PANEL = 100  # columns of one part of a product of which symmetry gives most of the rest
SINGULAR = 1e-10  # smallest pivot of a Cholesky factor, relative to the largest, that is trusted


@dataclass(frozen=True)
class WeightedMoments:
    """All that a Fréchet distance needs of a weighted set."""

    mean: Array  # (D,)
    trace: float  # trace of the covariance
    factor: Array  # F (K, D), FᵀF the covariance


@dataclass(frozen=True)
class FeatureTable:
    """Rows of which many weighted versions are wanted."""

    rows: Array  # (N, D) float64, their mean taken off, so that sums of squares lose nothing
    centre: Array  # (D,), the mean taken off
    rows_per_draw: int = 1  # neighbouring rows that have one weight

    @classmethod
    def of(cls, features: Array, rows_per_draw: int = 1) -> "FeatureTable":
        """A table of features, (N, D), N a multiple of `rows_per_draw`."""
        centre = features.mean(axis=0)
        return cls(features - centre, centre, rows_per_draw)

    @property
    def num_draws(self) -> int:
        """Independent draws: clips, each of one row or of several."""
        return len(self.rows) // self.rows_per_draw

    @cached_property
    def squares(self) -> Array:
        """|row|², (N,)."""
        return np.asarray(np.einsum("nd,nd->n", self.rows, self.rows))

    @cached_property
    def outer(self) -> Array:
        """Σ row rowᵀ over all rows, (D, D)."""
        with one_core():
            return self._outer(np.ones(len(self.rows)))

    def spread(self, draw_weights: Array) -> Array:
        """A weight for each row from one for each draw, (num_draws,) → (N,)."""
        if self.rows_per_draw == 1:
            return draw_weights
        return draw_weights.repeat(self.rows_per_draw)

    def moments(self, weights: Array, ddof: int = 0) -> WeightedMoments:
        """WeightedMoments of the rows, each counted `weights` times, (N,)."""
        if not self.is_tall(weights):
            return self._moments(weights, None, ddof)
        changes = weights - 1
        if np.count_nonzero(changes) < np.count_nonzero(weights):
            return self._moments(weights, self.outer + self._outer(changes), ddof)
        return self._moments(weights, self._outer(weights), ddof)

    def split(
        self, kept: Array, others: Array, ddof: int = 0
    ) -> tuple[WeightedMoments, WeightedMoments]:
        """WeightedMoments of two disjoint parts (weights 1 and 0) at the price of one."""
        if not (self.is_tall(kept) and self.is_tall(others)):
            return self.moments(kept, ddof), self.moments(others, ddof)
        outer = self._outer(kept)
        rest = self.outer - outer
        left = 1 - kept - others
        if left.any():
            rest -= self._outer(left)
        return self._moments(kept, outer, ddof), self._moments(others, rest, ddof)

    def is_tall(self, weights: Array) -> bool:
        """Whether more rows than features are left."""
        return np.count_nonzero(weights) > self.rows.shape[1]

    def mean_and_trace(self, weights: Array, ddof: int) -> tuple[Array, float]:
        """Mean less the centre, (D,), and trace of the covariance."""
        count = float(weights.sum())
        mean = weights @ self.rows / count
        scatter = float(weights @ self.squares) - count * float(mean @ mean)
        return mean, scatter / (count - ddof)

    def _moments(self, weights: Array, outer: Array | None, ddof: int) -> WeightedMoments:
        count = float(weights.sum())
        mean, trace = self.mean_and_trace(weights, ddof)
        factor = None
        if outer is not None:
            factor = cholesky(outer - count * np.outer(mean, mean))
        if factor is None:
            factor = self._weighted(weights, mean)
        return WeightedMoments(mean + self.centre, trace, factor / (count - ddof) ** 0.5)

    def _outer(self, weights: Array) -> Array:
        """Σ weight row rowᵀ, (D, D), over the rows whose weight is not 0."""
        num_features = self.rows.shape[1]
        total = np.zeros((num_features, num_features))
        panels = min(4, max(1, num_features // MIN_PANEL))
        edges = [num_features * panel // panels for panel in range(panels + 1)]
        for index in _split(weights, BLOCK_ROWS):
            rows = self.rows[index]
            weighted = rows * weights[index, None]
            for start, stop in pairwise(edges):  # the half above the diagonal, and little more
                total[start:stop, start:] += rows[:, start:stop].T @ weighted[:, start:]
        return np.asarray(np.triu(total) + np.triu(total, 1).T)

    def _weighted(self, weights: Array, mean: Array) -> Array:
        """The rows' own factor: √weight (row − mean), or the triangular one where they are many.

        For few rows, and for scatters too near to singular for a Cholesky factor, where this is
        slower, and exact.
        """
        num_features = self.rows.shape[1]
        factor = np.empty((0, num_features))
        for index in _split(weights, max(BLOCK_ROWS, num_features)):
            rows = (self.rows[index] - mean) * np.sqrt(weights[index, None])
            factor = np.concatenate([factor, rows])
            if len(factor) > num_features:
                factor = np.asarray(np.linalg.qr(factor, mode="r"))
        if self.is_tall(weights):
            return factor
        return without_direction(factor, np.sqrt(weights[weights.nonzero()[0]]))


class FeaturePair:
    """Features of two sets that are compared, whole and in many resamples.

    What all resamples share is computed once.

    Args:
        x, y: features, (N, D) and (M, D).
        ddof: of the covariances.
        rows_per_draw: neighbouring rows that are drawn together, because they are not independent:
            the frames of a clip.
        labels: of both sets, for messages.

    Raises:
        InputError: features that cannot be compared.
        ValueError: a number of rows that is no multiple of `rows_per_draw`.
    """

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        ddof: int = 0,
        rows_per_draw: int = 1,
        labels: tuple[str, str] = ("x", "y"),
    ) -> None:
        self.x, self.y = as_feature_pair(x, y, ddof=ddof, labels=labels)
        self.ddof = ddof
        self.rows_per_draw = rows_per_draw
        for features in (self.x, self.y):
            check_draws(len(features), rows_per_draw)

    @cached_property
    def value(self) -> float:
        """The Fréchet distance of all rows."""
        return frechet_distance_from_features(self.x, self.y, ddof=self.ddof)

    @cached_property
    def tables(self) -> tuple[FeatureTable, FeatureTable]:
        """The rows of x and of y, ready to be weighted."""
        x, y = (FeatureTable.of(rows, self.rows_per_draw) for rows in (self.x, self.y))
        return x, y

    @property
    def num_draws(self) -> int:
        """Independent draws in the smaller set: clips."""
        return min(len(self.x), len(self.y)) // self.rows_per_draw

    @cached_property
    def inner(self) -> Array | None:
        """Inner products of the rows of both, (N, M); None where there are far more than D."""
        x, y = (table.rows for table in self.tables)
        if max(len(x), len(y)) > 2 * x.shape[1]:
            return None
        with one_core():
            return np.asarray(x @ y.T)

    def distance(self, weights1: Array, weights2: Array) -> float:
        """Fréchet distance of both, a weight for each row: (N,) and (M,)."""
        return distance_of_product(*self._product(weights1, weights2), squares=self.squares)

    @cached_property
    def squares(self) -> bool:
        """Whether squared singular values do for all rows: if not, no resample tries them."""
        with one_core():
            return squares_suffice(*self._product(*(np.ones(len(t.rows)) for t in self.tables)))

    def _product(self, weights1: Array, weights2: Array) -> tuple[float, Array]:
        """What `distance_of_product` needs of both."""
        x, y = self.tables
        few = not (x.is_tall(weights1) or y.is_tall(weights2))
        if few and self.inner is not None:
            return self._product_of_few(self.inner, weights1, weights2)
        return product_of(x.moments(weights1, self.ddof), y.moments(weights2, self.ddof))

    def split_distances(
        self, parts1: tuple[Array, Array], parts2: tuple[Array, Array]
    ) -> tuple[float, float]:
        """Distances of the first parts of both and of their second parts; 1 and 0 for each row."""
        x, y = self.tables
        if self.inner is not None and not any(map(x.is_tall, parts1)):
            return self.distance(parts1[0], parts2[0]), self.distance(parts1[1], parts2[1])
        firsts, seconds = zip(x.split(*parts1, self.ddof), y.split(*parts2, self.ddof), strict=True)
        return distance(*firsts, squares=self.squares), distance(*seconds, squares=self.squares)

    def prepare(self) -> None:
        """Compute what all resamples share, before threads ask for it at once."""
        _ = self.inner
        for table in self.tables:
            _ = table.squares
            if len(table.rows) > table.rows.shape[1]:
                _ = table.outer
        _ = self.squares

    def _product_of_few(
        self, inner: Array, weights1: Array, weights2: Array
    ) -> tuple[float, Array]:
        """The same where no set has more rows than features: the factors are the rows.

        F1 F2ᵀ = √W1 (X − 1 mean1ᵀ) (Y − 1 mean2ᵀ)ᵀ √W2, of which X Yᵀ is known.
        """
        count1, count2 = float(weights1.sum()), float(weights2.sum())
        along1, along2 = weights1 @ inner / count1, inner @ weights2 / count2  # (M,) and (N,)
        both = weights1 @ along2 / count1
        drawn1, drawn2 = weights1.nonzero()[0], weights2.nonzero()[0]
        product = inner[np.ix_(drawn1, drawn2)] - along1[drawn2] - along2[drawn1, None] + both
        root1, root2 = np.sqrt(weights1[drawn1]), np.sqrt(weights2[drawn2])
        product *= root1[:, None] * root2
        product = without_direction(without_direction(product, root1).T, root2).T
        product /= ((count1 - self.ddof) * (count2 - self.ddof)) ** 0.5
        x, y = self.tables
        mean1, trace1 = x.mean_and_trace(weights1, self.ddof)
        mean2, trace2 = y.mean_and_trace(weights2, self.ddof)
        shift = mean1 + x.centre - mean2 - y.centre
        return float(shift @ shift) + trace1 + trace2, product


def distance(first: WeightedMoments, second: WeightedMoments, *, squares: bool = True) -> float:
    """Fréchet distance from means and factors, as in `evaluation.metrics.frechet`."""
    return distance_of_product(*product_of(first, second), squares=squares)


def product_of(first: WeightedMoments, second: WeightedMoments) -> tuple[float, Array]:
    """What `distance_of_product` needs of both."""
    shift = first.mean - second.mean
    apart = float(shift @ shift) + first.trace + second.trace
    return apart, first.factor @ second.factor.T


def cholesky(scatter: Array) -> Array | None:
    """F (D, D) with FᵀF = scatter; None where the matrix is too near to singular for it."""
    try:
        factor = np.asarray(np.linalg.cholesky(scatter).T, np.float64)
    except np.linalg.LinAlgError:
        return None
    pivots = factor.diagonal() ** 2
    return None if pivots.min() <= SINGULAR * pivots.max() else factor


def halves(random: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Two disjoint halves of `count` at random; one is in neither where the number is odd."""
    order = random.permutation(count)
    half = count // 2
    return indicator(order[:half], count), indicator(order[half : 2 * half], count)


def indicator(places: np.ndarray, count: int) -> Array:
    """1 at these places, 0 elsewhere, (count,)."""
    weights = np.zeros(count)
    weights[places] = 1
    return weights


def _split(weights: Array, size: int) -> Iterator[NDArray[np.intp]]:
    """Places of the weights that are not 0, `size` at a time."""
    places = weights.nonzero()[0]
    for start in range(0, len(places), size):
        yield places[start : start + size]


def check_draws(num_rows: int, rows_per_draw: int) -> None:
    """Raises ValueError where rows are no whole groups."""
    if rows_per_draw < 1 or num_rows % rows_per_draw:
        raise ValueError(f"{num_rows} rows are no groups of {rows_per_draw}")
