import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reports.cells import Cell
from reports.numbers import format_value, percent


@pytest.mark.parametrize(
    ("cell", "number", "spread"),
    [
        (Cell.printed("34.00"), "34.00", None),
        (Cell(value=123.44, low=118.0, high=129.2), "123.4", "± 5.6"),
        (Cell(value=0.037597812), "0.0376", None),
        (Cell(value=2886.94), "2886.9", None),
        (Cell(value=100.0, low=99.99, high=100.01), "100.00", "± 0.01"),
        (Cell(value=0.0, low=-0.5, high=0.5), "0.0", "± 0.5"),
        (Cell(value=34.0, text="34.00", decimals=2, low=33.0, high=35.0), "34.00", "± 1.00"),
        (Cell(value=-1.09, low=-5.26, high=3.08), "−1.09", "± 4.17"),
        (Cell(value=-1.09, low=-5.26, high=3.08, text="-1.09", decimals=2), "−1.09", "± 4.17"),
        (Cell(value=-0.004, low=-0.5, high=0.492), "−0.00400", "± 0.49600"),
        (Cell(value=1e-17, low=0.0, high=0.00139), "0.0000", "[0.0000, 0.0014]"),
        (Cell(value=-0.0), "0.0", None),
        (Cell(value=0.749, low=0.0, high=1.712), "0.749", "[0.000, 1.712]"),
        (Cell(text="-8.3 %"), "−8.3 %", None),
        (Cell(text="-shapes"), "-shapes", None),
        (Cell(text="yes"), "yes", None),
        (Cell(reason="too few videos"), "–", None),
    ],
)
def test_numbers_show_the_digits_that_matter(cell: Cell, number: str, spread: str | None) -> None:
    assert (cell.number, cell.spread) == (number, spread)


@settings(max_examples=300)
@given(st.floats(1e-3, 1e4), st.integers(1, 150), st.integers(1, 150))
@example(0.749, 100, 129)
def test_results_and_tables_write_an_interval_by_one_rule(
    value: float, below: int, above: int
) -> None:
    low, high = value * (100 - below) / 100, value * (100 + above) / 100
    cell = Cell(value=value, low=low, high=high)
    written = f"{cell.number} {cell.spread}"
    assert written == format_value(value, (low, high)).replace("-", "−")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value": math.nan}, r"finite, got \[nan\]"),
        ({"value": 1.0, "low": 0.0, "high": math.inf}, "finite, got .*inf"),
        ({"value": 1.0, "low": 0.5}, "two ends"),
        ({"value": 1.0, "low": 2.0, "high": 1.0}, "from 2.0 down to 1.0"),
        ({}, "needs the reason"),
    ],
)
def test_a_cell_that_says_nothing_sound_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cell(**arguments)


def test_a_change_too_small_to_show_is_not_shown_as_none() -> None:
    assert percent(1e-9) == "+0.01 % or less"
    assert percent(-1e-9) == "−0.01 % or less"
    assert percent(0.0) == "0 %"
