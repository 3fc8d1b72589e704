"""A laid out table as characters: the grid of Markdown too, and the whole for a terminal."""

from collections.abc import Callable, Sequence

from tabulate import tabulate

from reports.layout import CellView, TableView
from reports.provenance import provenance_lines
from reports.render.escape import one_line

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
    table = grid(
        layout, "simple", heading=one_line, label=one_line, section="{}:", cell=_cell, marks=_marks
    )
    return "\n\n".join(part for part in (title, table, "\n".join(notes)) if part) + "\n"


def grid(
    layout: TableView,
    form: str,
    *,
    heading: Callable[[str], str],
    label: Callable[[str], str],
    section: str,
    cell: Callable[[CellView], str],
    marks: Callable[[Sequence[str]], str],
) -> str:
    """Headings and rows; a section begins with a row that holds its title.

    Args:
        form: name that tabulate has for it.
        heading: makes text of it, as `label`, `cell` and `marks` do.
        section: form of a section's title.
    """
    rows: list[list[str]] = []
    for part in layout.sections:
        if part.title:
            rows.append([section.format(heading(part.title)), *([""] * len(layout.columns))])
        rows += [[label(row.label) + marks(row.marks), *map(cell, row.cells)] for row in part.rows]
    columns = (layout.label, *layout.columns)
    return tabulate(
        rows,
        headers=[heading(column.heading) + marks(column.marks) for column in columns],
        tablefmt=form,
        colalign=["left" if column.words else "right" for column in columns],
        disable_numparse=True,
    )


def _cell(cell: CellView) -> str:
    return _RANKS[cell.rank].format(one_line(cell.plain)) + _marks(cell.marks)


def _marks(marks: Sequence[str]) -> str:
    signs = "".join(f" {mark}" for mark in marks if not mark.isascii())
    letters = [mark for mark in marks if mark.isascii()]
    return signs + (f" [{','.join(letters)}]" if letters else "")
