"""The figures of `latte-bench sensitivity`: a heat map of the findings, and their curves."""

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.documents.drawings import Drawing
from benchmarks.shapes.distortions import DISTORTIONS
from benchmarks.studies.sensitivity.measure import UNDISTORTED, SensitivityBench, Strengths
from benchmarks.studies.sensitivity.metrics import METRICS
from reports.charts.heat_map import HeatCell, heat_map_figure
from reports.charts.lines import Line, Panel, line_chart
from reports.charts.style import styles_for

TITLE = "Which metric sees what"
NOT_NOTICED = "Not noticed at the greatest strength."
BETTER = "Taken for better videos."
LIMIT = 1000.0  # effects beyond are drawn here


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
        panels(frame, bench.strengths, list(titles)),
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


def panels(frame: pd.DataFrame, strengths: Strengths, titles: list[str]) -> list[Panel]:
    """One panel for each distortion, from no strength on; effects within ±1000 to be drawn."""
    drawn = []
    undistorted = frame[(frame.distortion == UNDISTORTED) & (frame.strength == 0)]
    for name in strengths:
        lines = []
        for title in titles:
            own = frame[(frame.distortion == name) & (frame.metric == title)]
            if own.empty:
                continue
            start = undistorted[undistorted.metric == title].effect
            effects = np.clip([*start, *own.effect], -LIMIT, LIMIT)
            places = (DISTORTIONS[name].none, *own.strength)
            lines.append(Line(label=title, x=tuple(map(float, places)), y=tuple(effects)))
        if lines:
            drawn.append(
                Panel(
                    title=name,
                    axis=DISTORTIONS[name].strength,
                    lines=tuple(lines),
                    scale="symlog",
                    equal_distances=True,
                    shaded=(-1, 1),
                )
            )
    return drawn
