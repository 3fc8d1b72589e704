"""A laid out table as plain text for a terminal."""

from collections.abc import Sequence

from reports.layout import CellView, TableView
from reports.render.escape import one_line
from reports.render.grid import Syntax, grid
from reports.render.provenance import provenance_lines

_RANKS = {"best": "**{}**", "second": "_{}_", None: "{}"}
_EXPLANATION = "**best** and _second_ of each column"


def table_text(layout: TableView) -> str:
    """The title, the table, and a line for each footnote and remark."""
    cells = (cell for section in layout.sections for row in section.rows for cell in row.cells)
    notes = [f"{_EXPLANATION}."] if any(cell.rank for cell in cells) else []
    notes += [f"{_marks((mark,)).strip()} {one_line(note)}" for mark, note in layout.footnotes]
    notes += [one_line(remark) for remark in layout.remarks]
    notes += provenance_lines(layout.provenance)
    title = one_line(f"{layout.title_sentence} {layout.caption}".strip())
    return (
        "\n\n".join(part for part in (title, grid(layout, _SYNTAX), "\n".join(notes)) if part)
        + "\n"
    )


def _cell(cell: CellView) -> str:
    return _RANKS[cell.rank].format(one_line(cell.plain)) + _marks(cell.marks)


def _marks(marks: Sequence[str]) -> str:
    signs = "".join(f" {mark}" for mark in marks if not mark.isascii())
    letters = [mark for mark in marks if mark.isascii()]
    return signs + (f" [{','.join(letters)}]" if letters else "")


_SYNTAX = Syntax(
    format="simple", heading=one_line, label=one_line, section="{}:", cell=_cell, marks=_marks
)
