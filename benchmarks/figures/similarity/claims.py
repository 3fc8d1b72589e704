"""Claims of Figures 6 and 8, held against what was measured in networks.

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
    Claim,
    JudgedClaim,
    Judgement,
    Verdict,
    VerdictAt,
    above_zero,
    all_of,
    decided,
)
from benchmarks.documents.numbers import LEVEL, BoundedNumber
from benchmarks.figures.similarity.numbers import (
    SHARE,
    Part,
    Probed,
    ProbedNetworks,
    largest,
    mean_number,
    numbers,
    over_networks,
    overlap,
)
from reports.document import PaperClaim

MUCH = 0.5  # common part of two distributions: with less they differ strongly
LOW = 0.1  # mean cosines nearer to 0 are extremely low

ProbedJudge = Callable[[Probed], Judgement]


@dataclass(frozen=True, kw_only=True)
class ProbedClaim:
    """A claim as it is judged at each timestep."""

    claim: Claim[Probed]
    lines: Mapping[int, JudgedClaim]  # keys are timesteps, ascending

    @property
    def words(self) -> str:
        """Verdicts with their timesteps: "yes at t = 100, 900; no at t = 500"."""
        steps: dict[Verdict, list[str]] = {}
        for step, line in self.lines.items():
            steps.setdefault(line.measured.verdict, []).append(str(step))
        if len(steps) == 1:
            return f"{next(iter(steps))} at every timestep"
        return "; ".join(f"{verdict} at t = {', '.join(at)}" for verdict, at in steps.items())

    def overview(self, step: int) -> PaperClaim:
        """The claim in the overview of all: its only verdict if so, and the numbers of a step."""
        verdicts = {line.measured.verdict for line in self.lines.values()}
        return PaperClaim(
            claim=self.claim.text,
            verdict=verdicts.pop() if len(verdicts) == 1 else "not decided",
            numbers=f"{self.words}; at t = {step}: {self.lines[step].measured.numbers}",
        )


def judge_at_timesteps(claim: Claim[Probed], networks: ProbedNetworks) -> ProbedClaim:
    """A claim, judged at each timestep."""
    lines = {
        x.step: JudgedClaim(claim=f"{claim.text}, t = {x.step}", measured=claim.judge(x))
        for x in networks.at_timesteps()
    }
    return ProbedClaim(claim=claim, lines=lines)


def changing(
    name: str, blocks: Sequence[int], *, rises: bool, shown: Sequence[int] = ()
) -> ProbedJudge:
    """A number goes one way from each of these blocks to the next.

    Args:
        shown: blocks whose values are named; none: all.
    """
    way, against = ("rises", "falls") if rises else ("falls", "rises")
    shown = shown or blocks

    def judge(probed: Probed) -> Judgement:
        changes = [
            probed.differences(name, f"blocks.{one}", f"blocks.{other}")
            for one, other in pairwise(blocks)
        ]
        if not changes:
            return Judgement(verdict="not measured", numbers="the networks have one spatial block")
        gaps = changes if rises else [[-change for change in step] for step in changes]
        verdicts = [mean_above_zero(gap, probed.networks) for gap in gaps]
        values = [mean_number(probed.at(f"blocks.{block}"), name) for block in shown]
        seen = f"{' → '.join(map(str, values))} after blocks {', '.join(map(str, shown))}"
        if len(changes) < len(shown):  # all that is judged is named
            by = " and ".join(str(over_networks(change)) for change in changes)
            seen += f"; changes by {by}; {way} in {_count(gaps)}"
        else:
            counts = Counter(verdict(LEVEL) for verdict in verdicts)
            seen += (
                f"; of {len(changes)} steps from block to block it {way} in {counts['yes']}, "
                f"{against} in {counts['no']}, is not decided in {counts['not decided']}; "
                f"{way} in all of them in {_count(gaps)}"
            )
        return Judgement(verdict=all_of(verdicts), numbers=seen)

    return judge


def differing(parts: Mapping[str, Part]) -> ProbedJudge:
    """Any two of several distributions have less than `MUCH` in common."""

    def judge(probed: Probed) -> Judgement:
        most = [
            largest([overlap(*two) for two in combinations(of_one, 2)])
            for of_one in zip(*map(probed.at, parts.values()), strict=True)
        ]
        gaps = [-share + MUCH for share in most]
        seen = f"at most {over_networks(most, SHARE)} in common; below {MUCH:g} in {_count([gaps])}"
        # Few clips seem to have little in common in every network: seeds do not show it.
        if any(gap.low is None for gap in gaps):
            too_few = f"too few clips ({probed.networks.num_clips}) for an interval over them"
            return Judgement(verdict="not decided", numbers=f"{seen}; {too_few}")
        above = mean_above_zero(gaps, probed.networks)
        return Judgement(verdict=decided(above, comparisons=comb(len(parts), 2)), numbers=seen)

    return judge


def lowest(label: str, parts: Mapping[str, Part]) -> ProbedJudge:
    """The mean of one part is below those of all others."""

    def judge(probed: Probed) -> Judgement:
        others = [part for other, part in parts.items() if other != label]
        gaps = [probed.differences("mean", parts[label], other) for other in others]
        means = [f"{x} {mean_number(probed.at(part), 'mean')}" for x, part in parts.items()]
        more = " and ".join(str(over_networks(gap)) for gap in gaps)
        return Judgement(
            verdict=all_of([mean_above_zero(gap, probed.networks) for gap in gaps]),
            numbers=f"means: {', '.join(means)}; the others higher by {more}; lowest in "
            f"{_count(gaps)}",
        )

    return judge


def near_zero(part: Part) -> ProbedJudge:
    """The mean of one part is within ± `LOW`."""

    def judge(probed: Probed) -> Judgement:
        means = numbers(probed.at(part), "mean")
        gaps = [[-mean + LOW for mean in means], [mean + LOW for mean in means]]
        return Judgement(
            verdict=within(over_networks(means), LOW),
            numbers=f"mean {mean_number(probed.at(part), 'mean')}; so in {_count(gaps)}",
        )

    return judge


def within(mean: BoundedNumber, reach: float) -> Verdict:
    """Whether a number is within ± `reach`: a single comparison, of its interval with two ends."""
    if mean.low is None:
        return "not decided"
    if -reach < mean.low and mean.high < reach:
        return "yes"
    return "no" if mean.low > reach or mean.high < -reach else "not decided"


def mean_above_zero(gaps: Sequence[BoundedNumber], networks: ProbedNetworks) -> VerdictAt:
    """Whether the mean over networks is above 0, at the level that is asked for."""

    def verdict(level: float) -> Verdict:
        mean = over_networks(gaps, level=level, clips=networks.num_clips)
        return "not decided" if mean.low is None else above_zero(mean.low, mean.high)

    return verdict


def _count(gaps: Sequence[Sequence[BoundedNumber]]) -> str:
    """Count of the networks in which all gaps are above 0."""
    holds = [all(gap.value > 0 for gap in of_one) for of_one in zip(*gaps, strict=True)]
    return f"{sum(holds)} of {'1 network' if len(holds) == 1 else f'{len(holds)} seeds'}"
