"""`evaluation.compare`: results as a table that ranks only what was made in the same way."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from evaluation.comparison.entries import Entry, read_entries
from evaluation.comparison.significance import interval_test
from evaluation.comparison.table import ComparisonTable
from evaluation.comparison.table import compare as compare_entries
from evaluation.results.record import Result


def compare(
    results: Sequence[Result | str | os.PathLike[str]], *, level: float = 0.05
) -> ComparisonTable:
    """Models × metrics with intervals, ranks and significance.

    Args:
        results: results, or files of results.
        level: p-values below it are significant, after Holm's correction.

    Raises:
        InputError: no results, or a file with a line that is none.
    """
    entries: list[Entry] = []
    for number, result in enumerate(results, 1):
        if isinstance(result, Result):
            record = json.loads(result.to_json())
            entries.append(Entry(where=f"result {number}", record=record))
        else:
            entries += read_entries([Path(result)])
    return compare_entries(entries, interval_test, level=level)
