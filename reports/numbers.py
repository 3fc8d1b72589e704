"""How numbers and their intervals are written: by the same rules in results and in tables.

Small numbers become powers of ten sooner in the line of a result than in a column of a table.
"""

import re
from collections.abc import Callable

ASYMMETRIC = "[low, high] where it is asymmetric"  # captions that explain ± add it
# Decimals at most: that a value asks for, and that a narrow interval asks for.
LIMITS = (12, 10)  # for tables; the line of a result has its own
LIMITS_OF_RESULTS = (6, 400)
ROUNDING = 1e-14  # values this small, and parts of a value, are errors of rounding
NEGLIGIBLE = 1e-3  # a smaller part of its half interval asks for no decimals of its own


def format_value(value: float, interval: tuple[float, float] | None = None) -> str:
    """`123.4 ± 5.6`: the digits that matter, and no fewer decimals than the half width needs.

    An interval for which ± would be misleading is written with both its ends, and what is below
    0.0001 with its half width by powers of ten.

    >>> format_value(123.44, (118.0, 129.2))
    '123.4 ± 5.6'
    >>> format_value(1.54, (0.45, 3.04))
    '1.54 [0.45, 3.04]'
    >>> format_value(0.037597812)
    '0.0376'
    >>> format_value(3.6e-15), format_value(13.551886267, (13.551886267, 13.551886267000005))
    ('0.0', '13.55 ± 0.00')
    """
    value = 0.0 if abs(value) < ROUNDING else value
    half = (interval[1] - interval[0]) / 2 if interval else 0.0
    if interval and half < ROUNDING * max(abs(value), 1.0):  # of equal draws
        interval, half = (value, value), 0.0
    if 0 < max(abs(value), half) < 1e-4:
        form = ".1e"
    else:
        form = f".{decimals_of(value, *(interval or ()), limits=LIMITS_OF_RESULTS)}f"
    spread = spread_text(value, interval, lambda x: f"{x:{form}}")
    return f"{value:{form}} {spread or ''}".rstrip()


def spread_text(
    value: float, interval: tuple[float, float] | None, write: Callable[[float], str]
) -> str | None:
    """What follows a value: `± 5.6`, or `[0.45, 3.04]` for an asymmetric interval.

    Args:
        write: makes text of a number.
    """
    if interval is None:
        return None
    low, high = interval
    if is_asymmetric(value, low, high):
        return f"[{write(low)}, {write(high)}]"
    return f"± {write((high - low) / 2)}"


def is_asymmetric(value: float, low: float, high: float) -> bool:
    """Whether ± would misstate an interval, so that both its ends are written.

    Its halves differ by more than a tenth of its width, or ± would seem to reach below 0, where the
    interval ends.

    >>> is_asymmetric(123.44, 118.0, 129.2), is_asymmetric(0.749, 0.0, 1.712)
    (False, True)
    """
    halves = abs((high - value) - (value - low))
    return halves > 0.1 * (high - low) or (low >= 0 and (high - low) / 2 > value)


def decimals_of(
    value: float,
    low: float | None = None,
    high: float | None = None,
    *,
    limits: tuple[int, int] = LIMITS,
) -> int:
    """Decimals that show what matters: more of a small number, fewer of an uncertain one.

    >>> [decimals_of(x) for x in (1234.5, 12.345, 0.0375978)]
    [1, 2, 4]
    >>> decimals_of(123.44, 123.40, 123.48), decimals_of(1e-17, 0.0, 0.0014)
    (2, 4)
    """
    half = 0.0 if low is None or high is None else (high - low) / 2
    own = abs(value) if abs(value) >= NEGLIGIBLE * half else 0.0
    decimals = min(_decimals_of_magnitude(own), limits[0])
    if half > 0:
        decimals = max(decimals, min(_decimals_of_magnitude(half) - 2, limits[1]))
    return decimals


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


def percent(ratio: float) -> str:
    """A relative change as text with its sign.

    >>> [percent(x) for x in (0.1234, -0.05, 0.0004, 0.0, 3.2)]
    ['+12 %', '−5.0 %', '+0.04 %', '0 %', '+320 %']
    """
    if ratio == 0:
        return "0 %"
    number = abs(100 * ratio)
    decimals = 0 if number >= 9.95 else 1 if number >= 0.995 else 2
    sign = "+" if ratio > 0 else "−"
    return f"{sign}{number:.{decimals}f} %" if number >= 0.005 else f"{sign}0.01 % or less"


def _decimals_of_magnitude(magnitude: float) -> int:
    if magnitude >= 100 or magnitude == 0:
        return 1
    if magnitude >= 1:
        return 2
    # Rounding errors of the written number are ignored: 0.1 less one counts as 0.1.
    return 2 - int(f"{magnitude:e}".split("e")[1])
