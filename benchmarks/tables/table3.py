"""Table 3 of the paper: Fréchet video distances of methods on four data sets, and yours below.

The paper's rows and columns are in its order. Measured results follow in a section of their own,
each with its interval, and with a footnote where its protocol is not the column's.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.tables import measured_results
from benchmarks.tables.measured_results import Measured
from benchmarks.tables.published import (
    DATASETS,
    PublishedColumn,
    PublishedTable,
    published_cell,
)
from benchmarks.tables.run import TableRequest, run_table
from reports.numbers import ASYMMETRIC
from reports.published import published
from reports.table import Cell, Row, Table

SOURCE = "arXiv:2401.03048v3 Table 3"
FIRST_VERSION = "arXiv:2401.03048v1 Table 2"


def run(out: Path, request: TableRequest) -> None:
    """Write the documents of `table3` into `out`; print the table and the paths.

    Raises:
        InputError: see `benchmarks.tables.run.run_table`.
    """
    run_table(TABLE, out, request)


def read_measured(path: Path) -> list[Measured]:
    """The results of a file, each with its line.

    Raises:
        InputError: no such file, or a line that is not a result, by its number.
    """
    return measured_results.read_measured(path, TABLE.metrics)


def fvd_table(measured: Sequence[Measured]) -> Table:
    """The paper's table with the measured results below it.

    Raises:
        InputError: two different results for one cell.
    """
    return TABLE.with_results(measured)


def published_rows() -> list[Row]:
    """The paper's methods in its order; where its first version differs, a footnote says so."""
    frame = published("fvd")
    current = _by_cell(frame[frame.source == SOURCE])
    first = _by_cell(frame[frame.source == FIRST_VERSION])
    methods = dict.fromkeys(method for method, _ in current)
    return [
        Row(
            label=method,
            cells={
                dataset: _published_cell(
                    current.get((method, dataset)), first.get((method, dataset))
                )
                for dataset in DATASETS
            },
        )
        for method in methods
    ]


def _published_cell(value: str | None, first: str | None) -> Cell:
    changed = first is not None and first != value
    notes = (f"{first} in the paper's first version ({FIRST_VERSION}).",) if changed else ()
    return published_cell(value, notes)


def _by_cell(frame: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {
        (str(method), str(dataset)): str(value)
        for method, dataset, value in zip(frame.method, frame.dataset, frame.fvd, strict=True)
    }


TABLE = PublishedTable(
    name="table3",
    section="Table 3: FVD",
    title="Fréchet video distance (FVD) of video generators",
    caption=(
        "16 frames at 256×256; lower is better; ± is half of the 95 % interval of a measured "
        f"value, {ASYMMETRIC}."
    ),
    source=SOURCE,
    columns=tuple(
        PublishedColumn(
            key=key,
            title=title,
            direction="lower",
            metric="FVD",
            command="fvd",
            network="i3d",
            dataset=key,
        )
        for key, title in DATASETS.items()
    ),
    rows=published_rows,
    protocols=(
        "The paper took the other methods' figures from StyleGAN-V or from their own papers: they "
        "need not follow one protocol. Measured values are held against the official Latte "
        "evaluation."
    ),
    nothing_measured=(
        "Published figures alone: no measured result was given. `latte-eval fvd --dataset ucf101 "
        "--fake FOLDER` makes one, `latte-bench table3 --results results.jsonl` puts it here."
    ),
    on_shapes=("FVD-shapes",),
)
