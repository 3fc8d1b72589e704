"""One look for every figure: colours that all eyes tell apart, the same for a method everywhere."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import matplotlib as mpl

INK = "#24292f"  # lines and text; becomes the page's own text colour inside a report
FAINT = "#57606a"
GRID = "#d8dee4"

# Okabe and Ito (2008), told apart by people with any of the common colour deficiencies. Black is
# left to the text, and yellow is too faint on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#7A7A7A")
# Few strokes: neither horizontal lines, which hide an interval, nor dots, which make files large.
HATCHES = ("", "//", "\\\\", "xx", "||", "/")
MARKERS = ("o", "s", "^", "D", "v", "P")
# Whole, long, short, and long and short strokes.
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))

PAPER_METHODS = (
    "Latte+IMG",
    "Latte",
    "StyleGAN-V",
    "PVDM",
    "DIGAN",
    "LVDM",
    "MoCoGAN-HD",
    "MoStGAN-V",
    "VideoGPT",
    "VDT",
    "W.A.L.T",
    "MoCoGAN",
    "ModelScope",
    "VideoCrafter",
    "CogVideo",
    "HiGen",
    "OpenSoraPlan",
)


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a method is drawn: colour, and what tells it in grey as well."""

    colour: str
    hatch: str  # of bars
    marker: str  # of points
    dashes: Any  # of lines, as matplotlib's `linestyle`


# 7 colours and 6 hatches have no common divisor: 42 pairs, and neighbours differ in both.
_STYLES = tuple(
    Style(
        colour=COLOURS[index % len(COLOURS)],
        hatch=HATCHES[index % len(HATCHES)],
        marker=MARKERS[index % len(MARKERS)],
        dashes=DASHES[index % len(DASHES)],
    )
    for index in range(len(COLOURS) * len(HATCHES))
)
_PAPER = dict(zip(PAPER_METHODS, _STYLES, strict=False))


def styles_for(names: Iterable[str]) -> Mapping[str, Style]:
    """A style for each name: make it once for all figures of a report.

    The paper's methods have the same style everywhere; other names take the styles that are left,
    in the order given. As many names as there are styles (42) are told apart.
    """
    names = list(dict.fromkeys(names))
    fixed = {name: _PAPER[name] for name in names if name in _PAPER}
    free = cycle([style for style in _STYLES if style not in fixed.values()])
    return {name: fixed[name] if name in fixed else next(free) for name in names}


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
