"""Matrices of similarities between frames, in the colours of one scale."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.charts.style import figure_style, new_figure, plain_text

COLOURS = "cividis"  # lighter is more in grey too, and for all colour deficiencies
SEAMLESS: dict[str, Any] = {"edgecolor": "face", "linewidth": 0.2}  # or the page shines through
MAX_COLUMNS = 3


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
        check_ends(self.title, self.values, self.low, self.high)


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
            lowest = place + columns >= len(matrices)
            _label_matrix(panel, matrices[place], axes, outer=place % columns == 0, lowest=lowest)
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


def check_ends(
    name: str, values: np.ndarray, low: np.ndarray | None, high: np.ndarray | None
) -> None:
    """Every value has both ends of an interval, or none has.

    Raises:
        ValueError: it is otherwise.
    """
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
