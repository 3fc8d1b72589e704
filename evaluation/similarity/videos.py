"""How alike the frames of videos are, real beside generated; matrices of clips in, numbers out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.similarity.matrices import FEWEST_FRAMES, matrix_distance, pairs
from evaluation.similarity.moments import FEWEST_CLIPS, LEVEL, Gap, gap
from evaluation.similarity.summary import FRAME_NUMBERS, RunningSummary, Summary
from evaluation.uncertainty.interval import Interval
from evaluation.uncertainty.jackknife import jackknife_interval
from latte.data.errors import InputError

GROUPS = 20  # of clips, left out in turn for an interval
FAKE = "generated"  # in messages


@dataclass(frozen=True, kw_only=True)
class VideoSimilarity:
    """Two sets of clips."""

    real: Summary
    fake: Summary
    distance: float  # of their mean matrices; lower is better, 0 if equal
    interval: Interval | None  # of it; None for fewer than four clips of a set
    # About the distance that as many clips of one and the same source have; None for two clips.
    of_equal_sets: float | None
    differences: Mapping[str, Gap]  # of FRAME_NUMBERS, the generated set's less the real one's

    @property
    def told_apart(self) -> bool | None:
        """Whether the distance is more than that of sets from one source; None: cannot be told."""
        if self.interval is not None:
            return self.interval.low > 0
        within = self.of_equal_sets is not None and self.distance <= self.of_equal_sets
        return False if within else None


@dataclass
class GroupedMatrices:
    """Sums over clips in groups, to leave out one at a time: for numbers that are no means.

    Clips are dealt into the groups in a new random order in each round, so that sets which are
    sorted by class have all classes in each group.
    """

    num_frames: int
    seed: int
    count: int = 0
    sums: Array = field(init=False)  # of the matrices, (GROUPS, F, F)
    squares: Array = field(init=False)  # of their mean squares over pairs of frames, (GROUPS,)
    counts: Array = field(init=False)  # (GROUPS,)

    def __post_init__(self) -> None:
        self.sums = np.zeros((GROUPS, self.num_frames, self.num_frames))
        self.squares = np.zeros(GROUPS)
        self.counts = np.zeros(GROUPS)

    def add(self, matrix: Array) -> None:
        """One more clip."""
        turn, place = divmod(self.count, GROUPS)
        group = np.random.default_rng((self.seed, turn)).permutation(GROUPS)[place]
        self.sums[group] += matrix
        self.squares[group] += float(np.mean(pairs(matrix) ** 2))
        self.counts[group] += 1
        self.count += 1

    def whole(self) -> "Moments":
        """Of all clips."""
        return Moments.of(self.sums.sum(axis=0), self.squares.sum(), self.counts.sum())

    def without_each(self) -> "list[Moments]":
        """Without each group that has clips."""
        sums, squares, counts = (x.sum(axis=0) for x in (self.sums, self.squares, self.counts))
        return [
            Moments.of(sums - self.sums[g], squares - self.squares[g], counts - self.counts[g])
            for g in np.flatnonzero(self.counts)
        ]


@dataclass(frozen=True, kw_only=True)
class Moments:
    """What is known of some clips of a set."""

    count: float
    mean: Array  # (F, F)
    deviations: float  # mean over pairs of frames of the sums of squares around the mean

    @classmethod
    def of(cls, total: Array, squares: float, count: float) -> "Moments":
        """From the sums of matrices and of their mean squares."""
        mean = total / count
        around = squares - count * float(np.mean(pairs(mean) ** 2))
        return cls(count=float(count), mean=mean, deviations=max(around, 0.0))

    @property
    def variance(self) -> float:
        """Of a clip of the set's source, unbiased; of two clips at least."""
        return self.deviations / (self.count - 1)


def compare_videos(
    real: Iterable[Array], fake: Iterable[Array], *, seed: int = 0, intervals: bool = True
) -> VideoSimilarity:
    """Compare the mean matrices of two sets.

    Args:
        real, fake: the matrices (F, F) of each clip in turn.
        seed: of the groups of the jackknife.
        intervals: False: nothing gets one.

    Raises:
        InputError: no clips, fewer than three frames, clips of several lengths, or similarities
            that are not finite.
    """
    sets = [_of_set(each, name, seed, intervals) for each, name in ((real, "real"), (fake, FAKE))]
    first, second = (running.summary() for running, _ in sets)
    if first.num_frames != second.num_frames:
        raise InputError(
            f"real clips have {first.num_frames} frames but generated ones {second.num_frames}: "
            "compare clips of one length"
        )
    value, interval = matrix_distance(first.matrix.value, second.matrix.value), None
    counts = first.num_clips, second.num_clips
    if intervals and min(counts) >= FEWEST_CLIPS:
        interval = distance_interval(value, *(groups for _, groups in sets))
    by_chance = _square_by_chance([groups.whole() for _, groups in sets])
    return VideoSimilarity(
        real=first,
        fake=second,
        distance=value,
        interval=interval,
        of_equal_sets=None if by_chance is None else float(np.sqrt(by_chance)),
        differences={name: gap(first[name], second[name], counts) for name in FRAME_NUMBERS},
    )


def distance_interval(value: float, real: GroupedMatrices, fake: GroupedMatrices) -> Interval:
    """Where the distance of the sources lies: of two intervals, both by jackknife, all they span.

    That of the distance itself begins above 0 too often where the sources are one, for the
    distance of finite sets is never 0. That of its square without what such sets are apart by
    chance, which is 0 on average for sources of one mean, ends too low where they are nearly one.
    """
    sets = [(real.whole(), real.without_each()), (fake.whole(), fake.without_each())]
    (one, without_one), (other, without_other) = sets
    left_out = [
        [(left, other) for left in without_one],
        [(one, left) for left in without_other],
    ]

    def interval(center: float, statistic: Callable[[Moments, Moments], float]) -> Interval:
        values = [np.array([statistic(*two) for two in each]) for each in left_out]
        return jackknife_interval(center, values, LEVEL)

    plain = interval(value, lambda x, y: matrix_distance(x.mean, y.mean))
    square = interval(unbiased_square(one, other), unbiased_square)
    ends = [float(np.sqrt(max(end, 0.0))) for end in (square.low, square.high)]
    return replace(plain, low=max(min(plain.low, ends[0]), 0.0), high=max(plain.high, ends[1]))


def unbiased_square(one: Moments, other: Moments) -> float:
    """Of the distance of two sources; below 0 where they are nearer than chance has it.

    Each source has a variance of its own, so each set has two clips at least.
    """
    by_chance = sum(each.variance / each.count for each in (one, other))
    return matrix_distance(one.mean, other.mean) ** 2 - by_chance


def _square_by_chance(sets: Sequence[Moments]) -> float | None:
    """Mean square distance of such sets from one source; None for a clip beside a clip.

    The source has one variance, to which each set adds what it knows: a single clip nothing.
    """
    known = sum(each.count - 1 for each in sets)
    if not known:
        return None
    variance = sum(each.deviations for each in sets) / known
    return float(variance * sum(1 / each.count for each in sets))


def _of_set(
    matrices: Iterable[Array], label: str, seed: int, intervals: bool
) -> tuple[RunningSummary, GroupedMatrices]:
    running: RunningSummary | None = None
    for matrix in matrices:
        if running is None:
            frames = len(matrix)
            if frames < FEWEST_FRAMES:
                raise InputError(
                    f"{label} clips have {frames} frames: a nearer and a farther frame need at "
                    f"least {FEWEST_FRAMES}; give --num-frames {FEWEST_FRAMES} or more"
                )
            running = RunningSummary(frames, intervals=intervals)
            groups = GroupedMatrices(frames, seed)
        if len(matrix) != running.num_frames:
            raise InputError(
                f"{label} clips have {running.num_frames} and {len(matrix)} frames: clips of "
                "different lengths have no common matrix; use a protocol whose offsets are first "
                "or random"
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
