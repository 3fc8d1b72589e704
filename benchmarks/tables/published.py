"""Published tables that results of `latte-eval` can stand in, below the paper's rows.

A result is ranked with the published figures only where it was made as its column's were. Where it
was not, a footnote names every field that differs.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from benchmarks.cells.provenance import known
from benchmarks.documents.tables import leaders
from evaluation.catalogue.registry import metric
from evaluation.measuring.choice import for_metric
from evaluation.protocol.deviations import Deviation, differences
from evaluation.protocol.fields import LABELS, REAL_FIELDS
from evaluation.protocol.presets import published_protocol
from evaluation.results.files import ResultLine
from evaluation.results.record import Result
from latte.data.errors import InputError
from reports.cells import Cell, Column, Direction, Row
from reports.provenance import Provenance
from reports.table import Table

# The data sets of the paper, in the order of its Table 3.
DATASETS: Mapping[str, str] = {
    "faceforensics": "FaceForensics",
    "skytimelapse": "SkyTimelapse",
    "ucf101": "UCF101",
    "taichi-hd": "Taichi-HD",
}
SECTION = "Measured here"
VERSIONS = ("latte-eval", "torch", "decoder")  # tables show these
MAX_LISTED = 4  # values in a sentence; more are counted
NOT_MEASURED = Cell(reason="Not measured.")
NOT_REPORTED = Cell(reason="Not reported in the paper.", mark="published")


@dataclass(frozen=True, kw_only=True)
class PublishedColumn:
    """A column of the paper, and which results belong into it."""

    key: str
    title: str
    direction: Direction
    metric: str  # name in results: "FVD"
    command: str  # name of the command: "fvd"
    network: str  # behind the published figures
    dataset: str


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """Why a result belongs into no column."""

    field: Literal["metric", "network", "dataset"]  # field of the result
    metric: str = ""  # empty where every metric of the table lacks the data set
    value: str | None = None
    wanted: str = ""

    def __str__(self) -> str:
        if self.field == "metric":
            return f"{self.metric} is another metric"
        if self.field == "network":
            return f"{self.metric} by the network {self.value} instead of {self.wanted}"
        if self.value is None:
            return "its data set is not named: measure with --dataset"
        return f"the paper has no {f'{self.metric} on' if self.metric else 'data set'} {self.value}"


Cells = Mapping[tuple[str, str], ResultLine]  # keys are (model, column)


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """A table of the paper that results of `latte-eval` can stand in."""

    name: str  # name of the runner
    title: str
    caption: str
    source: str
    columns: tuple[PublishedColumn, ...]
    rows: Callable[[], list[Row]]  # the published rows
    protocols: str  # a sentence about how the published figures were made
    nothing_measured: str  # a sentence for a table without results
    on_shapes: tuple[str, ...]  # the metrics that stand for its columns on the embedded data set

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of its columns."""
        return tuple(dict.fromkeys(column.metric for column in self.columns))

    def with_results(self, lines: Iterable[ResultLine], not_measured: Sequence[str] = ()) -> Table:
        """The paper's rows, and the measured results below them.

        Args:
            not_measured: sentences about what was asked for and could not be measured.

        Raises:
            InputError: two different results for one cell.
        """
        cells, left_out = place(lines, self.columns)
        remarks = [self.protocols] if cells else [self.protocols, self.nothing_measured]
        return Table(
            title=self.title,
            caption=self.caption,
            columns=tuple(
                Column(key=column.key, title=column.title, direction=column.direction)
                for column in self.columns
            ),
            rows=(*self.rows(), *measured_rows(cells, self.columns)),
            remarks=(*remarks, *not_measured, *_left_out(left_out)),
            provenance=(
                Provenance(details={"published": self.source}),
                *(provenance_of_result(line.result) for line in cells.values()),
            ),
        )

    def lead(self, table: Table) -> str:
        """Who is best by the published figures, and what was measured, in two sentences."""
        best = "; ".join(f"{row} ({', '.join(titles)})" for row, titles in leaders(table).items())
        values = [
            f"{row.label}, {column.title} {row.cells[column.key].number}"
            for row in table.rows
            for column in self.columns
            if row.cells[column.key].mark == "measured" and not row.cells[column.key].is_empty
        ]
        measured = f"No {' or '.join(self.metrics)} was given or measured here."
        if values:
            few = len(values) <= MAX_LISTED
            measured = f"Measured here: {'; '.join(values) if few else f'{len(values)} values'}."
        return f"Best of the published figures: {best}. {measured}"


def published_cell(value: str | None, notes: Sequence[str] = ()) -> Cell:
    """A figure with the paper's decimals; None and "" are what it does not report."""
    if not value:
        return NOT_REPORTED
    return Cell.printed(value, mark="published", notes=tuple(notes))


def by_method(frame: pd.DataFrame, column: str, value: str) -> dict[str, dict[str, str]]:
    """The figures of a published table with one line for each, by method and column."""
    texts: dict[str, dict[str, str]] = {}
    for _, line in frame.iterrows():
        texts.setdefault(str(line["method"]), {})[str(line[column])] = str(line[value])
    return texts


def place(
    lines: Iterable[ResultLine], columns: Sequence[PublishedColumn]
) -> tuple[Cells, list[Misfit]]:
    """The results by their cells, and why others have none; repetitions of a run are one.

    Raises:
        InputError: two results for one cell that differ in value, interval or protocol.
    """
    cells: dict[tuple[str, str], ResultLine] = {}
    left_out = []
    for line in lines:
        column = _column_of(line.result, columns)
        if isinstance(column, Misfit):
            left_out.append(column)
            continue
        before = cells.setdefault((line.result.model, column.key), line)
        if difference := _difference(before.result, line.result):
            raise InputError(
                f"{before.where} and {line.where}: two results for {line.result.model} on "
                f"{column.dataset} ({difference}): remove one of the lines, or measure with "
                "another --name"
            )
    return cells, left_out


def measured_rows(cells: Cells, columns: Sequence[PublishedColumn]) -> list[Row]:
    """One row for each model, in the order of the results."""
    return [
        Row(
            label=model,
            section=SECTION,
            cells={
                column.key: _measured_cell(cells[model, column.key].result, column)
                if (model, column.key) in cells
                else NOT_MEASURED
                for column in columns
            },
        )
        for model in dict.fromkeys(model for model, _ in cells)
    ]


def deviations_from(column: PublishedColumn, result: Result) -> list[Deviation]:
    """Everything in which a result was not made as the published column's were."""
    entry = metric(column.command)
    reference = for_metric(published_protocol(column.dataset), entry).affecting_fields()
    fields = {key: value for key, value in result.protocol_fields.items() if key not in LABELS}
    if not entry.needs_real:
        reference = {key: reference[key] for key in reference if key not in REAL_FIELDS}
        fields = {key: fields[key] for key in fields if key not in REAL_FIELDS}
    parameters = {key: result.parameters.get(key) for key in entry.parameters}
    return [
        *differences(fields, reference),
        *differences(parameters, entry.parameters),
        # Deviations from the result's own preset name fields too, which are in the list already.
        *(deviation for deviation in result.deviations if deviation.field not in fields),
    ]


def provenance_of_result(result: Result) -> Provenance:
    """How one value came about."""
    hardware = "device_name" if result.host.get("device_name") else "processor"
    real = f"{result.num_real} real and " if result.num_real != 0 else ""
    return Provenance(
        subject=f"{result.model} on {result.dataset}",
        command=result.command or None,
        details={
            "protocol": f"{result.protocol} {result.fingerprint}",
            "clips": f"{real}{result.num_fake} generated",
            "weights": result.weights_sha256[:12] or "not stated",
        },
        versions=known({name: result.versions.get(name) for name in VERSIONS}),
        host=known({hardware: result.host.get(hardware)}),
        date=result.date or None,
        seconds=result.seconds,
    )


def _column_of(result: Result, columns: Sequence[PublishedColumn]) -> PublishedColumn | Misfit:
    """Where a result belongs, or why it belongs nowhere."""
    name, dataset = result.metric, result.dataset
    candidates = [column for column in columns if column.metric == name]
    if not candidates:
        return Misfit(field="metric", metric=name)
    if result.network != (wanted := candidates[0].network):
        return Misfit(field="network", metric=name, value=result.network, wanted=wanted)
    for column in candidates:
        if column.dataset == dataset:
            return column
    if dataset in DATASETS:
        return Misfit(field="dataset", metric=name, value=dataset)
    return Misfit(field="dataset", value=dataset)


def _left_out(reasons: Sequence[Misfit]) -> list[str]:
    """A remark on the results that have no cell, if there are any."""
    if not reasons:
        return []
    counted = "; ".join(f"{count} × {reason}" for reason, count in Counter(reasons).items())
    results = "1 result" if len(reasons) == 1 else f"{len(reasons)} results"
    return [f"Left out: {results} ({counted})."]


def _difference(first: Result, second: Result) -> str:
    """How two results for one cell differ; empty for lines of one run."""
    if first.value != second.value:
        return f"{first.value:.6g} and {second.value:.6g}"
    for field in ("fingerprint", "interval"):
        if getattr(first, field) != getattr(second, field):
            what = "protocol" if field == "fingerprint" else field
            return f"both {first.value:.6g}, each with its own {what}"
    return ""


def _measured_cell(result: Result, column: PublishedColumn) -> Cell:
    """The value and its interval; ranked with the published ones only if made as they were."""
    deviations = deviations_from(column, result)
    fields = "; ".join(map(str, deviations))
    note = f"Protocol differs from the published column's: {fields}."
    return Cell.measured(
        result.value,
        result.interval,
        notes=(note,) if deviations else (),
        # The official tools draw without a seed: their figures belong to none.
        comparable=all(deviation.field == "seed" for deviation in deviations),
    )
