"""Similarities between frames: matrices in the colours of one scale, and distributions."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reports.charts.style import (
    WIDTH,
    check_numbers,
    figure_style,
    legend_below,
    new_figure,
    plain_text,
    styles_for,
)

COLOURS = "cividis"  # lighter is more in grey too, and for all colour deficiencies
SEAMLESS: dict[str, Any] = {"edgecolor": "face", "linewidth": 0.2}  # hides gaps between cells
MAX_COLUMNS = 3  # matrices beside each other
MAX_BINS = 60  # drawn; finer ones are put together


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Similarity of each frame with each, and the ends of its intervals, which are not drawn."""

    title: str  # heads its rows
    values: np.ndarray  # (F, F)
    low: np.ndarray | None = None  # (F, F)
    high: np.ndarray | None = None
    caption: str = ""  # drawn below the title: values, which no key may have

    def __post_init__(self) -> None:
        check_numbers(self.title, self.values, self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Shares of values in bins, which sum to 1, and the ends of their intervals, as `Matrix`."""

    label: str
    edges: np.ndarray  # (B + 1,), at equal distances, the same for all of a figure
    shares: np.ndarray  # (B,)
    low: np.ndarray | None = None  # (B,)
    high: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_numbers(self.label, self.shares, self.low, self.high)


def matrix_figure(
    matrices: Sequence[Matrix], *, title: str, axes: tuple[str, str] = ("frame", "frame")
) -> Figure:
    """Matrices side by side, in the colours of one scale.

    Args:
        axes: what columns and rows are.
    """
    columns = min(len(matrices), MAX_COLUMNS)
    rows = -(-len(matrices) // columns)
    low = min(float(matrix.values.min()) for matrix in matrices)
    high = max(float(matrix.values.max()) for matrix in matrices)
    with figure_style():
        size = (1.3 + 2.45 * max(columns, 1.5), 0.7 + 2.85 * rows)
        figure = new_figure(*size, title)
        grid = figure.subplots(rows, columns, squeeze=False)
        for place, panel in enumerate(grid.flat):
            if place >= len(matrices):
                panel.set_visible(False)
                continue
            edges = np.arange(len(matrices[place].values) + 1) - 0.5
            # Not `imshow`, whose pixels a vector file would hold as a picture.
            mesh = panel.pcolormesh(
                edges, edges, matrices[place].values, cmap=COLOURS, vmin=low, vmax=high, **SEAMLESS
            )
            panel.set_aspect("equal")
            panel.invert_yaxis()
            heading = "\n".join(filter(None, (matrices[place].title, matrices[place].caption)))
            panel.set_title(plain_text(heading), fontsize=9.5)
            # What the axes are where no other matrix lies below or beside.
            if place + columns >= len(matrices):
                panel.set_xlabel(plain_text(axes[0]), fontsize=9)
            if place % columns == 0:
                panel.set_ylabel(plain_text(axes[1]), fontsize=9)
            for side in (panel.xaxis, panel.yaxis):
                side.set_major_locator(MaxNLocator(nbins=5, integer=True))
            panel.tick_params(labelsize=8)
            panel.spines[:].set_visible(False)
        bar = figure.colorbar(mesh, ax=grid, shrink=0.9, pad=0.02)
        assert bar.solids is not None
        bar.solids.set(rasterized=False, **SEAMLESS)
        bar.set_label("cosine similarity")
        bar.outline.set_linewidth(0.5)
    return figure


def matrix_data(matrices: Iterable[Matrix]) -> pd.DataFrame:
    """The numbers behind the matrices: one row for each entry."""
    parts = []
    for matrix in matrices:
        rows, columns = np.indices(matrix.values.shape)
        parts.append(
            pd.DataFrame(
                {
                    "matrix": matrix.title.replace("\n", ": "),
                    "row": rows.ravel(),
                    "column": columns.ravel(),
                    "similarity": matrix.values.ravel(),
                    "low": math.nan if matrix.low is None else matrix.low.ravel(),
                    "high": math.nan if matrix.high is None else matrix.high.ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def distribution_figure(distributions: Sequence[Distribution], *, title: str) -> Figure:
    """Distributions of cosine similarities as steps over one axis, which ends where they do."""
    edges = distributions[0].edges
    styles = styles_for(distribution.label for distribution in distributions)
    used = np.flatnonzero(np.sum([distribution.shares for distribution in distributions], axis=0))
    step = -(-(int(used[-1]) - int(used[0]) + 1) // MAX_BINS)
    first, last = int(used[0]) // step * step, -(-(int(used[-1]) + 1) // step) * step
    with figure_style():
        figure = new_figure(1.55 * WIDTH, 3.6, title)
        panel = figure.add_subplot()
        handles = []
        for distribution in distributions:
            bins, density = _merged(distribution, first, last, step)
            style = styles[distribution.label]
            look: dict[str, Any] = {
                "linestyle": style.dashes,
                "linewidth": 1.7,
                "color": style.colour,
            }
            panel.stairs(density, bins, fill=True, color=style.colour, alpha=0.12)
            panel.stairs(density, bins, **look)
            handles.append(Line2D([], [], **look, label=plain_text(distribution.label)))
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
    for distribution in distributions:
        used = np.flatnonzero(distribution.shares)
        parts.append(
            pd.DataFrame(
                {
                    "distribution": distribution.label,
                    "from": distribution.edges[used],
                    "to": distribution.edges[used + 1],
                    "share": distribution.shares[used],
                    "low": math.nan if distribution.low is None else distribution.low[used],
                    "high": math.nan if distribution.high is None else distribution.high[used],
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
