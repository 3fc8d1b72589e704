"""The demo's documents: table, chart, clips, and what is expected beside what was measured."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cells.provenance import of_result
from benchmarks.demo.expectations import Expectation, expectations
from benchmarks.documents.drawings import Drawing, write_drawings
from benchmarks.documents.tables import bare
from benchmarks.shapes.generated import NO_MODEL, GeneratedVideo, SampledModel
from benchmarks.shapes.measuring import DIRECTIONS, FVD, Accuracy
from benchmarks.shapes.stand_ins import GENERATORS, HELD_OUT, REAL
from evaluation.results.record import Result
from latte.data.shapes import CLASS_NAMES
from latte.data.sources import VideoSet
from reports.blocks import (
    Block,
    Code,
    Details,
    Heading,
    Paragraph,
    ProvenanceBlock,
    StripsBlock,
    TableBlock,
)
from reports.cells import Cell, Column, Row
from reports.charts.bars import Bar, bar_chart, bar_data
from reports.charts.contact_sheet import Strip, evenly_spaced
from reports.charts.style import styles_for
from reports.document import Report
from reports.numbers import ASYMMETRIC
from reports.provenance import Provenance
from reports.table import Table, simple_table, write_tables

MODEL = "model"  # family of the model's bar
NUM_PICTURES = 8  # frames shown of a clip
CAPTION = (
    "Distances from the real videos (lower is better) and Inception Scores (higher is better), "
    f"each ± half the width of its bootstrap 95 % interval, {ASYMMETRIC}. These metrics use the "
    "small embedded networks: they have names of their own and cannot be compared with those of "
    "I3D, Inception or C3D."
)
METHOD = (
    "Each set's clips are made once; a 3-D network turns each clip, and a 2-D network each frame, "
    "into 64 features. FVD-shapes and FID-shapes are the squared Fréchet distance of two Gaussians "
    "fitted to the features; IS-shapes is the Inception Score by the 3-D network's own ten classes."
    " `latte-eval protocols show shapes` prints every field of the protocol."
)


@dataclass(frozen=True, kw_only=True)
class DemoRun:
    """What was measured."""

    results: Sequence[Result]
    recognised: Mapping[str, Accuracy]
    sets: Mapping[str, VideoSet]  # by row of the table; the real videos first
    model: SampledModel | None
    seconds: float

    @property
    def generators(self) -> list[str]:
        """The rows that are measured against the real videos."""
        return [label for label in self.sets if label != REAL]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row for each number."""
        return pd.DataFrame(
            [(r.model, r.metric, r.value, *(r.interval or (np.nan, np.nan))) for r in self.results],
            columns=["generator", "metric", "value", "low", "high"],
        )

    @cached_property
    def expectations(self) -> list[Expectation]:
        """What is expected of a sound metric and model, and whether it holds."""
        return expectations(self.frame, self.recognised)

    @property
    def provenance(self) -> Provenance:
        """Command, model, versions, hardware, date, time and fingerprints."""
        last = self.results[-1]
        fingerprints = sorted({f"{r.metric} {r.fingerprint}" for r in self.results if r.num_real})
        model = self.model
        details = {
            "clips": f"{last.num_fake} of {last.num_frames} frames for each set",
            model.label if model else "no model": model.description if model else NO_MODEL,
            "protocol fingerprints": ", ".join(fingerprints),
        }
        return of_result(last, seconds=self.seconds, details=details)


def write_demo_report(out: Path, run: DemoRun) -> str:
    """Write the report, also as data, the table, the chart and the contact sheets into `out`.

    Returns:
        What the command prints: the table as Markdown, the expectations, and the report's path.
    """
    table, chart = demo_table(run), draw(run)
    write_tables([table], out, "demo")
    write_drawings([chart], out)
    record = json.dumps(asdict(run.results[-1]), indent=1, ensure_ascii=False)
    report = Report(
        title="Latte-Eval demo",
        lead=_lead(run),
        blocks=(
            Heading(text="What is expected and what was measured"),
            TableBlock(table=expectations_table(run.expectations)),
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
            Details(summary="The record of one number", blocks=(Code(text=record),)),
            ProvenanceBlock(records=(run.provenance,)),
        ),
    )
    report.write(out, stored="demo")
    lines = [table.markdown(), ""]
    lines += [f"{'yes' if e.holds else 'NO '}  {e.claim}: {e.seen}" for e in run.expectations]
    lines += ["", f"Report: {out / 'report.html'} (also report.md; {run.seconds:.0f} s)"]
    return "\n".join(lines)


def demo_table(run: DemoRun) -> Table:
    """Generators × metrics, with the real videos' own Inception Score as a reference."""
    measured = {(result.model, result.metric): result for result in run.results}
    none = Cell(reason="The reference that the others are measured against.")

    def cell(label: str, metric: str) -> Cell:
        if (result := measured.get((label, metric))) is None:
            return none
        notes = ("The real videos themselves, not ranked.",) if label == REAL else ()
        return Cell.measured(result.value, result.interval, comparable=not notes, notes=notes)

    return Table(
        title="Generators of shapes",
        caption=CAPTION,
        label_heading="Generator",
        columns=tuple(Column(key=x, title=x, direction=DIRECTIONS[x]) for x in DIRECTIONS),
        rows=tuple(
            Row(label=label, cells={metric: cell(label, metric) for metric in DIRECTIONS})
            for label in (*run.generators, REAL)
        ),
        provenance=(run.provenance,),
    )


def expectations_table(checks: Sequence[Expectation]) -> Table:
    """Expectation by expectation: whether it holds, and by which numbers."""
    return simple_table(
        "What is expected of sound metrics and models",
        {"holds": "here", "seen": "measured"},
        ((check.claim, ("yes" if check.holds else "no", check.seen)) for check in checks),
        label_heading="Expectation",
    )


def draw(run: DemoRun) -> Drawing:
    """FVD-shapes of each generator; a family looks the same whether there is a model or not."""
    families = {generator.label: generator.family for generator in GENERATORS}
    real, *others = families.values()
    rows = run.frame[run.frame.metric == FVD].set_index("generator")
    bars = [
        Bar(
            label=label,
            value=float(rows.value[label]),
            low=float(rows.low[label]),
            high=float(rows.high[label]),
            family=families.get(label, MODEL),
        )
        for label in run.generators
    ]
    return Drawing(
        name="demo-fvd",
        figure=bar_chart(
            bars,
            title="FVD-shapes from real videos",
            axis="FVD-shapes (lower is better)",
            styles=styles_for([real, MODEL, *others]),
        ),
        data=bar_data(bars),
        description="Bar chart of FVD-shapes with 95 % intervals for each generator.",
        caption=(
            "FVD-shapes of each generator; whiskers are 95 % intervals, with an arrow where one "
            "continues beyond the axis."
        ),
    )


def strips(sets: Mapping[str, VideoSet]) -> list[Strip]:
    """One clip of each set, the same real video under every distortion."""
    return [
        Strip(label=label, pictures=evenly_spaced(videos.videos[0].read(range(16)), NUM_PICTURES))
        for label, videos in sets.items()
    ]


def _lead(run: DemoRun) -> str:
    hold = sum(check.holds for check in run.expectations)
    model = "A small Latte and stand-in" if run.model else "Stand-in"
    return (
        f"{model} generators on the embedded data set `shapes`: {HELD_OUT}, and real videos with "
        f"known distortions. {hold} of {len(run.expectations)} expectations of sound metrics and "
        "models hold."
    )


def _samples(run: DemoRun) -> list[Block]:
    """The model's clips that are already sampled, with their requested classes."""
    if run.model is None:
        return []
    shown = tuple(
        Strip(
            label=video.name if video.label is None else CLASS_NAMES[video.label],
            pictures=evenly_spaced(video.clip, NUM_PICTURES),
        )
        for video in run.sets[run.model.label].videos
        if isinstance(video, GeneratedVideo) and video.clip is not None
    )
    sheet = StripsBlock(
        strips=shown,
        description="Frames of the first samples of the model, one of each class.",
        caption=f"The first {len(shown)} samples, without selection: every other frame.",
        name="samples",
    )
    return [Heading(text="Samples of the model"), sheet]


def _method(run: DemoRun) -> str:
    if run.model is None:
        return METHOD
    return f"{run.model.label} is {run.model.description}; its classes take turns. {METHOD}"
