"""What the paper claims of Figures 6 and 8, held against what was measured in networks.

Everything is judged at each timestep, by differences that are taken within each network, clip by
clip where they can be: see `over_networks` for the interval of their mean.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.claims import LEVEL, Finding, Judged, Verdict
from benchmarks.finished import FinishedCell
from evaluation.metrics.inputs import Array
from evaluation.result import format_value
from evaluation.similarity.record import read_summary
from evaluation.similarity.summary import Summary
from evaluation.uncertainty.interval import two_sided_quantile

BINS = 40  # of 0.05: in finer ones distributions of few clips would seem apart
MUCH = 0.5  # of two distributions, their common part: with less they differ strongly
LOW = 0.1  # mean cosines nearer to 0 are extremely low

Judge = Callable[["Networks", int], Judged]


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number or an array of them, with the ends of its interval if it has one."""

    value: Any
    low: Any = None
    high: Any = None

    def __str__(self) -> str:
        ends = None if self.low is None else (float(self.low), float(self.high))
        return format_value(float(self.value), ends)

    def __neg__(self) -> "Number":
        if self.low is None:
            return Number(value=-self.value)
        return Number(value=-self.value, low=-self.high, high=-self.low)


@dataclass(frozen=True, kw_only=True)
class Networks:
    """What was measured in networks of one kind: the details of their cells."""

    records: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, cells: Sequence[FinishedCell]) -> "Networks":
        """Those of these cells."""
        return cls(records=tuple(cell.details for cell in cells))

    @property
    def depth(self) -> int:
        """Blocks."""
        return int(self.records[0]["config"]["depth"])

    @property
    def timesteps(self) -> list[int]:
        """Ascending."""
        return sorted({site["timestep"] for site in self.records[0]["sites"]})

    def at(self, path: str, step: int) -> list[Summary]:
        """Of one part, in each network."""
        return [
            read_summary(_numbers_of(site))
            for record in self.records
            for site in record["sites"]
            if (site["path"], site["timestep"]) == (path, step)
        ]

    def between(self, step: int) -> list[Summary]:
        """Of the two branches with each other, in each network."""
        return [
            read_summary(_numbers_of(pair))
            for record in self.records
            for pair in record["pairs"]
            if pair["timestep"] == step
        ]

    def changes(self, name: str, first: int, second: int, step: int) -> list[Number]:
        """A number after the second block less that after the first, in each network."""
        return [
            _number(change[name])
            for record in self.records
            for change in record["changes"]
            if (change["first"], change["second"], change["timestep"]) == (first, second, step)
        ]


@dataclass(frozen=True, kw_only=True)
class SimilarityClaim:
    """A sentence of the paper's, and how it is looked at."""

    text: str
    judge: Judge

    def at(self, step: int) -> str:
        """The claim at a timestep."""
        return f"{self.text}, t = {step}"


def similarity_findings(claims: Sequence[SimilarityClaim], networks: Networks) -> list[Finding]:
    """Each claim, judged at each timestep."""
    return [
        Finding(claim=claim.at(step), verdict=judged.verdict, seen=judged.seen)
        for claim in claims
        for step in networks.timesteps
        for judged in [claim.judge(networks, step)]
    ]


def changing(name: str, blocks: Sequence[int], *, rises: bool, ends_only: bool = False) -> Judge:
    """A number goes one way with each of these blocks; with `ends_only`, from first to last."""

    def judge(networks: Networks, step: int) -> Judged:
        if len(blocks) < 2:
            return Judged(verdict="not measured", seen="the networks have one spatial block")
        steps = [(blocks[0], blocks[-1])] if ends_only else list(pairwise(blocks))
        gaps = [
            [gap if rises else -gap for gap in networks.changes(name, *blocks_of, step)]
            for blocks_of in steps
        ]
        shown = [blocks[0], blocks[-1]] if ends_only else blocks
        values = [over_networks(numbers(networks.at(f"blocks.{b}", step), name)) for b in shown]
        return Judged(
            verdict=all_of([above_zero(each) for each in gaps]),
            seen=f"{' → '.join(map(str, values))} after blocks {', '.join(map(str, shown))}; "
            f"{'rises' if rises else 'falls'} in {_count(gaps)}",
        )

    return judge


def differing(parts: Callable[[Networks, int], Mapping[str, Sequence[Summary]]]) -> Judge:
    """Any two of several distributions have less than `MUCH` in common."""

    def judge(networks: Networks, step: int) -> Judged:
        found = list(parts(networks, step).values())
        most = [
            max(overlap(a, b) for place, a in enumerate(of_one) for b in of_one[:place])
            for of_one in zip(*found, strict=True)
        ]
        gaps = [Number(value=MUCH - each) for each in most]
        mean = over_networks([Number(value=each) for each in most])
        # Of one network the common part has no interval: its value decides.
        verdict: Verdict = above_zero(gaps) if len(gaps) > 1 else _sign(gaps[0].value)
        return Judged(
            verdict=verdict, seen=f"at most {mean} in common; below {MUCH:g} in {_count([gaps])}"
        )

    return judge


def lowest_of(
    name: str, parts: Callable[[Networks, int], Mapping[str, Sequence[Summary]]]
) -> Judge:
    """The mean of one part is below those of all others."""

    def judge(networks: Networks, step: int) -> Judged:
        means = {key: numbers(each, "mean") for key, each in parts(networks, step).items()}
        others = {key: each for key, each in means.items() if key != name}
        gaps = [
            [_difference(b, a) for a, b in zip(means[name], other, strict=True)]
            for other in others.values()
        ]
        seen = ", ".join(f"{key} {over_networks(each)}" for key, each in means.items())
        return Judged(
            verdict=all_of([above_zero(each) for each in gaps]),
            seen=f"means: {seen}; lowest in {_count(gaps)}",
        )

    return judge


def near_zero(
    name: str, parts: Callable[[Networks, int], Mapping[str, Sequence[Summary]]]
) -> Judge:
    """The mean of one part is within ± `LOW`."""

    def judge(networks: Networks, step: int) -> Judged:
        means = numbers(parts(networks, step)[name], "mean")
        below = [_difference(Number(value=LOW, low=LOW, high=LOW), each) for each in means]
        above = [_difference(each, Number(value=-LOW, low=-LOW, high=-LOW)) for each in means]
        gaps = [below, above]
        return Judged(
            verdict=all_of([above_zero(each) for each in gaps]),
            seen=f"mean {over_networks(means)}; so in {_count(gaps)}",
        )

    return judge


def numbers(summaries: Sequence[Summary], name: str) -> list[Number]:
    """One number of each, with its interval over the clips."""
    found = [each[name] for each in summaries]
    return [
        Number(value=each.value)
        if each.interval is None
        else Number(value=each.value, low=each.interval.low, high=each.interval.high)
        for each in found
    ]


def over_networks(each: Sequence[Number]) -> Number:
    """The mean, for other networks and other clips; of one network alone, itself.

    All networks see the same clips, so what is due to the clips does not average out over them:
    their interval over the clips is added, in squares, to Student's interval over the networks.
    """
    if len(each) == 1:
        return each[0]
    values = np.array([number.value for number in each], np.float64)
    reach = two_sided_quantile(LEVEL, len(values) - 1) / len(values) ** 0.5
    middle, half = values.mean(axis=0), reach * values.std(axis=0, ddof=1)
    if all(number.low is not None for number in each):
        half = np.hypot(half, np.mean([(one.high - one.low) / 2 for one in each], axis=0))
    return Number(value=middle, low=middle - half, high=middle + half)


def above_zero(gaps: Sequence[Number]) -> Verdict:
    """Whether a mean is above 0: "yes" and "no" where its interval leaves 0 out."""
    mean = over_networks(gaps)
    if mean.low is None or mean.low <= 0 <= mean.high:
        return "not decided"
    return "yes" if mean.low > 0 else "no"


def overlap(first: Summary, second: Summary) -> float:
    """The common part of two distributions: 1 for equal ones, 0 for those that never meet."""
    shares = [_coarse(each.distribution.value) for each in (first, second)]
    return float(np.minimum(*shares).sum())


def all_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Of a claim that has several parts."""
    if "no" in verdicts:
        return "no"
    return "yes" if all(each == "yes" for each in verdicts) else "not decided"


def _coarse(shares: Array) -> Array:
    return np.asarray(shares.reshape(BINS, -1).sum(axis=1))


def _sign(gap: float) -> Verdict:
    return "yes" if gap > 0 else "no"


def _difference(first: Number, second: Number) -> Number:
    """First less second, with the widest interval that theirs allow."""
    if first.low is None or second.low is None:
        return Number(value=first.value - second.value)
    return Number(
        value=first.value - second.value,
        low=first.low - second.high,
        high=first.high - second.low,
    )


def _count(gaps: Sequence[Sequence[Number]]) -> str:
    """In how many networks all gaps are above 0."""
    holds = [all(gap.value > 0 for gap in of_one) for of_one in zip(*gaps, strict=True)]
    return f"{sum(holds)} of {'1 network' if len(holds) == 1 else f'{len(holds)} seeds'}"


def _number(record: Mapping[str, Any]) -> Number:
    low, high = record["interval"] or (None, None)
    return Number(value=record["value"], low=low, high=high)


def _numbers_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says where it was measured."""
    place = ("path", "kind", "depth", "timestep", "first", "second")
    return {key: value for key, value in record.items() if key not in place}
