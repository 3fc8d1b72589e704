"""Claims about curves of distances over training: a judge for each kind of claim."""

import math
from collections.abc import Callable, Mapping, Sequence
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
from benchmarks.figures.curves.curves import END, Curves

CurveJudge = Callable[[Curves], Judgement]
Pair = tuple[str, str]  # two labels


def lower(first: str, second: str, place: int = END) -> CurveJudge:
    """`first` has the lower distance at a checkpoint."""
    return _all_lower([(first, second)], holds=f"{first} lower", places=[place])


def ahead(first: str, second: str) -> CurveJudge:
    """`first` has the lower distance over training: in the mean of all checkpoints' logarithms.

    No checkpoint is chosen for "early": the first ones may come before anything is learned.
    """
    return _all_lower([(first, second)], holds=f"{first} lower", places=None)


def lowest(first: str, others: Sequence[str]) -> CurveJudge:
    """`first` is lower than each of the others at the end."""
    return _all_lower([(first, other) for other in others], holds="lowest")


def highest(first: str, others: Sequence[str]) -> CurveJudge:
    """`first` is higher than each of the others at the end."""
    shown = [(first, other) for other in others]
    return _all_lower([(other, first) for other in others], holds="highest", shown=shown)


def ordered(labels: Sequence[str]) -> CurveJudge:
    """The labels go from the lowest to the highest distance; any pair in reverse refutes it."""
    pairs, shown = list(combinations(labels, 2)), list(pairwise(labels))
    return _all_lower(pairs, holds="in this order", shown=shown)


def _all_lower(
    pairs: Sequence[Pair],
    *,
    holds: str,
    shown: Sequence[Pair] = (),
    places: Sequence[int] | None = (END,),
) -> CurveJudge:
    """The first of each pair has the lower distance, in the mean over checkpoints.

    Args:
        holds: what is counted over the seeds.
        shown: pairs whose ratios are named, with those that refute the claim; none: all.
        places: indices of checkpoints; None: all.
    """
    shown = shown or pairs

    def judge_seeds(curves: Curves, seeds: Sequence[int]) -> Judgement:
        at = range(len(curves.steps)) if places is None else places
        verdicts = {pair: partial(_verdict, curves, pair, at) for pair in pairs}
        level = corrected(len(pairs))
        refuting = [pair for pair in pairs if verdicts[pair](level) == "no"]
        named = dict.fromkeys([*shown, *(x for x in refuting if x[::-1] not in shown)])
        ratios = [f"{b} ÷ {a} = {_interval(curves.ratios(a, b, at))}" for a, b in named]
        logs = [curves.ratios(*pair, at) for pair in pairs]
        count = sum(all(log[seed] > 0 for log in logs) for seed in seeds)
        return Judgement(
            verdict=all_of(list(verdicts.values())),
            numbers=f"{'; '.join(ratios)}{_when(curves, at)}; {holds} in {count} of "
            f"{_seeds(seeds)}",
        )

    return _judge([label for pair in pairs for label in pair], judge_seeds)


def drawing_nearer(labels: Sequence[str]) -> CurveJudge:
    """The factor between the highest and the lowest is smaller at the end than before.

    Before: the mean of all earlier checkpoints, of which none is chosen for "early".
    """

    def judge_seeds(curves: Curves, seeds: Sequence[int]) -> Judgement:
        def spread(seed: int, place: int) -> float:
            values = [curves.designs[label][seed][place].value for label in labels]
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
            numbers=f"highest ÷ lowest = {factors[0]:.2f}{_when(curves, earlier)}, "
            f"{factors[1]:.2f}{_when(curves, [last])}; nearer in "
            f"{sum(change > 0 for change in changes)} of {_seeds(seeds)}",
        )

    return _judge(labels, judge_seeds)


def _judge(
    labels: Sequence[str], judge_seeds: Callable[[Curves, Sequence[int]], Judgement]
) -> CurveJudge:
    """A judge of designs, given their curves and the seeds that all of them have."""

    def judge(curves: Curves) -> Judgement:
        seeds = curves.shared(*labels)
        return judge_seeds(curves, seeds) if seeds else _not_measured(curves, labels)

    return judge


def _not_measured(curves: Curves, labels: Sequence[str]) -> Judgement:
    lacking = [label for label in dict.fromkeys(labels) if not curves.designs.get(label)]
    what = " and ".join(lacking) if lacking else "no seed has all of them"
    return Judgement(verdict="not measured", numbers=f"missing: {what}")


def _sign(logs: Sequence[float], level: float = LEVEL) -> Verdict:
    """Whether a mean is above 0, by its interval."""
    middle, half = mean_and_half(np.asarray(logs, np.float64), level)
    return "not decided" if half is None else above_zero(middle - half, middle + half)


def _verdict(curves: Curves, pair: Pair, places: Sequence[int], level: float) -> Verdict:
    """Whether the first is lower."""
    logs = curves.ratios(*pair, places)
    if len(logs) > 1:
        return _sign([*logs.values()], level)
    # One seed alone: by the intervals of its measurements, where all checkpoints agree.
    (seed,) = logs
    first, second = (curves.designs[label][seed] for label in pair)
    verdicts = {_below(first[place], second[place], widening(level)) for place in places}
    return verdicts.pop() if len(verdicts) == 1 else "not decided"


def _below(first: BoundedNumber, second: BoundedNumber, wider: float) -> Verdict:
    a, b = first.wider(wider), second.wider(wider)
    if a.high < b.low:
        return "yes"
    return "no" if b.high < a.low else "not decided"


def _interval(logs: Mapping[int, float]) -> str:
    mean = geometric_mean([math.exp(log) for log in logs.values()])
    if mean.low is None:
        return f"{mean.value:.2f}"
    return f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def _when(curves: Curves, places: Sequence[int]) -> str:
    first, last = curves.steps[places[0]], curves.steps[places[-1]]
    if len(places) == 1:
        return f" at step {last:,}"
    return f" in the mean of steps {first:,} to {last:,}"


def _seeds(seeds: Sequence[int]) -> str:
    return "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
