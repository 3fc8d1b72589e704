"""Claims about curves of distances over training: a judge for each kind.

Distances are positive and scatter by factors, so everything is done in logarithms: means over seeds
are geometric, and designs are compared by the ratio of their distances, seed by seed. Seeds that
share everything but the design share their data and noise, which cancels in the ratio.
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import combinations, pairwise
from typing import Literal

import numpy as np

from benchmarks.documents.claims import (
    LEVEL,
    Judge,
    Judged,
    Outcome,
    Points,
    Verdict,
    above_zero,
    all_of,
    corrected,
    geometric_mean,
    mean_and_half,
    widening,
)

END = -1  # of the places of checkpoints


def lower(first: str, second: str, place: int = END) -> Judge:
    """`first` has the lower distance at a checkpoint."""

    def judge(outcome: Outcome) -> Judged:
        if not outcome.shared(first, second):
            return _not_measured(outcome, first, second)
        return Judged(
            verdict=_verdict(outcome, first, second, place),
            seen=f"{second} ÷ {first} = {_ratio(outcome, first, second, place)}"
            f"{_at(outcome, place)}; {first} lower in {_wins(outcome, first, second, place)}",
        )

    return judge


def ahead(first: str, second: str) -> Judge:
    """`first` has the lower distance over training: in the mean of all checkpoints' logarithms.

    No checkpoint is chosen for "early": the first ones may come before anything is learned.
    """

    def judge(outcome: Outcome) -> Judged:
        if not outcome.shared(first, second):
            return _not_measured(outcome, first, second)
        places = range(len(outcome.steps))
        logs = np.mean([outcome.ratios(first, second, place) for place in places], axis=0).tolist()
        return Judged(
            verdict=_over_all([_verdict(outcome, first, second, place) for place in places], logs),
            seen=f"{second} ÷ {first} = {_interval(logs)}{_over(outcome, places)}; "
            f"{first} lower in {sum(log > 0 for log in logs)} of {_seeds(len(logs))}",
        )

    return judge


def lowest(first: str, others: Sequence[str], place: int = END) -> Judge:
    """`first` is lower than each of the others."""
    return _extreme("lowest", first, others, place)


def highest(first: str, others: Sequence[str], place: int = END) -> Judge:
    """`first` is higher than each of the others."""
    return _extreme("highest", first, others, place)


def ordered(labels: Sequence[str], place: int = END) -> Judge:
    """From the lowest to the highest distance."""

    def judge(outcome: Outcome) -> Judged:
        if not outcome.shared(*labels):
            return _not_measured(outcome, *labels)
        neighbours = list(pairwise(labels))
        # One pair the other way round refutes the order, neighbours or not.
        pairs = {pair: partial(_verdict, outcome, *pair, place) for pair in combinations(labels, 2)}
        level = corrected(len(pairs))
        against = [pair for pair, verdict in pairs.items() if verdict(level) == "no"]
        shown = list(dict.fromkeys([*neighbours, *against]))
        seen = [f"{b} ÷ {a} = {_ratio(outcome, a, b, place)}" for a, b in shown]
        return Judged(
            verdict=all_of(list(pairs.values())),
            seen=f"{'; '.join(seen)}{_at(outcome, place)}; "
            f"in this order in {_holds(outcome, neighbours, outcome.shared(*labels), place)}",
        )

    return judge


def drawing_nearer(labels: Sequence[str]) -> Judge:
    """The factor between the highest and the lowest is smaller at the end than before.

    Before: the mean of all earlier checkpoints, of which none is chosen for "early".
    """

    def judge(outcome: Outcome) -> Judged:
        seeds = outcome.shared(*labels)
        if not seeds or len(outcome.steps) < 2:
            return _not_measured(outcome, *labels)

        def spread(seed: int, place: int) -> float:
            found = [outcome.designs[label][seed].values[place] for label in labels]
            return math.log(max(found) / min(found))

        *earlier, last = range(len(outcome.steps))
        before = [float(np.mean([spread(seed, place) for place in earlier])) for seed in seeds]
        after = [spread(seed, last) for seed in seeds]
        changes = [one - other for one, other in zip(before, after, strict=True)]
        factors = [geometric_mean(np.exp(spreads).tolist()).value for spreads in (before, after)]
        return Judged(
            verdict=_sign(changes),
            seen=f"highest ÷ lowest = {factors[0]:.2f}{_over(outcome, earlier)}, "
            f"{factors[1]:.2f}{_at(outcome, last)}; nearer in "
            f"{sum(change > 0 for change in changes)} of {_seeds(len(seeds))}",
        )

    return judge


def _sign(logs: Sequence[float], level: float = LEVEL) -> Verdict:
    """Whether a mean is above 0, by its interval."""
    middle, half = mean_and_half(np.asarray(logs, np.float64), level)
    return "not decided" if half is None else above_zero(middle - half, middle + half)


def _verdict(
    outcome: Outcome, first: str, second: str, place: int, level: float = LEVEL
) -> Verdict:
    """Whether `first` is lower; of one seed alone by the intervals of the two measurements."""
    seeds = outcome.shared(first, second)
    if len(seeds) > 1:
        return _sign(outcome.ratios(first, second, place), level)
    a, b = (_ends(outcome.designs[label][seeds[0]], place, level) for label in (first, second))
    if a[1] < b[0]:
        return "yes"
    return "no" if b[1] < a[0] else "not decided"


def _ends(points: Points, place: int, level: float) -> tuple[float, float]:
    """Of one measurement's interval, at other levels than `LEVEL` as if it were a normal one."""
    value, low, high = (each[place] for each in (points.values, points.low, points.high))
    if level == LEVEL:
        return low, high
    wider = widening(level)
    return value - wider * (value - low), value + wider * (high - value)


def _over_all(verdicts: Sequence[Verdict], logs: Sequence[float]) -> Verdict:
    """Of a mean over checkpoints; of one seed alone only where all of them say the same."""
    if len(logs) > 1:
        return _sign(logs)
    return verdicts[0] if len(set(verdicts)) == 1 else "not decided"


def _ratio(outcome: Outcome, first: str, second: str, place: int) -> str:
    return _interval(outcome.ratios(first, second, place))


def _interval(logs: Sequence[float]) -> str:
    mean = geometric_mean([math.exp(x) for x in logs])
    if mean.low is None:
        return f"{mean.value:.2f}"
    return f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def _wins(outcome: Outcome, first: str, second: str, place: int) -> str:
    ratios = outcome.ratios(first, second, place)
    return f"{sum(ratio > 0 for ratio in ratios)} of {_seeds(len(ratios))}"


def _extreme(
    which: Literal["lowest", "highest"], first: str, others: Sequence[str], place: int
) -> Judge:
    """`first` is the lowest or the highest."""

    def judge(outcome: Outcome) -> Judged:
        seeds = outcome.shared(first, *others)
        if not seeds:
            return _not_measured(outcome, first, *others)
        # The one that the claim calls lower comes first.
        pairs = [(first, other) if which == "lowest" else (other, first) for other in others]
        seen = [f"{other} ÷ {first} = {_ratio(outcome, first, other, place)}" for other in others]
        return Judged(
            verdict=all_of([partial(_verdict, outcome, *pair, place) for pair in pairs]),
            seen=f"{'; '.join(seen)}{_at(outcome, place)}; "
            f"{which} in {_holds(outcome, pairs, seeds, place)}",
        )

    return judge


def _holds(
    outcome: Outcome, pairs: Sequence[tuple[str, str]], seeds: Sequence[int], place: int
) -> str:
    """In how many of these seeds the first of every pair is the lower one."""
    designs = outcome.designs
    count = sum(
        all(designs[a][seed].values[place] < designs[b][seed].values[place] for a, b in pairs)
        for seed in seeds
    )
    return f"{count} of {_seeds(len(seeds))}"


def _at(outcome: Outcome, place: int) -> str:
    return f" at step {outcome.steps[place]:,}"


def _over(outcome: Outcome, places: Sequence[int]) -> str:
    if len(places) == 1:
        return _at(outcome, places[0])
    first, last = outcome.steps[places[0]], outcome.steps[places[-1]]
    return f" in the mean of steps {first:,} to {last:,}"


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _not_measured(outcome: Outcome, *labels: str) -> Judged:
    lacking = [label for label in labels if not outcome.designs.get(label)]
    what = " and ".join(lacking) if lacking else "no seed has all of them"
    return Judged(verdict="not measured", seen=f"missing: {what}")
