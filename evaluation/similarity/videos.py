"""How alike the frames of real and of generated videos are: matrices of clips in, numbers out.

The matrices are of features of a network, or of pixels in their place: any video has them, and
nothing is fetched. A frame is then one vector of its pixels, grey being 0. Features of whole frames
would fill a disk, so the matrix of similarities is stored for each clip: one row for each frame.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evaluation.features.extraction import StoredNetwork
from evaluation.metrics.inputs import Array
from evaluation.networks.spec import NetworkSpec
from evaluation.similarity.matrices import MIN_FRAMES, frame_similarity, matrix_distance, pairs
from evaluation.similarity.summary import (
    FRAME_NUMBERS,
    LEVEL,
    MIN_CLIPS,
    Estimate,
    RunningSummary,
    Summary,
    mean_difference,
)
from evaluation.uncertainty.interval import Interval
from evaluation.uncertainty.jackknife import jackknife_interval
from latte.data.errors import InputError

GROUPS = 20  # groups of clips, left out in turn for an interval
PIXELS = "pixels"
MATRIX = "similarity"  # the output whose features are the matrix itself


@dataclass(frozen=True, kw_only=True)
class VideoSimilarity:
    """Two sets of clips."""

    real: Summary
    fake: Summary
    distance: float  # distance of their mean matrices; lower is better, 0 if equal
    interval: Interval | None  # None for fewer than four clips of a set
    # The distance that two sets of this size from one source have, about; None for two clips.
    chance_distance: float | None
    differences: Mapping[str, Estimate]  # generated less real, for FRAME_NUMBERS

    @property
    def significantly_different(self) -> bool | None:
        """Whether the distance is more than that of sets from one source; None: unknown."""
        if self.interval is not None:
            return self.interval.low > 0
        by_chance = self.chance_distance is not None and self.distance <= self.chance_distance
        return False if by_chance else None


class GroupedMatrices:
    """Sums over groups of clips, to leave out one at a time: for numbers that are no means.

    Clips are distributed over the groups in a new random order in each round, so that sets which
    are sorted by class have all classes in each group.
    """

    def __init__(self, num_frames: int, seed: int) -> None:
        self.seed = seed
        self.count = 0
        self.sums = np.zeros((GROUPS, num_frames, num_frames))  # sums of the matrices
        self.squares = np.zeros(GROUPS)  # sums of their mean squares over pairs of frames
        self.counts = np.zeros(GROUPS)  # clips

    def add(self, matrix: Array) -> None:
        """One more clip."""
        turn, place = divmod(self.count, GROUPS)
        group = np.random.default_rng((self.seed, turn)).permutation(GROUPS)[place]
        self.sums[group] += matrix
        self.squares[group] += float(np.mean(pairs(matrix) ** 2))
        self.counts[group] += 1
        self.count += 1

    def whole(self) -> "MatrixMoments":
        """The moments of all clips."""
        return MatrixMoments.of(self.sums.sum(axis=0), self.squares.sum(), self.counts.sum())

    def without_each(self) -> "list[MatrixMoments]":
        """The moments without each group that has clips."""
        parts = (self.sums, self.squares, self.counts)
        return [
            MatrixMoments.of(*(part.sum(axis=0) - part[group] for part in parts))
            for group in np.flatnonzero(self.counts)
        ]


@dataclass(frozen=True, kw_only=True)
class MatrixMoments:
    """Mean and variance of the matrices of some clips."""

    count: float
    mean: Array  # (F, F)
    deviations: float  # sums of squares around the mean, averaged over pairs of frames

    @classmethod
    def of(cls, total: Array, squares: float, count: float) -> "MatrixMoments":
        """Moments from the sums of matrices and of their mean squares."""
        mean = total / count
        around = squares - count * float(np.mean(pairs(mean) ** 2))
        return cls(count=float(count), mean=mean, deviations=max(around, 0.0))

    @property
    def variance(self) -> float:
        """Variance of a clip, unbiased; needs two clips."""
        return self.deviations / (self.count - 1)


def compare_videos(
    real: Iterable[Array], fake: Iterable[Array], *, seed: int = 0, intervals: bool = True
) -> VideoSimilarity:
    """Compare the mean matrices of two sets.

    Args:
        real, fake: the matrices (F, F) of each clip in turn.
        seed: random seed of the jackknife's groups.
        intervals: False: no number gets one.

    Raises:
        InputError: no clips, fewer than three frames, clips of several lengths, or similarities
            that are not finite.
    """
    (real_summary, real_groups), (fake_summary, fake_groups) = (
        _summed(matrices, label, seed, intervals)
        for matrices, label in ((real, "real"), (fake, "generated"))
    )
    first, second = real_summary.summary(), fake_summary.summary()
    if first.num_frames != second.num_frames:
        raise InputError(
            f"real clips have {first.num_frames} frames but generated ones {second.num_frames}: "
            "compare clips of one length"
        )
    value = matrix_distance(first.matrix.value, second.matrix.value)
    counts = first.num_clips, second.num_clips
    enough = intervals and min(counts) >= MIN_CLIPS
    by_chance = _square_by_chance([real_groups.whole(), fake_groups.whole()])
    return VideoSimilarity(
        real=first,
        fake=second,
        distance=value,
        interval=distance_interval(value, real_groups, fake_groups) if enough else None,
        chance_distance=None if by_chance is None else float(np.sqrt(by_chance)),
        differences={
            name: mean_difference(first[name], second[name], counts) for name in FRAME_NUMBERS
        },
    )


def distance_interval(value: float, real: GroupedMatrices, fake: GroupedMatrices) -> Interval:
    """Interval of the distance of two sources: everything that two jackknife intervals span.

    The interval of the distance itself begins above 0 too often where the sources are one, for the
    distance of finite sets is never 0. The interval of its square less the square that is due to
    chance, which is 0 on average for sources of one mean, ends too low where they are nearly one.
    """
    real_moments, fake_moments = real.whole(), fake.whole()

    def interval(
        center: float, statistic: Callable[[MatrixMoments, MatrixMoments], float]
    ) -> Interval:
        without_real = np.array([statistic(left, fake_moments) for left in real.without_each()])
        without_fake = np.array([statistic(real_moments, left) for left in fake.without_each()])
        return jackknife_interval(center, [without_real, without_fake], LEVEL)

    plain = interval(value, lambda x, y: matrix_distance(x.mean, y.mean))
    square = interval(unbiased_square(real_moments, fake_moments), unbiased_square)
    ends = [float(np.sqrt(max(end, 0.0))) for end in (square.low, square.high)]
    return replace(plain, low=max(min(plain.low, ends[0]), 0.0), high=max(plain.high, ends[1]))


def unbiased_square(one: MatrixMoments, other: MatrixMoments) -> float:
    """Squared distance of two sources; below 0 where the sets are nearer than by chance.

    Each source has a variance of its own, so each set needs two clips.
    """
    by_chance = sum(moments.variance / moments.count for moments in (one, other))
    return matrix_distance(one.mean, other.mean) ** 2 - by_chance


def open_pixels(store: Path | None, num_frames: int) -> StoredNetwork:
    """Similarities of pixels, on the CPU: uint8 (N, F, H, W, 3) → float32 (N, F, F)."""
    spec = NetworkSpec(
        name=PIXELS,
        title="pixels of a frame, in [-1, 1]",
        unit="frame",
        outputs={MATRIX: num_frames},
        resizes=("none",),
        min_frames=MIN_FRAMES,
        metric_suffix=f"-{PIXELS}",
    )
    return StoredNetwork.of_function(spec, pixel_similarity, store)


def pixel_similarity(clips: Tensor) -> Tensor:
    """uint8 (N, F, H, W, 3) → similarity of frames as vectors of pixels in [−1, 1], (N, F, F)."""
    matrices = [frame_similarity(clip.flatten(1).double() / 127.5 - 1) for clip in clips]
    return torch.from_numpy(np.stack(matrices))


def _square_by_chance(sets: Sequence[MatrixMoments]) -> float | None:
    """Mean square distance of sets of this size from one source; None for two single clips.

    The variance of the source is estimated from both sets together.
    """
    degrees = sum(moments.count - 1 for moments in sets)
    if not degrees:
        return None
    variance = sum(moments.deviations for moments in sets) / degrees
    return float(variance * sum(1 / moments.count for moments in sets))


def _summed(
    matrices: Iterable[Array], label: str, seed: int, intervals: bool
) -> tuple[RunningSummary, GroupedMatrices]:
    running: RunningSummary | None = None
    for matrix in matrices:
        if running is None:
            frames = len(matrix)
            if frames < MIN_FRAMES:
                raise InputError(
                    f"{label} clips have {frames} frames: a nearer and a farther frame need at "
                    f"least {MIN_FRAMES}, so set num_frames (--num-frames) to {MIN_FRAMES} or more"
                )
            running = RunningSummary(frames, intervals=intervals)
            groups = GroupedMatrices(frames, seed)
        if len(matrix) != running.num_frames:
            raise InputError(
                f"{label} clips have {running.num_frames} and {len(matrix)} frames: clips of "
                "different lengths have no common matrix, so use a protocol whose offsets are "
                "first or random"
            )
        if not np.isfinite(matrix).all():
            raise InputError(
                f"{label} clip {running.count}, counted from 0, has similarities that are not "
                "finite: measure its features again"
            )
        running.add(matrix)
        groups.add(matrix)
    if running is None:
        raise InputError(f"there are no {label} clips")
    return running, groups
