"""Bar charts with intervals. Drawn without a screen, the same bytes every time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFT
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from reports.charts.style import INK, WIDTH, Style, figure_style, plain_text, styles_for
from reports.numbers import decimals_of, number_text

Order = Literal["given", "ascending", "descending"]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One value with its interval; bars of one family share a colour, a hatch and a legend entry.

    Raises:
        ValueError: a number that is not finite, or half an interval.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    family: str | None = None  # None: the label is its own family

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"{self.label}: an interval has two ends: give low and high")
        numbers = [x for x in (self.value, self.low, self.high) if x is not None]
        if not all(math.isfinite(x) for x in numbers):
            raise ValueError(f"{self.label}: a bar shows finite numbers, got {numbers}")

    @property
    def value_label(self) -> str:
        return number_text(self.value, decimals_of(self.value, self.low, self.high))


def bar_chart(
    bars: Sequence[Bar],
    *,
    title: str,
    axis: str,
    order: Order = "given",
    log: bool | None = None,
    styles: Mapping[str, Style] | None = None,
) -> Figure:
    """Horizontal bars with their intervals and values, the first at the top.

    On a logarithmic axis the length of a bar means nothing, so points on thin lines are drawn, and
    an interval that reaches far below its value, or to 0, ends in an arrow at the axis's end.

    Args:
        bars: what is compared.
        axis: what the axis measures, with unit and direction.
        order: as given, or sorted by value.
        log: a logarithmic axis; None takes one where positive values span a factor of 50.
        styles: of families by name, from `styles_for`: give the same to all figures of a report.

    Raises:
        ValueError: no bars, or a logarithmic axis for values that are not positive.
    """
    if not bars:
        raise ValueError(f"figure {title!r} has no bars")
    if log and min(bar.value for bar in bars) <= 0:
        raise ValueError(f"figure {title!r}: a logarithmic axis needs positive values")
    styles = {**styles_for(_family(bar) for bar in bars), **(styles or {})}
    bars = _sorted(bars, order)
    log = _spans_decades(bars) if log is None else log
    with figure_style():
        figure = Figure(figsize=(WIDTH, 1.0 + 0.33 * len(bars)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _set_axis(axes, bars, log)
        for place, bar in enumerate(bars):
            _draw_bar(axes, place, bar, log, styles[_family(bar)])
        axes.set_yticks(range(len(bars)), [plain_text(bar.label) for bar in bars])
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(plain_text(axis) + (", logarithmic axis" if log else ""))
        figure.suptitle(plain_text(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
        _legend(figure, bars, log, styles)
    return figure


def bar_data(bars: Sequence[Bar]) -> pd.DataFrame:
    """The numbers behind a bar chart."""
    return pd.DataFrame(
        {
            "label": [bar.label for bar in bars],
            "family": [_family(bar) for bar in bars],
            "value": [bar.value for bar in bars],
            "low": [bar.low for bar in bars],
            "high": [bar.high for bar in bars],
        }
    )


def _family(bar: Bar) -> str:
    return bar.family or bar.label


def _sorted(bars: Sequence[Bar], order: Order) -> list[Bar]:
    if order == "given":
        return list(bars)
    return sorted(bars, key=lambda bar: bar.value, reverse=order == "descending")


def _spans_decades(bars: Sequence[Bar]) -> bool:
    values = [bar.value for bar in bars]
    return min(values) > 0 and max(values) > 50 * min(values)


def _set_axis(axes: Any, bars: Sequence[Bar], log: bool) -> None:
    """Limits that leave room for the value labels, and a grid."""
    ends = [x for bar in bars for x in (bar.value, bar.low, bar.high) if x is not None]
    if log:
        # An interval that reaches far below its value leaves the figure, not the values.
        lowest = min(bar.value for bar in bars)
        low, high = max(min(ends), lowest / 3), max(ends)
        axes.set_xscale("log")
        axes.set_xlim(low / 1.6, high * (high / low) ** 0.14 * 1.2)
        axes.xaxis.set_major_locator(LogLocator(numticks=10))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(lambda x, place: f"{x:g}")
    else:
        low, high = min(0.0, *ends), max(0.0, *ends)
        room = 0.14 * (high - low or 1.0)
        axes.set_xlim(low - (room if low < 0 else 0.0), high + room)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def _draw_bar(axes: Any, place: int, bar: Bar, log: bool, style: Style) -> None:
    """One bar (or one point on its line), its interval, and its value beside them."""
    left = axes.get_xlim()[0]
    if log:
        axes.plot([left, bar.value], [place, place], color=style.colour, linewidth=1.4, alpha=0.55)
        axes.plot(bar.value, place, **_marker(style))
    else:
        axes.barh(
            place,
            bar.value,
            height=0.66,
            color=style.colour,
            hatch=style.hatch,
            edgecolor=INK,
            linewidth=0.7,
        )
    end = bar.value
    if bar.low is not None and bar.high is not None:
        draw_whisker(axes, place, bar.low, bar.high, left)
        end = max(end, bar.high)
    axes.annotate(
        bar.value_label,
        (max(end, 0.0), place),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )


def draw_whisker(axes: Any, place: int, low: float, high: float, left: float) -> None:
    """An interval as a line with a stroke at each end; one that goes on to the left of `left` ends
    there, in an arrow."""
    look = {"color": INK, "linewidth": 1.3, "zorder": 3}
    axes.hlines(place, max(low, left), high, **look)
    for x in (low, high):
        if x >= left:
            axes.vlines(x, place - 0.17, place + 0.17, **look)
    if low < left:
        axes.plot(left, place, marker=CARETLEFT, markersize=6, color=INK, zorder=3, clip_on=False)


def _legend(figure: Figure, bars: Sequence[Bar], log: bool, styles: Mapping[str, Style]) -> None:
    """Families under the axes, where a legend hides nothing; none where labels say it all."""
    families = list(dict.fromkeys(bar.family for bar in bars if bar.family))
    if len(families) < 2 or all(bar.label.startswith(bar.family or "") for bar in bars):
        return
    handles = [_handle(family, styles[family], log) for family in families]
    for columns in range(min(6, len(handles)), 0, -1):
        legend = figure.legend(handles=handles, loc="outside lower left", ncols=columns)
        if columns == 1 or legend.get_window_extent().width < figure.bbox.width:
            break
        legend.remove()


def _handle(family: str, style: Style, log: bool) -> Artist:
    if log:
        return Line2D([], [], color=style.colour, **_marker(style), label=plain_text(family))
    return Patch(facecolor=style.colour, hatch=style.hatch, edgecolor=INK, label=plain_text(family))


def _marker(style: Style) -> dict[str, Any]:
    return {
        "marker": style.marker,
        "markersize": 6.5,
        "markerfacecolor": style.colour,
        "markeredgecolor": INK,
        "markeredgewidth": 0.7,
    }
