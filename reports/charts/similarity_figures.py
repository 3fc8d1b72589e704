"""How alike frames are, as figures: matrices, and distributions."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reports.charts.bands import legend_below
from reports.charts.style import WIDTH, Style, figure_style, plain_text, styles_for

COLOURS_OF_MATRICES = "cividis"  # lighter is more in grey too, and for all colour deficiencies
SEAMLESS: dict[str, Any] = {"edgecolor": "face", "linewidth": 0.2}  # or the page shines through
MOST_BINS = 60  # drawn; finer ones are put together
MOST_COLUMNS = 3  # of matrices


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Similarity of each frame with each, (F, F), and the ends of its intervals, which are written
    beside it and not drawn.

    Raises:
        ValueError: it is not square, not finite, or the ends are of another size.
    """

    title: str  # by which its rows are known
    values: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    caption: str = ""  # drawn below the title: values, which no key may have

    def __post_init__(self) -> None:
        shape = self.values.shape
        if len(shape) != 2 or shape[0] != shape[1] or not np.isfinite(self.values).all():
            raise ValueError(f"{self.title}: a matrix is square and finite, this one is {shape}")
        _check_ends(self.title, self.values, self.low, self.high)


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
        _check_ends(self.label, self.shares, self.low, self.high)


def matrix_figure(
    matrices: Sequence[Matrix], *, title: str, axes: tuple[str, str] = ("frame", "frame")
) -> Figure:
    """Matrices side by side, in the colours of one scale.

    Args:
        axes: what columns and rows are.

    Raises:
        ValueError: no matrices.
    """
    if not matrices:
        raise ValueError(f"figure {title!r} has no matrices")
    columns = min(len(matrices), MOST_COLUMNS)
    rows = -(-len(matrices) // columns)
    low = min(float(matrix.values.min()) for matrix in matrices)
    high = max(float(matrix.values.max()) for matrix in matrices)
    with figure_style():
        size = (1.3 + 2.45 * max(columns, 1.5), 0.7 + 2.85 * rows)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, squeeze=False)
        for place, panel in enumerate(grid.flat):
            if place >= len(matrices):
                panel.set_visible(False)
                continue
            edges = np.arange(len(matrices[place].values) + 1) - 0.5
            # Not `imshow`, whose pixels a vector file would hold as a picture.
            mesh = panel.pcolormesh(
                edges,
                edges,
                matrices[place].values,
                cmap=COLOURS_OF_MATRICES,
                vmin=low,
                vmax=high,
                **SEAMLESS,
            )
            panel.set_aspect("equal")
            panel.invert_yaxis()
            lowest = place + columns >= len(matrices)
            _label_matrix(panel, matrices[place], axes, outer=place % columns == 0, lowest=lowest)
        bar = figure.colorbar(mesh, ax=grid, shrink=0.9, pad=0.02)
        assert bar.solids is not None
        bar.solids.set(rasterized=False, **SEAMLESS)
        bar.set_label("cosine similarity")
        bar.outline.set_linewidth(0.5)
        figure.suptitle(plain_text(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def distribution_figure(
    distributions: Sequence[Distribution],
    *,
    title: str,
    axis: str = "cosine similarity",
    styles: Mapping[str, Style] | None = None,
) -> Figure:
    """Distributions as steps over one axis, which ends where the values do.

    Raises:
        ValueError: no distributions, or bins of several kinds.
    """
    if not distributions:
        raise ValueError(f"figure {title!r} has no distributions")
    edges = distributions[0].edges
    if any(not np.array_equal(each.edges, edges) for each in distributions):
        raise ValueError(f"figure {title!r}: the distributions have bins of several kinds")
    styles = {**styles_for(each.label for each in distributions), **(styles or {})}
    used = np.flatnonzero(np.sum([each.shares for each in distributions], axis=0))
    step = -(-(int(used[-1]) - int(used[0]) + 1) // MOST_BINS)
    first, last = int(used[0]) // step * step, -(-(int(used[-1]) + 1) // step) * step
    with figure_style():
        figure = Figure(figsize=(1.55 * WIDTH, 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        panel = figure.add_subplot()
        handles = []
        for each in distributions:
            bins, density = _merged(each, first, last, step)
            style = styles[each.label]
            look: dict[str, Any] = {
                "color": style.colour,
                "linestyle": style.dashes,
                "linewidth": 1.7,
            }
            panel.stairs(density, bins, fill=True, color=look["color"], alpha=0.12)
            panel.stairs(density, bins, **look)
            handles.append(Line2D([], [], **look, label=plain_text(each.label)))
        panel.set_xlim(edges[first], edges[min(last, len(edges) - 1)])
        panel.set_ylim(bottom=0)
        panel.set_xlabel(plain_text(axis))
        panel.set_ylabel("density")
        panel.grid(axis="y")
        figure.suptitle(plain_text(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
        legend_below(figure, handles)
    return figure


def matrix_data(matrices: Iterable[Matrix]) -> pd.DataFrame:
    """The numbers behind the matrices: one row for each entry."""
    parts = []
    for each in matrices:
        rows, columns = np.indices(each.values.shape)
        parts.append(
            pd.DataFrame(
                {
                    "matrix": each.title.replace("\n", ": "),
                    "row": rows.ravel(),
                    "column": columns.ravel(),
                    "similarity": each.values.ravel(),
                    "low": math.nan if each.low is None else each.low.ravel(),
                    "high": math.nan if each.high is None else each.high.ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def distribution_data(distributions: Iterable[Distribution]) -> pd.DataFrame:
    """The numbers behind the distributions: one row for each bin that is not empty."""
    parts = []
    for each in distributions:
        used = np.flatnonzero(each.shares)
        parts.append(
            pd.DataFrame(
                {
                    "distribution": each.label,
                    "from": each.edges[used],
                    "to": each.edges[used + 1],
                    "share": each.shares[used],
                    "low": math.nan if each.low is None else each.low[used],
                    "high": math.nan if each.high is None else each.high[used],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _check_ends(
    name: str, values: np.ndarray, low: np.ndarray | None, high: np.ndarray | None
) -> None:
    shapes = {end.shape for end in (low, high) if end is not None}
    if (low is None) != (high is None) or not shapes <= {values.shape}:
        raise ValueError(f"{name}: every value has both ends of an interval, or none has")


def _label_matrix(
    panel: Any, matrix: Matrix, axes: tuple[str, str], *, outer: bool, lowest: bool
) -> None:
    """Its title, and what the axes are where no other matrix lies beside or below."""
    title = "\n".join(filter(None, (matrix.title, matrix.caption)))
    panel.set_title(plain_text(title), fontsize=9.5)
    if lowest:
        panel.set_xlabel(plain_text(axes[0]), fontsize=9)
    if outer:
        panel.set_ylabel(plain_text(axes[1]), fontsize=9)
    for side in (panel.xaxis, panel.yaxis):
        side.set_major_locator(MaxNLocator(nbins=5, integer=True))
    panel.tick_params(labelsize=8)
    for spine in panel.spines.values():
        spine.set_visible(False)


def _merged(each: Distribution, first: int, last: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges and densities of bins that are `step` fine ones wide."""
    count = len(each.shares)
    padded = np.pad(each.shares, (0, max(last - count, 0)))[first:last]
    width = float(each.edges[1] - each.edges[0])
    edges = each.edges[0] + width * np.arange(first, last + 1, step)
    return edges, padded.reshape(-1, step).sum(axis=1) / (width * step)
