"""What a table is made of, and how its numbers are written.

`Cell`, `Column` and `Row` hold data; `Layout` is a table that is ready to be drawn: every number is
text, every rank and footnote is decided. The renderers in `reports.render.markup` only add syntax.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Literal, TypeVar

from reports.provenance import Provenance

Mark = Literal["published", "measured"]
Direction = Literal["lower", "higher"]
Rank = Literal["best", "second"]
Key = TypeVar("Key")

ARROWS: Mapping[Direction, str] = {"lower": "↓", "higher": "↑"}
EMPTY = "–"
DAGGER = "†"
SENTENCE = 24  # characters from which on words get room to wrap
EVERY = 400  # decimals: more than any number of 64 bits has
LOPSIDED = "[low, high] where it is lopsided"  # for captions that say what ± is


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
            return true_minus(self.text)
        return EMPTY if self.value is None else number_text(self.value, self._decimals())

    @property
    def half_width(self) -> str | None:
        """Half the interval's width, as text with the value's decimals; None of a lopsided one."""
        if self.value is None or self.low is None or self.high is None:
            return None
        if is_lopsided(self.value, self.low, self.high):
            return None
        return number_text((self.high - self.low) / 2, self._decimals())

    @property
    def spread(self) -> str | None:
        """What follows the number: `± 5.6`, or `[0.45, 3.04]` of a lopsided interval."""
        if self.value is None or self.low is None or self.high is None:
            return None
        if (half := self.half_width) is not None:
            return f"± {half}"
        low, high = (number_text(end, self._decimals()) for end in (self.low, self.high))
        return f"[{low}, {high}]"

    @property
    def ends(self) -> tuple[float, float] | None:
        """Both ends of the interval, by all their digits; without an interval the value twice."""
        if self.value is None:
            return None
        if self.low is None or self.high is None:
            return self.value, self.value
        return self.low, self.high

    @property
    def printed_decimals(self) -> int:
        """How many the number is printed with; `EVERY` of 0, and where there is more than a number.

        >>> [cell.printed_decimals for cell in (Cell(value=1.3, text="1.30"), Cell(value=123.4))]
        [2, 1]
        """
        try:
            exponent = Decimal(self.number.replace("−", "-")).as_tuple().exponent
        except InvalidOperation:
            return EVERY
        return -exponent if self.value and isinstance(exponent, int) else EVERY

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
    spread: str | None = None  # the interval, as `Cell.spread`
    rank: Rank | None = None
    dagger: bool = False
    letters: tuple[str, ...] = ()
    sort_value: float | None = None

    @property
    def plain(self) -> str:
        """Number and interval, without rank and footnotes."""
        return self.number if self.spread is None else f"{self.number} {self.spread}"


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
    provenance: tuple[Provenance, ...] = field(default=())

    @property
    def wraps(self) -> tuple[bool, ...]:
        """For each column: whether it holds words that need room to wrap."""
        lines = [line for section in self.sections for line in section.lines]
        return tuple(
            words and any(len(line.cells[column].number) > SENTENCE for line in lines)
            for column, words in enumerate(self.words)
        )


def print_alike(first: Cell, second: Cell) -> bool:
    """Whether two values are the same when they are rounded to the fewer of their printed decimals.

    >>> print_alike(Cell(value=123.449), Cell(value=123.44, low=123.4, high=123.48))
    True
    """
    if first.value is None or second.value is None:
        return False
    fewer = min(first.printed_decimals, second.printed_decimals)
    return round(first.value, fewer) == round(second.value, fewer)


def ranks(cells: Mapping[Key, Cell], *, higher: bool) -> dict[Key, Rank]:
    """Best and second among the comparable cells with a value; none where there are fewer than two.

    From the best value on, a cell shares the rank of the one before it if they `print_alike`. So no
    rank hangs on digits that nobody sees, and none is against the order of the values, whatever
    decimals each is printed with. `evaluation.comparison.table` ranks results by the same rule.

    >>> values = {"a": 1.241, "b": 1.239, "c": 1.3}
    >>> ranks({name: Cell(value=value) for name, value in values.items()}, higher=False)
    {'b': 'best', 'a': 'best', 'c': 'second'}
    """
    values = {
        key: cell.value for key, cell in cells.items() if cell.value is not None and cell.comparable
    }
    if len(values) < 2:
        return {}
    towards = -1 if higher else 1
    # Of equal values those with the most decimals first: the order that they come in is no matter.
    order = sorted(values, key=lambda key: (towards * values[key], -cells[key].printed_decimals))
    place, places = 0, {order[0]: 0}
    for before, key in pairwise(order):
        place += not print_alike(cells[before], cells[key])
        places[key] = place
    names: tuple[Rank, ...] = ("best", "second")
    return {key: names[place] for key, place in places.items() if place < len(names)}


def is_lopsided(value: float, low: float, high: float) -> bool:
    """Whether ± would misstate an interval, so that both its ends are written.

    Its halves differ by more than a tenth of its width, or ± would seem to reach below 0, where the
    interval ends. `evaluation.results.record.format_value` writes results by the same rule.

    >>> is_lopsided(123.44, 118.0, 129.2), is_lopsided(0.749, 0.0, 1.712)
    (False, True)
    """
    halves = abs((high - value) - (value - low))
    return halves > 0.1 * (high - low) or (low >= 0 and (high - low) / 2 > value)


def number_text(value: float, decimals: int) -> str:
    """A number with its true minus sign, and none before a zero.

    >>> number_text(-1.26, 1), number_text(-0.04, 1)
    ('−1.3', '0.0')
    """
    text = f"{value:.{decimals}f}"
    return true_minus(text if float(text) else text.lstrip("-"))


def true_minus(text: str) -> str:
    """The text with a minus sign where a number begins it with a hyphen.

    >>> true_minus("-8.3 %"), true_minus("-shapes")
    ('−8.3 %', '-shapes')
    """
    return re.sub(r"^-(?=[\d.])", "−", text)


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
    return min(2 - int(f"{magnitude:e}".split("e")[1]), 12)  # 0.1 less a rounding error is 0.1
