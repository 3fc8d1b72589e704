"""Heat maps of levels: one cell for each pair of a row and a column, with its text."""

from dataclasses import dataclass
from typing import Any

from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from reports.cells import EMPTY
from reports.charts.style import FAINT, GRID, figure_style, legend_below, new_figure, plain_text
from reports.layout import Footnotes

COLOURS = colormaps["YlGnBu"]
DARK, LIGHT = "#1b1f24", "#fefefe"  # texts on colours, which stay the same on a dark page
WHITE_FROM = 0.55  # of the colour scale: text on what is darker is light


@dataclass(frozen=True, kw_only=True)
class HeatCell:
    """One entry: its text and its level, or nothing with the reason why.

    Raises:
        ValueError: neither a level nor a reason.
    """

    text: str = EMPTY
    level: int | None = None  # place in the levels of the map, the lowest is the lightest
    reason: str = ""  # why there is nothing; footnote of the figure

    def __post_init__(self) -> None:
        if self.level is None and not self.reason:
            raise ValueError("a cell of a heat map has a level, or the reason why it is empty")


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """Rows × columns of cells.

    Raises:
        ValueError: other numbers of cells than of rows and columns, or a level that is not there.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[HeatCell, ...], ...]  # by rows
    levels: tuple[str, ...]  # names for the legend, the lightest colour first

    def __post_init__(self) -> None:
        sizes = {len(line) for line in self.cells}
        if not self.rows or len(self.cells) != len(self.rows) or sizes != {len(self.columns)}:
            raise ValueError(f"a heat map has {len(self.rows)} × {len(self.columns)} cells")
        levels = {cell.level for line in self.cells for cell in line if cell.level is not None}
        if not levels <= set(range(len(self.levels))):
            raise ValueError(
                f"a heat map of {len(self.levels)} levels has none of {sorted(levels)}"
            )


def heat_map_figure(heat: HeatMap, *, title: str, legend_title: str = "") -> Figure:
    """The map with texts in its cells, a legend of its levels, and a footnote for each reason."""
    footnotes = Footnotes(level=None)
    longest = max(len(cell.text) for line in heat.cells for cell in line)
    width = 1.2 + 0.085 * max(map(len, heat.rows)) + (0.25 + 0.08 * longest) * len(heat.columns)
    with figure_style():
        figure = new_figure(width, 1.9 + 0.34 * len(heat.rows), title)
        axes = figure.add_subplot()
        for row, line in enumerate(heat.cells):
            for column, cell in enumerate(line):
                _draw_cell(axes, (column, row), cell, len(heat.levels), footnotes)
        axes.set_xlim(0, len(heat.columns))
        axes.set_ylim(len(heat.rows), 0)
        columns = [plain_text(name) for name in heat.columns]
        axes.set_xticks([i + 0.5 for i in range(len(columns))], columns, rotation=35, ha="left")
        axes.set_yticks(
            [i + 0.5 for i in range(len(heat.rows))], [plain_text(name) for name in heat.rows]
        )
        axes.xaxis.tick_top()
        axes.tick_params(length=0, labelsize=9)
        for spine in axes.spines.values():
            spine.set_visible(False)
        if notes := [f"{mark} {text}" for mark, text in footnotes.listed()]:
            figure.supxlabel(
                plain_text("\n".join(notes)), x=0.01, ha="left", fontsize=8, color=FAINT
            )
        handles = [
            Patch(facecolor=_colour(level, len(heat.levels)), label=plain_text(name))
            for level, name in enumerate(heat.levels)
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
