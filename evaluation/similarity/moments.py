"""Means over clips with their intervals, from sums: memory does not grow with the clips."""

from dataclasses import dataclass

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.uncertainty.interval import Interval, two_sided_quantile

LEVEL = 0.95
FEWEST_CLIPS = 4  # for an interval


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over clips."""

    value: float
    interval: Interval | None  # Student's t over the clips; None for fewer than four
    deviation: float  # standard deviation between clips; 0 of a single one


@dataclass(frozen=True, kw_only=True)
class Band:
    """Means over clips of an array, with the ends of their intervals, each by itself."""

    value: Array
    low: Array | None  # None for fewer than four clips
    high: Array | None


class RunningMoments:
    """Mean and variance of each entry of vectors that come one at a time (Welford, 1962), float64.

    The same vectors in the same order give the same bits.

    Args:
        size: of the vectors.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean: Array = np.zeros(size)
        self._squares: Array = np.zeros(size)

    def add(self, values: Array) -> None:
        """One more vector, (size,)."""
        self.count += 1
        before = values - self.mean
        self.mean = self.mean + before / self.count
        self._squares += before * (values - self.mean)

    def band(self, part: slice, shape: tuple[int, ...], floor: float, ceiling: float) -> Band:
        """The entries of a part as an array of this shape, their intervals cut off at the ends."""
        value = self.mean[part]
        if self.count < FEWEST_CLIPS:
            return Band(value=value.reshape(shape), low=None, high=None)
        half = self._reach() * np.sqrt(self.variances()[part] / self.count)
        return Band(
            value=value.reshape(shape),
            low=np.maximum(value - half, floor).reshape(shape),
            high=np.minimum(value + half, ceiling).reshape(shape),
        )

    def estimate(self, place: int, *, floor: float = -np.inf, ceiling: float = np.inf) -> Estimate:
        """One entry."""
        value, variance = float(self.mean[place]), float(self.variances()[place])
        interval = None
        if self.count >= FEWEST_CLIPS:
            half = self._reach() * float(np.sqrt(variance / self.count))
            interval = Interval(
                low=max(value - half, floor),
                high=min(value + half, ceiling),
                level=LEVEL,
                method=f"Student's t over {self.count} clips",
            )
        return Estimate(value=value, interval=interval, deviation=float(np.sqrt(variance)))

    def variances(self) -> Array:
        """Between clips, (size,); 0 of a single one."""
        return np.asarray(np.maximum(self._squares, 0.0) / max(self.count - 1, 1))

    def _reach(self) -> float:
        return two_sided_quantile(LEVEL, self.count - 1)
