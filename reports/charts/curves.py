"""Small multiples of curves: one panel for each cause, one line for each thing that answers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.charts.style import GRID, INK, WIDTH, Style, figure_style, plain_text, styles_for

Scale = Literal["linear", "log", "symlog"]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line: the same label has the same colour, marker and dashes in every panel.

    Raises:
        ValueError: other numbers of places than of values, or a number that is not finite.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or not self.x:
            raise ValueError(f"{self.label}: {len(self.x)} places for {len(self.y)} values")
        if not all(math.isfinite(number) for number in (*self.x, *self.y)):
            raise ValueError(f"{self.label}: a curve shows finite numbers")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The curves of one small chart; `axis` says what its horizontal axis measures."""

    title: str
    axis: str
    curves: tuple[Curve, ...]


def panel_chart(
    panels: Sequence[Panel],
    *,
    title: str,
    axis: str,
    scale: Scale = "linear",
    band: tuple[float, float] | None = None,
    columns: int = 3,
    styles: Mapping[str, Style] | None = None,
) -> Figure:
    """Panels side by side with one vertical axis and one legend for all.

    The places of a panel are drawn at equal distances, with their numbers under them.

    Args:
        axis: what the vertical axis measures.
        scale: of the vertical axis; "symlog" is linear between −1 and 1 and logarithmic outside.
        band: a range that is shaded in every panel: what is nothing unusual.
        columns: panels in a row.
        styles: of labels by name, from `styles_for`: give the same to all figures of a report.

    Raises:
        ValueError: no panels, or a logarithmic axis for values that are not positive.
    """
    curves = [curve for panel in panels for curve in panel.curves]
    if not curves:
        raise ValueError(f"figure {title!r} has no curves")
    if scale == "log" and min(min(curve.y) for curve in curves) <= 0:
        raise ValueError(f"figure {title!r}: a logarithmic axis needs positive values")
    styles = {**styles_for(curve.label for curve in curves), **(styles or {})}
    rows = -(-len(panels) // columns)
    with figure_style():
        figure = Figure(figsize=(1.55 * WIDTH, 1.1 + 1.95 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, panel, styles, scale, band)
        for place, axes in enumerate(grid.flat):
            axes.set_visible(place < len(panels))
        figure.supylabel(plain_text(axis), fontsize=9.5)
        figure.suptitle(plain_text(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
        labels = list(dict.fromkeys(curve.label for curve in curves))
        _legend(figure, labels, styles)
    return figure


def curve_data(panels: Sequence[Panel]) -> pd.DataFrame:
    """The numbers behind the panels: one row for each point."""
    return pd.DataFrame(
        [
            (panel.title, curve.label, x, y)
            for panel in panels
            for curve in panel.curves
            for x, y in zip(curve.x, curve.y, strict=True)
        ],
        columns=["panel", "curve", "x", "y"],
    )


def _draw_panel(
    axes: Any,
    panel: Panel,
    styles: Mapping[str, Style],
    scale: Scale,
    band: tuple[float, float] | None,
) -> None:
    places = sorted({x for curve in panel.curves for x in curve.x})
    if scale == "symlog":
        axes.set_yscale("symlog", linthresh=1.0, linscale=0.8)
        axes.yaxis.set_major_formatter(lambda y, place: f"{y:g}".replace("-", "−"))
    elif scale == "log":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda y, place: f"{y:g}")
    if band is not None:
        axes.axhspan(*band, color=GRID, alpha=0.7, linewidth=0, zorder=0)
    for curve in panel.curves:
        axes.plot(
            [places.index(x) for x in curve.x],
            curve.y,
            **_line(styles[curve.label]),
        )
    axes.set_xticks(range(len(places)), [f"{x:g}" for x in places])
    axes.set_title(plain_text(panel.title), fontsize=9.5)
    axes.set_xlabel(plain_text(panel.axis), fontsize=8.5, labelpad=1)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y")


def _legend(figure: Figure, labels: Sequence[str], styles: Mapping[str, Style]) -> None:
    """Every label once, under the panels, in as few lines as fit."""
    handles = [Line2D([], [], **_line(styles[label]), label=plain_text(label)) for label in labels]
    for columns in range(min(8, len(handles)), 0, -1):
        legend = figure.legend(
            handles=handles, loc="outside lower center", ncols=columns, handlelength=3.2, fontsize=9
        )
        if columns == 1 or legend.get_window_extent().width < figure.bbox.width:
            break
        legend.remove()


def _line(style: Style) -> dict[str, Any]:
    return {
        "color": style.colour,
        "linestyle": style.dashes,
        "linewidth": 1.5,
        "marker": style.marker,
        "markersize": 4.8,
        "markeredgecolor": INK,
        "markeredgewidth": 0.5,
    }
