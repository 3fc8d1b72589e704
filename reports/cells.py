"""What a table is made of, and how its numbers are written.

`Cell`, `Column` and `Row` hold data; `Layout` is a table that is ready to be drawn: every number is
text, every rank and footnote is decided. The renderers in `reports.markup` only add syntax.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mark = Literal["published", "measured"]
Direction = Literal["lower", "higher"]
Rank = Literal["best", "second"]

ARROWS: Mapping[Direction, str] = {"lower": "↓", "higher": "↑"}
EMPTY = "–"
DAGGER = "†"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One entry of a table: a number, a text, or nothing with the reason why.

    Raises:
        ValueError: a number that is not finite, half an interval, or an empty cell without reason.
    """

    value: float | None = None
    low: float | None = None  # interval around the value; both ends or none
    high: float | None = None
    text: str | None = None  # the number as its source prints it, or words where there is no number
    mark: Mark = "measured"
    notes: tuple[str, ...] = ()  # footnotes
    reason: str | None = None  # why the cell is empty
    comparable: bool = True  # False: made in another way than its column; shown, never ranked

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends: give low and high, or neither")
        numbers = [x for x in (self.value, self.low, self.high) if x is not None]
        if not all(math.isfinite(x) for x in numbers):
            raise ValueError(f"a cell holds finite numbers or a reason for none, got {numbers}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"an interval's low end {self.low} is above its high end {self.high}")
        if self.is_empty and not self.reason:
            raise ValueError("an empty cell needs the reason why it is empty")

    @property
    def is_empty(self) -> bool:
        return self.value is None and self.text is None

    @property
    def number(self) -> str:
        """The value without its interval."""
        if self.text is not None:
            return self.text
        return EMPTY if self.value is None else f"{self.value:.{self._decimals()}f}"

    @property
    def half_width(self) -> str | None:
        """Half the interval's width, as text with the value's decimals."""
        if self.value is None or self.low is None or self.high is None:
            return None
        return f"{(self.high - self.low) / 2:.{self._decimals()}f}"

    def _decimals(self) -> int:
        if self.text is not None:
            return len(self.text.partition(".")[2])
        return decimals_of(self.value or 0.0, self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its key in the rows, its heading, and which end of it is good."""

    key: str
    title: str
    direction: Direction | None = None  # None: the column ranks nothing

    @property
    def heading(self) -> str:
        return f"{self.title} {ARROWS[self.direction]}" if self.direction else self.title


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row: what it is about, and a cell for each column's key."""

    label: str
    cells: Mapping[str, Cell]
    section: str = ""  # rows of one section stand together; a titled section begins with a rule
    notes: tuple[str, ...] = ()  # footnotes to the label


@dataclass(frozen=True, kw_only=True)
class CellView:
    """A cell as it is drawn."""

    number: str
    half_width: str | None = None
    rank: Rank | None = None
    dagger: bool = False
    letters: tuple[str, ...] = ()
    sort_value: float | None = None

    @property
    def plain(self) -> str:
        """Number and interval, without rank and footnotes."""
        return self.number if self.half_width is None else f"{self.number} ± {self.half_width}"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row as it is drawn."""

    label: str
    letters: tuple[str, ...]
    cells: tuple[CellView, ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows that stand together under a title (empty for none)."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A table in which everything is decided but the syntax."""

    title: str
    caption: str
    label_heading: str
    headings: tuple[str, ...]
    words: tuple[bool, ...]  # for each column: texts, which stand on the left, instead of numbers
    sections: tuple[Section, ...]
    footnotes: tuple[tuple[str, str], ...]  # (mark, text): the dagger, then letters in order
    remarks: tuple[str, ...] = ()  # sentences under the footnotes
    provenance: tuple[str, ...] = field(default=())


def decimals_of(value: float, low: float | None = None, high: float | None = None) -> int:
    """Decimals that show what matters: more of a small number, fewer of an uncertain one.

    >>> [decimals_of(x) for x in (1234.5, 12.345, 0.0375978)]
    [1, 2, 4]
    >>> decimals_of(123.44, 123.40, 123.48)
    2
    """
    decimals = _decimals_of_magnitude(abs(value))
    if low is not None and high is not None and high > low:
        decimals = max(decimals, _decimals_of_magnitude((high - low) / 2) - 2)
    return decimals


def _decimals_of_magnitude(magnitude: float) -> int:
    if magnitude >= 100 or magnitude == 0:
        return 1
    if magnitude >= 1:
        return 2
    return min(2 - math.floor(math.log10(magnitude)), 12)
