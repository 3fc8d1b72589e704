"""Reading results files."""

import json
from pathlib import Path
from typing import Any

from evaluation.results.record import Result
from latte.data.errors import InputError
from latte.data.schema import convert

MAX_DIGITS = 300  # of an integer; a float holds no more than 308
REQUIRED = ("metric", "value", "num_real", "num_fake", "network", "fingerprint", "protocol")


def read_results(path: Path) -> list[Result]:
    """The results of a file, in its order.

    Raises:
        InputError: no such file, or a line that is not a result, by its number.
    """
    return [result for _, result in numbered_results(path)]


def numbered_results(path: Path) -> list[tuple[int, Result]]:
    """`read_results`, each result with the number of its line."""
    return [
        (number, convert(record, Result, f"{path}, line {number}"))
        for number, record in numbered_records(path)
    ]


def numbered_records(path: Path) -> list[tuple[int, Any]]:
    """What the lines of a file hold, each with its number.

    Raises:
        InputError: no such file, or a line that is not JSON or not a table with a metric.
    """
    try:
        # Not splitlines(): a name may hold a separator that only that function knows.
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise InputError(f"{path}: no such results file; `latte-eval fvd` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a results file ({error})") from None
    records = [
        (number, json_value(line, f"{path}, line {number}"))
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    for number, record in records:
        lacking = [key for key in REQUIRED if not isinstance(record, dict) or key not in record]
        if lacking or not isinstance(record["metric"], str):
            raise InputError(
                f"{path}, line {number}: not a result of latte-eval (it lacks "
                f"{', '.join(lacking or ['a metric'])}); remove or correct it"
            )
    return records


def json_value(text: str, where: str) -> Any:
    """The value of a JSON text, whose strings may hold file names of any encoding.

    Raises:
        InputError: it is not JSON.
    """
    try:
        # msgspec refuses the lone surrogates that stand for such names.
        return json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON ({error}); remove or correct it") from None


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)
