"""The documents of `latte-bench training`: what a run did, from the files that it wrote."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.cells.provenance import this_run
from benchmarks.documents.drawings import Drawing
from benchmarks.documents.tables import publish_report
from benchmarks.studies.training.run_folder import TrainingRun
from latte.model.checkpoints import load_checkpoint
from latte.model.cost import cost
from latte.training.config import to_toml
from reports.blocks import Block, Code, Details, Heading, ImageBlock, ProvenanceBlock, TableBlock
from reports.cells import Cell
from reports.charts.lines import Line, Panel, line_chart, line_data, running_mean
from reports.charts.style import styles_for
from reports.document import Report
from reports.provenance import duration
from reports.table import Table, simple_table

ENDS = (" low", " high")  # end the names of columns that hold an interval
LOGGED, RUNNING_MEAN, MEASURED = "logged", "running mean", "measured"
STEP = "training step"
WINDOWS = 15  # disjoint running means in a curve


class CheckpointFvd(NamedTuple):
    """FVD-shapes of checkpoints, and how it is measured."""

    table: pd.DataFrame  # step, the number, and the ends of its interval of 95 %
    note: str


def write_training_report(
    out: Path, run: TrainingRun, measured: CheckpointFvd | None, *, seconds: float
) -> None:
    """Write `training.md`, `.html`, `.csv`, `.svg`, `.png` and `.report.json` into `out`.

    Prints what the run was, and the paths.

    Args:
        measured: FVD of its checkpoints, if it was asked for.
        seconds: wall time of this report.
    """
    facts, drawing, last = facts_table(run), draw(run, measured), run.log.iloc[-1]
    # A run does not record the software that trained it.
    details = {"run": f"{run.folder} (software and hardware below are those of this report)"}
    report = Report(
        title=f"Training of {run.name}",
        lead=f"{last.step:,.0f} of {run.config.training.steps:,} steps on "
        f"{run.config.data.dataset}, {last.samples:,.0f} clips, in {duration(last.seconds)}.",
        blocks=(
            TableBlock(table=facts),
            drawing.block,
            *_evaluation_blocks(run, measured),
            *_sample_blocks(run),
            Details(summary="The configuration", blocks=(Code(text=to_toml(run.config)),)),
            ProvenanceBlock(records=(this_run(seconds=seconds, details=details),)),
        ),
    )
    print(facts.markdown())
    publish_report(report, out, "training", drawings=[drawing])


def draw(run: TrainingRun, measured: CheckpointFvd | None) -> Drawing:
    """Every number of the run over its steps."""
    curves = panels(run, measured)
    # What is logged has one colour, and what is measured another.
    logged, *_, of_samples = styles_for([LOGGED, "", " ", MEASURED]).values()
    return Drawing(
        name="training",
        figure=line_chart(
            curves,
            title=f"Training of {run.name}",
            columns=2,
            legend="none",
            styles={LOGGED: logged, RUNNING_MEAN: logged, MEASURED: of_samples},
        ),
        data=line_data(curves).rename(columns={"panel": "track", "x": "step", "y": "value"}),
        description="Losses and other numbers of the run over its steps.",
        caption=f"Thin: means over {run.config.output.log_every} steps; thick: running means "
        f"of {2 * _reach(run.log) + 1} of those. Points: measured on samples of the averaged "
        "weights, with 95 % intervals where there are some.",
    )


def panels(run: TrainingRun, measured: CheckpointFvd | None) -> list[Panel]:
    """The losses, what the optimiser did, and everything that was measured.

    Args:
        measured: FVD of its checkpoints, if it was measured afterwards.
    """
    log = run.log
    curves = [
        _logged(log, "mse", f"error of the predicted {run.config.diffusion.prediction} (mse)"),
        _logged(log, "vb", "variance loss (vb), bits per dimension"),
        _logged(log, "gradient_norm", "gradient norm before clipping"),
    ]
    if log.learning_rate.nunique() > 1:
        steps, rates = tuple(log.step), tuple(log.learning_rate)
        rate = Line(label=LOGGED, x=steps, y=rates, emphasis="plain")
        curves.append(Panel(title="learning rate", axis=STEP, from_zero=True, lines=(rate,)))
    for table in (run.evaluations, *([measured.table] if measured else [])):
        curves += [curve for name in _names(table) if (curve := _measured(table, name))]
    return curves


def _reach(log: pd.DataFrame) -> int:
    """Points on each side that a running mean takes in."""
    return math.ceil(len(log) / (2 * WINDOWS))


def _logged(log: pd.DataFrame, name: str, title: str) -> Panel:
    steps, values = (tuple(map(float, log[key])) for key in ("step", name))
    smoothed = running_mean(values, _reach(log))
    return Panel(
        title=title,
        note=f"last {smoothed[-1]:.3g}",
        axis=STEP,
        scale="log" if min(values) > 0 else "linear",
        from_zero=min(values) == 0,
        lines=(
            Line(label=LOGGED, x=steps, y=values, emphasis="faint"),
            Line(label=RUNNING_MEAN, x=steps, y=smoothed, emphasis="plain"),
        ),
    )


def _names(table: pd.DataFrame) -> list[str]:
    """The columns of numbers, without those of their intervals."""
    return [name for name in map(str, table) if name != "step" and not name.endswith(ENDS)]


def _measured(table: pd.DataFrame, name: str) -> Panel | None:
    rows = table[["step", name, *(name + end for end in ENDS if name + end in table)]].dropna()
    if rows.empty:
        return None
    steps, values, *interval = (tuple(map(float, rows[key])) for key in rows)
    low, high = interval if len(interval) == 2 else (None, None)
    far_apart = min(values) > 0 and max(values) > 10 * min(values)
    return Panel(
        title=name,
        note=f"last {values[-1]:.3g}",
        axis=STEP,
        scale="log" if far_apart else "linear",
        from_zero=min(values) >= 0,
        lines=(Line(label=MEASURED, x=steps, y=values, low=low, high=high),),
    )


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
    entries = ((name, (text,)) for name, text in rows.items())
    return simple_table("The run", {"value": "what it was"}, entries, label_heading="")


def _parameters(run: TrainingRun) -> str:
    """Parameters of the newest checkpoint: the configuration alone lacks the number of classes."""
    if not run.checkpoints:
        return "not known before the first checkpoint"
    config = load_checkpoint(list(run.checkpoints.values())[-1]).config
    return (
        f"{cost(config).parameters:,}: {config.depth} blocks, hidden size {config.hidden_size}, "
        f"{config.num_heads} heads, patches {config.patch_size}×{config.patch_size}"
    )


def _evaluation_blocks(run: TrainingRun, measured: CheckpointFvd | None) -> Iterator[Block]:
    if not run.evaluations.empty:
        yield Heading(text="Measured while it was trained")
        yield _evaluations("Evaluations", run.evaluations)
    if measured is not None:
        yield Heading(text="Measured from its checkpoints")
        yield _evaluations("Checkpoints", measured.table, [measured.note])


def _evaluations(title: str, table: pd.DataFrame, remarks: Sequence[str] = ()) -> TableBlock:
    """Steps × numbers, with their intervals."""
    names = _names(table)
    rows = (
        (f"{row.step:,.0f}", [_number(row, name) for name in names]) for _, row in table.iterrows()
    )
    titles = {name: name for name in names}
    return TableBlock(
        table=simple_table(title, titles, rows, label_heading="step", remarks=remarks)
    )


def _number(row: "pd.Series[float]", name: str) -> Cell:
    if not math.isfinite(row[name]):
        return Cell(reason="Not measured, or no finite number.")
    low, high = (float(row.get(name + end, math.nan)) for end in ENDS)
    return Cell.measured(float(row[name]), (low, high) if low <= high else None)


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
