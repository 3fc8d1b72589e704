"""Numbers with intervals, and their means over seeds or networks."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.cells import Cell

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class BoundedNumber:
    """A number or an array of them, with the ends of its interval if it has one."""

    value: Any
    low: Any = None
    high: Any = None

    @property
    def cell(self) -> Cell:
        """The number as tables show it."""
        number = self._changed(float)
        return Cell(value=number.value, low=number.low, high=number.high)

    def __str__(self) -> str:
        return f"{self.cell.number} {self.cell.spread or ''}".rstrip()

    def wider(self, factor: float) -> "BoundedNumber":
        """The same value, each end of its interval so many times as far away."""
        return self._changed(lambda end: self.value + factor * (end - self.value))

    def __neg__(self) -> "BoundedNumber":
        return BoundedNumber(
            value=-self.value,
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
        )

    def __add__(self, constant: float) -> "BoundedNumber":
        return self._changed(lambda number: number + constant)

    def _changed(self, change: Callable[[Any], Any]) -> "BoundedNumber":
        low, high = (None if end is None else change(end) for end in (self.low, self.high))
        return BoundedNumber(value=change(self.value), low=low, high=high)


def geometric_mean(values: Sequence[float]) -> BoundedNumber:
    """Geometric mean, with Student's 95 % interval on logarithms of two values or more."""
    logs = np.log(np.asarray(values, np.float64))
    middle, half = mean_and_half(logs)
    value = math.exp(middle)
    if half is None:
        return BoundedNumber(value=value)
    return BoundedNumber(value=value, low=math.exp(middle - half), high=math.exp(middle + half))


def mean_and_half(values: np.ndarray, level: float = LEVEL) -> tuple[Any, Any]:
    """A mean and half of its interval by Student's t; None for the half of a single value.

    Args:
        values: (n,) or (n, …): the first axis is averaged.
    """
    # Not at the top: it brings PyTorch, and whoever reads findings alone needs none.
    from evaluation.uncertainty.interval import two_sided_quantile

    middle, count = values.mean(axis=0), len(values)
    if count < 2:
        return middle, None
    reach = two_sided_quantile(level, count - 1) / math.sqrt(count)
    return middle, reach * values.std(axis=0, ddof=1)


def widening(level: float, degrees: float = math.inf) -> float:
    """The factor by which an interval at `LEVEL` is wider at another level.

    Args:
        degrees: of Student's t; without an end those of a normal distribution.
    """
    from evaluation.uncertainty.interval import two_sided_quantile

    return two_sided_quantile(level, degrees) / two_sided_quantile(LEVEL, degrees)
