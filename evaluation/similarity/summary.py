"""Similarity matrices of clips, one after the other → their summary, in memory for one.

The matrix of each clip, its numbers and its distribution are averaged over the clips, so every part
of a summary is a mean of independent draws and has an interval.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.similarity.matrices import TIE, by_distance, inverted_share, pairs
from evaluation.similarity.means import ArrayEstimate, Estimate, RunningMeans

NUM_BINS = 400
EDGES = np.linspace(-1.0, 1.0, NUM_BINS + 1)  # edges of the distributions' bins

# The numbers of one clip, with the range of each.
FRAME_NUMBERS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "mean": (-1, 1),  # mean similarity of different frames
        "variance": (0, 1),  # variance of these similarities
        "neighbours": (-1, 1),  # mean similarity of neighbouring frames: 1 where nothing moves
        "lowest_neighbours": (-1, 1),  # the lowest of these: far below the mean at a jump
        "inverted": (0, 1),  # share of inverted relations
    }
)
MUTUAL_NUMBERS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "mean": (-1, 1),  # mean similarity of any frame of one with any of the other
        "variance": (0, 1),
        "same_frame": (-1, 1),  # mean similarity of each frame with itself
    }
)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """How alike frames are, over clips."""

    num_clips: int
    matrix: ArrayEstimate  # (F, F)
    by_distance: ArrayEstimate  # (F,): similarity of frames 0, 1, … apart
    distribution: ArrayEstimate  # (NUM_BINS,): share of a clip's pairs in each bin of EDGES
    numbers: Mapping[str, Estimate]  # by the names of FRAME_NUMBERS or MUTUAL_NUMBERS

    def __getitem__(self, name: str) -> Estimate:
        return self.numbers[name]

    @property
    def num_frames(self) -> int:
        """Frames of a clip, F."""
        return len(self.matrix.value)


class RunningSummary:
    """The summary of matrices (F, F) that come one at a time.

    Args:
        num_frames: F, at least 3.
        mutual: the matrices are of two states with each other, not of one with itself.
        intervals: False: the summary has none, however many the clips.
    """

    def __init__(self, num_frames: int, *, mutual: bool = False, intervals: bool = True) -> None:
        self.num_frames = num_frames
        self.mutual = mutual
        self._ranges = MUTUAL_NUMBERS if mutual else FRAME_NUMBERS
        self._parts = _slices(num_frames**2, num_frames, NUM_BINS, len(self._ranges))
        self._means = RunningMeans(self._parts[-1].stop, intervals=intervals)

    @property
    def num_bytes(self) -> int:
        """Memory of the sums."""
        return self._means.num_bytes

    @property
    def count(self) -> int:
        """Clips so far."""
        return self._means.count

    def add(self, matrix: Array) -> dict[str, float]:
        """One more clip; returns its numbers.

        Raises:
            ValueError: a matrix of another size, or one that is not finite.
        """
        if matrix.shape != (self.num_frames, self.num_frames):
            raise ValueError(f"a matrix {matrix.shape}, not of {self.num_frames} frames")
        if not np.isfinite(matrix).all():
            raise ValueError("a matrix of similarities that are not all finite")
        numbers = mutual_numbers(matrix) if self.mutual else frame_numbers(matrix)
        entries = matrix.ravel() if self.mutual else pairs(matrix)
        self._means.add(
            np.concatenate(
                [
                    matrix.ravel(),
                    by_distance(matrix),
                    distribution(entries),
                    np.array([numbers[name] for name in self._ranges]),
                ]
            )
        )
        return numbers

    def summary(self) -> Summary:
        """The summary of the clips so far.

        Raises:
            ValueError: there are none.
        """
        if not self.count:
            raise ValueError("there are no clips to summarise")
        matrix, lags, shares, numbers = self._parts
        frames = self.num_frames
        return Summary(
            num_clips=self.count,
            matrix=self._means.array(matrix, (frames, frames), -1, 1),
            by_distance=self._means.array(lags, (frames,), -1, 1),
            distribution=self._means.array(shares, (NUM_BINS,), 0, 1),
            numbers={
                name: self._means.estimate(numbers.start + place, floor=low, ceiling=high)
                for place, (name, (low, high)) in enumerate(self._ranges.items())
            },
        )


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


def _variance(entries: Array) -> float:
    """The variance; 0 where all are equal but for rounding."""
    return 0.0 if np.ptp(entries) < TIE else float(entries.var())


def _slices(*sizes: int) -> list[slice]:
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
