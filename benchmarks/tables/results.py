"""Results of `latte-eval` on their way into a table: read with their lines, and checked."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from evaluation.measuring.checking import check_result
from evaluation.results.reading import numbered_results
from evaluation.results.record import Result
from latte.data.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ResultLine:
    """A result and where it stands."""

    where: str  # "results.jsonl, line 3"
    result: Result


def read_lines(path: Path, metrics: Collection[str]) -> list[ResultLine]:
    """The results of a file; those of `metrics` are checked.

    Raises:
        InputError: no such file, none in it, or a line that is not a sound result, by its number.
    """
    lines = [
        ResultLine(where=f"{path}, line {number}", result=result)
        for number, result in numbered_results(path)
    ]
    if not lines:
        raise InputError(f"{path}: holds no results; leave it out, or measure with `latte-eval`")
    for line in lines:
        if line.result.metric in metrics:
            check_result(line.result, line.where)
    return lines
