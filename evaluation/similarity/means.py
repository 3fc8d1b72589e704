"""Means over clips with their intervals, from sums: memory does not grow with the clips."""

from dataclasses import dataclass

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.uncertainty.interval import Interval, two_sided_quantile

LEVEL = 0.95
MIN_CLIPS = 4  # clips that an interval needs


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over clips, or the difference of the means of two sets of clips."""

    value: float
    interval: Interval | None  # Student's t, of a difference Welch's; None for fewer than four
    deviation: float | None = None  # standard deviation between clips; None: a difference


@dataclass(frozen=True, kw_only=True)
class ArrayEstimate:
    """Means over clips of each entry of an array, with the ends of their intervals."""

    value: Array
    low: Array | None  # None for fewer than four clips
    high: Array | None


def mean_difference(first: Estimate, second: Estimate, counts: tuple[int, int]) -> Estimate:
    """Second less first, means over the clips of two independent sets, `counts` clips in each.

    The variances of the sets may differ (Welch, 1947): the degrees of freedom are Satterthwaite's.

    >>> one, other = (Estimate(value=v, interval=None, deviation=0.1) for v in (0.3, 0.5))
    >>> round(mean_difference(one, other, (8, 8)).value, 6)
    0.2
    """
    value = second.value - first.value
    if first.interval is None or second.interval is None:
        return Estimate(value=value, interval=None)
    variances = [
        (estimate.deviation or 0.0) ** 2 / count
        for estimate, count in zip((first, second), counts, strict=True)
    ]
    variance = sum(variances)
    weights = sum(part**2 / (count - 1) for part, count in zip(variances, counts, strict=True))
    degrees = variance**2 / weights if weights > 0 else 1.0
    half = two_sided_quantile(LEVEL, degrees) * float(np.sqrt(variance))
    interval = Interval(
        low=value - half,
        high=value + half,
        level=LEVEL,
        method=f"Welch's t over {counts[0]} and {counts[1]} clips",
    )
    return Estimate(value=value, interval=interval)


class RunningMeans:
    """Mean and variance of each entry of vectors that come one at a time (Welford, 1962), float64.

    The same vectors in the same order give the same bits.

    Args:
        size: length of the vectors.
        intervals: False: estimates have no intervals, however many the clips.
    """

    def __init__(self, size: int, *, intervals: bool = True) -> None:
        self.count = 0
        self.intervals = intervals
        self.mean: Array = np.zeros(size)
        self._squares: Array = np.zeros(size)

    @property
    def num_bytes(self) -> int:
        """Memory of the sums."""
        return self.mean.nbytes + self._squares.nbytes

    def add(self, values: Array) -> None:
        """One more vector, (size,)."""
        self.count += 1
        before = values - self.mean
        self.mean = self.mean + before / self.count
        self._squares += before * (values - self.mean)

    def array(
        self, part: slice, shape: tuple[int, ...], floor: float, ceiling: float
    ) -> ArrayEstimate:
        """The entries of a part as an array of this shape, their intervals clipped to a range."""
        value = self.mean[part]
        if not self._enough:
            return ArrayEstimate(value=value.reshape(shape), low=None, high=None)
        half = self._reach() * np.sqrt(self.variances()[part] / self.count)
        return ArrayEstimate(
            value=value.reshape(shape),
            low=np.maximum(value - half, floor).reshape(shape),
            high=np.minimum(value + half, ceiling).reshape(shape),
        )

    def estimate(self, place: int, *, floor: float = -np.inf, ceiling: float = np.inf) -> Estimate:
        """One entry."""
        value, variance = float(self.mean[place]), float(self.variances()[place])
        interval = None
        if self._enough:
            half = self._reach() * float(np.sqrt(variance / self.count))
            interval = Interval(
                low=max(value - half, floor),
                high=min(value + half, ceiling),
                level=LEVEL,
                method=f"Student's t over {self.count} clips",
            )
        return Estimate(value=value, interval=interval, deviation=float(np.sqrt(variance)))

    def variances(self) -> Array:
        """Variance between clips, (size,); 0 for a single one."""
        return np.asarray(np.maximum(self._squares, 0.0) / max(self.count - 1, 1))

    @property
    def _enough(self) -> bool:
        return self.intervals and self.count >= MIN_CLIPS

    def _reach(self) -> float:
        return two_sided_quantile(LEVEL, self.count - 1)
