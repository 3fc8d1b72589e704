"""Line charts in small panels, with bands for intervals."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from reports.charts.style import (
    GRID,
    INK,
    WIDTH,
    Style,
    check_numbers,
    figure_style,
    legend_below,
    new_figure,
    plain_text,
    styles_for,
)

Scale = Literal["linear", "log", "symlog"]
Emphasis = Literal["marked", "plain", "faint"]
Shared = Literal["all", "columns", "none"]
CHARACTERS_PER_INCH = 9  # estimates the length of the vertical axis' title
MAX_LABELLED = 6  # places; with more the numbers under an axis are round ones
FEW_DECADES = 2.5  # a logarithmic axis over fewer has 2 and 5 among its numbers


@dataclass(frozen=True, kw_only=True)
class Line:
    """Values over places, with the ends of their intervals where known.

    Raises:
        ValueError: a number is not finite, or there are not as many of each.
    """

    label: str  # the same label looks the same in every panel
    x: tuple[float, ...]  # ascending
    y: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    # Each value has its marker; lines of many values are "plain", or "faint" behind others.
    emphasis: Emphasis = "marked"

    def __post_init__(self) -> None:
        check_numbers(self.label, self.x, self.y, self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The lines of one small chart.

    Raises:
        ValueError: a logarithmic axis for values that are not positive.
    """

    title: str
    lines: tuple[Line, ...]
    axis: str = ""  # title of the horizontal axis
    scale: Scale = "linear"  # "symlog" is linear between −1 and 1
    from_zero: bool = False  # a linear vertical axis begins at 0
    equal_distances: bool = False  # places are evenly spaced, whatever their numbers
    shaded: tuple[float, float] | None = None  # range of values to shade, such as the baseline's
    note: str = ""  # stands at the right end of the title

    def __post_init__(self) -> None:
        if self.scale == "log" and any(y <= 0 for line in self.lines for y in line.y):
            raise ValueError(f"{self.title}: a logarithmic axis needs positive values")

    @property
    def places(self) -> list[float]:
        return sorted({x for line in self.lines for x in line.x})


def line_chart(
    panels: Sequence[Panel],
    *,
    title: str,
    axis: str = "",
    columns: int = 3,
    shared: Shared = "none",
    legend: Literal["one", "each", "none"] = "one",
    styles: Mapping[str, Style] | None = None,
) -> Figure:
    """Panels side by side, each line with a band for its intervals.

    Args:
        axis: what the vertical axis measures, if it is the same for all panels.
        columns: panels in a row, at most.
        shared: which panels have one vertical axis.
        legend: one for all panels, or one under each of them.
        styles: of labels by name, from `styles_for`: give the same to all figures of a report.

    Raises:
        ValueError: no lines.
    """
    labels = list(dict.fromkeys(line.label for panel in panels for line in panel.lines))
    if not labels:
        raise ValueError(f"figure {title!r} has no lines")
    styles = {**styles_for(labels), **(styles or {})}
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    under = 0.1 + 0.2 * max(len(panel.lines) for panel in panels) if legend == "each" else 0.0
    height = 0.9 + rows * (2.3 + under)
    with figure_style():
        figure = new_figure(WIDTH * (1.0 if columns == 1 else 1.55), height, title)
        sharey: Any = {"all": True, "columns": "col", "none": False}[shared]
        grid = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
        for place, axes in enumerate(grid.flat):
            axes.set_visible(place < len(panels))
            if place < len(panels):
                panel = panels[place]
                below = panels[place + columns].axis if place + columns < len(panels) else None
                _draw_panel(axes, panel, styles, named=panel.axis != below)
                _set_limits(axes, panels if shared == "all" else [panel])
                _set_places(axes, panel, [x for x in panels if x.axis == panel.axis])
                if legend == "each":
                    axes.legend(
                        handles=_entries([line.label for line in panel.lines], styles),
                        loc="upper center",
                        bbox_to_anchor=(0.5, -0.2),
                        fontsize=8.5,
                        handlelength=3.0,
                    )
        if axis:
            lines = textwrap.wrap(axis, width=round(CHARACTERS_PER_INCH * height))
            figure.supylabel(plain_text("\n".join(lines)), fontsize=9.5)
        if len(panels) == 1 and axis:  # the figure's own title and axis say it
            grid[0, 0].set_title("")
        if legend == "one":
            legend_below(figure, _entries(labels, styles))
    return figure


def line_data(panels: Iterable[Panel]) -> pd.DataFrame:
    """The numbers behind the lines: one row for each point."""
    parts = [
        pd.DataFrame(
            {
                "panel": panel.title,
                "curve": line.label,
                "x": line.x,
                "y": line.y,
                "low": line.low or math.nan,
                "high": line.high or math.nan,
            }
        )
        for panel in panels
        for line in panel.lines
    ]
    return pd.concat(parts, ignore_index=True)


def running_mean(values: Sequence[float], reach: int) -> tuple[float, ...]:
    """The mean of each value and its neighbours, `reach` of them to each side.

    Near either end, as many on one side as there are on the other, so that it does not lag behind
    a slope at the beginning; at the end the values that there are.

    >>> running_mean((16.0, 8.0, 4.0, 2.0), 1)
    (16.0, 9.333333333333334, 4.666666666666667, 3.0)
    """
    return tuple(
        float(np.mean(values[i - min(i, reach) : i + min(i, reach) + 1]))
        for i in range(len(values))
    )


def _draw_panel(axes: Any, panel: Panel, styles: Mapping[str, Style], *, named: bool) -> None:
    places = panel.places
    if panel.scale == "linear":
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    elif panel.scale == "symlog":
        axes.set_yscale("symlog", linthresh=1.0, linscale=0.8)
    else:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    if panel.scale != "linear":
        axes.yaxis.set_major_formatter(lambda y, place: _number(y))
    if panel.shaded is not None:
        axes.axhspan(*panel.shaded, color=GRID, alpha=0.7, linewidth=0, zorder=0)
    for line in panel.lines:
        x = [places.index(place) for place in line.x] if panel.equal_distances else line.x
        style = styles[line.label]
        if line.low is not None and len(line.x) > 1:
            axes.fill_between(x, line.low, line.high, color=style.colour, alpha=0.18, linewidth=0)
        elif line.low is not None:
            axes.vlines(x, line.low, line.high, color=style.colour, linewidth=1.2)
        axes.plot(x, line.y, **_line_options(line, style))
    axes.set_title(plain_text(panel.title), fontsize=9.5)
    if panel.note:
        axes.set_title(plain_text(panel.note), fontsize=8.5, fontweight="normal", loc="right")
    if named:
        axes.set_xlabel(plain_text(panel.axis), fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y")


def _set_limits(axes: Any, panels: Sequence[Panel]) -> None:
    """Fit a logarithmic axis to the values: bands may leave the figure."""
    values = [y for panel in panels for line in panel.lines for y in line.y]
    if panels[0].scale == "log":
        low, high = min(values), max(values)
        axes.set_ylim(low / 1.35, high * 1.35)
        subs = (1.0, 2.0, 5.0) if math.log10(high / low) < FEW_DECADES else (1.0,)
        axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    elif panels[0].from_zero:
        axes.set_ylim(bottom=0)


def _set_places(axes: Any, panel: Panel, alike: Sequence[Panel]) -> None:
    """The horizontal axis; panels where it measures the same have one range.

    Its numbers are those of the places where these are few and far enough apart, else round ones.
    """
    places = panel.places
    if panel.equal_distances:
        axes.set_xticks(range(len(places)), [_number(x) for x in places])
        return
    first, last = (end(x for each in alike for x in each.places) for end in (min, max))
    margin = 0.04 * (last - first) or 1.0
    axes.set_xlim(first - margin, last + margin)
    gaps = [after - before for before, after in pairwise(places)]
    if len(places) <= MAX_LABELLED and min(gaps, default=math.inf) > 2 * margin:
        axes.set_xticks(places, [_number(x) for x in places])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.xaxis.set_major_formatter(lambda x, place: _number(x))


def _entries(labels: Iterable[str], styles: Mapping[str, Style]) -> list[Line2D]:
    """What lines have in a legend."""
    return [Line2D([], [], **_marked(styles[x]), label=plain_text(x)) for x in labels]


def _line_options(line: Line, style: Style) -> dict[str, Any]:
    if line.emphasis == "marked":
        return _marked(style)
    if line.emphasis == "faint":
        return {"color": style.colour, "linewidth": 0.8, "alpha": 0.4}
    return {"color": style.colour, "linewidth": 1.8}


def _marked(style: Style) -> dict[str, Any]:
    return {
        "color": style.colour,
        "linestyle": style.dashes,
        "linewidth": 1.6,
        "marker": style.marker,
        "markersize": 4.6,
        "markeredgecolor": INK,
        "markeredgewidth": 0.5,
    }


def _number(x: float) -> str:
    """A number at an axis.

    >>> [_number(x) for x in (0.5, -2, 1500, 1000000)]
    ['0.5', '−2', '1,500', '1,000,000']
    """
    text = f"{x:,.0f}" if float(x).is_integer() and abs(x) < 1e9 else f"{x:g}"
    return text.replace("-", "−")
