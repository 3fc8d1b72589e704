"""A laid out table as plain text for a terminal."""

from collections.abc import Sequence

from tabulate import tabulate

from reports.layout import CellView, Layout
from reports.render.escape import one_line
from reports.render.provenance import provenance_lines

_RANKS = {"best": "**{}**", "second": "_{}_", None: "{}"}
_EXPLANATION = "**best** and _second_ of each column"


def table_text(layout: Layout) -> str:
    """The title, the table, and a line for each footnote and remark."""
    rows: list[list[str]] = []
    for section in layout.sections:
        if section.title:
            rows.append([f"{one_line(section.title)}:", *([""] * len(layout.columns))])
        rows += [
            [one_line(row.label) + _marks(row.marks), *map(_cell, row.cells)]
            for row in section.rows
        ]
    columns = (layout.label, *layout.columns)
    table = tabulate(
        rows,
        headers=[one_line(column.heading) + _marks(column.marks) for column in columns],
        tablefmt="simple",
        colalign=["left" if column.words else "right" for column in columns],
        disable_numparse=True,
    )
    cells = (cell for section in layout.sections for row in section.rows for cell in row.cells)
    notes = [f"{_EXPLANATION}."] if any(cell.rank for cell in cells) else []
    notes += [f"{_marks((mark,)).strip()} {one_line(note)}" for mark, note in layout.footnotes]
    notes += [one_line(remark) for remark in layout.remarks]
    notes += provenance_lines(layout.provenance)
    title = one_line(f"{layout.title_sentence} {layout.caption}".strip())
    return "\n\n".join(part for part in (title, table, "\n".join(notes)) if part) + "\n"


def _cell(cell: CellView) -> str:
    return _RANKS[cell.rank].format(one_line(cell.plain)) + _marks(cell.marks)


def _marks(marks: Sequence[str]) -> str:
    signs = "".join(f" {mark}" for mark in marks if not mark.isascii())
    letters = [mark for mark in marks if mark.isascii()]
    return signs + (f" [{','.join(letters)}]" if letters else "")
