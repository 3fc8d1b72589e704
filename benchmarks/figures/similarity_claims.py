"""What the paper claims of Figures 6 and 8, held against what was measured in networks.

Everything is judged at each timestep, by differences that are taken within each network, clip by
clip where they can be. Several comparisons make one claim as in `benchmarks.documents.claims`:
each holds at 95 %, and one to the contrary counts at the level corrected for their number.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb

from benchmarks.documents.claims import (
    LEVEL,
    JudgedClaim,
    Judgement,
    Verdict,
    VerdictAt,
    above_zero,
    all_of,
    decided,
)
from benchmarks.figures.similarity_numbers import (
    SHARE,
    Networks,
    Number,
    largest,
    mean_number,
    numbers,
    over_networks,
    overlap,
)
from evaluation.similarity.summary import Summary

MUCH = 0.5  # of two distributions, their common part: with less they differ strongly
LOW = 0.1  # mean cosines nearer to 0 are extremely low

Judge = Callable[[Networks, int], Judgement]
Parts = Callable[[Networks, int], Mapping[str, Sequence[Summary]]]  # at a timestep, by label
Leads = Callable[[Networks, int], Mapping[str, Sequence[Number]]]


@dataclass(frozen=True, kw_only=True)
class SimilarityClaim:
    """A sentence of the paper's, and how it is looked at."""

    text: str
    judge: Judge
    meaning: str = ""  # a sentence: what it is taken for here, where the paper leaves it open

    def at(self, step: int) -> str:
        """The claim at a timestep."""
        return f"{self.text}, t = {step}"


def similarity_findings(claims: Sequence[SimilarityClaim], networks: Networks) -> list[JudgedClaim]:
    """Each claim, judged at each timestep."""
    return [
        JudgedClaim(claim=claim.at(step), here=claim.judge(networks, step))
        for claim in claims
        for step in networks.timesteps
    ]


def changing(name: str, blocks: Sequence[int], *, rises: bool, told: Sequence[int] = ()) -> Judge:
    """A number goes one way from each of these blocks to the next.

    Args:
        told: blocks whose values are told; none: those of all.
    """
    return _going(name, list(pairwise(blocks)), told or blocks, rises=rises)


def changing_over(name: str, blocks: Sequence[int], *, rises: bool) -> Judge:
    """A number goes one way from the first of these blocks to the last, whatever is between."""
    ends = (blocks[0], blocks[-1])
    return _going(name, [ends] if len(blocks) > 1 else [], ends, rises=rises)


def differing(parts: Parts) -> Judge:
    """Any two of several distributions have less than `MUCH` in common."""

    def judge(networks: Networks, step: int) -> Judgement:
        found = parts(networks, step).values()
        most = [
            largest([overlap(*two) for two in combinations(of_one, 2)])
            for of_one in zip(*found, strict=True)
        ]
        gaps = [-each + MUCH for each in most]
        seen = f"at most {over_networks(most, SHARE)} in common; below {MUCH:g} in {_count([gaps])}"
        # Few clips seem to have little in common in every network: seeds do not show it.
        if any(gap.low is None for gap in gaps):
            too_few = f"too few clips ({networks.num_clips}) for an interval over them"
            return Judgement(verdict="not decided", seen=f"{seen}; {too_few}")
        verdict = decided(mean_above_zero(gaps, networks), comparisons=comb(len(found), 2))
        return Judgement(verdict=verdict, seen=seen)

    return judge


def lowest_of(parts: Parts, leads: Leads) -> Judge:
    """The mean of one part is below those of all others.

    Args:
        parts: with the others, whose means are told.
        leads: what the mean of each other is above it.
    """

    def judge(networks: Networks, step: int) -> Judgement:
        means = parts(networks, step).items()
        gaps = leads(networks, step)
        seen = ", ".join(f"{label} {mean_number(each, 'mean')}" for label, each in means)
        more = " and ".join(str(over_networks(each)) for each in gaps.values())
        return Judgement(
            verdict=all_of([mean_above_zero(each, networks) for each in gaps.values()]),
            seen=f"means: {seen}; the others higher by {more}; lowest in "
            f"{_count(list(gaps.values()))}",
        )

    return judge


def near_zero(name: str, parts: Parts) -> Judge:
    """The mean of one part is within ± `LOW`."""

    def judge(networks: Networks, step: int) -> Judgement:
        found = parts(networks, step)[name]
        means = numbers(found, "mean")
        gaps = [[-each + LOW for each in means], [each + LOW for each in means]]
        return Judgement(
            verdict=within(over_networks(means), LOW),
            seen=f"mean {mean_number(found, 'mean')}; so in {_count(gaps)}",
        )

    return judge


def within(mean: Number, reach: float) -> Verdict:
    """Whether a number is within ± `reach`: a single comparison, of its interval with two ends."""
    if mean.low is None:
        return "not decided"
    if -reach < mean.low and mean.high < reach:
        return "yes"
    return "no" if mean.low > reach or mean.high < -reach else "not decided"


def mean_above_zero(gaps: Sequence[Number], networks: Networks) -> VerdictAt:
    """Whether the mean over networks is above 0, at the level that is asked for."""

    def verdict(level: float) -> Verdict:
        mean = over_networks(gaps, level=level, clips=networks.num_clips)
        return "not decided" if mean.low is None else above_zero(mean.low, mean.high)

    return verdict


def _going(
    name: str, steps: Sequence[tuple[int, int]], told: Sequence[int], *, rises: bool
) -> Judge:
    """A number goes one way with each of these steps from a block to another."""
    way, against = ("rises", "falls") if rises else ("falls", "rises")

    def judge(networks: Networks, step: int) -> Judgement:
        if not steps:
            return Judgement(verdict="not measured", seen="the networks have one spatial block")
        changes = [
            networks.differences(name, f"blocks.{one}", f"blocks.{other}", step)
            for one, other in steps
        ]
        gaps = changes if rises else [[-change for change in each] for each in changes]
        verdicts = [mean_above_zero(each, networks) for each in gaps]
        values = [mean_number(networks.at(f"blocks.{block}", step), name) for block in told]
        seen = f"{' → '.join(map(str, values))} after blocks {', '.join(map(str, told))}"
        if len(steps) < len(told):  # all that is judged is told
            by = " and ".join(str(over_networks(each)) for each in changes)
            seen += f"; changes by {by}; {way} in {_count(gaps)}"
        else:
            counts = Counter(verdict(LEVEL) for verdict in verdicts)
            seen += (
                f"; of {len(steps)} steps from block to block it {way} in {counts['yes']}, "
                f"{against} in {counts['no']}, is not decided in {counts['not decided']}; "
                f"{way} in all of them in {_count(gaps)}"
            )
        return Judgement(verdict=all_of(verdicts), seen=seen)

    return judge


def _count(gaps: Sequence[Sequence[Number]]) -> str:
    """In how many networks all gaps are above 0."""
    holds = [all(gap.value > 0 for gap in of_one) for of_one in zip(*gaps, strict=True)]
    return f"{sum(holds)} of {'1 network' if len(holds) == 1 else f'{len(holds)} seeds'}"
