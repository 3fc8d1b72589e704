"""The numbers of Figures 6 and 8, read from cells and averaged over networks.

Networks see the same clips, so two parts are compared within each network, clip by clip: see
`over_networks` for the interval of the mean.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from benchmarks.cells.cache import CellRecord
from benchmarks.documents.numbers import LEVEL, BoundedNumber, mean_and_half, widening
from evaluation.metrics.inputs import Array
from evaluation.similarity.means import MIN_CLIPS, ArrayEstimate
from evaluation.similarity.record import read_summary
from evaluation.similarity.summary import FRAME_NUMBERS, MUTUAL_NUMBERS, Summary

BINS = 40  # each 0.05 wide: in finer ones distributions of few clips would seem apart

Range: TypeAlias = tuple[float, float]
ANY: Range = (-math.inf, math.inf)
COSINE: Range = (-1.0, 1.0)
SHARE: Range = (0.0, 1.0)
RANGES: Mapping[str, Range] = {**FRAME_NUMBERS, **MUTUAL_NUMBERS}


@dataclass(frozen=True, kw_only=True)
class ProbedNetworks:
    """What was measured in networks of one kind: the details of their cells."""

    records: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, cells: Sequence[CellRecord]) -> "ProbedNetworks":
        """Networks of these cells."""
        return cls(records=tuple(cell.details for cell in cells))

    @property
    def count(self) -> int:
        """Number of networks: of one there is no interval over seeds."""
        return len(self.records)

    @property
    def num_clips(self) -> int:
        """Clips that each was shown."""
        return int(self.records[0]["num_clips"])

    @property
    def has_enough_clips(self) -> bool:
        """Whether there are enough for intervals over the clips."""
        return self.num_clips >= MIN_CLIPS

    @property
    def depth(self) -> int:
        """Blocks."""
        return int(self.records[0]["config"]["depth"])

    @property
    def timesteps(self) -> list[int]:
        """Ascending."""
        return sorted({site["timestep"] for site in self.records[0]["sites"]})

    @property
    def middle(self) -> int:
        """The timestep half way: its distribution has the figure's plain name."""
        return self.timesteps[len(self.timesteps) // 2]

    def at_timesteps(self) -> list["Probed"]:
        """The networks at each timestep, ascending."""
        return [Probed(networks=self, step=step) for step in self.timesteps]


@dataclass(frozen=True, kw_only=True)
class Probed:
    """What was measured in networks at one timestep: a list has an entry for each network."""

    networks: ProbedNetworks
    step: int

    def at(self, path: str) -> list[Summary]:
        """One part."""
        return [read_summary(site["summary"]) for site in self._records("sites", path=path)]

    def between(self) -> list[Summary]:
        """The two branches with each other."""
        return [read_summary(pair["summary"]) for pair in self._records("pairs")]

    def differences(self, number: str, first: str, second: str) -> list["BoundedNumber"]:
        """The number at the second place less that at the first, clip by clip."""
        places = {"number": number, "first": first, "second": second}
        return [_number(record) for record in self._records("differences", **places)]

    def _records(self, kind: str, **fields: str) -> list[Mapping[str, Any]]:
        wanted = {**fields, "timestep": self.step}
        return [
            record
            for network in self.networks.records
            for record in network[kind]
            if all(record[name] == value for name, value in wanted.items())
        ]


def numbers(summaries: Sequence[Summary], name: str) -> list[BoundedNumber]:
    """One number of each, with its interval over the clips."""
    estimates = [summary[name] for summary in summaries]
    return [
        BoundedNumber(value=estimate.value)
        if estimate.interval is None
        else BoundedNumber(
            value=estimate.value, low=estimate.interval.low, high=estimate.interval.high
        )
        for estimate in estimates
    ]


def mean_number(summaries: Sequence[Summary], name: str) -> BoundedNumber:
    """One number over networks, its interval within the number's range."""
    return over_networks(numbers(summaries, name), RANGES[name])


def over_networks(
    values: Sequence[BoundedNumber],
    within: Range = ANY,
    *,
    level: float = LEVEL,
    clips: int | None = None,
) -> BoundedNumber:
    """The mean, for other networks and other clips; of one network alone, itself.

    All networks see the same clips, so what is due to the clips does not average out over them:
    their interval over the clips is added, in squares and to each side by itself, to Student's
    interval over the networks.

    Args:
        within: what a value can be: intervals are cut off at its ends.
        level: of the interval. At another than `LEVEL`, of which they are, the intervals over the
            clips are widened as Student's are, by the number of `clips`.
    """
    if level != LEVEL:
        assert clips is not None
        values = [x if x.low is None else x.wider(widening(level, clips - 1)) for x in values]
    if len(values) == 1:
        return values[0]
    middle, half = mean_and_half(np.array([x.value for x in values], np.float64), level)
    below = above = half
    if all(x.low is not None for x in values):
        below = np.hypot(half, np.mean([x.value - x.low for x in values], axis=0))
        above = np.hypot(half, np.mean([x.high - x.value for x in values], axis=0))
    floor, ceiling = within
    return BoundedNumber(
        value=middle,
        low=np.maximum(middle - below, floor),
        high=np.minimum(middle + above, ceiling),
    )


def overlap(first: Summary, second: Summary) -> BoundedNumber:
    """The common part of two distributions: 1 for equal ones, 0 for those that never meet.

    It grows with the share of every bin, so its interval has all bins at the low or at the high
    ends of theirs over the clips. That is wider than it had to be, and holds although finite
    samples of one distribution have less than all in common.
    """
    both = (first.distribution, second.distribution)
    value = _common([_coarse(x.value) for x in both])
    if any(x.low is None for x in both):
        return BoundedNumber(value=value)
    low, high = zip(*(_coarse_ends(x) for x in both), strict=True)
    return BoundedNumber(value=value, low=_common(low), high=_common(high))


def largest(values: Sequence[BoundedNumber]) -> BoundedNumber:
    """The largest of several numbers, none of which need have the highest end."""
    value = max(x.value for x in values)
    if any(x.low is None for x in values):
        return BoundedNumber(value=value)
    return BoundedNumber(
        value=value, low=max(x.low for x in values), high=max(x.high for x in values)
    )


def _common(shares: Sequence[Array]) -> float:
    return min(float(np.minimum(*shares).sum()), 1.0)


def _coarse(shares: Array) -> Array:
    return np.asarray(shares.reshape(BINS, -1).sum(axis=1))


def _coarse_ends(distribution: ArrayEstimate) -> tuple[Array, Array]:
    """Ends of coarse bins' shares: what their fine bins allow, and what the others leave."""
    assert distribution.low is not None
    assert distribution.high is not None
    low, high = _coarse(distribution.low), _coarse(distribution.high)
    others_low, others_high = low.sum() - low, high.sum() - high
    return np.maximum(low, 1 - others_high), np.minimum(high, 1 - others_low)


def _number(record: Mapping[str, Any]) -> BoundedNumber:
    low, high = record["interval"] or (None, None)
    return BoundedNumber(value=record["value"], low=low, high=high)
