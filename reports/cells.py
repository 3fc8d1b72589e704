"""What a table is made of: cells with numbers, texts or reasons; columns; rows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reports.numbers import LIMITS, decimals_of, number_text, spread_text, true_minus

Mark = Literal["published", "measured"]
Direction = Literal["lower", "higher"]

ARROWS: Mapping[Direction, str] = {"lower": "↓", "higher": "↑"}
EMPTY = "–"
EXACT = 400  # decimals: more than any number of 64 bits has


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
    decimals: int | None = None  # decimals of such a number; None: by the value and its interval
    mark: Mark = "measured"
    notes: tuple[str, ...] = ()  # footnotes
    reason: str | None = None  # why the cell is empty
    comparable: bool = True  # False: measured differently from its column; shown, never ranked
    p_value: float | None = None  # tests its difference from the best of the column
    significant: bool | None = None  # whether it differs from the best; None: not tested

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError("the interval of a cell has two ends: give low and high, or neither")
        numbers = [x for x in (self.value, self.low, self.high) if x is not None]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"the numbers of a cell must be finite, got {numbers}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the interval of a cell goes from {self.low} down to {self.high}")
        if self.is_empty and not self.reason:
            raise ValueError("an empty cell needs the reason why it is empty")

    @classmethod
    def measured(cls, value: float, interval: tuple[float, float] | None, **more: Any) -> "Cell":
        """A value with its interval, if it has one."""
        low, high = interval or (None, None)
        return cls(value=value, low=low, high=high, **more)

    @classmethod
    def fixed(cls, value: float, decimals: int, **more: Any) -> "Cell":
        """A value without an interval, with so many decimals."""
        return cls(value=float(value), text=f"{value:.{decimals}f}", decimals=decimals, **more)

    @classmethod
    def printed(cls, text: str, **more: Any) -> "Cell":
        """A number with the decimals that its source prints."""
        return cls(value=float(text), text=text, decimals=len(text.partition(".")[2]), **more)

    @property
    def is_empty(self) -> bool:
        return self.value is None and self.text is None

    @property
    def number(self) -> str:
        """The value without its interval."""
        if self.text is not None:
            return true_minus(self.text)
        return EMPTY if self.value is None else self._written(self.value)

    @property
    def spread(self) -> str | None:
        """What follows the number: `± 5.6`, or `[0.45, 3.04]` for an asymmetric interval."""
        if self.value is None:
            return None
        return spread_text(self.value, self._interval, self._written)

    @property
    def ends(self) -> tuple[float, float] | None:
        """Both ends of the interval, with all digits; without an interval the value twice."""
        if self.value is None:
            return None
        return self._interval or (self.value, self.value)

    @property
    def printed_decimals(self) -> int:
        """Decimals of the printed number; `EXACT` for 0 and for a text that is not only a number.

        >>> [cell.printed_decimals for cell in (Cell.printed("1.30"), Cell(value=123.4))]
        [2, 1]
        """
        if not self.value or (self.text is not None and self.decimals is None):
            return EXACT
        return min(self._decimals, LIMITS[0])  # rounding errors are equal

    @property
    def _interval(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)

    def _written(self, number: float) -> str:
        """The value or an end of its interval; by powers of ten where decimals show zeros alone.

        >>> Cell(value=3.6e-15).number, Cell(value=3.6e-12).number
        ('3.6e-15', '0.000000000004')
        """
        ends = [abs(x) for x in (self.value, self.low, self.high) if x is not None]
        if self.decimals is None and 0 < max(ends) < 0.5 * 10.0 ** -LIMITS[0]:
            return true_minus(f"{number:.1e}")
        return number_text(number, self._decimals)

    @property
    def _decimals(self) -> int:
        if self.decimals is not None:
            return self.decimals
        return decimals_of(self.value or 0.0, self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its key in the rows, its heading, and which end of it is good."""

    key: str
    title: str
    direction: Direction | None = None  # None: the column ranks nothing
    notes: tuple[str, ...] = ()  # footnotes to the heading

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
