"""The demo's document: table, chart, clips, and what was expected beside what was seen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.demo import GENERATORS, Finding
from evaluation.result import Result
from latte.data.sources import VideoSet
from reports.cells import Cell, Column, Row
from reports.contact_sheet import Strip, every
from reports.document import (
    Code,
    Details,
    FigureBlock,
    Heading,
    Paragraph,
    Provenance,
    Report,
    StripsBlock,
    TableBlock,
)
from reports.figures import Bar, bar_chart, bar_data, write_figure
from reports.tables import Table, table_from_frame, write_table

LEAD = (
    "Stand-in generators on the embedded data set `shapes`: a second draw of real videos, and real "
    "videos made worse in known ways."
)
CAPTION = (
    "Distances from the real videos (lower is better) and Inception Scores (higher is better), "
    "each ± half the width of its bootstrap 95 % interval (the chart shows both ends). These "
    "metrics use small networks that come with the package: they have names of their own and do "
    "not compare with those of I3D, Inception or C3D."
)


def write_demo_report(
    out: Path,
    results: Sequence[Result],
    frame: pd.DataFrame,
    sets: Mapping[str, VideoSet],
    findings: Sequence[Finding],
    *,
    seconds: float,
) -> str:
    """Write the report, the table, the chart and the contact sheet into `out`.

    Returns:
        What the command prints: the table as Markdown, the findings, and where the report is.
    """
    table = demo_table(frame, results, seconds)
    bars = distance_bars(frame)
    chart = bar_chart(
        bars, title="FVD-shapes from real videos", axis="FVD-shapes (lower is better)", log=True
    )
    write_table(table, out, "demo")
    write_figure(chart, bar_data(bars), out, "fvd_shapes")
    report = Report(
        title="Latte-Eval demo",
        lead=LEAD,
        blocks=(
            Heading(text="What was found"),
            TableBlock(table=findings_table(findings)),
            Heading(text="Every metric, every generator"),
            TableBlock(table=table),
            FigureBlock(
                figure=chart,
                description="Bar chart of FVD-shapes with 95 % intervals for each generator.",
                caption="FVD-shapes of each generator; whiskers are 95 % intervals.",
                name="fvd_shapes",
            ),
            Heading(text="The clips"),
            StripsBlock(
                strips=tuple(strips(sets)),
                description="Frames of one clip of the real videos and of each generator.",
                caption="Eight of the sixteen frames of one clip of each set.",
                name="clips",
            ),
            Heading(text="How these numbers are made"),
            Paragraph(
                text="Each set's clips are decoded once; a 3-D network turns each clip, and a 2-D "
                "network each frame, into 64 features. FVD-shapes and FID-shapes are the squared "
                "Fréchet distance of two Gaussians fitted to the features; IS-shapes is the "
                "Inception Score by the 3-D network's own ten classes. "
                "`latte-eval protocols show shapes` prints every field of the protocol."
            ),
            Details(
                summary="The record of one number",
                blocks=(Code(text=json.dumps(asdict(results[-1]), indent=1, ensure_ascii=False)),),
            ),
            Provenance(lines=provenance_lines(results, seconds)),
        ),
    )
    report.write(out)
    lines = [table.markdown(), ""]
    lines += [f"{'yes' if f.holds else 'NO '}  {f.claim}: {f.seen}" for f in findings]
    lines += ["", f"Report: {out / 'report.html'} (also report.md; {seconds:.0f} s)"]
    return "\n".join(lines)


def demo_table(frame: pd.DataFrame, results: Sequence[Result], seconds: float) -> Table:
    """Generators × metrics, the real videos' own Inception Score as a reference."""
    reference = frame.generator == "real videos"
    frame = frame.assign(
        comparable=~reference,
        note=np.where(reference, "the real videos themselves, not ranked", ""),
    )
    rows = [*(generator.label for generator in GENERATORS), "real videos"]
    ordered = frame.set_index("generator").loc[rows].reset_index()
    blank = pd.DataFrame(
        {
            "generator": "real videos",
            "metric": ["FVD-shapes", "FID-shapes"],
            "reason": "the reference that the others are measured against",
        }
    )
    return table_from_frame(
        pd.concat([ordered, blank], ignore_index=True),
        title="Stand-in generators on shapes",
        directions={"FVD-shapes": "lower", "FID-shapes": "lower", "IS-shapes": "higher"},
        row="generator",
        caption=CAPTION,
        provenance=provenance_lines(results, seconds),
    )


def findings_table(findings: Sequence[Finding]) -> Table:
    """Expectation by expectation: does it hold, and by which numbers."""
    return Table(
        title="Expected of a sound metric",
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


def distance_bars(frame: pd.DataFrame) -> list[Bar]:
    """FVD-shapes of each generator, in the table's order."""
    rows = frame[frame.metric == "FVD-shapes"].set_index("generator")
    return [
        Bar(
            label=generator.label,
            value=float(rows.value[generator.label]),
            low=float(rows.low[generator.label]),
            high=float(rows.high[generator.label]),
            family=generator.family,
        )
        for generator in GENERATORS
    ]


def strips(sets: Mapping[str, VideoSet], pictures: int = 8) -> list[Strip]:
    """One clip of each set, the same real video under every distortion."""
    return [
        Strip(label=label, pictures=every(videos.videos[0].read(range(16)), pictures))
        for label, videos in sets.items()
    ]


def provenance_lines(results: Sequence[Result], seconds: float) -> tuple[str, ...]:
    """Command, versions, hardware, date, time and fingerprints."""
    last = results[-1]
    fingerprints = sorted({f"{r.metric} {r.fingerprint}" for r in results if r.num_real})
    return (
        f"command: `{last.command}`",
        f"clips: {last.num_fake} of {last.num_frames} frames for each set",
        f"protocol fingerprints: {', '.join(fingerprints)}",
        "versions: " + ", ".join(f"{name} {number}" for name, number in last.versions.items()),
        "host: " + ", ".join(f"{name} {value}" for name, value in last.host.items()),
        f"date: {last.date}; {seconds:.0f} s in all",
    )
