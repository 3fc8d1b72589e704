"""A table from data: ranks, footnotes and intervals decided here, syntax added by `render.markup`.

Rows are methods, columns are data sets or metrics. Best in bold and second underlined, among the
comparable cells of a column only and by the digits that are printed; a cell that stands beside
published ones is marked when it was measured; an empty cell says why; equal footnotes share a
letter.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pandas as pd

from reports.cells import (
    DAGGER,
    Cell,
    CellView,
    Column,
    Direction,
    Layout,
    Line,
    Rank,
    Row,
    Section,
    ranks,
)
from reports.provenance import Provenance
from reports.render import markup
from reports.render.table_html import table_html

__all__ = ["Cell", "Column", "Row", "Table", "table_from_frame", "write_table"]

MEASURED = "Measured here; the other figures are as published."


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows by columns, with everything that a reader has to know about them.

    Raises:
        ValueError: no column, a key or label twice, or a row whose cells are not the columns'.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""  # what is shown; under the title
    label_heading: str = "Method"
    remarks: tuple[str, ...] = ()  # sentences under the footnotes
    provenance: tuple[Provenance, ...] = ()  # where the numbers come from

    def __post_init__(self) -> None:
        keys = [column.key for column in self.columns]
        if not keys:
            raise ValueError(f"table {self.title!r} has no columns")
        if len(set(keys)) < len(keys):
            raise ValueError(f"table {self.title!r} has a column twice: {', '.join(keys)}")
        names = [(row.section, row.label) for row in self.rows]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"table {self.title!r} has two rows for {name[1]!r}")
        for row in self.rows:
            if set(row.cells) != set(keys):
                raise ValueError(
                    f"row {row.label!r} has cells for {', '.join(row.cells)}, "
                    f"but the columns are {', '.join(keys)}"
                )

    def markdown(self) -> str:
        """A GitHub-flavoured Markdown table with its caption, footnotes and provenance."""
        return markup.table_markdown(self.layout())

    def latex(self) -> str:
        """A LaTeX `table` environment; a comment above it says which packages it needs."""
        return markup.table_latex(self.layout())

    def html(self, anchor: str = "table") -> str:
        """An HTML fragment; `anchor` is the prefix of its footnotes' ids."""
        return table_html(self.layout(), anchor)

    def csv(self) -> str:
        """One line for each cell: row, column, value, interval, mark, footnotes, reason."""
        text: str = self.records().to_csv(index=False, lineterminator="\n")
        return text

    def frame(self) -> pd.DataFrame:
        """The values alone: rows by labels, columns by keys, NaN where a cell is empty."""
        values = [[row.cells[column.key].value for column in self.columns] for row in self.rows]
        index = pd.Index([row.label for row in self.rows], name=self.label_heading)
        columns = [column.key for column in self.columns]
        return pd.DataFrame(values, index=index, columns=columns, dtype=float)

    def records(self) -> pd.DataFrame:
        """One row for each cell, with all that is known about it."""
        return pd.DataFrame(
            {
                "section": row.section,
                "row": row.label,
                "column": column.key,
                "value": _number_text(cell),
                "low": cell.low,
                "high": cell.high,
                "mark": "" if cell.is_empty else cell.mark,
                "comparable": "" if cell.is_empty else str(cell.comparable).lower(),
                "notes": "; ".join((*row.notes, *cell.notes)),
                "reason": cell.reason if cell.is_empty else "",
            }
            for row in self.rows
            for column, cell in ((column, row.cells[column.key]) for column in self.columns)
        )

    def layout(self) -> Layout:
        """The table with its ranks, marks and footnotes decided."""
        cells = [cell for row in self.rows for cell in row.cells.values() if not cell.is_empty]
        mixed = {cell.mark for cell in cells} == {"published", "measured"}
        ranked = {column.key: _ranks(self.rows, column) for column in self.columns}
        letters = _Letters()
        sections = []
        for title, rows in groupby(enumerate(self.rows), key=lambda item: item[1].section):
            lines = tuple(
                Line(
                    label=row.label,
                    letters=letters.of(row.notes),
                    cells=tuple(
                        _view(row.cells[column.key], ranked[column.key].get(index), mixed, letters)
                        for column in self.columns
                    ),
                )
                for index, row in rows
            )
            sections.append(Section(title=title, lines=lines))
        return Layout(
            title=self.title,
            caption=self.caption,
            label_heading=self.label_heading,
            headings=tuple(column.heading for column in self.columns),
            words=tuple(_holds_words(self.rows, column) for column in self.columns),
            sections=tuple(sections),
            footnotes=(((DAGGER, MEASURED),) if mixed else ()) + letters.footnotes(),
            remarks=self.remarks,
            provenance=self.provenance,
        )


def table_from_frame(
    frame: pd.DataFrame,
    *,
    title: str,
    directions: Mapping[str, Direction],
    row: str,
    column: str = "metric",
    label_heading: str | None = None,
    caption: str = "",
    remarks: Sequence[str] = (),
    provenance: Sequence[Provenance] = (),
) -> Table:
    """A table of measured values from a tidy frame: one row of the frame for each cell.

    Args:
        frame: columns `row` and `column` say which cell; `value`, and where they are known `low`
            and `high` (the interval), `note` (a footnote), `reason` (why there is no value) and
            `comparable` (False: shown, but not ranked, like a reference).
        directions: the table's columns in their order, each with what is better.
        row: the frame's column that names the rows, which keep the frame's order.
        column: the frame's column that names the columns; others than `directions` are left out.
        label_heading: above the rows' labels; `row` capitalised if not given.

    Raises:
        ValueError: a frame without the columns above, or with two values for one cell.
    """
    lacking = [name for name in (row, column, "value") if name not in frame.columns]
    if lacking:
        raise ValueError(f"the frame has no column {', '.join(lacking)}")
    used = frame[frame[column].isin(list(directions))]
    twice = used[used.duplicated([row, column])]
    if len(twice):
        first = twice.iloc[0]
        raise ValueError(f"two values for {first[row]}, {first[column]}")
    cells: dict[str, dict[str, Cell]] = {}
    for record in used.to_dict("records"):
        cells.setdefault(str(record[row]), {})[record[column]] = _measured_cell(record)
    missing = Cell(reason="Not measured.")
    return Table(
        title=title,
        columns=tuple(Column(key=k, title=k, direction=d) for k, d in directions.items()),
        rows=tuple(
            Row(label=label, cells={key: found.get(key, missing) for key in directions})
            for label, found in cells.items()
        ),
        caption=caption,
        label_heading=label_heading or row.capitalize(),
        remarks=tuple(remarks),
        provenance=tuple(provenance),
    )


def write_table(table: Table, folder: Path, name: str) -> list[Path]:
    """Write `name.md`, `name.csv` and `name.tex` into a folder, and say where they are.

    All three texts exist before the first file is touched.
    """
    texts = {"md": table.markdown(), "csv": table.csv(), "tex": table.latex()}
    return write_texts(texts, folder, name)


def write_texts(texts: Mapping[str, str], folder: Path, name: str) -> list[Path]:
    """Write texts, by the ending of their file, as `name.ending` into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for ending, text in texts.items():
        path = folder / f"{name}.{ending}"
        path.write_text(text, encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


class _Letters:
    """Footnote letters in the order of first use; equal texts share one."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def of(self, notes: Iterable[str]) -> tuple[str, ...]:
        return tuple(
            self._letters.setdefault(note, _letter(len(self._letters)))
            for note in dict.fromkeys(notes)
        )

    def footnotes(self) -> tuple[tuple[str, str], ...]:
        return tuple((letter, note) for note, letter in self._letters.items())


def _letter(index: int) -> str:
    """a, b, …, z, aa, ab, …

    >>> [_letter(i) for i in (0, 25, 26, 27)]
    ['a', 'z', 'aa', 'ab']
    """
    rest, last = divmod(index, len(ascii_lowercase))
    return (_letter(rest - 1) if rest else "") + ascii_lowercase[last]


def _ranks(rows: Sequence[Row], column: Column) -> dict[int, Rank]:
    """Best and second of a column by row index; nothing in a column without a direction."""
    if column.direction is None:
        return {}
    cells = {index: row.cells[column.key] for index, row in enumerate(rows)}
    return ranks(cells, higher=column.direction == "higher")


def _holds_words(rows: Sequence[Row], column: Column) -> bool:
    cells = [row.cells[column.key] for row in rows]
    return any(cell.text for cell in cells) and all(cell.value is None for cell in cells)


def _view(cell: Cell, rank: Rank | None, mixed: bool, letters: _Letters) -> CellView:
    notes = ((cell.reason,) if cell.is_empty and cell.reason else ()) + cell.notes
    return CellView(
        number=cell.number,
        spread=cell.spread,
        rank=rank,
        dagger=mixed and cell.mark == "measured" and not cell.is_empty,
        letters=letters.of(notes),
        sort_value=cell.value,
    )


def _number_text(cell: Cell) -> str:
    """As printed where the source printed it, else every digit; for machines, with a hyphen."""
    if cell.text is not None:
        return re.sub(r"^−(?=[\d.])", "-", cell.text)
    return "" if cell.value is None else repr(float(cell.value))


def _measured_cell(record: Mapping[Any, Any]) -> Cell:
    """A cell from one line of a tidy frame, where NaN, None and "" all say nothing."""

    def known(key: str) -> bool:
        return not (pd.isna(record.get(key)) or record[key] == "")

    value, low, high = (
        float(record[key]) if known(key) else None for key in ("value", "low", "high")
    )
    reason = str(record["reason"]) if known("reason") else "Not measured."
    return Cell(
        value=value,
        low=low,
        high=high,
        notes=(str(record["note"]),) if known("note") else (),
        reason=reason if value is None else None,
        comparable=bool(record["comparable"]) if known("comparable") else True,
    )
