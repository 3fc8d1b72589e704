"""What the paper claims of a figure, held against what was measured: computed, not written by hand.

A claim that takes several comparisons holds where each of them does at 95 % (an intersection-union
test: nothing to correct). One comparison to the contrary refutes it, and the more there are, the
likelier one is such by chance: so it counts at the level corrected for their number (Bonferroni).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Verdict = Literal["yes", "no", "not decided", "not measured"]
VerdictAt = Callable[[float], Verdict]  # at a level of its intervals
LEVEL = 0.95
SEVERAL = (
    "A claim that takes several comparisons is “yes” where each of them is; a single one makes it "
    "“no” only at the level corrected for their number (Bonferroni)."
)


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A geometric mean over seeds, with its interval; none of one seed alone."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Points:
    """What one seed of a design gave: a value for each checkpoint, and ends of its interval."""

    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that a figure shows."""

    steps: tuple[int, ...]  # of the checkpoints
    designs: Mapping[str, Mapping[int, Points]]  # by label and seed; no seeds: not measured

    def shared(self, *labels: str) -> list[int]:
        """Seeds that all of these designs have."""
        seeds = [set(self.designs.get(label, {})) for label in labels]
        return sorted(set.intersection(*seeds)) if seeds else []

    def mean(self, label: str, place: int) -> Mean | None:
        """Of a design at a checkpoint; None where it was not measured."""
        found = [points.values[place] for points in self.designs.get(label, {}).values()]
        return geometric_mean(found) if found else None

    def ratios(self, first: str, second: str, place: int) -> list[float]:
        """log(second ÷ first) of each seed that has both."""
        both = self.designs[first], self.designs[second]
        return [
            math.log(both[1][seed].values[place] / both[0][seed].values[place])
            for seed in self.shared(first, second)
        ]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Whether a claim holds here, and by which numbers."""

    verdict: Verdict
    seen: str


Judge = Callable[[Outcome], Judged]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of the paper's, and how it is looked at."""

    text: str
    judge: Judge


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A claim with its judgement."""

    claim: str
    verdict: Verdict
    seen: str

    @property
    def line(self) -> str:
        """For a terminal."""
        return f"{self.claim}: paper yes; here {self.verdict} ({self.seen})"


def findings(claims: Sequence[Claim], outcome: Outcome) -> list[Finding]:
    """Each claim, judged."""
    judged = [(claim, claim.judge(outcome)) for claim in claims]
    return [
        Finding(claim=claim.text, verdict=found.verdict, seen=found.seen) for claim, found in judged
    ]


def geometric_mean(values: Sequence[float]) -> Mean:
    """With the 95 % interval of Student's t on logarithms, if there are two values or more."""
    logs = np.log(np.asarray(values, np.float64))
    middle, half = mean_and_half(logs)
    value = math.exp(middle)
    if half is None:
        return Mean(value=value)
    return Mean(value=value, low=math.exp(middle - half), high=math.exp(middle + half))


def mean_and_half(values: np.ndarray, level: float = LEVEL) -> tuple[Any, Any]:
    """A mean and half of its interval by Student's t; None for the half of a single value.

    Args:
        values: (n,) or (n, …): the first axis is averaged.
    """
    # Not at the top: it brings PyTorch, and whoever reads findings alone needs none.
    from evaluation.uncertainty.interval import two_sided_quantile

    middle, count = values.mean(axis=0), len(values)
    if count < 2:
        return middle, None
    reach = two_sided_quantile(level, count - 1) / math.sqrt(count)
    return middle, reach * values.std(axis=0, ddof=1)


def widening(level: float, degrees: float = math.inf) -> float:
    """By what factor an interval at `LEVEL` is wider at another level.

    Args:
        degrees: of Student's t; without an end those of a normal distribution.
    """
    from evaluation.uncertainty.interval import two_sided_quantile

    return two_sided_quantile(level, degrees) / two_sided_quantile(LEVEL, degrees)


def all_of(verdicts: Sequence[VerdictAt]) -> Verdict:
    """Of a claim that takes several comparisons."""

    def together(level: float) -> Verdict:
        found = {verdict(level) for verdict in verdicts}
        return "no" if "no" in found else "yes" if found == {"yes"} else "not decided"

    return decided(together, len(verdicts))


def decided(verdict: VerdictAt, comparisons: int) -> Verdict:
    """“Yes” at `LEVEL`, “no” at the level corrected for the comparisons any of which refutes."""
    if verdict(corrected(comparisons)) == "no":
        return "no"
    return "yes" if verdict(LEVEL) == "yes" else "not decided"


def corrected(comparisons: int) -> float:
    """The level at which all of several intervals hold together as often as one does at `LEVEL`.

    Bonferroni's, however they depend on each other.

    >>> round(corrected(5), 6)
    0.99
    """
    return 1 - (1 - LEVEL) / comparisons


def above_zero(low: float, high: float) -> Verdict:
    """Whether what has this interval is above 0: "yes" and "no" where the interval leaves 0 out.

    >>> [above_zero(*ends) for ends in ((0.1, 0.2), (-0.2, -0.1), (0.0, 0.1))]
    ['yes', 'no', 'not decided']
    """
    if low <= 0 <= high:
        return "not decided"
    return "yes" if low > 0 else "no"
