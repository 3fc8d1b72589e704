"""A laid out table as GitHub-flavoured Markdown."""

import html
import re
from collections.abc import Sequence

from markupsafe import escape

from reports.layout import CellView, TableView
from reports.provenance import Provenance, provenance_lines
from reports.render.escape import escape_markdown, markdown_text, one_line
from reports.render.text import grid

_SUPERSCRIPTS = str.maketrans("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")
_RANKS = {"best": "**{}**", "second": "<u>{}</u>", None: "{}"}


def table_markdown(layout: TableView, *, folds_notes: bool = False, is_marked: bool = False) -> str:
    """A caption, a table, its footnotes; a section begins with a row that holds its title.

    Args:
        folds_notes: footnotes are folded away; remarks never are.
        is_marked: comments around the grid, the first with the title, say where it stands.
    """
    table = grid(
        layout,
        "pipe",
        heading=escape_markdown,
        label=_in_a_cell,
        section="*{}*",
        cell=_cell,
        marks=_marks,
    )
    if is_marked:
        name = html.escape(one_line(layout.title), quote=False)
        table = f"<!-- table: {name} -->\n\n{table}\n\n<!-- end -->"
    title = f"**{escape_markdown(layout.title_sentence)}** {markdown_text(layout.caption)}".strip()
    notes = [f"{_marks((mark,)).strip()} {markdown_text(note)}" for mark, note in layout.footnotes]
    remarks = [markdown_text(remark) for remark in layout.remarks]
    parts = [title, table]
    if folds_notes and notes:
        parts.append(folded_markdown(f"{len(notes)} notes", "  \n".join(notes)))
        notes = []
    if notes or remarks:
        parts.append("  \n".join([*notes, *remarks]))
    if layout.provenance:
        parts.append(provenance_markdown(layout.provenance))
    return "\n\n".join(parts) + "\n"


def folded_markdown(summary: str, text: str) -> str:
    """Markdown that is folded away under a summary."""
    return f"<details><summary>{escape(summary)}</summary>\n\n{text}\n\n</details>"


def provenance_markdown(records: Sequence[Provenance]) -> str:
    """Provenance as a list."""
    return "\n".join(f"- {markdown_text(line)}" for line in provenance_lines(records))


def _cell(cell: CellView) -> str:
    # Brackets around numbers are no link, and read well as they are.
    text = _in_a_cell(cell.number) + (f" {cell.spread}" if cell.spread else "")
    return _RANKS[cell.rank].format(text) + _marks(cell.marks)


def _marks(marks: Sequence[str]) -> str:
    """Signs stand apart; letters are raised, and readable raw as well."""
    signs = [mark for mark in marks if not mark.isascii()]
    letters = [mark.translate(_SUPERSCRIPTS) for mark in marks if mark.isascii()]
    return "".join(f" {sign}" for sign in signs) + ",".join(letters)


def _in_a_cell(text: str) -> str:
    """As `markdown_text`; in a table a bar ends the cell even where it is code."""
    return re.sub(r"(?<!\\)\|", r"\\|", markdown_text(text))
