"""Curves of a number over training steps, one for each design, each with a band of uncertainty."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from reports.charts.style import INK, WIDTH, Style, figure_style, plain_text, styles_for

FEW_DECADES = 2.5  # a logarithmic axis over fewer has 2 and 5 among its numbers


@dataclass(frozen=True, kw_only=True)
class StepCurve:
    """One design: a value at each step, positive, with the ends of its interval where known.

    Raises:
        ValueError: nothing at all, columns of different lengths, half an interval, or a number that
            a logarithmic axis cannot show.
    """

    label: str
    steps: tuple[float, ...]  # ascending
    values: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        columns = [part for part in (self.values, self.low, self.high) if part is not None]
        if not self.steps or {len(part) for part in columns} != {len(self.steps)}:
            raise ValueError(f"{self.label}: every step has one value, and there is one at least")
        if len(columns) == 2:
            raise ValueError(f"{self.label}: an interval has two ends: give low and high")
        if not all(math.isfinite(x) and x > 0 for part in columns for x in part):
            raise ValueError(f"{self.label}: a logarithmic axis needs positive finite values")


@dataclass(frozen=True, kw_only=True)
class StepPanel:
    """The designs of one comparison."""

    title: str
    curves: tuple[StepCurve, ...]


def step_chart(
    panels: Sequence[StepPanel],
    *,
    title: str,
    axis: str,
    columns: int = 3,
    styles: Mapping[str, Style] | None = None,
) -> Figure:
    """Panels side by side over one logarithmic axis; each has its own legend below it.

    Args:
        axis: what the vertical axis measures.
        columns: panels in a row, at most.
        styles: of labels by name: give the same to all figures of a report.

    Raises:
        ValueError: no curves.
    """
    labels = [curve.label for panel in panels for curve in panel.curves]
    if not labels:
        raise ValueError(f"figure {title!r} has no curves")
    styles = {**styles_for(labels), **(styles or {})}
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    values = [x for panel in panels for curve in panel.curves for x in curve.values]
    with figure_style():
        width = WIDTH if columns == 1 else 0.62 * WIDTH * columns
        figure = Figure(figsize=(width, 0.6 + 3.1 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for place, axes in enumerate(grid.flat):
            axes.set_visible(place < len(panels))
            if place < len(panels):
                _draw(axes, panels[place], styles, values, titled=len(panels) > 1)
        figure.supylabel(plain_text(axis), fontsize=9.5)
        figure.suptitle(plain_text(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def step_data(panels: Sequence[StepPanel]) -> pd.DataFrame:
    """The numbers behind the panels: one row for each point."""
    parts = [
        pd.DataFrame(
            {
                "panel": panel.title,
                "design": curve.label,
                "step": curve.steps,
                "value": curve.values,
                "low": math.nan if curve.low is None else curve.low,
                "high": math.nan if curve.high is None else curve.high,
            }
        )
        for panel in panels
        for curve in panel.curves
    ]
    return pd.concat(parts, ignore_index=True)


def _draw(
    axes: Any,
    panel: StepPanel,
    styles: Mapping[str, Style],
    values: Sequence[float],
    *,
    titled: bool,
) -> None:
    for curve in panel.curves:
        style = styles[curve.label]
        if curve.low is not None and curve.high is not None:
            axes.fill_between(
                curve.steps, curve.low, curve.high, color=style.colour, alpha=0.18, linewidth=0
            )
        axes.plot(
            curve.steps,
            curve.values,
            color=style.colour,
            linestyle=style.dashes,
            linewidth=1.6,
            marker=style.marker,
            markersize=4.8,
            markeredgecolor=INK,
            markeredgewidth=0.5,
            label=plain_text(curve.label),
        )
    _set_axes(axes, panel, values)
    if titled:
        axes.set_title(plain_text(panel.title), fontsize=9.5)
    axes.set_xlabel("training step", fontsize=9)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=8.5, handlelength=3.0
    )


def _set_axes(axes: Any, panel: StepPanel, values: Sequence[float]) -> None:
    axes.set_yscale("log")
    low, high = min(values), max(values)
    axes.set_ylim(low / 1.35, high * 1.35)  # bands may leave the figure, values may not
    subs = (1.0, 2.0, 5.0) if math.log10(high / low) < FEW_DECADES else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_major_formatter(lambda y, place: f"{y:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(0, max(step for curve in panel.curves for step in curve.steps) * 1.03)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(lambda x, place: f"{x:,.0f}")
    axes.tick_params(labelsize=8.5)
    axes.grid(axis="y")
