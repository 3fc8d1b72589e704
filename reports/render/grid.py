"""The grid of a laid out table as characters, for Markdown and terminals alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from reports.layout import CellView, TableView


@dataclass(frozen=True, kw_only=True)
class Syntax:
    """How the parts of a grid are written."""

    format: str  # of the grid, by the name that tabulate has for it
    heading: Callable[[str], str]
    label: Callable[[str], str]
    section: str  # form of a section's title, which is a row of its own
    cell: Callable[[CellView], str]
    marks: Callable[[Sequence[str]], str]


def grid(layout: TableView, syntax: Syntax) -> str:
    """Headings and rows; a section begins with a row that holds its title."""
    rows: list[list[str]] = []
    for section in layout.sections:
        if section.title:
            title = syntax.section.format(syntax.heading(section.title))
            rows.append([title, *([""] * len(layout.columns))])
        rows += [
            [syntax.label(row.label) + syntax.marks(row.marks), *map(syntax.cell, row.cells)]
            for row in section.rows
        ]
    columns = (layout.label, *layout.columns)
    return tabulate(
        rows,
        headers=[syntax.heading(column.heading) + syntax.marks(column.marks) for column in columns],
        tablefmt=syntax.format,
        colalign=["left" if column.words else "right" for column in columns],
        disable_numparse=True,
    )
