"""Similarity matrices of clips, one after the other → means over the clips with their intervals.

The matrix of each clip, its numbers and its distribution are averaged over the clips, so every part
of a summary is a mean of independent draws and has an interval. All is taken from sums: memory does
not grow with the clips. `summary_record` and `read_summary` lead to a results file and back.
"""

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.similarity.matrices import TIE, by_distance, inverted_share, pairs
from evaluation.uncertainty.interval import two_sided_quantile, welch_half_width
from latte.data.schema import convert

LEVEL = 0.95
MIN_CLIPS = 4  # clips that an interval needs
DECIMALS = 5  # decimals of recorded arrays; numbers keep all their digits
NUM_BINS = 400
EDGES = np.linspace(-1.0, 1.0, NUM_BINS + 1)  # edges of the distributions' bins

Range = tuple[float, float]
Entries = list[float | list[float]]
Name = TypeVar("Name", bound=Hashable)
ANY: Range = (-np.inf, np.inf)

# The numbers of one clip, with the range of each.
FRAME_NUMBERS: Mapping[str, Range] = {
    "mean": (-1, 1),  # mean similarity of different frames
    "variance": (0, 1),  # variance of these similarities
    "neighbours": (-1, 1),  # mean similarity of neighbouring frames: 1 where nothing moves
    "lowest_neighbours": (-1, 1),  # the lowest of these: far below the mean at a jump
    "inverted": (0, 1),  # share of inverted relations
}
MUTUAL_NUMBERS: Mapping[str, Range] = {
    "mean": (-1, 1),  # mean similarity of any frame of one with any of the other
    "variance": (0, 1),
    "same_frame": (-1, 1),  # mean similarity of each frame with itself
}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over clips, or the difference of the means of two sets of clips."""

    value: float
    interval: Range | None  # Student's t, of a difference Welch's; None for fewer than four
    deviation: float | None = None  # standard deviation between clips; None: a difference


@dataclass(frozen=True, kw_only=True)
class ArrayEstimate:
    """Means over clips of each entry of an array, with the ends of their intervals."""

    value: Array
    low: Array | None  # None for fewer than four clips
    high: Array | None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """How alike frames are, over clips."""

    num_clips: int
    matrix: ArrayEstimate  # (F, F)
    by_distance: ArrayEstimate  # (F,): similarity of frames 0, 1, … apart
    distribution: ArrayEstimate  # (NUM_BINS,): share of a clip's pairs in each bin of EDGES
    numbers: Mapping[str, Estimate]  # keys are FRAME_NUMBERS or MUTUAL_NUMBERS

    def __getitem__(self, name: str) -> Estimate:
        return self.numbers[name]

    @property
    def num_frames(self) -> int:
        """Frames of a clip, F."""
        return len(self.matrix.value)


@dataclass(frozen=True, kw_only=True)
class ArrayRecord:
    """The entries of an array, rounded, with the ends of their intervals."""

    value: Entries
    low: Entries | None
    high: Entries | None
    first: int = 0  # place of the first entry; entries before it and after the last are 0


@dataclass(frozen=True, kw_only=True)
class SummaryRecord:
    """How alike frames are, over clips."""

    num_clips: int
    numbers: dict[str, Estimate]
    matrix: ArrayRecord
    by_distance: ArrayRecord
    distribution: ArrayRecord  # holds the bins from the first used one to the last


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

    def add(self, values: Array) -> None:
        """One more vector, (size,)."""
        self.count += 1
        before = values - self.mean
        self.mean = self.mean + before / self.count
        self._squares += before * (values - self.mean)

    def variances(self) -> Array:
        """Variance between clips, (size,); 0 for a single one."""
        return np.asarray(np.maximum(self._squares, 0.0) / max(self.count - 1, 1))

    def array(self, part: slice, shape: tuple[int, ...], within: Range = ANY) -> ArrayEstimate:
        """The entries of a part as an array of this shape, their intervals clipped to a range."""
        value = self.mean[part].reshape(shape)
        if not self.intervals or self.count < MIN_CLIPS:
            return ArrayEstimate(value=value, low=None, high=None)
        t = two_sided_quantile(LEVEL, self.count - 1)
        half = t * np.sqrt(self.variances()[part].reshape(shape) / self.count)
        low, high = np.maximum(value - half, within[0]), np.minimum(value + half, within[1])
        return ArrayEstimate(value=value, low=low, high=high)

    def numbers(self, ranges: Mapping[Name, Range], first: int = 0) -> dict[Name, Estimate]:
        """The entries from the first on, one for each name."""
        deviations, numbers = np.sqrt(self.variances()), {}
        for place, (name, (floor, ceiling)) in enumerate(ranges.items(), first):
            entry, interval = self.array(slice(place, place + 1), ()), None
            if entry.low is not None and entry.high is not None:
                interval = max(float(entry.low), floor), min(float(entry.high), ceiling)
            numbers[name] = Estimate(
                value=float(entry.value), interval=interval, deviation=float(deviations[place])
            )
        return numbers


class RunningSummary:
    """The summary of finite matrices (F, F) that come one at a time.

    Args:
        num_frames: F, at least 3.
        mutual: the matrices are of two states with each other, not of one with itself.
        intervals: False: the summary has none, however many the clips.
    """

    def __init__(self, num_frames: int, *, mutual: bool = False, intervals: bool = True) -> None:
        self.num_frames = num_frames
        self.mutual = mutual
        self._ranges = MUTUAL_NUMBERS if mutual else FRAME_NUMBERS
        sizes = (num_frames**2, num_frames, NUM_BINS, len(self._ranges))
        self._ends = np.cumsum(sizes).tolist()
        self._means = RunningMeans(self._ends[-1], intervals=intervals)

    @property
    def count(self) -> int:
        """Clips so far."""
        return self._means.count

    def add(self, matrix: Array) -> dict[str, float]:
        """One more clip; returns its numbers."""
        numbers = mutual_numbers(matrix) if self.mutual else frame_numbers(matrix)
        entries = matrix.ravel() if self.mutual else pairs(matrix)
        own = np.array([numbers[name] for name in self._ranges])
        parts = [matrix.ravel(), by_distance(matrix), distribution(entries), own]
        self._means.add(np.concatenate(parts))
        return numbers

    def summary(self) -> Summary:
        """The summary of the clips so far, at least one."""
        frames, (matrix, lags, shares, _) = self.num_frames, self._ends
        means = self._means
        return Summary(
            num_clips=self.count,
            matrix=means.array(slice(0, matrix), (frames, frames), (-1, 1)),
            by_distance=means.array(slice(matrix, lags), (frames,), (-1, 1)),
            distribution=means.array(slice(lags, shares), (NUM_BINS,), (0, 1)),
            numbers=means.numbers(self._ranges, first=shares),
        )


def summary_record(summary: Summary) -> dict[str, Any]:
    """A summary for JSON."""
    used = np.flatnonzero(summary.distribution.value)
    record = SummaryRecord(
        num_clips=summary.num_clips,
        numbers=dict(summary.numbers),
        matrix=_rounded(summary.matrix),
        by_distance=_rounded(summary.by_distance),
        distribution=_rounded(summary.distribution, int(used[0]), int(used[-1]) + 1),
    )
    return asdict(record)


def read_summary(stored: Any, where: str = "a summary of similarities") -> Summary:
    """The summary that a record was made from, its arrays rounded.

    Raises:
        InputError: it is no such record.
    """
    record = convert(stored, SummaryRecord, where)
    return Summary(
        num_clips=record.num_clips,
        matrix=_array(record.matrix),
        by_distance=_array(record.by_distance),
        distribution=_array(record.distribution, NUM_BINS),
        numbers=record.numbers,
    )


def mean_difference(first: Estimate, second: Estimate, counts: tuple[int, int]) -> Estimate:
    """Second less first, means over the clips of two independent sets, `counts` clips in each.

    The variances of the sets may differ (Welch, 1947).

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
    half = welch_half_width(variances, [count - 1 for count in counts], LEVEL)
    return Estimate(value=value, interval=(value - half, value + half))


def students_method(num_clips: int) -> str:
    """How the interval of a mean over clips was made."""
    return f"Student's t over {num_clips} clips"


def frame_numbers(matrix: Array) -> dict[str, float]:
    """The numbers of FRAME_NUMBERS for one clip's matrix."""
    different, neighbours = pairs(matrix), np.diagonal(matrix, 1)
    return {
        "mean": float(different.mean()),
        "variance": _variance(different),
        "neighbours": float(neighbours.mean()),
        "lowest_neighbours": float(neighbours.min()),
        "inverted": inverted_share(matrix),
    }


def mutual_numbers(matrix: Array) -> dict[str, float]:
    """The numbers of MUTUAL_NUMBERS for one clip's matrix."""
    return {
        "mean": float(matrix.mean()),
        "variance": _variance(matrix),
        "same_frame": float(np.diagonal(matrix).mean()),
    }


def distribution(entries: Array) -> Array:
    """The share of the entries in each bin of EDGES, (NUM_BINS,)."""
    places = np.clip(((entries + 1) * (NUM_BINS / 2)).astype(np.int64), 0, NUM_BINS - 1)
    return np.bincount(places, minlength=NUM_BINS) / len(entries)


def _rounded(array: ArrayEstimate, first: int = 0, end: int | None = None) -> ArrayRecord:
    def rounded(values: Array | None) -> Any:
        return None if values is None else np.round(values[first:end], DECIMALS).tolist()

    return ArrayRecord(
        value=rounded(array.value), low=rounded(array.low), high=rounded(array.high), first=first
    )


def _array(record: ArrayRecord, size: int | None = None) -> ArrayEstimate:
    after = 0 if size is None else size - record.first - len(record.value)

    def padded(values: Entries | None) -> Any:
        return None if values is None else np.pad(np.array(values), (record.first, after))

    return ArrayEstimate(
        value=padded(record.value), low=padded(record.low), high=padded(record.high)
    )


def _variance(entries: Array) -> float:
    """The variance; 0 where all are equal but for rounding."""
    return 0.0 if np.ptp(entries) < TIE else float(entries.var())
