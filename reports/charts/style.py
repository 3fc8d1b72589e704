"""One look for every figure: colours and shapes that are distinct for all eyes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

WIDTH = 5.6  # inches: text stays readable when a figure is scaled down to a narrow screen

INK = "#24292f"  # lines and text; becomes the page's own text colour inside a report
FAINT = "#57606a"
GRID = "#d8dee4"

# Okabe and Ito (2008): distinct for people with any of the common colour deficiencies. Black is
# left to the text, and yellow is too faint on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#7A7A7A")
# Few strokes: neither horizontal lines, which hide an interval, nor dots, which make files large.
HATCHES = ("", "//", "\\\\", "xx", "||", "/")
MARKERS = ("o", "s", "^", "D", "v", "P")
# Whole, long, short, and long and short strokes.
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a method is drawn: by its colour, and in grey by the rest."""

    colour: str
    hatch: str  # fills bars
    marker: str  # marks points
    dashes: Any  # matplotlib's `linestyle`


def styles_for(names: Iterable[str]) -> Mapping[str, Style]:
    """A style for each name: make it once for all figures of a report.

    Up to 42 names look different: 7 colours and 6 hatches have no common divisor, so that
    neighbours differ in both.
    """
    distinct = len(COLOURS) * len(HATCHES)
    numbers = {name: number % distinct for number, name in enumerate(dict.fromkeys(names))}
    return {
        name: Style(
            colour=COLOURS[number % len(COLOURS)],
            hatch=HATCHES[number % len(HATCHES)],
            marker=MARKERS[number % len(MARKERS)],
            dashes=DASHES[number % len(DASHES)],
        )
        for name, number in numbers.items()
    }


def check_numbers(name: str, *columns: Any) -> None:
    """Refuse what a chart would leave out silently.

    Args:
        columns: numbers or arrays of one shape; None where there are none.

    Raises:
        ValueError: no numbers, another shape, or a number that is not finite.
    """
    arrays = [np.asarray(column) for column in columns if column is not None]
    one_shape = len({array.shape for array in arrays}) == 1 and arrays[0].size
    if not one_shape or not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(f"{name}: a chart needs finite numbers, and as many of each kind")


@contextmanager
def figure_style() -> Iterator[None]:
    """Matplotlib as this project uses it, whatever the user's own settings are."""
    settings: dict[str, Any] = {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "hatch.linewidth": 0.5,
        "legend.frameon": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "latte-eval",
        "savefig.dpi": 200,
    }
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(settings)
        yield


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure with its title, which is drawn without a screen; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(plain_text(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def legend_below(figure: Figure, handles: Sequence[Artist], *, title: str = "") -> None:
    """A legend under the axes, where it hides nothing, in as few lines as fit."""
    for columns in range(min(8, len(handles)), 0, -1):
        legend = figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=columns,
            handlelength=3.2,
            fontsize=9,
            title=plain_text(title) or None,
            title_fontsize=9,
        )
        if columns == 1 or legend.get_window_extent().width < figure.bbox.width:
            break
        legend.remove()


def patch(label: str, style: Style) -> Patch:
    """What a filled area has in the legend."""
    return Patch(facecolor=style.colour, hatch=style.hatch, edgecolor=INK, label=plain_text(label))


def plain_text(text: str) -> str:
    """Text that matplotlib does not read as a formula."""
    return text.replace("$", r"\$")
