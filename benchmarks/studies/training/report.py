"""`latte-bench training RUN`: what a run of `latte train` did, told from what it wrote."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.cells.provenance import this_run
from benchmarks.documents.figures import Drawing, write_drawings
from benchmarks.documents.tables import written
from benchmarks.shapes.generated import SAMPLING
from benchmarks.studies.training.run_folder import TrainingRun, open_run
from evaluation.features.extraction import ExtractionOptions
from latte.model.checkpoints import load_checkpoint
from latte.model.cost import cost
from latte.training.config import to_toml
from reports.cells import Cell, Column, Row
from reports.charts.training_curve import Track, training_curve, training_data
from reports.document import (
    Block,
    Code,
    Details,
    Heading,
    ImageBlock,
    ProvenanceBlock,
    Report,
    TableBlock,
)
from reports.provenance import Provenance, duration
from reports.table import Table

ENDS = (" low", " high")  # of the columns that hold an evaluation's interval
WINDOWS = 15  # running means that lie side by side in a curve


def tracks(run: TrainingRun, measured: pd.DataFrame) -> list[Track]:
    """The losses, what the optimiser did, and everything that was measured.

    Args:
        measured: what was measured afterwards, with the columns of an evaluation.
    """
    log = run.log
    found = [
        _logged(log, "mse", f"error of the predicted {run.config.diffusion.prediction} (mse)"),
        _logged(log, "vb", "variance loss (vb), bits per dimension"),
        _logged(log, "gradient_norm", "gradient norm before clipping"),
    ]
    if log.learning_rate.nunique() > 1:
        steps, rates = tuple(log.step), tuple(log.learning_rate)
        found.append(Track(title="learning rate", steps=steps, values=rates))
    for table in (run.evaluations, measured):
        found += _measured(table)
    return found


def write_training_report(
    out: Path,
    run: TrainingRun,
    measured: pd.DataFrame,
    remarks: Sequence[str] = (),
    *,
    seconds: float,
) -> str:
    """Write `training.md`, `.html`, `.csv`, `.svg`, `.png` and `.report.json` into `out`.

    Args:
        measured: FVD of its checkpoints; empty where it was not asked for.
        remarks: how that was measured, sentences.
        seconds: that this took.

    Returns:
        What the command prints: what the run was, as Markdown, and where the files are.
    """
    curves = tracks(run, measured)
    facts = facts_table(run)
    reach = curves[0].reach
    drawing = Drawing(
        name="training",
        figure=training_curve(curves, title=f"Training of {run.name}"),
        data=training_data(curves),
        description="Losses and other numbers of the run over its steps.",
        caption=f"Thin: means over {run.config.output.log_every} steps; thick: running means "
        f"of {2 * reach + 1} of those. Points: measured on samples of the averaged weights, "
        "with 95 % intervals where there are some.",
    )
    blocks: list[Block] = [
        TableBlock(table=facts),
        drawing.block,
        *_evaluation_blocks(run, measured, remarks),
        *_sample_blocks(run),
        Details(summary="The configuration", blocks=(Code(text=to_toml(run.config)),)),
        ProvenanceBlock(records=(_provenance(run, seconds),)),
    ]
    report = Report(title=f"Training of {run.name}", lead=_lead(run), blocks=tuple(blocks))
    paths = [*report.write(out, "training"), *write_drawings([drawing], out)]
    return f"{facts.markdown()}\n{written(paths)}"


def facts_table(run: TrainingRun) -> Table:
    """What was trained, on what, how long."""
    data, training, last = run.config.data, run.config.training, run.log.iloc[-1]
    model = run.config.model
    decay = "" if training.decay == "constant" else f", {training.decay} decay"
    rows = {
        "network": f"variant {model.variant}, {model.patch_embedding} patches, "
        f"{model.conditioning}" + (f", preset {model.preset}" if model.preset else ""),
        "parameters": _parameters(run),
        "data": f"{data.dataset}, {data.split} split; {data.num_frames} frames of "
        f"{data.size}×{data.size}, stride {data.stride}",
        "steps": f"{last.step:,.0f} of {training.steps:,}",
        "clips seen": f"{last.samples:,.0f}, {last.samples / last.step:g} in each step",
        "training time": f"{duration(last.seconds)}; {last.samples / last.seconds:.3g} clips "
        "per second",
        "learning rate": f"{training.learning_rate:g}, {training.warmup_steps:,} steps of warm-up"
        f"{decay}",
        "averaged weights": f"decay {training.ema:g}",
        "precision": training.precision,
    }
    return Table(
        title="The run",
        label_heading="",
        columns=(Column(key="value", title="what it was"),),
        rows=tuple(Row(label=name, cells={"value": Cell(text=rows[name])}) for name in rows),
    )


def evaluations_table(title: str, table: pd.DataFrame, remarks: Sequence[str] = ()) -> Table:
    """Steps × numbers, with their intervals."""
    names = [name for name in table if name != "step" and not str(name).endswith(ENDS)]
    rows = []
    for _, row in table.iterrows():
        cells = {}
        for name in map(str, names):
            low, high = (row.get(name + end, math.nan) for end in ENDS)
            known = bool(low <= high)
            cells[name] = (
                Cell(
                    value=float(row[name]),
                    low=float(low) if known else None,
                    high=float(high) if known else None,
                )
                if math.isfinite(row[name])
                else Cell(reason="Not measured, or no finite number.")
            )
        rows.append(Row(label=f"{row.step:,.0f}", cells=cells))
    return Table(
        title=title,
        label_heading="step",
        columns=tuple(Column(key=str(name), title=str(name)) for name in names),
        rows=tuple(rows),
        remarks=tuple(remarks),
    )


def run(
    folder: Path,
    *,
    out: Path,
    fvd: bool = False,
    num_videos: int = 256,
    steps: int | None = None,
    guidance_scale: float | None = None,
    workers: int = 0,
    device: str = "cpu",
    store: Path | None = None,
) -> None:
    """Tell what a run did; write the documents into `out`, print the facts and the paths.

    Args:
        fvd: also measure FVD-shapes of every checkpoint that is kept.
        steps: of DDIM, for that; by default as the demo samples, which is so for guidance too.

    Raises:
        InputError: no folder of a run, or one that cannot be measured.
    """
    from benchmarks.studies.training.checkpoints import fvd_of_checkpoints

    started = time.monotonic()
    opened = open_run(folder)
    measured, remarks = pd.DataFrame({"step": []}), []
    if fvd:
        guidance = 1.0 if not opened.config.model.class_conditional else SAMPLING.guidance_scale
        sampling = replace(
            SAMPLING,
            steps=steps or SAMPLING.steps,
            guidance_scale=guidance if guidance_scale is None else guidance_scale,
        )
        options = ExtractionOptions(store=store or out / "features", device=device, workers=workers)
        measured, remark = fvd_of_checkpoints(
            opened, num_videos, sampling, options, out / "training_fvd.csv"
        )
        remarks.append(remark)
    seconds = time.monotonic() - started
    print(write_training_report(out, opened, measured, remarks, seconds=seconds))


def _logged(log: pd.DataFrame, name: str, title: str) -> Track:
    values = tuple(map(float, log[name]))
    return Track(
        title=title,
        steps=tuple(map(float, log.step)),
        values=values,
        reach=math.ceil(len(values) / (2 * WINDOWS)),
        log=min(values) > 0,
    )


def _measured(table: pd.DataFrame) -> Iterator[Track]:
    for name in map(str, table.columns):
        if name == "step" or name.endswith(ENDS):
            continue
        ends = [name + end for end in ENDS if name + end in table]
        rows = table[["step", name, *ends]].dropna()
        if rows.empty:
            continue
        steps, values, *interval = (tuple(map(float, rows[key])) for key in rows)
        low, high = interval if len(interval) == 2 else (None, None)
        yield Track(
            title=name,
            steps=steps,
            values=values,
            low=low,
            high=high,
            measured=True,
            log=min(values) > 0 and max(values) > 10 * min(values),
        )


def _evaluation_blocks(
    run: TrainingRun, measured: pd.DataFrame, remarks: Sequence[str]
) -> Iterator[Block]:
    if not run.evaluations.empty:
        yield Heading(text="Measured while it was trained")
        yield TableBlock(table=evaluations_table("Evaluations", run.evaluations))
    if not measured.empty:
        yield Heading(text="Measured from its checkpoints")
        yield TableBlock(table=evaluations_table("Checkpoints", measured, remarks))


def _sample_blocks(run: TrainingRun) -> Iterator[Block]:
    """The first and the last contact sheet."""
    sheets = list(run.samples.items())
    if sheets:
        yield Heading(text="Samples")
    for step, path in dict([*sheets[:1], *sheets[-1:]]).items():
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB"))
        yield ImageBlock(
            image=picture,
            description=f"Samples at step {step}.",
            caption=f"After {step:,} steps.",
            name=f"samples_{step:07d}",
        )


def _parameters(run: TrainingRun) -> str:
    """As the newest checkpoint has them; the configuration alone does not tell the classes."""
    if not run.checkpoints:
        return "not known before the first checkpoint"
    config = load_checkpoint(list(run.checkpoints.values())[-1]).config
    return (
        f"{cost(config).parameters:,}: {config.depth} blocks, hidden size {config.hidden_size}, "
        f"{config.num_heads} heads, patches {config.patch_size}×{config.patch_size}"
    )


def _lead(run: TrainingRun) -> str:
    last = run.log.iloc[-1]
    return (
        f"{last.step:,.0f} of {run.config.training.steps:,} steps on {run.config.data.dataset}, "
        f"{last.samples:,.0f} clips, in {duration(last.seconds)}."
    )


def _provenance(run: TrainingRun, seconds: float) -> Provenance:
    """How this report came about: a run does not record the software that trained it."""
    details = {"run": f"{run.folder} (software and hardware below are those of this report)"}
    return this_run(seconds=seconds, details=details)
