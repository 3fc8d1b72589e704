"""Values with intervals: points on a logarithmic axis, or changes from a base (tornado chart)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFT
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from reports.charts.style import (
    FAINT,
    INK,
    WIDTH,
    Style,
    check_numbers,
    figure_style,
    legend_below,
    new_figure,
    patch,
    plain_text,
)
from reports.numbers import decimals_of, number_text, percent

MAX_TICKS = 5  # number of ticks on a logarithmic axis
MARGIN = 6.0  # pixels beside what reaches farthest
LOG_FROM = 3.0  # a value farther than this factor from the base needs a logarithmic axis


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One value with its interval; a family shares a colour, a hatch and a legend entry.

    Raises:
        ValueError: a number that is not finite.
    """

    label: str
    value: float
    low: float | None = None  # interval around the value; both ends or none
    high: float | None = None
    family: str

    def __post_init__(self) -> None:
        check_numbers(self.label, self.value, self.low, self.high)

    @property
    def numbers(self) -> list[float]:
        """The value and the ends of its interval."""
        return [x for x in (self.value, self.low, self.high) if x is not None]


@dataclass(frozen=True, kw_only=True)
class Base:
    """The value that bars begin at, and what it is called."""

    value: float  # above 0: changes from it are in per cent
    label: str


def bar_chart(
    bars: Sequence[Bar],
    *,
    title: str,
    axis: str,
    styles: Mapping[str, Style],
    base: Base | None = None,
) -> Figure:
    """One row for each value, the first at the top, with its interval and its text.

    Without a base the axis is logarithmic, where the length of a bar means nothing: points on thin
    lines are drawn, with their values. With a base, bars begin there, the farthest first, with
    their change from it in per cent, and the axis is logarithmic where a value is far from it. An
    interval that reaches far below its value on a logarithmic axis, or to 0, ends in an arrow.

    Args:
        axis: what the axis measures, with unit and direction.
        styles: of families by name, from `styles_for`: give the same to all figures of a report.

    Raises:
        ValueError: without a base, a value that is not positive.
    """
    if base is None and min(bar.value for bar in bars) <= 0:
        raise ValueError(f"figure {title!r}: a logarithmic axis needs positive values")
    log = base is None or _is_far(bars, base)
    if base is not None:
        bars = _farthest_first(bars, base, log=log)
    with figure_style():
        size = (WIDTH + 1.2, 1.5 + 0.24 * len(bars)) if base else (WIDTH, 1.0 + 0.33 * len(bars))
        figure = new_figure(*size, title)
        axes = figure.add_subplot()
        ends = _set_axis(axes, bars, base, log=log)
        if base is not None:
            axes.barh(
                range(len(bars)),
                [bar.value - base.value for bar in bars],
                left=base.value,
                height=0.66,
                color=[styles[bar.family].colour for bar in bars],
                hatch=[styles[bar.family].hatch for bar in bars],
                edgecolor=INK,
                linewidth=0.7,
                zorder=2,
            )
        texts = []
        for place, bar in enumerate(bars):
            if base is None:
                _draw_point(axes, place, bar, ends[0], styles[bar.family])
            _draw_whisker(axes, place, bar, ends[0])
            texts.append(_draw_text(axes, place, bar, base, ends[0]))
        if base:
            _draw_base(axes, base)
        axes.set_yticks(range(len(bars)), [plain_text(bar.label) for bar in bars])
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelsize=9)
        label = plain_text(axis) + (", logarithmic axis" if log else "")
        axes.set_xlabel(label, loc="right")  # long labels of rows leave it little room
        families = {bar.family: styles[bar.family] for bar in bars}
        if len(families) > 1:
            entry = patch if base else _point_entry
            legend_below(figure, [entry(family, style) for family, style in families.items()])
        _make_room(figure, axes, texts, ends)
        if log:
            axes.xaxis.set_major_locator(FixedLocator(log_ticks(*axes.get_xlim())))
    return figure


def bar_data(bars: Sequence[Bar]) -> pd.DataFrame:
    """The numbers behind a bar chart."""
    rows = [(bar.label, bar.family, bar.value, bar.low, bar.high) for bar in bars]
    return pd.DataFrame(rows, columns=["label", "family", "value", "low", "high"])


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high for a logarithmic axis: 1, 2, 5, or fewer of each ten.

    >>> log_ticks(0.9, 25)
    [1.0, 2.0, 5.0, 10.0, 20.0]
    >>> log_ticks(1, 1e6)
    [1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0, 1000000.0]
    """
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        candidates = [float(f"{step}e{ten}") for ten in tens for step in steps]
        ticks = [tick for tick in candidates if low <= tick <= high]
        if len(ticks) <= MAX_TICKS:
            break
    return ticks


def _is_far(bars: Sequence[Bar], base: Base) -> bool:
    values = [bar.value for bar in bars]
    low, high = min(values), max(values)
    return low > 0 and (high > LOG_FROM * base.value or base.value > LOG_FROM * low)


def _farthest_first(bars: Sequence[Bar], base: Base, *, log: bool) -> list[Bar]:
    def distance(bar: Bar) -> float:
        return abs(math.log(bar.value / base.value)) if log else abs(bar.value - base.value)

    return sorted(bars, key=distance, reverse=True)


def _set_axis(
    axes: Any, bars: Sequence[Bar], base: Base | None, *, log: bool
) -> tuple[float, float]:
    """The scale and a grid.

    Returns:
        From where to where bars and whiskers go.
    """
    values = [bar.value for bar in bars] + ([base.value] if base else [])
    ends = [*values, *(x for bar in bars for x in bar.numbers)]
    low, high = min(ends), max(ends)
    if log:
        # An interval that reaches far below its value leaves the figure, not the values.
        low = max(low, min(values) / (2 if base else 3))
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(lambda x, place: f"{x:.3g}")
    if low == high:
        low, high = low / 1.1, high * 1.1
    axes.set_xlim(low, high)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    return low, high


def _draw_point(axes: Any, place: int, bar: Bar, left: float, style: Style) -> None:
    axes.plot([left, bar.value], [place, place], color=style.colour, linewidth=1.4, alpha=0.55)
    axes.plot(bar.value, place, **_marker(style))


def _draw_whisker(axes: Any, place: int, bar: Bar, left: float) -> None:
    """An interval as a line with a stroke at each end, or an arrow where it goes on."""
    if bar.low is None or bar.high is None:
        return
    look = {"color": INK, "linewidth": 1.3, "zorder": 3}
    axes.hlines(place, max(bar.low, left), bar.high, **look)
    for x in (bar.low, bar.high):
        if x >= left:
            axes.vlines(x, place - 0.17, place + 0.17, **look)
    if bar.low < left:
        axes.plot(left, place, marker=CARETLEFT, markersize=6, color=INK, zorder=3, clip_on=False)


def _draw_text(axes: Any, place: int, bar: Bar, base: Base | None, left: float) -> Annotation:
    """The value, or its change from the base, at the outer end of the bar and its whisker."""
    if base:
        origin, text = base.value, percent(bar.value / base.value - 1)
    else:
        decimals = decimals_of(bar.value, bar.low, bar.high)
        origin, text = bar.value, number_text(bar.value, decimals)
    rises = bar.value >= origin
    end = max(origin, *bar.numbers) if rises else max(left, min(origin, *bar.numbers))
    annotation: Annotation = axes.annotate(
        text,
        (end, place),
        xytext=(5 if rises else -5, 0),
        textcoords="offset points",
        va="center",
        ha="left" if rises else "right",
        fontsize=8.5,
    )
    return annotation


def _draw_base(axes: Any, base: Base) -> None:
    """The line that every bar begins at, with its name and the two directions."""
    axes.axvline(base.value, color=INK, linewidth=1.2, zorder=4)
    name = plain_text(f"{base.label} {base.value:.{decimals_of(base.value)}f}")
    for offset, text, side, look in (
        ((-6, 3), "← lower", "right", {"fontsize": 8.5, "color": FAINT}),
        ((6, 3), "higher →", "left", {"fontsize": 8.5, "color": FAINT}),
        ((0, 15), name, "center", {"fontsize": 9}),
    ):
        axes.annotate(
            text,
            (base.value, 1),
            xycoords=("data", "axes fraction"),
            xytext=offset,
            textcoords="offset points",
            ha=side,
            va="bottom",
            **look,
        )


def _make_room(
    figure: Figure, axes: Any, texts: Sequence[Annotation], ends: tuple[float, float]
) -> None:
    """Limits between which every bar has its text beside it, as wide as that is drawn."""
    figure.draw_without_rendering()  # lays the labels of the rows out
    width = axes.get_window_extent().width
    to_axis = axes.transScale + axes.transLimits  # 0 and 1 are the ends of the axes
    reaches = []
    for text in texts:
        (at, _), gap = to_axis.transform((text.xy[0], 0)), abs(text.get_position()[0])
        size = text.get_window_extent().width + gap * figure.dpi / 72 + 2
        reaches.append((at, size, text.get_horizontalalignment()))
    left = right = 0.0
    for _ in range(4):  # room on one side moves what stands on the other
        inner = max(width - left - right, 0.3 * width)
        left = max([MARGIN, *(size - at * inner for at, size, side in reaches if side == "right")])
        right = max(
            [MARGIN, *(size - (1 - at) * inner for at, size, side in reaches if side == "left")]
        )
    low, high = (axes.transScale.transform((end, 0))[0] for end in ends)
    share = (high - low) / max(width - left - right, 0.3 * width)
    limits = (low - share * left, high + share * right)
    axes.set_xlim(*(axes.transScale.inverted().transform((end, 0))[0] for end in limits))


def _point_entry(label: str, style: Style) -> Artist:
    """What a point has in the legend."""
    return Line2D([], [], color=style.colour, **_marker(style), label=plain_text(label))


def _marker(style: Style) -> dict[str, Any]:
    return {
        "marker": style.marker,
        "markersize": 6.5,
        "markerfacecolor": style.colour,
        "markeredgecolor": INK,
        "markeredgewidth": 0.7,
    }
