"""A laid out table as HTML: it scrolls within itself, sorts, and reads on a narrow screen."""

from collections.abc import Sequence

from reports.cells import DAGGER, SENTENCE, CellView, Layout, Section
from reports.render.markup import (
    escape_html,
    html_text,
    notes_summary,
    provenance_html,
    title_sentence,
)

MANY = 10  # columns; with more a table is printed on a page on its side


def table_html(layout: Layout, anchor: str, *, folds_notes: bool = False) -> str:
    """A figure with the table, footnotes that are linked, and provenance.

    Args:
        anchor: of the page: begins the ids of the footnotes.
        folds_notes: footnotes are folded away; remarks never are.
    """
    caption = f" {html_text(layout.caption)}" if layout.caption else ""
    parts = [
        f'<figure class="table{" wide" if len(layout.headings) > MANY else ""}">',
        f"<figcaption><strong>{escape_html(title_sentence(layout))}</strong>{caption}</figcaption>",
        *_table(layout, escape_html(anchor)),
        *_notes(layout, escape_html(anchor), folds_notes),
    ]
    if layout.provenance:
        parts.append(provenance_html(layout.provenance))
    return "\n".join([*parts, "</figure>"])


def _table(layout: Layout, anchor: str) -> list[str]:
    label_class, *classes = _classes(layout)
    headings = [
        f'<th scope="col"{kind}><button type="button">{escape_html(heading)}</button></th>'
        for heading, kind in zip(
            (layout.label_heading, *layout.headings), (label_class, *classes), strict=True
        )
    ]
    is_wordy = any("long" in kind for kind in classes) or bool(label_class and all(layout.words))
    if is_wordy:  # on a narrow screen each cell stands on a line with its heading
        classes = [
            f'{kind} data-label="{escape_html(heading)}"'
            for kind, heading in zip(classes, layout.headings, strict=True)
        ]
    return [
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape_html(layout.title)}">',
        '<table class="wordy">' if is_wordy else "<table>",
        f"<thead><tr>{''.join(headings)}</tr></thead>",
        *(_section(section, label_class, classes, anchor) for section in layout.sections),
        "</table></div>",
    ]


def _section(section: Section, label_class: str, attributes: Sequence[str], anchor: str) -> str:
    rows = []
    if section.title:
        rows.append(
            f'<tr class="section"><th colspan="{1 + len(attributes)}" scope="rowgroup">'
            f"{escape_html(section.title)}</th></tr>"
        )
    for line in section.lines:
        label = html_text(line.label) + _marks(line.letters, anchor)
        cells = "".join(
            _cell(cell, each, anchor) for cell, each in zip(line.cells, attributes, strict=True)
        )
        rows.append(f'<tr><th scope="row"{label_class}>{label}</th>{cells}</tr>')
    return "<tbody>\n" + "\n".join(rows) + "\n</tbody>"


def _classes(layout: Layout) -> list[str]:
    """An attribute for the labels and for each column.

    Nothing for numbers and short labels, `words` for words, `long` for what needs to wrap.
    """
    lines = [line for section in layout.sections for line in section.lines]
    long_labels = any(len(line.label) > SENTENCE for line in lines)
    classes = [' class="long"' if long_labels else ""]
    for words, wraps in zip(layout.words, layout.wraps, strict=True):
        kind = "words long" if wraps else "words"
        classes.append(f' class="{kind}"' if words else "")
    return classes


def _cell(cell: CellView, attributes: str, anchor: str) -> str:
    text = html_text(cell.number)
    if cell.spread is not None:
        text += f'<span class="half"> {escape_html(cell.spread)}</span>'
    text = {"best": f"<strong>{text}</strong>", "second": f"<u>{text}</u>"}.get(
        cell.rank or "", text
    )
    marks = (DAGGER,) * cell.dagger + cell.letters
    value = "" if cell.sort_value is None else f' data-value="{float(cell.sort_value)!r}"'
    return f"<td{attributes}{value}>{text}{_marks(marks, anchor)}</td>"


def _marks(marks: Sequence[str], anchor: str) -> str:
    links = ",".join(f'<a href="#{anchor}-{mark}">{mark}</a>' for mark in marks)
    return f'<sup class="marks">{links}</sup>' if links else ""


def _notes(layout: Layout, anchor: str, folded: bool) -> list[str]:
    """Footnotes and remarks, as far as there are any."""
    notes = [
        f'<p id="{anchor}-{mark}"><sup>{mark}</sup> {html_text(note)}</p>'
        for mark, note in layout.footnotes
    ]
    remarks = [f"<p>{html_text(remark)}</p>" for remark in layout.remarks]
    parts = []
    if folded and notes:
        summary = f"<summary>{notes_summary(layout)}</summary>"
        parts.append("\n".join(['<details class="notes">' + summary, *notes, "</details>"]))
        notes = []
    if notes or remarks:
        parts.append('<div class="notes">' + "\n".join([*notes, *remarks]) + "</div>")
    return parts
