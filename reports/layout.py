"""A table in which everything is decided but the syntax: ranks, marks, footnotes, texts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from string import ascii_lowercase

from reports.cells import Cell, Column, Row
from reports.provenance import Provenance
from reports.ranks import Rank, ranks

WRAP_FROM = 24  # characters from which on words get room to wrap
MEASURED, DIFFERENT, SIMILAR, UNRANKED = "†", "≠", "≈", "‡"


@dataclass(frozen=True, kw_only=True)
class CellView:
    """A cell as it is drawn."""

    number: str
    spread: str | None = None  # the interval, as `Cell.spread`
    rank: Rank | None = None
    marks: tuple[str, ...] = ()  # footnotes' signs, then letters
    sort_value: float | None = None

    @property
    def plain(self) -> str:
        """Number and interval, without rank and footnotes."""
        return self.number if self.spread is None else f"{self.number} {self.spread}"


@dataclass(frozen=True, kw_only=True)
class ColumnView:
    """A heading, and what stands under it."""

    heading: str
    marks: tuple[str, ...] = ()
    words: bool = False  # texts, which stand on the left, instead of numbers
    wraps: bool = False  # the words need room to wrap


@dataclass(frozen=True, kw_only=True)
class RowView:
    """A row as it is drawn."""

    label: str
    marks: tuple[str, ...]
    cells: tuple[CellView, ...]


@dataclass(frozen=True, kw_only=True)
class SectionView:
    """Rows that stand together under a title (empty for none)."""

    title: str
    rows: tuple[RowView, ...]


@dataclass(frozen=True, kw_only=True)
class TableView:
    """A table as every renderer gets it."""

    title: str
    caption: str
    label: ColumnView  # above the rows' labels
    columns: tuple[ColumnView, ...]
    sections: tuple[SectionView, ...]
    footnotes: tuple[tuple[str, str], ...]  # (mark, text): signs, then letters in order
    remarks: tuple[str, ...]  # sentences under the footnotes
    provenance: tuple[Provenance, ...]

    @property
    def title_sentence(self) -> str:
        """The title, with a full stop where a caption follows."""
        ends = self.title.endswith((".", "?", "!", ":"))
        return self.title + ("." if self.caption and not ends else "")


class Footnotes:
    """Letters in the order of first use, which equal texts share, and signs that occur."""

    def __init__(self, *, level: float | None) -> None:
        self._level = level
        self._letters: dict[str, str] = {}
        self._signs: dict[str, None] = {}
        at = "" if level is None else f" (level {level:g})"
        self._meanings = {
            MEASURED: "Measured here; the other figures are as published.",
            DIFFERENT: f"Significantly different from the best of its column{at}.",
            SIMILAR: f"Not significantly different from the best of its column{at}.",
            UNRANKED: "Measured differently from its column: not ranked, not tested.",
        }

    def letters(self, notes: Iterable[str]) -> tuple[str, ...]:
        """The marks of some footnotes."""
        return tuple(
            self._letters.setdefault(note, _letter(len(self._letters)))
            for note in dict.fromkeys(notes)
        )

    def marks(self, cell: Cell, *, beside_published: bool) -> tuple[str, ...]:
        """The marks of a cell."""
        signs = [MEASURED] if beside_published and cell.mark == "measured" else []
        if cell.significant is not None:
            signs.append(DIFFERENT if cell.significant else SIMILAR)
        if self._level is not None and not cell.comparable:
            signs.append(UNRANKED)
        signs = [] if cell.is_empty else signs
        self._signs |= dict.fromkeys(signs)
        reason = (cell.reason,) if cell.is_empty and cell.reason else ()
        return (*signs, *self.letters((*reason, *cell.notes)))

    def listed(self) -> tuple[tuple[str, str], ...]:
        """All footnotes, each behind its mark."""
        signs = tuple((sign, text) for sign, text in self._meanings.items() if sign in self._signs)
        return signs + tuple((letter, note) for note, letter in self._letters.items())


def _letter(index: int) -> str:
    """a, b, …, z, aa, ab, …

    >>> [_letter(i) for i in (0, 25, 26, 27)]
    ['a', 'z', 'aa', 'ab']
    """
    rest, last = divmod(index, len(ascii_lowercase))
    return (_letter(rest - 1) if rest else "") + ascii_lowercase[last]


def column_view(column: Column, rows: Sequence[Row], footnotes: Footnotes) -> ColumnView:
    """The heading, with what the cells below it hold."""
    cells = [row.cells[column.key] for row in rows]
    words = any(cell.text for cell in cells) and all(cell.value is None for cell in cells)
    return ColumnView(
        heading=column.heading,
        marks=footnotes.letters(column.notes),
        words=words,
        wraps=words and any(len(cell.number) > WRAP_FROM for cell in cells),
    )


def section_views(
    rows: Sequence[Row], columns: Sequence[Column], footnotes: Footnotes
) -> tuple[SectionView, ...]:
    """The rows by sections, with ranks and marks."""
    sources = {cell.mark for row in rows for cell in row.cells.values() if not cell.is_empty}
    beside_published = sources == {"published", "measured"}
    ranked = {
        column.key: ranks(
            {index: row.cells[column.key] for index, row in enumerate(rows)},
            higher=column.direction == "higher",
        )
        for column in columns
        if column.direction
    }

    def row_view(index: int, row: Row) -> RowView:
        marks = footnotes.letters(row.notes)  # a row's own letters come before its cells'
        cells = {column.key: row.cells[column.key] for column in columns}
        views = (
            CellView(
                number=cell.number,
                spread=cell.spread,
                rank=ranked.get(key, {}).get(index),
                marks=footnotes.marks(cell, beside_published=beside_published),
                sort_value=cell.value,
            )
            for key, cell in cells.items()
        )
        return RowView(label=row.label, marks=marks, cells=tuple(views))

    return tuple(
        SectionView(title=title, rows=tuple(row_view(*numbered) for numbered in section))
        for title, section in groupby(enumerate(rows), key=lambda numbered: numbered[1].section)
    )
