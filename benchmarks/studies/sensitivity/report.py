"""The documents of `latte-bench sensitivity`: which metric notices what, from which strength on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cells.provenance import this_run
from benchmarks.documents.drawings import Drawing
from benchmarks.documents.tables import TableDocument, bare, csv_text
from benchmarks.runners import RUNNERS
from benchmarks.shapes.distortions import DISTORTIONS
from benchmarks.studies.sensitivity.measure import (
    METRICS,
    UNDISTORTED,
    SensitivityBench,
    Strengths,
)
from reports.blocks import Details
from reports.cells import Cell, Column, Row
from reports.charts.heat_map import HeatCell, heat_map_figure
from reports.charts.lines import Line, Panel, line_chart
from reports.charts.style import styles_for
from reports.table import Table, simple_table

TITLE = "Which metric sees what"
NOT_NOTICED = "Not noticed at the greatest strength."
BETTER = "Taken for better videos."
LIMIT = 1000.0  # effects beyond are drawn here
DOMAINS = {"space": "In space", "time": "In time"}


def findings(frame: pd.DataFrame) -> pd.DataFrame:
    """The strength from which on each metric notices each distortion: one row for each pair.

    Columns: distortion, domain ("space" or "time"), metric, and what `finding` says.

    Args:
        frame: see `benchmarks.studies.sensitivity.measure.measure_sensitivity`.
    """
    distorted = frame[frame.distortion != UNDISTORTED]
    pairs: Any = distorted.groupby(["distortion", "metric"], sort=False)
    return pd.DataFrame(
        {"distortion": name, "domain": DISTORTIONS[name].domain, "metric": metric, **finding(rows)}
        for (name, metric), rows in pairs
    )


def finding(rows: pd.DataFrame) -> dict[str, Any]:
    """The strength from which on a metric notices a distortion.

    An effect in the wrong direction counts only where the strongest distortion has it.

    Args:
        rows: rows of this distortion and this metric, with `strength` and `effect`.

    Returns:
        `strength`, the smallest from which on every stronger one is noticed, and `step`, its place
        among the `num_steps` that were tried, from 1; NaN where none is. `worse` is False where
        the distorted videos are taken for better ones, `noticed` if it is noticed as worse.
    """
    ordered = rows.sort_values("strength", ascending=False)
    sign = 1.0 if ordered.effect.iloc[0] > 0 else -1.0
    count = int((sign * ordered.effect > 1).cumprod().sum())  # strongest ones in a row
    return {
        "strength": float(ordered.strength.iloc[count - 1]) if count else math.nan,
        "step": len(ordered) - count + 1 if count else math.nan,
        "num_steps": len(ordered),
        "worse": sign > 0,
        "noticed": count > 0 and sign > 0,
    }


def sensitivity_document(
    bench: SensitivityBench, frame: pd.DataFrame, impossible: Mapping[str, str], seconds: float
) -> TableDocument:
    """What each metric notices, as tables, heat map and curves.

    Args:
        frame: with `impossible`, what `measure_sensitivity` returns.
        seconds: wall time of the study.
    """
    frame = frame[~frame.distortion.isin(list(impossible))]
    noticed = findings(frame)
    protocol, options = bench.measurer.protocol, bench.measurer.networks.options
    details = {
        "videos": f"{bench.real.root}; {len(bench.real.videos)} clips of {protocol.num_frames} "
        "frames in each set",
        "protocol": f"{protocol.name} {protocol.fingerprint}",
    }
    record = this_run(device=options.device, seconds=seconds, details=details)
    table = noticed_table(noticed, bench.strengths, impossible, len(bench.draws))
    summary, heat, lines = summary_table(noticed), heat_map(noticed), curves(bench, frame)
    return TableDocument(
        name="sensitivity",
        title=RUNNERS["sensitivity"].title,
        lead=_lead(noticed),
        tables=(replace(table, provenance=(record,)), summary),
        data=csv_text(frame),
        blocks=(
            bare(summary),
            heat.block,
            bare(table),
            Details(summary="Effects over the strength", blocks=(lines.block,)),
        ),
        drawings=(heat, lines),
    )


def noticed_table(
    noticed: pd.DataFrame, strengths: Strengths, impossible: Mapping[str, str], draws: int
) -> Table:
    """Distortions × metrics: the smallest strength from which on every one is noticed."""
    metrics, rows = list(noticed.metric.unique()), []
    for name, tried in strengths.items():
        known, own = DISTORTIONS[name], noticed[noticed.distortion == name]
        cells = {str(finding.metric): _strength_cell(finding) for finding in own.itertuples()}
        if name in impossible:
            cells = dict.fromkeys(metrics, Cell(reason=impossible[name]))
        label = f"{name} ({known.strength}; {tried[0]:.3g} … {tried[-1]:.3g})"
        rows.append(Row(label=label, section=DOMAINS[known.domain], cells=cells))
    return Table(
        title="From which strength on a metric notices a distortion",
        caption=(
            "The smallest strength that is noticed, as is every greater one. Noticed is a value "
            "outside the range in which another set of undistorted videos would lie 19 times of "
            f"20 (mean ± t · s · √(1 + 1/{draws}) over {draws} undistorted sets)."
        ),
        label_heading="Distortion (strength; from … to)",
        columns=tuple(Column(key=metric, title=metric) for metric in metrics),
        rows=tuple(rows),
    )


def _strength_cell(finding: Any) -> Cell:
    if math.isnan(finding.strength):
        return Cell(reason=NOT_NOTICED)
    return Cell(text=f"{finding.strength:.3g}", notes=() if finding.worse else (BETTER,))


def summary_table(noticed: pd.DataFrame) -> Table:
    """Metrics × what they notice: distortions as worse in space and in time, and how early."""
    rows: list[tuple[str, Sequence[str | Cell]]] = []
    for metric, own in noticed.groupby("metric", sort=False):
        seen = own[own.noticed]
        missed, better = own[own.step.isna()], own[own.step.notna() & ~own.worse]
        step = f"{seen.step.mean():.1f}" if len(seen) else None
        cells: list[str | Cell] = [
            *(f"{sum(seen.domain == x)} of {sum(own.domain == x)}" for x in DOMAINS),
            Cell(text=step, reason="It notices none."),
            ", ".join(missed.distortion) or "none",
            ", ".join(better.distortion) or "none",
        ]
        rows.append((str(metric), cells))
    return simple_table(
        TITLE,
        {**DOMAINS, "step": "At step", "missed": "Not noticed", "better": "Taken for better"},
        rows,
        label_heading="Metric",
        caption=(
            "Distortions that a metric notices as worse. The step is the place of the smallest "
            "noticed strength among those tried, 1 being the weakest, averaged over the noticed "
            "distortions."
        ),
    )


def heat_map(noticed: pd.DataFrame) -> Drawing:
    """Distortions × metrics: the weakest strength that is noticed, the earlier the darker."""
    steps = int(noticed.num_steps.max())
    ends = {1: " (weakest)", steps: " (strongest)"}
    domains = noticed.drop_duplicates("distortion").set_index("distortion").domain
    in_space, in_time = (
        ", ".join(domains[domains == domain].index) or "none" for domain in ("space", "time")
    )
    cells = {
        f"{name} ({DISTORTIONS[str(name)].strength})": {
            str(finding.metric): _heat_cell(finding, steps) for finding in own.itertuples()
        }
        for name, own in noticed.groupby("distortion", sort=False)
    }
    return Drawing(
        name="sensitivity",
        figure=heat_map_figure(
            cells,
            [f"{step}{ends.get(step, '')}" for step in range(steps, 0, -1)],
            title=TITLE,
            legend_title="noticed from this step of the strengths tried",
        ),
        description="The weakest strength of each distortion that each metric notices.",
        caption=(
            "The weakest strength from which on a metric notices a distortion as worse; darker "
            f"cells are noticed earlier. Distortions in space: {in_space}; in time: {in_time}."
        ),
    )


def _heat_cell(finding: Any, steps: int) -> HeatCell:
    if np.isnan(finding.step):
        return HeatCell(reason=NOT_NOTICED)
    if not finding.worse:
        return HeatCell(reason=BETTER)
    return HeatCell(text=f"{finding.strength:.3g}", level=steps - int(finding.step))


def curves(bench: SensitivityBench, frame: pd.DataFrame) -> Drawing:
    """A panel for each distortion; a metric looks the same whatever others are followed."""
    styles = styles_for(followed.name for followed in METRICS)
    titles = {bench.title(followed): styles[followed.name] for followed in bench.metrics}
    chart = line_chart(
        panels(frame),
        title=f"{TITLE}: effects over the strength",
        axis="effect size: above the band worse, below it better",
        shared="all",
        styles=titles,
    )
    return Drawing(
        name="sensitivity-curves",
        figure=chart,
        description="Effect of every distortion on every metric, over its strength.",
        caption=(
            "How far a metric leaves the range of undistorted videos (the band), in half-widths "
            "of that range, over the strength of each distortion."
        ),
    )


def panels(frame: pd.DataFrame) -> list[Panel]:
    """One panel for each distortion, from no strength on; effects within ±1000 to be drawn."""
    undistorted = frame[(frame.distortion == UNDISTORTED) & (frame.strength == 0)]
    start = undistorted.set_index("metric").effect
    drawn = []
    distorted = frame[frame.distortion != UNDISTORTED]
    for name, own in distorted.groupby("distortion", sort=False):
        known, lines = DISTORTIONS[str(name)], []
        for title, rows in own.groupby("metric", sort=False):
            effects = np.clip([start[title], *rows.effect], -LIMIT, LIMIT)
            places = map(float, (known.none, *rows.strength))
            lines.append(Line(label=str(title), x=tuple(places), y=tuple(effects)))
        drawn.append(
            Panel(
                title=str(name),
                axis=known.strength,
                lines=tuple(lines),
                scale="symlog",
                equal_distances=True,
                shaded=(-1, 1),
            )
        )
    return drawn


def _lead(noticed: pd.DataFrame) -> str:
    """Which metrics notice most in space and in time, and which least."""
    sentences = []
    for domain, where in DOMAINS.items():
        own = noticed[noticed.domain == domain]
        counts = {x: sum(own[own.metric == x].noticed) for x in noticed.metric.unique()}
        most, fewest = max(counts.values()), min(counts.values())
        names = {end: ", ".join(x for x in counts if counts[x] == end) for end in (most, fewest)}
        rest = f"; {fewest} by {names[fewest]}" if fewest < most else ""
        sentences.append(
            f"{where} {most} of {own.distortion.nunique()} distortions are noticed by "
            f"{names[most]}{rest}."
        )
    return " ".join(sentences)
