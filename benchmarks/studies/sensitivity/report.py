"""The documents of `latte-bench sensitivity`: which metric notices what, from which strength on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.cells.provenance import this_run
from benchmarks.documents.tables import TableDocument, bare, csv_text
from benchmarks.shapes.distortions import DISTORTIONS
from benchmarks.studies.sensitivity.drawings import BETTER, NOT_NOTICED, TITLE, curves, heat_map
from benchmarks.studies.sensitivity.findings import Finding, Findings, findings
from benchmarks.studies.sensitivity.measure import Impossible, SensitivityBench, Strengths
from reports.blocks import Details
from reports.cells import Cell, Column, Row
from reports.provenance import Provenance
from reports.table import Table

DOMAINS = {"space": "In space", "time": "In time"}


@dataclass(frozen=True, kw_only=True)
class SensitivityStudy:
    """What was measured."""

    bench: SensitivityBench
    frame: pd.DataFrame  # one row for each number
    impossible: Mapping[str, Impossible]
    seconds: float

    @property
    def titles(self) -> list[str]:
        """The metrics."""
        return [self.bench.title(followed) for followed in self.bench.metrics]

    @property
    def provenance(self) -> Provenance:
        """Videos, protocol and this run."""
        real, protocol = self.bench.real, self.bench.measurer.protocol
        details = {
            "videos": f"{real.root}; {len(real.videos)} clips of {protocol.num_frames} frames in "
            "each set",
            "protocol": f"{protocol.name} {protocol.fingerprint}",
        }
        device = self.bench.measurer.networks.options.device
        return this_run(device=device, seconds=self.seconds, details=details)


def sensitivity_document(study: SensitivityStudy) -> TableDocument:
    """What each metric notices, as tables, heat map and curves."""
    frame = study.frame[~study.frame.distortion.isin(list(study.impossible))]
    bench = study.bench
    noticed = findings(frame, bench.strengths, study.titles)
    table = replace(
        noticed_table(noticed, bench.strengths, study.impossible, len(bench.draws)),
        provenance=(study.provenance,),
    )
    summary = summary_table(noticed)
    drawings = [heat_map(noticed), curves(bench, frame)]
    return TableDocument(
        name="sensitivity",
        title=f"Sensitivity: {TITLE[0].lower()}{TITLE[1:]}",
        lead=_lead(noticed),
        tables=(table, summary),
        data=csv_text(frame),
        blocks=(
            bare(summary),
            drawings[0].block,
            bare(table),
            Details(summary="Effects over the strength", blocks=(drawings[1].block,)),
        ),
        drawings=drawings,
    )


def noticed_table(
    noticed: Findings, strengths: Strengths, impossible: Mapping[str, Impossible], draws: int
) -> Table:
    """Distortions × metrics: the smallest strength from which on every one is noticed."""
    rows = []
    for name, tried in strengths.items():
        known = DISTORTIONS[name]
        if name in impossible:
            reason = f"Not at {impossible[name].strength:g}: {impossible[name].error}"
            own = dict.fromkeys(noticed.metrics, Cell(reason=reason))
        else:
            own = {x: _strength_cell(noticed.by_pair[name, x]) for x in noticed.metrics}
        label = f"{name} ({known.strength}; {tried[0]:.3g} … {tried[-1]:.3g})"
        rows.append(Row(label=label, section=DOMAINS[known.domain], cells=own))
    return Table(
        title="From which strength on a metric notices a distortion",
        caption=(
            "The smallest strength that is noticed, as is every greater one. Noticed is a value "
            "outside the range in which another set of undistorted videos would lie 19 times of "
            f"20 (mean ± t · s · √(1 + 1/{draws}) over {draws} undistorted sets)."
        ),
        label_heading="Distortion (strength; from … to)",
        columns=tuple(Column(key=metric, title=metric) for metric in noticed.metrics),
        rows=tuple(rows),
    )


def summary_table(noticed: Findings) -> Table:
    """Metrics × what they notice: distortions as worse in space and in time, and how early."""
    return Table(
        title=TITLE,
        caption=(
            "Distortions that a metric notices as worse. The step is the place of the smallest "
            "noticed strength among those tried, 1 being the weakest, averaged over the noticed "
            "distortions."
        ),
        label_heading="Metric",
        columns=(
            *(Column(key=domain, title=title) for domain, title in DOMAINS.items()),
            Column(key="step", title="At step"),
            Column(key="missed", title="Not noticed"),
            Column(key="better", title="Taken for better"),
        ),
        rows=tuple(_summary_row(noticed, metric) for metric in noticed.metrics),
    )


def _summary_row(noticed: Findings, metric: str) -> Row:
    own = noticed.of(metric)
    steps = [x.step for x in own if x.step is not None and x.worse]
    missed = [x.distortion for x in own if x.step is None]
    better = [x.distortion for x in own if x.step is not None and not x.worse]
    counts = {
        domain: Cell(text=f"{noticed.count(metric, domain)} of {noticed.total(domain)}")
        for domain in DOMAINS
    }
    return Row(
        label=metric,
        cells={
            **counts,
            "step": Cell(
                text=f"{np.mean(steps):.1f}" if steps else None, reason="It notices none."
            ),
            "missed": Cell(text=", ".join(missed) or "none"),
            "better": Cell(text=", ".join(better) or "none"),
        },
    )


def _strength_cell(finding: Finding) -> Cell:
    if finding.strength is None:
        return Cell(reason=NOT_NOTICED)
    return Cell(text=f"{finding.strength:.3g}", notes=() if finding.worse else (BETTER,))


def _lead(noticed: Findings) -> str:
    """Which metrics notice most in space and in time, and which least."""
    sentences = []
    for domain, where in DOMAINS.items():
        counts = {metric: noticed.count(metric, domain) for metric in noticed.metrics}
        names = {
            count: ", ".join(metric for metric in counts if counts[metric] == count)
            for count in counts.values()
        }
        most, fewest = max(names), min(names)
        rest = f"; {fewest} by {names[fewest]}" if fewest < most else ""
        sentences.append(
            f"{where} {most} of {noticed.total(domain)} distortions are noticed by {names[most]}"
            f"{rest}."
        )
    return " ".join(sentences)
