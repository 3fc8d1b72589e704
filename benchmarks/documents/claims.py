"""What the paper claims, held against what was measured: computed, not written by hand.

A claim that takes several comparisons holds where each of them does at 95 % (an intersection-union
test: nothing to correct). One comparison to the contrary refutes it, and the more there are, the
likelier one is such by chance: so it counts at the level corrected for their number (Bonferroni).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from benchmarks.documents.numbers import LEVEL
from reports.document import Answer, PaperClaim

Verdict = Answer
VerdictAt = Callable[[float], Verdict]  # verdict at a level of the intervals
SEVERAL = (
    "A claim that takes several comparisons is “yes” where each of them is; a single one makes it "
    "“no” only at the level corrected for their number (Bonferroni)."
)

EvidenceT = TypeVar("EvidenceT")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Whether a claim holds, and by which numbers."""

    verdict: Verdict
    numbers: str = ""  # words of its judge, only ever printed

    def __str__(self) -> str:
        return f"{self.verdict} ({self.numbers})" if self.numbers else self.verdict


PAPER_SAYS_YES = Judgement(verdict="yes")


@dataclass(frozen=True)
class Claim(Generic[EvidenceT]):
    """A sentence of the paper's, and how it is judged by what was measured."""

    text: str
    judge: Callable[[EvidenceT], Judgement]
    meaning: str = ""  # a sentence: how it is read here, where the paper leaves it open


@dataclass(frozen=True, kw_only=True)
class JudgedClaim:
    """A claim with its judgement by what is found here, and by the paper's own figures."""

    claim: str
    measured: Judgement
    paper: Judgement = PAPER_SAYS_YES

    @property
    def line(self) -> str:
        """One line, for a terminal or under a table."""
        return f"{self.claim}: paper {self.paper}; here {self.measured}"

    @property
    def paper_claim(self) -> PaperClaim:
        """The claim as the overview of all claims shows it."""
        numbers = self.measured.numbers
        if self.paper.numbers:
            numbers += f"; by the paper's figures {self.paper.numbers}"
        return PaperClaim(claim=self.claim, verdict=self.measured.verdict, numbers=numbers)


def judge_all(claims: Iterable[Claim[EvidenceT]], evidence: EvidenceT) -> tuple[JudgedClaim, ...]:
    """Each claim, judged."""
    return tuple(JudgedClaim(claim=x.text, measured=x.judge(evidence)) for x in claims)


def all_of(verdicts: Sequence[VerdictAt]) -> Verdict:
    """Verdict on a claim that takes several comparisons."""

    def together(level: float) -> Verdict:
        results = {verdict(level) for verdict in verdicts}
        return "no" if "no" in results else "yes" if results == {"yes"} else "not decided"

    return decided(together, len(verdicts))


def decided(verdict: VerdictAt, comparisons: int) -> Verdict:
    """“Yes” at `LEVEL`, “no” at the level corrected for the comparisons any of which refutes."""
    if verdict(corrected(comparisons)) == "no":
        return "no"
    return "yes" if verdict(LEVEL) == "yes" else "not decided"


def corrected(comparisons: int) -> float:
    """The level at which all of several intervals hold together as often as one does at `LEVEL`.

    This is Bonferroni's correction, which holds however they depend on each other.

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
