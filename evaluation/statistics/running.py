"""Mean and covariance of a stream of features, in float64 and in memory that does not grow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.metrics.inputs import as_features
from latte.data.errors import InputError

Array = NDArray[np.float64]
BLOCK_ROWS = 256


@dataclass(frozen=True)
class Statistics:
    """All that a Fréchet distance needs of a set of features."""

    mean: Array  # (D,)
    covariance: Array  # (D, D)
    count: int  # rows they were made of


class RunningStatistics:
    """Mean and covariance of rows that come in pieces.

    Rows are taken together in blocks of 256, each centred on its own mean, and the blocks are
    combined as of Chan, Golub & LeVeque (1983): no cancellation, however far the features lie from
    zero. The blocks do not depend on the pieces, so the same rows in the same order give the same
    bits however they were split into `add` calls.

    Memory: one block and three D × D matrices, whatever the number of rows.
    """

    def __init__(self, num_features: int) -> None:
        self._block = np.empty((BLOCK_ROWS, num_features))
        self._pending = 0  # rows in the block
        self._merged = 0  # rows in the mean and the scatter
        self._mean = np.zeros(num_features)
        self._scatter = np.zeros((num_features, num_features))  # sum of centred outer products

    @property
    def num_features(self) -> int:
        """D."""
        return len(self._mean)

    @property
    def count(self) -> int:
        """Rows so far."""
        return self._merged + self._pending

    def add(self, features: ArrayLike) -> None:
        """Add rows, (N, D).

        Raises:
            InputError: wrong shape, or a row that is not finite (numbered within these rows).
        """
        rows = np.asarray(features)
        if rows.ndim == 2 and not len(rows):
            return
        rows = as_features(rows)
        if rows.shape[1] != self.num_features:
            raise InputError(
                f"features have {rows.shape[1]} columns, not {self.num_features}: they come from "
                "another network"
            )
        while len(rows):
            taken = rows[: BLOCK_ROWS - self._pending]
            self._block[self._pending : self._pending + len(taken)] = taken
            self._pending += len(taken)
            rows = rows[len(taken) :]
            if self._pending == BLOCK_ROWS:
                self._merged, self._mean, self._scatter = self._with_block()
                self._pending = 0

    def merge(self, other: "RunningStatistics") -> None:
        """Add all rows of another one, which stays as it is.

        The result is that of one stream to rounding (1e-15), not to the bit: the blocks differ.
        """
        if other.num_features != self.num_features:
            raise InputError(
                f"statistics of {other.num_features} features cannot join those of "
                f"{self.num_features}: they come from different networks"
            )
        pending = other._block[: other._pending].copy()
        self._merged, self._mean, self._scatter = _combine(
            (self._merged, self._mean, self._scatter), (other._merged, other._mean, other._scatter)
        )
        self.add(pending)

    @property
    def mean(self) -> Array:
        """Mean of all rows, (D,)."""
        self._require(1)
        return self._with_block()[1].copy()

    def covariance(self, ddof: int = 0) -> Array:
        """Covariance of all rows over count − ddof, (D, D), exactly symmetric."""
        self._require(ddof + 1)
        count, _, scatter = self._with_block()
        return scatter / (count - ddof)

    def statistics(self, ddof: int = 0) -> Statistics:
        """Mean, covariance and count together."""
        return Statistics(mean=self.mean, covariance=self.covariance(ddof), count=self.count)

    def _with_block(self) -> tuple[int, Array, Array]:
        """Count, mean and scatter including the rows of the unfinished block."""
        merged = (self._merged, self._mean, self._scatter)
        if not self._pending:
            return merged
        rows = self._block[: self._pending]
        mean = rows.mean(axis=0)
        centred = rows - mean
        return _combine(merged, (self._pending, mean, centred.T @ centred))

    def _require(self, rows: int) -> None:
        if self.count < rows:
            raise InputError(
                f"statistics of {self.count} rows: at least {rows} are needed, add more videos"
            )


def _combine(
    first: tuple[int, Array, Array], second: tuple[int, Array, Array]
) -> tuple[int, Array, Array]:
    """Count, mean and scatter of two disjoint sets of rows together."""
    (count1, mean1, scatter1), (count2, mean2, scatter2) = first, second
    if not count1 or not count2:
        return first if count1 else second
    count = count1 + count2
    shift = mean2 - mean1
    scatter = scatter1 + scatter2
    scatter += np.outer(shift, shift) * (count1 * count2 / count)
    return count, mean1 + shift * (count2 / count), scatter
