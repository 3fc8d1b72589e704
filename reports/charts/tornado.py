"""Tornado charts: how far each single change moves a number, the farthest at the top."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from reports.charts.bars import draw_whisker
from reports.charts.style import FAINT, INK, WIDTH, Style, figure_style, plain_text, styles_for
from reports.numbers import decimals_of

MOST_TICKS = 9
MARGIN = 6.0  # pixels beside what reaches farthest
SPAN_OF_LOG = 3.0  # values farther than this factor from the base need a logarithmic axis


@dataclass(frozen=True, kw_only=True)
class Swing:
    """What one change makes of the base value; swings of one family share colour and hatch.

    Raises:
        ValueError: a number that is not finite, half an interval, or a value outside it.
    """

    label: str
    value: float
    low: float | None = None  # interval around the value; both ends or none
    high: float | None = None
    family: str = ""

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"{self.label}: an interval has two ends: give low and high")
        numbers = [x for x in (self.value, self.low, self.high) if x is not None]
        if not all(math.isfinite(x) for x in numbers):
            raise ValueError(f"{self.label}: a swing shows finite numbers, got {numbers}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.label}: the interval's low end is above its high end")


def tornado_chart(
    swings: Sequence[Swing],
    *,
    base: float,
    title: str,
    axis: str,
    base_label: str = "base",
    log: bool | None = None,
    styles: Mapping[str, Style] | None = None,
) -> Figure:
    """Bars from the base value to what each change makes of it, sorted by the size of the effect.

    Each bar has its change in per cent at its end and, as a whisker, its interval. On a
    logarithmic axis twice and half are equally long, and an interval that reaches far below its
    value, or to 0, ends in an arrow.

    Args:
        swings: what is compared; ties keep the order given.
        base: the value that nothing is changed for.
        axis: what the axis measures, with unit and direction.
        base_label: what the line at the base is called.
        log: a logarithmic axis; None takes one where a value is farther than a factor 3 away.
        styles: of families by name, from `styles_for`: give the same to all figures of a report.

    Raises:
        ValueError: no swings, a base that is not above 0, or values of 0 on a logarithmic axis.
    """
    if not swings:
        raise ValueError(f"figure {title!r} has no swings")
    if not (math.isfinite(base) and base > 0):
        raise ValueError(f"figure {title!r}: changes in per cent need a base above 0, got {base}")
    if log and min(swing.value for swing in swings) <= 0:
        raise ValueError(f"figure {title!r}: a logarithmic axis needs positive values")
    log = _far_apart(swings, base) if log is None else log
    styles = {**styles_for(swing.family for swing in swings), **(styles or {})}
    ordered = sorted(swings, key=lambda swing: -_effect(swing, base, log))
    with figure_style():
        figure = Figure(figsize=(WIDTH + 1.2, 1.5 + 0.24 * len(swings)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        ends = _set_axis(axes, ordered, base, log)
        texts = [
            _draw_swing(axes, place, swing, base, styles[swing.family], ends[0])
            for place, swing in enumerate(ordered)
        ]
        _draw_base(axes, base, base_label)
        axes.set_yticks(range(len(ordered)), [plain_text(swing.label) for swing in ordered])
        axes.set_ylim(len(ordered) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelsize=9)
        axes.set_xlabel(plain_text(axis) + (", logarithmic axis" if log else ""))
        figure.suptitle(plain_text(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
        _legend(figure, ordered, styles)
        _make_room(figure, axes, texts, ends)
        if log:
            axes.xaxis.set_major_locator(FixedLocator(log_ticks(*axes.get_xlim())))
    return figure


def tornado_data(swings: Sequence[Swing], *, base: float) -> pd.DataFrame:
    """The numbers behind a tornado chart, in the order given."""
    return pd.DataFrame(
        {
            "label": [swing.label for swing in swings],
            "family": [swing.family for swing in swings],
            "value": [swing.value for swing in swings],
            "low": [swing.low for swing in swings],
            "high": [swing.high for swing in swings],
            "change": [swing.value - base for swing in swings],
            "relative_change": [swing.value / base - 1 for swing in swings],
        }
    )


def percent(ratio: float) -> str:
    """A relative change as text with its sign.

    >>> [percent(x) for x in (0.1234, -0.05, 0.0004, 0.0, 3.2)]
    ['+12 %', '−5.0 %', '+0.04 %', '0 %', '+320 %']
    """
    if ratio == 0:
        return "0 %"
    number = abs(100 * ratio)
    decimals = 0 if number >= 9.95 else 1 if number >= 0.995 else 2
    sign = "+" if ratio > 0 else "−"
    return f"{sign}{number:.{decimals}f} %" if number >= 0.005 else f"{sign}0.01 % or less"


def _effect(swing: Swing, base: float, log: bool) -> float:
    return abs(math.log(swing.value / base)) if log else abs(swing.value - base)


def _far_apart(swings: Sequence[Swing], base: float) -> bool:
    values = [swing.value for swing in swings]
    lowest, highest = min(values), max(values)
    return lowest > 0 and (highest > SPAN_OF_LOG * base or base > SPAN_OF_LOG * lowest)


def _set_axis(axes: Any, swings: Sequence[Swing], base: float, log: bool) -> tuple[float, float]:
    """The scale and a grid.

    Returns:
        From where to where bars and whiskers go.
    """
    ends = [base, *(x for s in swings for x in (s.value, s.low, s.high) if x is not None)]
    if log:
        lowest = min(base, *(swing.value for swing in swings))
        # An interval that reaches far below its value leaves the figure, not the values.
        low, high = max(min(ends), lowest / 2), max(ends)
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(lambda x, place: f"{x:.3g}")
    else:
        low, high = min(ends), max(ends)
    if low == high:
        low, high = low / 1.1, high * 1.1
    axes.set_xlim(low, high)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    return low, high


def _make_room(
    figure: Figure, axes: Any, texts: Sequence[Annotation], ends: tuple[float, float]
) -> None:
    """Limits between which every bar has its change beside it, as wide as that is drawn."""
    figure.draw_without_rendering()  # which lays the labels of the rows out
    width = axes.get_window_extent().width
    to_axis = axes.transScale + axes.transLimits  # what lies between the ends is between 0 and 1
    reaches = []
    for text in texts:
        (at, _), gap = to_axis.transform((text.xy[0], 0)), abs(text.get_position()[0])
        size = text.get_window_extent().width + gap * figure.dpi / 72 + 2
        reaches.append((at, size, text.get_horizontalalignment()))
    left = right = 0.0
    for _ in range(4):  # more room on one side moves what stands on the other
        inner = max(width - left - right, 0.3 * width)
        left = max([MARGIN, *(size - at * inner for at, size, side in reaches if side == "right")])
        right = max(
            [MARGIN, *(size - (1 - at) * inner for at, size, side in reaches if side == "left")]
        )
    low, high = (axes.transScale.transform((end, 0))[0] for end in ends)
    share = (high - low) / max(width - left - right, 0.3 * width)
    limits = (low - share * left, high + share * right)
    axes.set_xlim(*(axes.transScale.inverted().transform((end, 0))[0] for end in limits))


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high for a logarithmic axis: 1, 2, 5, or fewer of each ten.

    >>> log_ticks(0.9, 25)
    [1.0, 2.0, 3.0, 5.0, 10.0, 20.0]
    >>> log_ticks(1, 1e6)
    [1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0, 1000000.0]
    """
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        every = [float(f"{step}e{ten}") for ten in tens for step in steps]
        ticks = [tick for tick in every if low <= tick <= high]
        if len(ticks) <= MOST_TICKS - 3:
            break
    return ticks


def _draw_swing(
    axes: Any, place: int, swing: Swing, base: float, style: Style, left: float
) -> Annotation:
    """One bar from the base, its interval as far as it is not left of `left`, and its change.

    Returns:
        The change, which stands at the outer end.
    """
    axes.barh(
        place,
        swing.value - base,
        left=base,
        height=0.66,
        color=style.colour,
        hatch=style.hatch,
        edgecolor=INK,
        linewidth=0.7,
        zorder=2,
    )
    low, high = swing.value, swing.value
    if swing.low is not None and swing.high is not None:
        low, high = max(swing.low, left), swing.high
        draw_whisker(axes, place, swing.low, high, left)
    rises = swing.value >= base
    text: Annotation = axes.annotate(
        percent(swing.value / base - 1),
        (max(high, base) if rises else min(low, base), place),
        xytext=(5 if rises else -5, 0),
        textcoords="offset points",
        va="center",
        ha="left" if rises else "right",
        fontsize=8.5,
    )
    return text


def _draw_base(axes: Any, base: float, label: str) -> None:
    """The line that every bar begins at, with what it is and the two directions."""
    axes.axvline(base, color=INK, linewidth=1.2, zorder=4)
    text = f"{label} {base:.{decimals_of(base)}f}"
    for x, words, side in ((-6, "← lower", "right"), (6, "higher →", "left")):
        axes.annotate(
            words,
            (base, 1),
            xycoords=("data", "axes fraction"),
            xytext=(x, 3),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize=8.5,
            color=FAINT,
        )
    axes.annotate(
        plain_text(text),
        (base, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 15),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=9,
    )


def _legend(figure: Figure, swings: Sequence[Swing], styles: Mapping[str, Style]) -> None:
    """Families under the axes; none where there is only one."""
    families = [f for f in styles if any(swing.family == f for swing in swings) and f]
    if len(families) < 2:
        return
    handles = [
        Patch(
            facecolor=styles[family].colour,
            hatch=styles[family].hatch,
            edgecolor=INK,
            label=plain_text(family),
        )
        for family in families
    ]
    for columns in range(min(6, len(handles)), 0, -1):
        legend = figure.legend(handles=handles, loc="outside lower left", ncols=columns)
        if columns == 1 or legend.get_window_extent().width < figure.bbox.width:
            break
        legend.remove()
