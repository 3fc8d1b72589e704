"""Which metric notices which distortion, and from which strength on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks.shapes.distortions import DISTORTIONS


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Whether a metric notices a distortion."""

    distortion: str
    metric: str
    step: int | None  # place of the strength among those tried, from 1; None: not noticed
    strength: float | None  # the smallest one from which on every stronger one is noticed
    num_steps: int  # strengths that were tried
    worse: bool  # False: the distorted videos are taken for better ones

    @property
    def is_noticed(self) -> bool:
        """Noticed as worse, as a metric should."""
        return self.step is not None and self.worse


@dataclass(frozen=True)
class Findings:
    """Every metric beside every distortion."""

    findings: tuple[Finding, ...]

    @property
    def by_pair(self) -> dict[tuple[str, str], Finding]:
        """The findings by distortion and metric."""
        return {(finding.distortion, finding.metric): finding for finding in self.findings}

    @property
    def distortions(self) -> list[str]:
        """The distortions, in their order."""
        return list(dict.fromkeys(finding.distortion for finding in self.findings))

    @property
    def metrics(self) -> list[str]:
        """Titles of the metrics."""
        return list(dict.fromkeys(finding.metric for finding in self.findings))

    def of(self, metric: str) -> list[Finding]:
        """One metric beside every distortion."""
        return [finding for finding in self.findings if finding.metric == metric]

    def count(self, metric: str, domain: str) -> int:
        """How many distortions of "space" or "time" a metric notices."""
        return sum(
            f.is_noticed and DISTORTIONS[f.distortion].domain == domain for f in self.of(metric)
        )

    def total(self, domain: str) -> int:
        """How many distortions of "space" or "time" were tried."""
        return sum(DISTORTIONS[name].domain == domain for name in self.distortions)


def findings(frame: pd.DataFrame, names: Iterable[str], metrics: Sequence[str]) -> Findings:
    """The findings of a study.

    Args:
        frame: one row for each number, as `benchmarks.studies.sensitivity.measure.measure` gives.
        names: distortions, in the order of the tables.
        metrics: titles of the metrics.
    """
    return Findings(
        tuple(
            finding(name, metric, own)
            for name in names
            for metric in metrics
            if len(own := frame[(frame.distortion == name) & (frame.metric == metric)])
        )
    )


def finding(distortion: str, metric: str, rows: pd.DataFrame) -> Finding:
    """From which strength on a metric notices a distortion.

    An effect in the wrong direction counts only where the strongest distortion has it.

    Args:
        rows: rows of this distortion and this metric, with `strength` and `effect`.
    """
    ordered = rows.sort_values("strength", ascending=False)
    sign = 1.0 if ordered.effect.iloc[0] > 0 else -1.0
    count = int((sign * ordered.effect > 1).cumprod().sum())  # strongest ones in a row
    return Finding(
        distortion=distortion,
        metric=metric,
        step=len(ordered) - count + 1 if count else None,
        strength=float(ordered.strength.iloc[count - 1]) if count else None,
        num_steps=len(ordered),
        worse=sign > 0,
    )
