"""Reading results files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.results.record import Result
from latte.data.errors import InputError
from latte.data.schema import convert

MAX_DIGITS = 300  # longest integer; a float holds no more than 308 digits


@dataclass(frozen=True, kw_only=True)
class ResultLine:
    """A result and where it was found."""

    result: Result
    where: str  # "results.jsonl, line 3"


def read_results(path: Path) -> list[Result]:
    """The results of a file, in its order.

    Raises:
        InputError: no such file, or a line that is not a result, by its number.
    """
    return [line.result for line in read_lines(path)]


def read_lines(path: Path) -> list[ResultLine]:
    """`read_results`, each result with its file and line."""
    try:
        # Not splitlines(): a name may hold a separator that only that function knows.
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise InputError(f"{path}: no such results file: `latte-eval fvd` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a results file ({error})") from None
    return [
        _result_line(line, f"{path}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def json_value(text: str, where: str) -> Any:
    """The value of a JSON text, whose strings may hold file names of any encoding.

    Raises:
        InputError: it is not JSON.
    """
    try:
        # msgspec refuses the lone surrogates that stand for such names.
        return json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON ({error}): remove or correct it") from None


def _result_line(line: str, where: str) -> ResultLine:
    result = convert(json_value(line, where), Result, f"{where}: not a result of latte-eval")
    return ResultLine(result=result, where=where)


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)
