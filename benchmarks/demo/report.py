"""The demo's documents: table, chart, clips, and what is expected beside what was measured."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.cells.provenance import of_result
from benchmarks.documents.drawings import Drawing, write_drawings
from benchmarks.documents.tables import bare
from benchmarks.shapes.distortions import DISTORTED, GENERATORS, HELD_OUT, REAL
from benchmarks.shapes.generated import BUNDLED, GIVEN, NO_MODEL, GeneratedVideo, SampledModel
from benchmarks.shapes.measuring import DIRECTIONS, FVD, Accuracy
from evaluation.results.record import Result
from latte.data.shapes import CLASS_NAMES
from latte.data.sources import VideoSet
from latte.sampling.preview import evenly_spaced
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
from reports.charts.contact_sheet import Strip
from reports.charts.style import styles_for
from reports.document import Report
from reports.numbers import ASYMMETRIC
from reports.provenance import Provenance
from reports.table import Table, simple_table, write_tables

MODEL = "model"  # family of the model's bar
NUM_PICTURES = 8  # frames shown of a clip
WANTED_ACCURACY = 0.9
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


class Expectation(NamedTuple):
    """A sentence, whether it holds here, and the numbers that say so."""

    claim: str
    holds: bool
    seen: str


@dataclass(frozen=True, kw_only=True)
class DemoRun:
    """What was measured."""

    results: Sequence[Result]
    recognised: Mapping[str, Accuracy]
    sets: Mapping[str, VideoSet]  # the table's rows have these names; real videos are first
    model: SampledModel | None
    seconds: float

    @cached_property
    def fvd(self) -> dict[str, Result]:
        """FVD-shapes of every set but the real videos."""
        return {result.model: result for result in self.results if result.metric == FVD}

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
    checks = expectations({label: x.value for label, x in run.fvd.items()}, run.recognised)
    write_tables([table], out, "demo")
    write_drawings([chart], out)
    record = json.dumps(asdict(run.results[-1]), indent=1, ensure_ascii=False)
    hold = sum(check.holds for check in checks)
    models, note = "Stand-in", ""
    if run.model:
        models = "A small Latte and stand-in"
        note = f"{run.model.label} is {run.model.description}; its classes take turns. "
    report = Report(
        title="Latte-Eval demo",
        lead=f"{models} generators on the embedded data set `shapes`: {HELD_OUT}, and real videos "
        f"with known distortions. {hold} of {len(checks)} expectations of sound metrics and models "
        "hold.",
        blocks=(
            Heading(text="What is expected and what was measured"),
            TableBlock(
                table=simple_table(
                    "What is expected of sound metrics and models",
                    {"holds": "here", "seen": "measured"},
                    ((x.claim, ("yes" if x.holds else "no", x.seen)) for x in checks),
                    label_heading="Expectation",
                )
            ),
            Heading(text="Every metric, every generator"),
            bare(table),
            chart.block,
            *_samples(run),
            Heading(text="The clips"),
            StripsBlock(
                # The same real video under every distortion.
                strips=tuple(
                    Strip(label=label, pictures=_pictures(videos.videos[0].read(range(16))))
                    for label, videos in run.sets.items()
                ),
                description="Frames of one clip of the real videos and of each generator.",
                caption="Eight of the sixteen frames of the first clip of each set.",
                name="clips",
            ),
            Heading(text="How these numbers are made"),
            Paragraph(text=note + METHOD),
            Details(summary="The record of one number", blocks=(Code(text=record),)),
            ProvenanceBlock(records=(run.provenance,)),
        ),
    )
    report.write(out, stored="demo")
    lines = [table.markdown(), ""]
    lines += [f"{'yes' if check.holds else 'NO '}  {check.claim}: {check.seen}" for check in checks]
    lines += ["", f"Report: {out / 'report.html'} (also report.md; {run.seconds:.0f} s)"]
    return "\n".join(lines)


def expectations(fvd: Mapping[str, float], recognised: Mapping[str, Accuracy]) -> list[Expectation]:
    """Every expectation.

    Args:
        fvd: FVD-shapes by set.
        recognised: clips in their class by set, where classes are known.
    """
    families = {
        family: [generator.label for generator in GENERATORS if generator.family == family]
        for family in ("blur", "noise", "time")
    }
    nearest = min(DISTORTED, key=fvd.__getitem__)
    nearest_in_time = min(families["time"], key=fvd.__getitem__)
    checks = [
        Expectation(
            f"{HELD_OUT} are nearer by far than any distorted ones",
            fvd[HELD_OUT] * 2 < fvd[nearest],
            f"{FVD} {fvd[HELD_OUT]:.3g}, the nearest distorted videos {fvd[nearest]:.3g} "
            f"({nearest})",
        )
    ]
    for family in ("blur", "noise"):
        strengths = [fvd[label] for label in families[family]]
        checks.append(
            Expectation(
                f"{FVD} grows with the strength of {family}",
                all(low < high for low, high in pairwise(strengths)),
                " < ".join(f"{number:.3g}" for number in strengths),
            )
        )
    for model in (BUNDLED, GIVEN):
        if model in fvd:
            checks.append(
                Expectation(
                    f"{model} is nearer to the real videos than any that are corrupted in time",
                    fvd[model] < fvd[nearest_in_time],
                    f"{FVD} {fvd[model]:.3g}, the nearest corrupted videos "
                    f"{fvd[nearest_in_time]:.3g} ({nearest_in_time})",
                )
            )
        if model in recognised:
            own, real = recognised[model], recognised[HELD_OUT]
            checks.append(
                Expectation(
                    f"nine of ten samples of {model} are of the requested class",
                    own.right / own.total >= WANTED_ACCURACY,
                    f"{own.right} of {own.total} by the embedded network, of {HELD_OUT} "
                    f"{real.right}",
                )
            )
    return checks


def demo_table(run: DemoRun) -> Table:
    """Generators × metrics, with the real videos' own Inception Score as a reference."""
    measured = {(result.model, result.metric): result for result in run.results}

    def cell(label: str, metric: str) -> Cell:
        if (result := measured.get((label, metric))) is None:
            return Cell(reason="The reference that the others are measured against.")
        notes = ("The real videos themselves, not ranked.",) if label == REAL else ()
        return Cell.measured(result.value, result.interval, comparable=not notes, notes=notes)

    return Table(
        title="Generators of shapes",
        caption=CAPTION,
        label_heading="Generator",
        columns=tuple(Column(key=x, title=x, direction=DIRECTIONS[x]) for x in DIRECTIONS),
        rows=tuple(
            Row(label=label, cells={metric: cell(label, metric) for metric in DIRECTIONS})
            for label in (*run.fvd, REAL)
        ),
        provenance=(run.provenance,),
    )


def draw(run: DemoRun) -> Drawing:
    """FVD-shapes of each generator; a family looks the same whether there is a model or not."""
    families = {generator.label: generator.family for generator in GENERATORS}
    real, *others = families.values()
    bars = []
    for label, result in run.fvd.items():
        low, high = result.interval or (None, None)
        family = families.get(label, MODEL)
        bars.append(Bar(label=label, value=result.value, low=low, high=high, family=family))
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


def _samples(run: DemoRun) -> list[Block]:
    """The model's clips that are already sampled, with their requested classes."""
    if run.model is None:
        return []
    strips = tuple(
        Strip(
            label=video.name if video.label is None else CLASS_NAMES[video.label],
            pictures=_pictures(video.clip),
        )
        for video in run.sets[run.model.label].videos
        if isinstance(video, GeneratedVideo) and video.clip is not None
    )
    sheet = StripsBlock(
        strips=strips,
        description="Frames of the first samples of the model, one of each class.",
        caption=f"The first {len(strips)} samples, without selection: every other frame.",
        name="samples",
    )
    return [Heading(text="Samples of the model"), sheet]


def _pictures(clip: np.ndarray) -> np.ndarray:
    return evenly_spaced(clip, NUM_PICTURES)
