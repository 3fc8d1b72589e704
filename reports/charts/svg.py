"""Figures as files: SVG with the same bytes for the same data, as part of a page, and PNG."""

import io
import re
from pathlib import Path

import pandas as pd
from markupsafe import escape
from matplotlib.figure import Figure

from reports.charts.style import COLOURS, FAINT, GRID, INK, WIDTH, figure_style

# The patches that matplotlib fills behind a figure and its axes, up to their colour.
_BACKGROUND = re.compile(r'(<g id="patch_\d+">\s*<path d="[^"]*"\s*style="fill: )#ffffff(?="/>)')
_OWN_COLOURS = {
    INK: "currentColor",
    FAINT: "var(--faint)",
    GRID: "var(--line)",
    COLOURS[0].lower(): "var(--blue)",
}


def figure_svg(figure: Figure) -> str:
    """The figure as SVG: the same bytes for the same data."""
    buffer = io.StringIO()
    with figure_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def bare_svg(svg: str) -> str:
    """The `<svg>` element of a file that `figure_svg` made, without metadata and comments."""
    return re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.S)


def inline_svg(svg: str, description: str, *, prefix: str) -> str:
    """The element as a part of a page.

    It has no background and takes the page's own colours of text, of what is less important and of
    lines, and its blue, which is lighter on a dark page. It is as wide as the page lets it be, but
    never so small that its text could not be read.

    Args:
        prefix: begins its ids: two figures on one page must not share their parts.
    """
    svg = re.sub(_BACKGROUND, r"\1none", svg)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    for colour, own in _OWN_COLOURS.items():
        svg = svg.replace(colour, own)
    label = f'role="img" aria-label="{escape(description)}" style="{_page_size(svg)}"'
    return svg.replace("<svg ", f"<svg {label} ", 1)


def _page_size(svg: str) -> str:
    """CSS widths in proportion to the figure, so that text has about one size in all figures."""
    width = re.search(r'<svg [^>]*\bwidth="([\d.]+)pt"', svg)
    points = float(width.group(1)) if width else 72 * WIDTH
    return f"width: 100%; min-width: {0.7 * points:.0f}px; max-width: {1.5 * points:.0f}px"


def write_figure(figure: Figure, data: pd.DataFrame | None, folder: Path, name: str) -> list[Path]:
    """Write `name.svg`, `name.png` and the numbers behind it as `name.csv` into a folder.

    Args:
        data: None where a table beside the figure has the numbers: no `name.csv` is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{ending}" for ending in ("svg", "png")]
    paths[0].write_text(figure_svg(figure), encoding="utf-8", newline="\n")
    with figure_style():
        figure.savefig(paths[1], format="png", metadata={"Software": None})
    if data is not None:
        paths.append(folder / f"{name}.csv")
        data.to_csv(paths[-1], index=False, lineterminator="\n")
    return paths
