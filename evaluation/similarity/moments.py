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


@dataclass(frozen=True, kw_only=True)
class Gap:
    """How much larger a mean is over the clips of one set than over those of another."""

    value: float
    interval: Interval | None  # Student's t, Welch's; None if one of the two means has none


def gap(first: Estimate, second: Estimate, counts: tuple[int, int]) -> Gap:
    """Second less first, means over so many clips of two independent sets.

    The variances of the sets may differ (Welch, 1947): the degrees of freedom are Satterthwaite's.

    >>> one, other = (Estimate(value=v, interval=None, deviation=0.1) for v in (0.3, 0.5))
    >>> round(gap(one, other, (8, 8)).value, 6)
    0.2
    """
    value = second.value - first.value
    if first.interval is None or second.interval is None:
        return Gap(value=value, interval=None)
    pairs = list(zip((first, second), counts, strict=True))
    parts = [each.deviation**2 / count for each, count in pairs]
    variance = sum(parts)
    weights = sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
    degrees = variance**2 / weights if weights > 0 else 1.0
    half = two_sided_quantile(LEVEL, degrees) * float(np.sqrt(variance))
    interval = Interval(
        low=value - half,
        high=value + half,
        level=LEVEL,
        method=f"Welch's t over {counts[0]} and {counts[1]} clips",
    )
    return Gap(value=value, interval=interval)


class RunningMoments:
    """Mean and variance of each entry of vectors that come one at a time (Welford, 1962), float64.

    The same vectors in the same order give the same bits.

    Args:
        size: of the vectors.
        intervals: False: estimates and bands have none, however many the clips.
    """

    def __init__(self, size: int, *, intervals: bool = True) -> None:
        self.count = 0
        self.intervals = intervals
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
        if not self._enough:
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
        """Between clips, (size,); 0 of a single one."""
        return np.asarray(np.maximum(self._squares, 0.0) / max(self.count - 1, 1))

    @property
    def _enough(self) -> bool:
        return self.intervals and self.count >= FEWEST_CLIPS

    def _reach(self) -> float:
        return two_sided_quantile(LEVEL, self.count - 1)
