"""A table from data: rows are methods, columns are data sets or metrics.

Best in bold and second underlined, among the comparable cells of a column only and by the digits
that are printed; a cell that stands beside published ones is marked when it was measured; an empty
cell says why; equal footnotes share a letter.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports.cells import Cell, Column, Row
from reports.files import write_files
from reports.layout import WRAP_FROM, ColumnView, Footnotes, TableView, column_view, section_views
from reports.provenance import Provenance
from reports.render.html import table_html
from reports.render.latex import table_latex
from reports.render.markdown import table_markdown
from reports.render.text import table_text


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows by columns, with everything that a reader has to know about them.

    Raises:
        ValueError: no column, a key or label twice, or a row whose cells are not the columns'.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""  # says what is shown, under the title
    label_heading: str = "Method"
    remarks: tuple[str, ...] = ()  # sentences under the footnotes
    level: float | None = None  # significance level of tests against the best
    provenance: tuple[Provenance, ...] = ()  # says where the numbers come from

    def __post_init__(self) -> None:
        keys = [column.key for column in self.columns]
        if not keys:
            raise ValueError(f"table {self.title!r} has no columns")
        if len(set(keys)) < len(keys):
            raise ValueError(f"table {self.title!r} has a column twice: {', '.join(keys)}")
        labels = [(row.section, row.label) for row in self.rows]
        for (_, label), count in Counter(labels).items():
            if count > 1:
                raise ValueError(f"table {self.title!r} has two rows for {label!r}")
        for row in self.rows:
            if set(row.cells) != set(keys):
                raise ValueError(
                    f"row {row.label!r} has cells for {', '.join(row.cells)}, "
                    f"but the columns are {', '.join(keys)}"
                )

    def markdown(self) -> str:
        """A GitHub-flavoured Markdown table with its caption, footnotes and provenance."""
        return table_markdown(self.layout())

    def latex(self) -> str:
        """A LaTeX `table` environment; a comment above it says which packages it needs."""
        return table_latex(self.layout())

    def text(self) -> str:
        """The table for a terminal, with its footnotes and remarks."""
        return table_text(self.layout())

    def html(self, anchor: str = "table") -> str:
        """An HTML fragment; `anchor` is the prefix of its footnotes' ids."""
        return table_html(self.layout(), anchor)

    def csv(self) -> str:
        """One line for each cell, with all that is known about it."""
        cells = [
            (row, column.key, row.cells[column.key]) for row in self.rows for column in self.columns
        ]
        frame = pd.DataFrame(
            {
                "section": row.section,
                "row": row.label,
                "column": key,
                "value": _number_text(cell),
                "low": cell.low,
                "high": cell.high,
                "mark": "" if cell.is_empty else cell.mark,
                "comparable": "" if cell.is_empty else str(cell.comparable).lower(),
                "notes": "; ".join((*row.notes, *cell.notes)),
                "reason": cell.reason if cell.is_empty else "",
            }
            for row, key, cell in cells
        )
        if self.level is not None:
            frame["p_value"] = [cell.p_value for _, _, cell in cells]
            frame["significant"] = [cell.significant for _, _, cell in cells]
        text: str = frame.to_csv(index=False, lineterminator="\n")
        return text

    def layout(self) -> TableView:
        """The table with its ranks, marks and footnotes decided."""
        footnotes = Footnotes(level=self.level)
        wraps = any(len(row.label) > WRAP_FROM for row in self.rows)
        return TableView(
            title=self.title,
            caption=self.caption,
            label=ColumnView(heading=self.label_heading, words=True, wraps=wraps),
            columns=tuple(column_view(column, self.rows, footnotes) for column in self.columns),
            sections=section_views(self.rows, self.columns, footnotes),
            footnotes=footnotes.listed(),
            remarks=self.remarks,
            provenance=self.provenance,
        )


def simple_table(
    title: str,
    columns: Mapping[str, str],
    rows: Iterable[tuple[str, Sequence[str | Cell]]],
    *,
    label_heading: str,
    caption: str = "",
    remarks: Sequence[str] = (),
) -> Table:
    """A table in which nothing is ranked and nothing has notes of its own.

    Args:
        columns: titles by key.
        rows: the label of each, and what stands in its columns: texts, or cells.
    """
    return Table(
        title=title,
        caption=caption,
        label_heading=label_heading,
        columns=tuple(Column(key=key, title=title) for key, title in columns.items()),
        rows=tuple(
            Row(label=label, cells=dict(zip(columns, map(_as_cell, entries), strict=True)))
            for label, entries in rows
        ),
        remarks=tuple(remarks),
    )


def _as_cell(entry: str | Cell) -> Cell:
    return Cell(text=entry) if isinstance(entry, str) else entry


def write_tables(tables: Sequence[Table], folder: Path, name: str, *, data: str = "") -> list[Path]:
    """Write tables below each other as `name.md`, `name.csv` and `name.tex`; returns the paths.

    All three texts exist before the first file is touched.

    Args:
        data: the CSV, if it is not made of the tables.
    """
    texts = {
        "md": "\n".join(table.markdown() for table in tables),
        "csv": data or csv_of(tables),
        "tex": "\n".join(table.latex() for table in tables),
    }
    return write_files(folder, {f"{name}.{ending}": text for ending, text in texts.items()})


def csv_of(tables: Sequence[Table]) -> str:
    """All cells of several tables as one CSV."""
    first, *others = [table.csv() for table in tables]
    return first + "".join(text.partition("\n")[2] for text in others)  # one heading


def _number_text(cell: Cell) -> str:
    """A number for machines: as its source prints it, else every digit; minus is a hyphen."""
    if cell.text is not None:
        return re.sub(r"^−(?=[\d.])", "-", cell.text)
    return "" if cell.value is None else repr(float(cell.value))
