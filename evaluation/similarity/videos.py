"""How alike the frames of videos are, real beside generated; matrices of clips in, numbers out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.similarity.matrices import FEWEST_FRAMES, matrix_distance, pairs
from evaluation.similarity.moments import FEWEST_CLIPS, LEVEL
from evaluation.similarity.summary import RunningSummary, Summary
from evaluation.uncertainty.interval import Interval
from evaluation.uncertainty.jackknife import jackknife_interval
from latte.data.errors import InputError

GROUPS = 20  # of clips, left out in turn for an interval


@dataclass(frozen=True, kw_only=True)
class VideoSimilarity:
    """Two sets of clips."""

    real: Summary
    fake: Summary
    distance: float  # of their mean matrices; lower is better, 0 if equal
    interval: Interval | None  # of it; None for fewer than four clips of a set
    # About the distance that as many clips of one and the same source have; None for two clips.
    of_equal_sets: float | None


@dataclass
class GroupedMatrices:
    """Sums of matrices in groups, to leave out one at a time: for numbers that are no means.

    Clips are dealt into the groups in a new random order in each round, so that sets which are
    sorted by class have all classes in each group.
    """

    num_frames: int
    seed: int
    count: int = 0
    sums: Array = field(init=False)  # (GROUPS, F, F)
    counts: Array = field(init=False)  # (GROUPS,)

    def __post_init__(self) -> None:
        self.sums = np.zeros((GROUPS, self.num_frames, self.num_frames))
        self.counts = np.zeros(GROUPS)

    def add(self, matrix: Array) -> None:
        """One more clip."""
        turn, place = divmod(self.count, GROUPS)
        group = np.random.default_rng((self.seed, turn)).permutation(GROUPS)[place]
        self.sums[group] += matrix
        self.counts[group] += 1
        self.count += 1

    def mean_without_each(self) -> Array:
        """Mean matrices without each group that has clips, (groups, F, F)."""
        used = self.counts > 0
        left = self.counts.sum() - self.counts[used]
        return np.asarray((self.sums.sum(axis=0) - self.sums[used]) / left[:, None, None])


def compare_videos(
    real: Iterable[Array], fake: Iterable[Array], *, seed: int = 0, intervals: bool = True
) -> VideoSimilarity:
    """Compare the mean matrices of two sets.

    Args:
        real, fake: the matrices (F, F) of each clip in turn.
        seed: of the groups of the jackknife.
        intervals: whether the distance gets one.

    Raises:
        InputError: no clips, fewer than three frames, or clips of several lengths.
    """
    sets = [_of_set(real, "real", seed), _of_set(fake, "generated", seed)]
    first, second = (running.summary() for running, _ in sets)
    if first.num_frames != second.num_frames:
        raise InputError(
            f"real clips have {first.num_frames} frames but generated ones {second.num_frames}: "
            "compare clips of one length"
        )
    means = first.matrix.value, second.matrix.value
    value, interval = matrix_distance(*means), None
    if intervals and min(first.num_clips, second.num_clips) >= FEWEST_CLIPS:
        one, two = (groups.mean_without_each() for _, groups in sets)
        without = [
            np.array([matrix_distance(left, means[1]) for left in one]),
            np.array([matrix_distance(means[0], left) for left in two]),
        ]
        interval = jackknife_interval(value, without, LEVEL, floor=0.0)
    return VideoSimilarity(
        real=first,
        fake=second,
        distance=value,
        interval=interval,
        of_equal_sets=_of_equal_sets([running for running, _ in sets]),
    )


def _of_equal_sets(sets: Sequence[RunningSummary]) -> float | None:
    """Root mean square distance of such sets from the same source.

    The source has one variance, to which each set adds what it knows: a single clip nothing.
    """
    known = sum(each.count - 1 for each in sets)
    if not known:
        return None
    squares = sum((each.count - 1) * pairs(each.matrix_variances) for each in sets)
    return float(np.sqrt(np.mean(squares) / known * sum(1 / each.count for each in sets)))


def _of_set(
    matrices: Iterable[Array], label: str, seed: int
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
            running, groups = RunningSummary(frames), GroupedMatrices(frames, seed)
        if len(matrix) != running.num_frames:
            raise InputError(
                f"{label} clips have {running.num_frames} and {len(matrix)} frames: clips of "
                "different lengths have no common matrix; use a protocol whose offsets are first "
                "or random"
            )
        running.add(matrix)
        groups.add(matrix)
    if running is None:
        raise InputError(f"there are no {label} clips")
    return running, groups
