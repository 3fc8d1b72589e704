"""A laid out table as HTML: it scrolls within itself, sorts, and reads on a narrow screen."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from reports.layout import ColumnView, TableView
from reports.provenance import provenance_lines
from reports.render.escape import html_text

MAX_UPRIGHT = 10  # columns; a table with more is printed on a page on its side

TEMPLATES = Environment(
    loader=PackageLoader("reports.render"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
TEMPLATES.filters |= {"sentence": html_text, "lines": provenance_lines}


def table_html(layout: TableView, anchor: str, *, folds_notes: bool = False) -> str:
    """A figure with the table, footnotes that are linked, and provenance.

    Args:
        anchor: begins the ids of the footnotes, which are unique in the page.
        folds_notes: footnotes are folded away; remarks never are.
    """
    label, columns = layout.label, layout.columns
    kinds = ["long" if label.wraps else "", *map(_kind, columns)]
    # A narrow screen shows each cell of such a table on a line with its heading.
    is_wordy = any(c.wraps for c in columns) or (label.wraps and all(c.words for c in columns))
    return TEMPLATES.get_template("table.html").render(
        layout=layout,
        anchor=anchor,
        folds_notes=folds_notes,
        kinds=kinds,
        is_wide=len(columns) > MAX_UPRIGHT,
        is_wordy=is_wordy,
    )


def _kind(column: ColumnView) -> str:
    """The class of a column's cells; none for numbers."""
    return "words long" if column.wraps else "words" if column.words else ""
