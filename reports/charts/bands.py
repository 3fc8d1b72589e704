"""Curves with their intervals as bands, in small panels; over depth, over timesteps, over time."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reports.charts.style import INK, WIDTH, Style, figure_style, plain_text, styles_for


@dataclass(frozen=True, kw_only=True)
class BandCurve:
    """A line with the ends of its intervals; the same label looks the same in every panel.

    Raises:
        ValueError: other numbers of places than of values or ends, half an interval, or a number
            that is not finite.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        columns = [part for part in (self.x, self.y, self.low, self.high) if part is not None]
        if not self.x or {len(part) for part in columns} != {len(self.x)} or len(columns) == 3:
            raise ValueError(f"{self.label}: every place has a value, and both ends or none")
        if not all(math.isfinite(number) for part in columns for number in part):
            raise ValueError(f"{self.label}: a curve shows finite numbers")


@dataclass(frozen=True, kw_only=True)
class BandPanel:
    """One small chart, with a vertical axis of its own."""

    title: str  # what the vertical axis measures
    axis: str  # what the horizontal one does
    curves: tuple[BandCurve, ...]


def band_figure(
    panels: Sequence[BandPanel],
    *,
    title: str,
    columns: int = 3,
    styles: Mapping[str, Style] | None = None,
) -> Figure:
    """Curves with their intervals as bands: a panel for each thing measured, one legend for all.

    Panels of one column share their vertical axis.

    Args:
        columns: panels in a row.
        styles: of labels by name, from `styles_for`: give the same to all figures of a report.

    Raises:
        ValueError: no curves.
    """
    curves = [curve for panel in panels for curve in panel.curves]
    if not curves:
        raise ValueError(f"figure {title!r} has no curves")
    labels = list(dict.fromkeys(curve.label for curve in curves))
    styles = {**styles_for(labels), **(styles or {})}
    looks = {label: _line(styles[label]) for label in labels}
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with figure_style():
        figure = Figure(figsize=(1.55 * WIDTH, 0.9 + 2.5 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, squeeze=False, sharey="col")
        for place, axes in enumerate(grid.flat):
            if place < len(panels):
                _draw_panel(axes, panels[place], looks)
            else:
                axes.set_visible(False)
        figure.suptitle(plain_text(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
        legend_below(
            figure, [Line2D([], [], **looks[each], label=plain_text(each)) for each in labels]
        )
    return figure


def band_data(panels: Iterable[BandPanel]) -> pd.DataFrame:
    """The numbers behind the curves: one row for each point."""
    rows = [
        (panel.title, curve.label, *point)
        for panel in panels
        for curve in panel.curves
        for point in zip(
            curve.x,
            curve.y,
            curve.low or [math.nan] * len(curve.x),
            curve.high or [math.nan] * len(curve.x),
            strict=True,
        )
    ]
    return pd.DataFrame(rows, columns=["panel", "curve", "x", "y", "low", "high"])


def legend_below(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Under the panels, in as few lines as fit."""
    for columns in range(min(6, len(handles)), 0, -1):
        legend = figure.legend(
            handles=handles, loc="outside lower center", ncols=columns, handlelength=3.2, fontsize=9
        )
        if columns == 1 or legend.get_window_extent().width < figure.bbox.width:
            break
        legend.remove()


def _draw_panel(axes: Any, panel: BandPanel, looks: Mapping[str, dict[str, Any]]) -> None:
    places = {x for curve in panel.curves for x in curve.x}
    for curve in panel.curves:
        look = looks[curve.label]
        if curve.low is not None and len(curve.x) > 1:
            axes.fill_between(
                curve.x, curve.low, curve.high, color=look["color"], alpha=0.18, linewidth=0
            )
        elif curve.low is not None:
            axes.vlines(curve.x, curve.low, curve.high, color=look["color"], linewidth=1.2)
        axes.plot(curve.x, curve.y, **look)
    axes.set_title(plain_text(panel.title), fontsize=9.5)
    axes.set_xlabel(plain_text(panel.axis), fontsize=9)
    if len(places) <= 6:
        axes.set_xticks(sorted(places), [f"{x:g}" for x in sorted(places)])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.tick_params(labelsize=8)
    axes.grid(axis="y")


def _line(style: Style) -> dict[str, Any]:
    return {
        "color": style.colour,
        "linestyle": style.dashes,
        "linewidth": 1.6,
        "marker": style.marker,
        "markersize": 4.2,
        "markeredgecolor": INK,
        "markeredgewidth": 0.5,
    }
