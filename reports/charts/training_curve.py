"""A training run as small charts: one number in each, smoothed or with its intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from reports.charts.style import COLOURS, INK, WIDTH, figure_style, plain_text

COLUMNS = 2
FEW_DECADES = 2.5  # a logarithmic axis over fewer has 2 and 5 among its numbers
LOGGED, MEASURED = COLOURS[0], COLOURS[3]


@dataclass(frozen=True, kw_only=True)
class Track:
    """One number over the steps of a run.

    Raises:
        ValueError: no points, other numbers of steps than of values or ends, half an interval, a
            number that is not finite, or a logarithmic axis for values that are not positive.
    """

    title: str  # what it is, with its unit
    steps: tuple[float, ...]  # ascending
    values: tuple[float, ...]
    low: tuple[float, ...] | None = None  # ends of the intervals; both or none
    high: tuple[float, ...] | None = None
    measured: bool = False  # few values, drawn as points; otherwise many, drawn as a curve
    reach: int = 0  # of a curve's running mean to each side, in points; 0 for none
    log: bool = False  # a logarithmic axis

    def __post_init__(self) -> None:
        columns = [part for part in (self.values, self.low, self.high) if part is not None]
        if not self.steps or {len(part) for part in columns} != {len(self.steps)}:
            raise ValueError(f"{self.title}: every step has one value, and there is one at least")
        if len(columns) == 2:
            raise ValueError(f"{self.title}: an interval has two ends: give low and high")
        if not all(math.isfinite(x) for part in (self.steps, *columns) for x in part):
            raise ValueError(f"{self.title}: a curve shows finite numbers")
        if self.log and min(self.values) <= 0:
            raise ValueError(f"{self.title}: a logarithmic axis needs positive values")

    @property
    def smoothed(self) -> tuple[float, ...]:
        """The mean of each value and its neighbours, `reach` of them to each side.

        Near the beginning, where a curve is steep, as many to the right as there are to the left;
        near the end those that there are.
        """
        return tuple(
            float(np.mean(self.values[i - min(i, self.reach) : i + min(i, self.reach) + 1]))
            for i in range(len(self.values))
        )


def training_curve(tracks: Sequence[Track], *, title: str) -> Figure:
    """The tracks, two in a row, over one range of steps.

    Logged numbers are a thin line with their running mean over it; measured ones are points with
    their intervals. The last value, of the running mean where there is one, is above each panel.

    Raises:
        ValueError: no tracks.
    """
    if not tracks:
        raise ValueError(f"figure {title!r} has no tracks")
    columns = min(COLUMNS, len(tracks))
    rows = -(-len(tracks) // columns)
    last = max(max(track.steps) for track in tracks)
    with figure_style():
        size = (WIDTH * (1.55 if columns > 1 else 1.0), 0.75 + 1.95 * rows)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place >= len(tracks):
                axes.set_visible(False)
                continue
            _draw(axes, tracks[place])
            axes.set_xlim(0, last * 1.02)
            if place + columns >= len(tracks):  # nothing below it
                axes.set_xlabel("training step", fontsize=9)
        figure.suptitle(plain_text(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def training_data(tracks: Sequence[Track]) -> pd.DataFrame:
    """The numbers behind the figure: one row for each point."""
    parts = [
        pd.DataFrame(
            {
                "track": track.title,
                "step": track.steps,
                "value": track.values,
                "running_mean": track.smoothed if track.reach else math.nan,
                "low": math.nan if track.low is None else track.low,
                "high": math.nan if track.high is None else track.high,
            }
        )
        for track in tracks
    ]
    return pd.concat(parts, ignore_index=True)


def _draw(axes: Any, track: Track) -> None:
    if track.measured:
        axes.plot(track.steps, track.values, color=MEASURED, linewidth=1.2, **_MARKER)
    else:
        raw = {"linewidth": 0.8, "alpha": 0.4} if track.reach else {"linewidth": 1.8}
        axes.plot(track.steps, track.values, color=LOGGED, **raw)
    if track.reach:
        axes.plot(track.steps, track.smoothed, color=LOGGED, linewidth=1.8)
    if track.low is not None:
        axes.vlines(track.steps, track.low, track.high, color=INK, linewidth=1.0, zorder=1.5)
    if track.log:
        _set_log_axis(axes, track)
    elif min(track.values) >= 0:
        axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(lambda x, place: f"{x:,.0f}")
    axes.tick_params(labelsize=8.5)
    axes.grid(axis="y")
    axes.set_title(plain_text(track.title), fontsize=9.5)
    last = f"{track.smoothed[-1]:.3g}".replace("-", "−")
    axes.set_title(f"last {last}", fontsize=8.5, fontweight="normal", loc="right")


def _set_log_axis(axes: Any, track: Track) -> None:
    axes.set_yscale("log")
    decades = math.log10(max(track.values) / min(track.values))
    subs = (1.0, 2.0, 5.0) if decades < FEW_DECADES else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_major_formatter(lambda y, place: f"{y:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


_MARKER = {
    "marker": "o",
    "markersize": 4.8,
    "markeredgecolor": INK,
    "markeredgewidth": 0.5,
}
