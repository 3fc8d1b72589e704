"""Heat maps of levels: one cell for each pair of a row and a column, with its text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from reports.cells import EMPTY
from reports.charts.style import FAINT, GRID, figure_style, legend_below, new_figure, plain_text
from reports.layout import Footnotes

COLOURS = colormaps["YlGnBu"]
DARK, LIGHT = "#1b1f24", "#fefefe"  # texts on colours, which stay the same on a dark page
WHITE_FROM = 0.55  # text is light above this share of the colour scale


@dataclass(frozen=True, kw_only=True)
class HeatCell:
    """One entry: its text and its level, or nothing with the reason why.

    Raises:
        ValueError: nothing, without a reason.
    """

    text: str = EMPTY
    level: int | None = None  # place in the levels of the map
    reason: str = ""  # why there is nothing; footnote of the figure

    def __post_init__(self) -> None:
        if self.level is None and not self.reason:
            raise ValueError("an empty cell of a heat map needs the reason why it is empty")


def heat_map_figure(
    cells: Mapping[str, Mapping[str, HeatCell]],
    levels: Sequence[str],
    *,
    title: str,
    legend_title: str,
) -> Figure:
    """The map with texts in its cells, a legend of its levels, and a footnote for each reason.

    Args:
        cells: by row and column; every row has the same columns.
        levels: names for the legend, the lightest colour first.
    """
    footnotes = Footnotes(level=None)
    rows, columns = list(cells), list(next(iter(cells.values())))
    longest = max(len(cell.text) for line in cells.values() for cell in line.values())
    width = 1.2 + 0.085 * max(map(len, rows)) + (0.25 + 0.08 * longest) * len(columns)
    with figure_style():
        figure = new_figure(width, 1.9 + 0.34 * len(rows), title)
        axes = figure.add_subplot()
        for row, line in enumerate(cells.values()):
            for column, cell in enumerate(line.values()):
                _draw_cell(axes, (column, row), cell, len(levels), footnotes)
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(rows), 0)
        axes.set_xticks(
            np.arange(len(columns)) + 0.5, map(plain_text, columns), rotation=35, ha="left"
        )
        axes.set_yticks(np.arange(len(rows)) + 0.5, map(plain_text, rows))
        axes.xaxis.tick_top()
        axes.tick_params(length=0, labelsize=9)
        for spine in axes.spines.values():
            spine.set_visible(False)
        if notes := "\n".join(f"{mark} {text}" for mark, text in footnotes.listed()):
            figure.supxlabel(plain_text(notes), x=0.01, ha="left", fontsize=8, color=FAINT)
        handles = [
            Patch(facecolor=_colour(level, len(levels)), label=plain_text(name))
            for level, name in enumerate(levels)
        ]
        legend_below(figure, handles, title=legend_title)
    return figure


def _draw_cell(
    axes: Any, place: tuple[int, int], cell: HeatCell, levels: int, footnotes: Footnotes
) -> None:
    column, row = place
    if cell.level is None:
        (mark,) = footnotes.letters((cell.reason,))
        text, ink = f"{cell.text} $^{{{mark}}}$", FAINT
    else:
        colour = _colour(cell.level, levels)
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor=GRID))
        text = plain_text(cell.text)
        ink = LIGHT if _share(cell.level, levels) >= WHITE_FROM else DARK
    axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink, fontsize=8.5)


def _share(level: int, levels: int) -> float:
    """Place on the colour scale, whose ends are too light and too dark."""
    return 0.12 + 0.73 * level / max(levels - 1, 1)


def _colour(level: int, levels: int) -> str:
    return to_hex(COLOURS(_share(level, levels)))
