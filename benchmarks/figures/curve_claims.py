"""Claims about curves of distances over training: the curves, and a judge for each kind of claim.

Distances are positive and scatter by factors, so everything is done in logarithms: means over seeds
are geometric, and designs are compared by the ratio of their distances, seed by seed. Seeds that
share everything but the design share their data and noise, which cancels in the ratio.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise
from typing import Literal

import numpy as np

from benchmarks.documents.claims import (
    LEVEL,
    Judgement,
    Mean,
    Verdict,
    above_zero,
    all_of,
    corrected,
    geometric_mean,
    mean_and_half,
    widening,
)

END = -1  # index of the last checkpoint


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What one seed of a design gave: a value for each checkpoint, and ends of its interval."""

    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The curves of a figure."""

    steps: tuple[int, ...]  # of the checkpoints
    designs: Mapping[str, Mapping[int, Curve]]  # by label and seed; no seeds: not measured

    def shared(self, *labels: str) -> list[int]:
        """Seeds that all of these designs have."""
        seeds = [set(self.designs.get(label, {})) for label in labels]
        return sorted(set.intersection(*seeds)) if seeds else []

    def mean(self, label: str, place: int) -> Mean | None:
        """Mean of a design at a checkpoint; None where it was not measured."""
        values = [curve.values[place] for curve in self.designs.get(label, {}).values()]
        return geometric_mean(values) if values else None

    def ratios(self, first: str, second: str, place: int) -> list[float]:
        """log(second ÷ first) of each seed that has both."""
        both = self.designs[first], self.designs[second]
        return [
            math.log(both[1][seed].values[place] / both[0][seed].values[place])
            for seed in self.shared(first, second)
        ]


CurveJudge = Callable[[Curves], Judgement]


def lower(first: str, second: str, place: int = END) -> CurveJudge:
    """`first` has the lower distance at a checkpoint."""

    def judge(curves: Curves) -> Judgement:
        if not curves.shared(first, second):
            return _not_measured(curves, first, second)
        return Judgement(
            verdict=_verdict(curves, first, second, place),
            seen=f"{second} ÷ {first} = {_ratio(curves, first, second, place)}"
            f"{_at(curves, place)}; {first} lower in {_wins(curves, first, second, place)}",
        )

    return judge


def ahead(first: str, second: str) -> CurveJudge:
    """`first` has the lower distance over training: in the mean of all checkpoints' logarithms.

    No checkpoint is chosen for "early": the first ones may come before anything is learned.
    """

    def judge(curves: Curves) -> Judgement:
        if not curves.shared(first, second):
            return _not_measured(curves, first, second)
        places = range(len(curves.steps))
        logs = np.mean([curves.ratios(first, second, place) for place in places], axis=0).tolist()
        return Judgement(
            verdict=_over_all([_verdict(curves, first, second, place) for place in places], logs),
            seen=f"{second} ÷ {first} = {_interval(logs)}{_over(curves, places)}; "
            f"{first} lower in {sum(log > 0 for log in logs)} of {_seeds(len(logs))}",
        )

    return judge


def lowest(first: str, others: Sequence[str], place: int = END) -> CurveJudge:
    """`first` is lower than each of the others."""
    return _extreme("lowest", first, others, place)


def highest(first: str, others: Sequence[str], place: int = END) -> CurveJudge:
    """`first` is higher than each of the others."""
    return _extreme("highest", first, others, place)


def ordered(labels: Sequence[str], place: int = END) -> CurveJudge:
    """From the lowest to the highest distance."""

    def judge(curves: Curves) -> Judgement:
        if not curves.shared(*labels):
            return _not_measured(curves, *labels)
        neighbours = list(pairwise(labels))
        # One pair the other way round refutes the order, neighbours or not.
        pairs = {pair: partial(_verdict, curves, *pair, place) for pair in combinations(labels, 2)}
        level = corrected(len(pairs))
        against = [pair for pair, verdict in pairs.items() if verdict(level) == "no"]
        shown = list(dict.fromkeys([*neighbours, *against]))
        seen = [f"{b} ÷ {a} = {_ratio(curves, a, b, place)}" for a, b in shown]
        return Judgement(
            verdict=all_of(list(pairs.values())),
            seen=f"{'; '.join(seen)}{_at(curves, place)}; "
            f"in this order in {_holds(curves, neighbours, curves.shared(*labels), place)}",
        )

    return judge


def drawing_nearer(labels: Sequence[str]) -> CurveJudge:
    """The factor between the highest and the lowest is smaller at the end than before.

    Before: the mean of all earlier checkpoints, of which none is chosen for "early".
    """

    def judge(curves: Curves) -> Judgement:
        seeds = curves.shared(*labels)
        if not seeds or len(curves.steps) < 2:
            return _not_measured(curves, *labels)

        def spread(seed: int, place: int) -> float:
            found = [curves.designs[label][seed].values[place] for label in labels]
            return math.log(max(found) / min(found))

        *earlier, last = range(len(curves.steps))
        before = [float(np.mean([spread(seed, place) for place in earlier])) for seed in seeds]
        after = [spread(seed, last) for seed in seeds]
        changes = [one - other for one, other in zip(before, after, strict=True)]
        factors = [geometric_mean(np.exp(spreads).tolist()).value for spreads in (before, after)]
        return Judgement(
            verdict=_sign(changes),
            seen=f"highest ÷ lowest = {factors[0]:.2f}{_over(curves, earlier)}, "
            f"{factors[1]:.2f}{_at(curves, last)}; nearer in "
            f"{sum(change > 0 for change in changes)} of {_seeds(len(seeds))}",
        )

    return judge


def _sign(logs: Sequence[float], level: float = LEVEL) -> Verdict:
    """Whether a mean is above 0, by its interval."""
    middle, half = mean_and_half(np.asarray(logs, np.float64), level)
    return "not decided" if half is None else above_zero(middle - half, middle + half)


def _verdict(curves: Curves, first: str, second: str, place: int, level: float = LEVEL) -> Verdict:
    """Whether `first` is lower; of one seed alone by the intervals of the two measurements."""
    seeds = curves.shared(first, second)
    if len(seeds) > 1:
        return _sign(curves.ratios(first, second, place), level)
    a, b = (_ends(curves.designs[label][seeds[0]], place, level) for label in (first, second))
    if a[1] < b[0]:
        return "yes"
    return "no" if b[1] < a[0] else "not decided"


def _ends(curve: Curve, place: int, level: float) -> tuple[float, float]:
    """Of one measurement's interval, at other levels than `LEVEL` as if it were a normal one."""
    value, low, high = (each[place] for each in (curve.values, curve.low, curve.high))
    if level == LEVEL:
        return low, high
    wider = widening(level)
    return value - wider * (value - low), value + wider * (high - value)


def _over_all(verdicts: Sequence[Verdict], logs: Sequence[float]) -> Verdict:
    """Of a mean over checkpoints; of one seed alone only where all of them say the same."""
    if len(logs) > 1:
        return _sign(logs)
    return verdicts[0] if len(set(verdicts)) == 1 else "not decided"


def _ratio(curves: Curves, first: str, second: str, place: int) -> str:
    return _interval(curves.ratios(first, second, place))


def _interval(logs: Sequence[float]) -> str:
    mean = geometric_mean([math.exp(x) for x in logs])
    if mean.low is None:
        return f"{mean.value:.2f}"
    return f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def _wins(curves: Curves, first: str, second: str, place: int) -> str:
    ratios = curves.ratios(first, second, place)
    return f"{sum(ratio > 0 for ratio in ratios)} of {_seeds(len(ratios))}"


def _extreme(
    which: Literal["lowest", "highest"], first: str, others: Sequence[str], place: int
) -> CurveJudge:
    """`first` is the lowest or the highest."""

    def judge(curves: Curves) -> Judgement:
        seeds = curves.shared(first, *others)
        if not seeds:
            return _not_measured(curves, first, *others)
        # The one that the claim calls lower comes first.
        pairs = [(first, other) if which == "lowest" else (other, first) for other in others]
        seen = [f"{other} ÷ {first} = {_ratio(curves, first, other, place)}" for other in others]
        return Judgement(
            verdict=all_of([partial(_verdict, curves, *pair, place) for pair in pairs]),
            seen=f"{'; '.join(seen)}{_at(curves, place)}; "
            f"{which} in {_holds(curves, pairs, seeds, place)}",
        )

    return judge


def _holds(
    curves: Curves, pairs: Sequence[tuple[str, str]], seeds: Sequence[int], place: int
) -> str:
    """In how many of these seeds the first of every pair is the lower one."""
    designs = curves.designs
    count = sum(
        all(designs[a][seed].values[place] < designs[b][seed].values[place] for a, b in pairs)
        for seed in seeds
    )
    return f"{count} of {_seeds(len(seeds))}"


def _at(curves: Curves, place: int) -> str:
    return f" at step {curves.steps[place]:,}"


def _over(curves: Curves, places: Sequence[int]) -> str:
    if len(places) == 1:
        return _at(curves, places[0])
    first, last = curves.steps[places[0]], curves.steps[places[-1]]
    return f" in the mean of steps {first:,} to {last:,}"


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _not_measured(curves: Curves, *labels: str) -> Judgement:
    lacking = [label for label in labels if not curves.designs.get(label)]
    what = " and ".join(lacking) if lacking else "no seed has all of them"
    return Judgement(verdict="not measured", seen=f"missing: {what}")
