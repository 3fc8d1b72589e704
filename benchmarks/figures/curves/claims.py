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

import numpy as np

from benchmarks.documents.claims import Judgement, Verdict, above_zero, all_of, corrected
from benchmarks.documents.numbers import (
    LEVEL,
    BoundedNumber,
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

    steps: tuple[int, ...]  # training steps of the checkpoints
    designs: Mapping[str, Mapping[int, Curve]]  # curves by label and seed; no seeds: not measured

    def shared(self, *labels: str) -> list[int]:
        """Seeds that all of these designs have."""
        seeds = [set(self.designs.get(label, {})) for label in labels]
        return sorted(set.intersection(*seeds)) if seeds else []

    def mean(self, label: str, place: int) -> BoundedNumber | None:
        """Mean of a design at a checkpoint; None where it was not measured."""
        values = [curve.values[place] for curve in self.designs.get(label, {}).values()]
        return geometric_mean(values) if values else None

    def point(self, label: str, place: int) -> BoundedNumber | None:
        """Mean with its interval; that of one seed alone is the interval of its samples."""
        mean, seeds = self.mean(label, place), self.designs.get(label, {})
        if mean is None or len(seeds) > 1:
            return mean
        (curve,) = seeds.values()
        return BoundedNumber(value=mean.value, low=curve.low[place], high=curve.high[place])

    def ratios(self, first: str, second: str, place: int) -> list[float]:
        """log(second ÷ first) of each seed that has both."""
        both = self.designs[first], self.designs[second]
        return [
            math.log(both[1][seed].values[place] / both[0][seed].values[place])
            for seed in self.shared(first, second)
        ]


CurveJudge = Callable[[Curves], Judgement]
Pair = tuple[str, str]  # two labels


def lower(first: str, second: str, place: int = END) -> CurveJudge:
    """`first` has the lower distance at a checkpoint."""
    pair = (first, second)
    return _all_lower([pair], place, shown=[pair], holds=f"{first} lower")


def lowest(first: str, others: Sequence[str], place: int = END) -> CurveJudge:
    """`first` is lower than each of the others."""
    pairs = [(first, other) for other in others]
    return _all_lower(pairs, place, shown=pairs, holds="lowest")


def highest(first: str, others: Sequence[str], place: int = END) -> CurveJudge:
    """`first` is higher than each of the others."""
    pairs = [(other, first) for other in others]
    shown = [(first, other) for other in others]
    return _all_lower(pairs, place, shown=shown, holds="highest")


def ordered(labels: Sequence[str], place: int = END) -> CurveJudge:
    """The labels go from the lowest to the highest distance; any pair in reverse refutes it."""
    pairs = list(combinations(labels, 2))
    return _all_lower(pairs, place, shown=list(pairwise(labels)), holds="in this order")


def _all_lower(
    pairs: Sequence[Pair], place: int, *, shown: Sequence[Pair], holds: str
) -> CurveJudge:
    """The first of each pair has the lower distance at a checkpoint.

    Args:
        shown: pairs whose ratios are named, with those that refute the claim.
        holds: what is counted over the seeds.
    """

    def look(curves: Curves, seeds: Sequence[int]) -> Judgement:
        verdicts = {pair: partial(_verdict, curves, *pair, place) for pair in pairs}
        level = corrected(len(pairs))
        refuting = [pair for pair in pairs if verdicts[pair](level) == "no"]
        named = dict.fromkeys([*shown, *(x for x in refuting if x[::-1] not in shown)])
        ratios = [f"{b} ÷ {a} = {_interval(curves.ratios(a, b, place))}" for a, b in named]
        values = {label: curves.designs[label] for pair in pairs for label in pair}
        count = sum(
            all(values[a][seed].values[place] < values[b][seed].values[place] for a, b in pairs)
            for seed in seeds
        )
        return Judgement(
            verdict=all_of(list(verdicts.values())),
            numbers=f"{'; '.join(ratios)}{_at(curves, place)}; "
            f"{holds} in {count} of {_seeds(seeds)}",
        )

    return _judge([label for pair in pairs for label in pair], look)


def ahead(first: str, second: str) -> CurveJudge:
    """`first` has the lower distance over training: in the mean of all checkpoints' logarithms.

    No checkpoint is chosen for "early": the first ones may come before anything is learned.
    """

    def look(curves: Curves, seeds: Sequence[int]) -> Judgement:
        places = range(len(curves.steps))
        logs = np.mean([curves.ratios(first, second, place) for place in places], axis=0).tolist()
        verdicts = {_verdict(curves, first, second, place) for place in places}
        if len(logs) > 1:
            verdicts = {_sign(logs)}
        return Judgement(  # one seed alone decides only where all checkpoints agree
            verdict=verdicts.pop() if len(verdicts) == 1 else "not decided",
            numbers=f"{second} ÷ {first} = {_interval(logs)}{_over(curves, places)}; "
            f"{first} lower in {sum(log > 0 for log in logs)} of {_seeds(seeds)}",
        )

    return _judge([first, second], look)


def drawing_nearer(labels: Sequence[str]) -> CurveJudge:
    """The factor between the highest and the lowest is smaller at the end than before.

    Before: the mean of all earlier checkpoints, of which none is chosen for "early".
    """

    def look(curves: Curves, seeds: Sequence[int]) -> Judgement:
        def spread(seed: int, place: int) -> float:
            values = [curves.designs[label][seed].values[place] for label in labels]
            return math.log(max(values) / min(values))

        *earlier, last = range(len(curves.steps))
        if not earlier:
            return _not_measured(curves, labels)
        before = [float(np.mean([spread(seed, place) for place in earlier])) for seed in seeds]
        after = [spread(seed, last) for seed in seeds]
        changes = [one - other for one, other in zip(before, after, strict=True)]
        factors = [geometric_mean(np.exp(spreads).tolist()).value for spreads in (before, after)]
        return Judgement(
            verdict=_sign(changes),
            numbers=f"highest ÷ lowest = {factors[0]:.2f}{_over(curves, earlier)}, "
            f"{factors[1]:.2f}{_at(curves, last)}; nearer in "
            f"{sum(change > 0 for change in changes)} of {_seeds(seeds)}",
        )

    return _judge(labels, look)


def _judge(labels: Sequence[str], look: Callable[[Curves, Sequence[int]], Judgement]) -> CurveJudge:
    """A judge of designs, given their curves and the seeds that all of them have."""

    def judge(curves: Curves) -> Judgement:
        seeds = curves.shared(*labels)
        return look(curves, seeds) if seeds else _not_measured(curves, labels)

    return judge


def _not_measured(curves: Curves, labels: Sequence[str]) -> Judgement:
    lacking = [label for label in dict.fromkeys(labels) if not curves.designs.get(label)]
    what = " and ".join(lacking) if lacking else "no seed has all of them"
    return Judgement(verdict="not measured", numbers=f"missing: {what}")


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
    """Ends of one measurement's interval, at other levels than `LEVEL` as of a normal one."""
    value, low, high = (ends[place] for ends in (curve.values, curve.low, curve.high))
    if level == LEVEL:
        return low, high
    wider = widening(level)
    return value - wider * (value - low), value + wider * (high - value)


def _interval(logs: Sequence[float]) -> str:
    mean = geometric_mean([math.exp(x) for x in logs])
    if mean.low is None:
        return f"{mean.value:.2f}"
    return f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def _at(curves: Curves, place: int) -> str:
    return f" at step {curves.steps[place]:,}"


def _over(curves: Curves, places: Sequence[int]) -> str:
    if len(places) == 1:
        return _at(curves, places[0])
    first, last = curves.steps[places[0]], curves.steps[places[-1]]
    return f" in the mean of steps {first:,} to {last:,}"


def _seeds(seeds: Sequence[int]) -> str:
    return "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
