"""Distributions of similarities over one axis."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.charts.matrices import check_ends
from reports.charts.style import (
    WIDTH,
    figure_style,
    legend_below,
    new_figure,
    plain_text,
    styles_for,
)

MAX_BINS = 60  # drawn; finer ones are put together


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Shares of values in bins, which sum to 1, and the ends of their intervals, as `Matrix`.

    Raises:
        ValueError: other numbers of bins than of shares or ends, or bins of different widths.
    """

    label: str
    edges: np.ndarray  # (B + 1,), at equal distances
    shares: np.ndarray  # (B,)
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    def __post_init__(self) -> None:
        widths = np.diff(self.edges)
        if len(widths) != len(self.shares) or not np.allclose(widths, widths[0]):
            raise ValueError(f"{self.label}: {len(widths)} bins of one width for as many shares")
        if not self.shares.any():
            raise ValueError(f"{self.label}: a distribution of nothing")
        check_ends(self.label, self.shares, self.low, self.high)


def distribution_figure(distributions: Sequence[Distribution], *, title: str) -> Figure:
    """Distributions of cosine similarities as steps over one axis, which ends where they do.

    Raises:
        ValueError: no distributions, or bins of several kinds.
    """
    if not distributions:
        raise ValueError(f"figure {title!r} has no distributions")
    edges = distributions[0].edges
    if any(not np.array_equal(one.edges, edges) for one in distributions):
        raise ValueError(f"figure {title!r}: the distributions have bins of several kinds")
    styles = styles_for(one.label for one in distributions)
    used = np.flatnonzero(np.sum([one.shares for one in distributions], axis=0))
    step = -(-(int(used[-1]) - int(used[0]) + 1) // MAX_BINS)
    first, last = int(used[0]) // step * step, -(-(int(used[-1]) + 1) // step) * step
    with figure_style():
        figure = new_figure(1.55 * WIDTH, 3.6, title)
        panel = figure.add_subplot()
        handles = []
        for one in distributions:
            bins, density = _merged(one, first, last, step)
            style = styles[one.label]
            look: dict[str, Any] = {"linestyle": style.dashes, "linewidth": 1.7}
            look["color"] = style.colour
            panel.stairs(density, bins, fill=True, color=style.colour, alpha=0.12)
            panel.stairs(density, bins, **look)
            handles.append(Line2D([], [], **look, label=plain_text(one.label)))
        panel.set_xlim(edges[first], edges[min(last, len(edges) - 1)])
        panel.set_ylim(bottom=0)
        panel.set_xlabel("cosine similarity")
        panel.set_ylabel("density")
        panel.grid(axis="y")
        legend_below(figure, handles)
    return figure


def distribution_data(distributions: Iterable[Distribution]) -> pd.DataFrame:
    """The numbers behind the distributions: one row for each bin that is not empty."""
    parts = []
    for one in distributions:
        used = np.flatnonzero(one.shares)
        parts.append(
            pd.DataFrame(
                {
                    "distribution": one.label,
                    "from": one.edges[used],
                    "to": one.edges[used + 1],
                    "share": one.shares[used],
                    "low": math.nan if one.low is None else one.low[used],
                    "high": math.nan if one.high is None else one.high[used],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _merged(one: Distribution, first: int, last: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges and densities of bins that are `step` fine ones wide."""
    count = len(one.shares)
    padded = np.pad(one.shares, (0, max(last - count, 0)))[first:last]
    width = float(one.edges[1] - one.edges[0])
    edges = one.edges[0] + width * np.arange(first, last + 1, step)
    return edges, padded.reshape(-1, step).sum(axis=1) / (width * step)
