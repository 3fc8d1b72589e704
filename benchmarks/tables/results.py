"""Results of `latte-eval` on their way into a table: read with their lines, and checked."""

from collections.abc import Collection
from pathlib import Path

from evaluation.measuring.checking import check_result
from evaluation.results.files import ResultLine, read_lines
from latte.data.errors import InputError


def checked_lines(path: Path, metrics: Collection[str]) -> list[ResultLine]:
    """The results of a file; those of `metrics` are checked.

    Raises:
        InputError: no such file, none in it, or a line that is not a sound result, by its number.
    """
    lines = read_lines(path)
    if not lines:
        raise InputError(f"{path}: holds no results: leave it out, or measure with `latte-eval`")
    for line in lines:
        if line.result.metric in metrics:
            check_result(line.result, line.where)
    return lines
