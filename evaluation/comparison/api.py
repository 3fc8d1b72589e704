"""`evaluation.compare`: results as a table that ranks only what was measured in the same way."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.comparison.columns import (
    ComparedCell,
    ComparedColumn,
    Entry,
    Superseded,
    column_titles,
    compared_columns,
    in_columns,
    newest,
)
from evaluation.comparison.rendering import cell_notes, column_notes, comparison_table, method_text
from evaluation.comparison.significance import DifferenceTest, check_level, interval_test
from evaluation.measuring.checking import check_result
from evaluation.results.files import ResultLine, read_lines
from evaluation.results.record import Result
from latte.data.errors import InputError
from latte.data.schema import convert
from reports.table import Table

if TYPE_CHECKING:
    import pandas as pd

Given = Result | Mapping[str, Any] | str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Models × metrics. `print` shows the table as it is for a terminal."""

    models: tuple[str, ...]
    columns: tuple[ComparedColumn, ...]
    level: float  # level of significance
    superseded: tuple[Superseded, ...]  # results that do not count, because newer ones do

    def table(self) -> Table:
        """The table, for any syntax."""
        return comparison_table(self.models, self.columns, self.superseded, self.level)

    def text(self) -> str:
        """The table for a terminal, with its footnotes."""
        return self.table().text()

    def __str__(self) -> str:
        return self.text().rstrip("\n")

    def markdown(self) -> str:
        """A GitHub-flavoured Markdown table with its footnotes."""
        return self.table().markdown()

    def latex(self) -> str:
        """A LaTeX table; a comment says which packages it needs."""
        return self.table().latex()

    def to_frame(self) -> "pd.DataFrame":
        """One row for each value, with everything that is known about it."""
        import pandas as pd

        return pd.DataFrame(
            {
                "model": model,
                "metric": column.metric,
                "dataset": column.dataset,
                **_facts(cell),
                "test": None if cell.test is None else method_text(cell.test),
                "notes": " ".join((*column_notes(column), *cell_notes(cell))),
            }
            for column in self.columns
            for model, cell in column.cells.items()
        )

    def csv(self) -> str:
        """`to_frame` as CSV, with all digits."""
        text: str = self.to_frame().to_csv(index=False, lineterminator="\n")
        return text

    def json(self) -> str:
        """One JSON object, with differences and deviations as records."""
        record = {
            "models": self.models,
            "columns": [_column_record(column) for column in self.columns],
            "level": self.level,
            "superseded": [
                {
                    "model": pair.entry.result.model,
                    "value": pair.entry.result.value,
                    "where": pair.entry.where,
                    "newer": pair.newer.where,
                }
                for pair in self.superseded
            ],
        }
        return json.dumps(record, allow_nan=False, default=asdict) + "\n"


def compare(
    results: Given | Sequence[Given], *, level: float = 0.05, test: DifferenceTest | None = None
) -> Comparison:
    """Models × metrics with intervals, ranks and significance.

    Results of a metric on a data set are one column. Its most common settings (fingerprint,
    weights, real clips, storage of generated frames) are ranked; other results are shown with a
    mark and a footnote that names what differs, or in a column of their own where a model was
    measured with both. Of several results of one model with the same settings the newest counts.

    >>> import numpy as np, evaluation
    >>> real, good, bad = (
    ...     np.random.default_rng(0).integers(low, 256, (8, 16, 32, 32, 3), dtype=np.uint8)
    ...     for low in (0, 20, 200)
    ... )
    >>> results = [
    ...     evaluation.measure(real, fake, protocol="shapes", model=model)[0]
    ...     for model, fake in (("good", good), ("bad", bad))
    ... ]
    >>> evaluation.compare(results).to_frame()[["model", "rank"]].to_dict("list")
    {'model': ['good', 'bad'], 'rank': ['best', 'second']}

    Args:
        results: results, records of them, or files of results.
        level: p-values below it are significant, after Holm's correction.
        test: tests the difference of two results of a column; by default by their intervals, see
            `evaluation.comparison.significance.PairTest` for permutations.

    Raises:
        InputError: no results, or something that is no sound result: a record or a line whose
            fingerprint is not that of its fields, for instance.
    """
    if isinstance(results, Result | Mapping | str | os.PathLike):
        results = [results]
    elif not isinstance(results, Iterable):
        raise InputError(f"results={results!r}: give results, records of them, or results files")
    entries: list[Entry] = []
    for number, given in enumerate(results, 1):
        if isinstance(given, str | os.PathLike):
            lines = read_lines(Path(given))
            if not lines:
                raise InputError(f"{given}: no results to compare: `latte-eval fvd` writes some")
        else:
            where = f"result {number}"
            result = given if isinstance(given, Result) else convert(given, Result, where)
            lines = [ResultLine(result=result, where=where)]
        for line in lines:
            check_result(line.result, line.where)
            entries.append(Entry(result=line.result, where=line.where))
    if not entries:
        raise InputError("no results to compare: give at least one")
    check_level(level)
    current, superseded = newest(entries)
    groups = in_columns(current)
    columns = compared_columns(groups, column_titles(groups), test or interval_test, level)
    return Comparison(
        models=tuple(dict.fromkeys(entry.result.model for entry in current)),
        columns=tuple(columns),
        level=level,
        superseded=tuple(superseded),
    )


def _facts(cell: ComparedCell) -> dict[str, Any]:
    result = cell.result
    low, high = result.interval or (None, None)
    return {
        "protocol": result.protocol,
        "fingerprint": result.fingerprint,
        "value": result.value,
        "low": low,
        "high": high,
        "level": result.level,
        "rank": cell.rank,
        "comparable": cell.comparable,
        "p_value": cell.p_value,
        "significant": cell.significant,
        "where": cell.where,
    }


def _column_record(column: ComparedColumn) -> dict[str, Any]:
    reference = column.reference
    return {
        "metric": column.metric,
        "dataset": column.dataset,
        "title": column.title,
        "higher_is_better": column.higher_is_better,
        "protocol": reference.protocol,
        "fingerprint": reference.fingerprint,
        "network": reference.network,
        "weights_sha256": reference.weights_sha256,
        "num_real": reference.num_real,
        "num_fake": reference.num_fake,
        "num_frames": reference.num_frames,
        "beside": column.beside,
        "differences": column.differences,
        "cells": {
            model: {
                **_facts(cell),
                "test": cell.test,
                "differences": cell.differences,
                "deviations": cell.deviations,
                "own_weights": cell.own_weights,
            }
            for model, cell in column.cells.items()
        },
    }
