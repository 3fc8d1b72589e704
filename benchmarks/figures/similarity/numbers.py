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
from evaluation.similarity import SitePair
from evaluation.similarity.summary import (
    FRAME_NUMBERS,
    MIN_CLIPS,
    MUTUAL_NUMBERS,
    ArrayEstimate,
    Summary,
    read_summary,
)

BINS = 40  # each 0.05 wide: in finer ones distributions of few clips would seem apart

Part: TypeAlias = str | SitePair  # a part of a network by its dotted path, or two with each other
Range: TypeAlias = tuple[float, float]
ANY: Range = (-math.inf, math.inf)
COSINE: Range = (-1.0, 1.0)
SHARE: Range = (0.0, 1.0)
RANGES: Mapping[str, Range] = {**FRAME_NUMBERS, **MUTUAL_NUMBERS}


@dataclass(frozen=True, kw_only=True)
class ProbedNetworks:
    """What was measured in networks of one kind."""

    cells: Sequence[CellRecord]  # one for each network

    @property
    def count(self) -> int:
        """Number of networks: of one there is no interval over seeds."""
        return len(self.cells)

    @property
    def first(self) -> Mapping[str, Any]:
        """The details of the first network's cell, whose sizes are those of all."""
        return self.cells[0].details

    @property
    def num_clips(self) -> int:
        """Clips that each was shown."""
        return int(self.first["num_clips"])

    @property
    def depth(self) -> int:
        """Blocks."""
        return int(self.first["config"]["depth"])

    @property
    def timesteps(self) -> list[int]:
        """Ascending."""
        return sorted({site["timestep"] for site in self.first["sites"]})

    @property
    def middle(self) -> int:
        """The timestep half way: its distribution has the figure's plain name."""
        return self.timesteps[len(self.timesteps) // 2]

    def at_timesteps(self) -> list["Probed"]:
        """The networks at each timestep, ascending."""
        return [Probed(networks=self, step=step) for step in self.timesteps]

    @property
    def means(self) -> str:
        """A sentence for captions: what the numbers are means over."""
        if self.count == 1:
            return "Means over the clips, of one network."
        return (
            f"Means over networks from {self.count} seeds, which see the same clips with the same "
            "noise."
        )

    @property
    def intervals(self) -> str:
        """How intervals are taken, and for what, to follow that word; empty if there are none."""
        over = ["other seeds"] * (self.count > 1) + ["other clips"] * (self.num_clips >= MIN_CLIPS)
        return f"(Student's t) for {' and '.join(over)}" if over else ""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """What was measured in networks at one timestep: a list has an entry for each network."""

    networks: ProbedNetworks
    step: int

    def at(self, part: Part) -> list[Summary]:
        """How alike frames are there."""
        if isinstance(part, str):
            records = self._records("sites", path=part)
        else:
            records = self._records("pairs", first=part.first, second=part.second)
        return [read_summary(record["summary"]) for record in records]

    def differences(self, number: str, first: Part, second: Part) -> list[BoundedNumber]:
        """The number at the second part less that at the first, clip by clip."""
        parts = {"first": part_name(first), "second": part_name(second)}
        records = self._records("differences", number=number, **parts)
        return [_bounded(record["value"], record["interval"]) for record in records]

    def _records(self, kind: str, **fields: str) -> list[Mapping[str, Any]]:
        expected = {**fields, "timestep": self.step}
        return [
            record
            for cell in self.networks.cells
            for record in cell.details[kind]
            if all(record[name] == value for name, value in expected.items())
        ]


def part_name(part: Part) -> str:
    """A part as records of differences name it."""
    return part if isinstance(part, str) else f"{part.first} × {part.second}"


def numbers(summaries: Sequence[Summary], name: str) -> list[BoundedNumber]:
    """One number of each, with its interval over the clips."""
    estimates = [summary[name] for summary in summaries]
    return [_bounded(x.value, x.interval) for x in estimates]


def _bounded(value: float, ends: Sequence[float] | None) -> BoundedNumber:
    low, high = ends or (None, None)
    return BoundedNumber(value=value, low=low, high=high)


def mean_array(arrays: Sequence[ArrayEstimate], within: Range) -> BoundedNumber:
    """The mean of arrays of several networks."""
    return over_networks(
        [BoundedNumber(value=x.value, low=x.low, high=x.high) for x in arrays], within
    )


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
