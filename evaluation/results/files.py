"""Results files: one result a line, as JSON."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.results.record import Result
from latte.data.errors import InputError, outside
from latte.data.files import append_line, can_write, is_dangling, read_text
from latte.data.schema import convert

MAX_DIGITS = 300  # longest integer: it then fits into a float


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
    # Not splitlines(): a name may hold a separator that only that function knows.
    lines = read_text(path, "a results file", "`latte-eval fvd` writes one").split("\n")
    results = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{path}, line {number}"
            result = convert(
                json_value(line, where), Result, f"{where}: not a result of latte-eval"
            )
            results.append(ResultLine(result=result, where=where))
    return results


def json_value(text: str, where: str) -> Any:
    """The value of a JSON text, whose strings may hold file names of any encoding.

    Raises:
        InputError: it is not JSON.
    """
    with outside(where, "JSON", "remove or correct it"):
        # msgspec refuses the lone surrogates that stand for such names.
        return json.loads(text, parse_int=_integer)


def append_result(path: Path, result: Result) -> None:
    """Add a line to a results file, whole or not at all; what is there stays, whatever happens.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        append_line(path, result.to_json().encode())
    except OSError as error:
        raise InputError(
            f"{path}: the result cannot be written ({error.strerror}): choose another file with "
            "out (--out), for which the kept features are used"
        ) from None


def append_new_result(path: Path, result: Result) -> None:
    """`append_result`, unless the file holds the same result of the same command.

    Processes that torchrun may have started again do not know what was written before.

    Raises:
        InputError: the file cannot be read or written.
    """
    if not path.exists() or _content(result) not in map(_content, read_results(path)):
        append_result(path, result)


def check_writable(path: Path) -> None:
    """Refuse a results file that cannot be written before hours of work, not after.

    Raises:
        InputError: it is no plain file, or not a file of results, or it may not be written.
    """
    if is_dangling(path):
        raise InputError(
            f"{path} is a link that leads to nothing: give another file with out (--out)"
        )
    if path.exists() and not path.is_file():
        raise InputError(
            f"{path} is a folder or not a plain file: out (--out) takes one such as results.jsonl"
        )
    if not (os.access(path, os.W_OK) if path.exists() else can_write(path.parent)):
        raise InputError(f"{path} cannot be written: choose another file with out (--out)")
    if path.exists():
        read_results(path)


def _content(result: Result) -> str:
    """All of a result but when, where and how it was made: its clips may come from the store."""
    read = convert(json.loads(result.to_json()), Result, "a result")
    return replace(read, date="", seconds=0.0, host={}, details={}).to_json()


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)
