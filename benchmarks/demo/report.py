"""The demo's document: table, chart, clips, and what was expected beside what was seen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cells.provenance import of_result
from benchmarks.demo.run import GENERATORS, NUM_SHOWN, REAL, Finding
from benchmarks.documents.figures import Drawing, write_drawings
from benchmarks.documents.tables import bare
from benchmarks.shapes.generated import GeneratedVideo
from evaluation.results.record import Result
from latte.data.shapes import CLASS_NAMES
from latte.data.sources import VideoSet
from reports.cells import LOPSIDED, Cell, Column, Row
from reports.charts.bars import Bar, bar_chart, bar_data
from reports.charts.contact_sheet import Strip, every
from reports.charts.styles import styles_for
from reports.document import (
    Block,
    Code,
    Details,
    Heading,
    Paragraph,
    ProvenanceBlock,
    Report,
    StripsBlock,
    TableBlock,
)
from reports.provenance import Provenance
from reports.tables import Table, table_from_frame, write_table

MODEL = "model"  # the family of what is no stand-in
STAND_INS = "a second draw of real videos, and real videos made worse in known ways"
CAPTION = (
    "Distances from the real videos (lower is better) and Inception Scores (higher is better), "
    f"each ± half the width of its bootstrap 95 % interval, {LOPSIDED}. These metrics use small "
    "networks that come with the package: they have names of their own and do not compare with "
    "those of I3D, Inception or C3D."
)


@dataclass(frozen=True, kw_only=True)
class DemoRun:
    """What was measured."""

    results: Sequence[Result]
    frame: pd.DataFrame  # one row for each number
    sets: Mapping[str, VideoSet]  # by row of the table; the real videos first
    findings: Sequence[Finding]
    model: str | None  # its row
    sampled: str  # how its samples are made, or why there is no model
    seconds: float

    @property
    def generators(self) -> list[str]:
        """The rows that are measured against the real videos."""
        return [label for label in self.sets if label != REAL]

    @property
    def provenance(self) -> Provenance:
        """Command, model, versions, hardware, date, time and fingerprints."""
        last = self.results[-1]
        fingerprints = sorted({f"{r.metric} {r.fingerprint}" for r in self.results if r.num_real})
        details = {
            "clips": f"{last.num_fake} of {last.num_frames} frames for each set",
            self.model or "no model": self.sampled,
            "protocol fingerprints": ", ".join(fingerprints),
        }
        return of_result(last, seconds=self.seconds, details=details)


def write_demo_report(out: Path, run: DemoRun) -> str:
    """Write the report, also as data, the table, the chart and the contact sheets into `out`.

    Returns:
        What the command prints: the table as Markdown, the findings, and where the report is.
    """
    table = demo_table(run)
    chart = draw(run)
    write_table(table, out, "demo")
    write_drawings([chart], out)
    report = Report(
        title="Latte-Eval demo",
        lead=_lead(run),
        blocks=(
            Heading(text="What was found"),
            TableBlock(table=findings_table(run.findings)),
            Heading(text="Every metric, every generator"),
            bare(table),
            chart.block,
            *_samples(run),
            Heading(text="The clips"),
            StripsBlock(
                strips=tuple(strips(run.sets)),
                description="Frames of one clip of the real videos and of each generator.",
                caption="Eight of the sixteen frames of the first clip of each set.",
                name="clips",
            ),
            Heading(text="How these numbers are made"),
            Paragraph(text=_method(run)),
            Details(
                summary="The record of one number",
                blocks=(
                    Code(text=json.dumps(asdict(run.results[-1]), indent=1, ensure_ascii=False)),
                ),
            ),
            ProvenanceBlock(records=(run.provenance,)),
        ),
    )
    report.write(out, stored="demo")
    lines = [table.markdown(), ""]
    lines += [f"{'yes' if f.holds else 'NO '}  {f.claim}: {f.seen}" for f in run.findings]
    lines += ["", f"Report: {out / 'report.html'} (also report.md; {run.seconds:.0f} s)"]
    return "\n".join(lines)


def demo_table(run: DemoRun) -> Table:
    """Generators × metrics, the real videos' own Inception Score as a reference."""
    reference = run.frame.generator == REAL
    frame = run.frame.assign(
        comparable=~reference,
        note=np.where(reference, "the real videos themselves, not ranked", ""),
    )
    ordered = frame.set_index("generator").loc[[*run.generators, REAL]].reset_index()
    blank = pd.DataFrame(
        {
            "generator": REAL,
            "metric": ["FVD-shapes", "FID-shapes"],
            "reason": "the reference that the others are measured against",
        }
    )
    return table_from_frame(
        pd.concat([ordered, blank], ignore_index=True),
        title="Generators of shapes",
        directions={"FVD-shapes": "lower", "FID-shapes": "lower", "IS-shapes": "higher"},
        row="generator",
        caption=CAPTION,
        provenance=(run.provenance,),
    )


def findings_table(findings: Sequence[Finding]) -> Table:
    """Expectation by expectation: does it hold, and by which numbers."""
    return Table(
        title="What is expected of sound metrics and models",
        label_heading="Expectation",
        columns=(Column(key="holds", title="here"), Column(key="seen", title="measured")),
        rows=tuple(
            Row(
                label=finding.claim,
                cells={
                    "holds": Cell(text="yes" if finding.holds else "no"),
                    "seen": Cell(text=finding.seen),
                },
            )
            for finding in findings
        ),
    )


def draw(run: DemoRun) -> Drawing:
    """FVD-shapes of each generator; a family looks the same whether there is a model or not."""
    bars = distance_bars(run)
    real, *others = (generator.family for generator in GENERATORS)
    return Drawing(
        name="demo-fvd",
        figure=bar_chart(
            bars,
            title="FVD-shapes from real videos",
            axis="FVD-shapes (lower is better)",
            log=True,
            styles=styles_for([real, MODEL, *others]),
        ),
        data=bar_data(bars),
        description="Bar chart of FVD-shapes with 95 % intervals for each generator.",
        caption=(
            "FVD-shapes of each generator; whiskers are 95 % intervals, with an arrow where one "
            "goes on beyond the axis."
        ),
    )


def distance_bars(run: DemoRun) -> list[Bar]:
    """FVD-shapes of each generator, in the table's order."""
    rows = run.frame[run.frame.metric == "FVD-shapes"].set_index("generator")
    families = {generator.label: generator.family for generator in GENERATORS}
    return [
        Bar(
            label=label,
            value=float(rows.value[label]),
            low=float(rows.low[label]),
            high=float(rows.high[label]),
            family=families.get(label, MODEL),
        )
        for label in run.generators
    ]


def strips(sets: Mapping[str, VideoSet], pictures: int = 8) -> list[Strip]:
    """One clip of each set, the same real video under every distortion."""
    return [
        Strip(label=label, pictures=every(videos.videos[0].read(range(16)), pictures))
        for label, videos in sets.items()
    ]


def sample_strips(videos: VideoSet, pictures: int = 8) -> list[Strip]:
    """The first samples of the model, with the class that each was asked for."""
    return [
        Strip(
            label=video.name if video.label is None else CLASS_NAMES[video.label],
            pictures=every(video.clip, pictures),
        )
        for video in videos.videos
        if isinstance(video, GeneratedVideo) and video.clip is not None
    ]


def _lead(run: DemoRun) -> str:
    hold = sum(finding.holds for finding in run.findings)
    found = f"{hold} of {len(run.findings)} expectations of sound metrics and models hold."
    if run.model is None:
        return f"Stand-in generators on the embedded data set `shapes`: {STAND_INS}. {found}"
    return (
        f"A small Latte, trained on the embedded data set `shapes`, beside stand-in generators: "
        f"{STAND_INS}. {found}"
    )


def _samples(run: DemoRun) -> list[Block]:
    """The model's own contact sheet, where there is a model."""
    if run.model is None:
        return []
    sheet = StripsBlock(
        strips=tuple(sample_strips(run.sets[run.model])),
        description="Frames of the first samples of the model, one of each class.",
        caption=f"The first {NUM_SHOWN} samples, none chosen: every other frame.",
        name="samples",
    )
    return [Heading(text="What the model makes"), sheet]


def _method(run: DemoRun) -> str:
    made = f"{run.model} is {run.sampled}; its classes are asked for in turn. " if run.model else ""
    return (
        f"{made}Each set's clips are made once; a 3-D network turns each clip, and a 2-D network "
        "each frame, into 64 features. FVD-shapes and FID-shapes are the squared Fréchet distance "
        "of two Gaussians fitted to the features; IS-shapes is the Inception Score by the 3-D "
        "network's own ten classes. `latte-eval protocols show shapes` prints every field of the "
        "protocol."
    )
