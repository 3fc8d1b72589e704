"""Results of `latte-eval` as rows of a published table: which cell each fills, and what differs.

A result is ranked with the published figures only where it was made as its column's were. Where it
was not, a footnote names every field that differs; in a section of the joined report that list is
folded away.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.cells.provenance import known
from benchmarks.documents.tables import bare, leaders
from benchmarks.tables.measured_results import Measured
from evaluation.protocol.deviations import Deviation, differences
from latte.data.errors import InputError
from reports.cells import Cell, Column, Direction, Row
from reports.document import Block, Details
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
DIFFERS = "Protocol differs from the published column's: {fields}."
DIFFERENCES = "Protocol differences"
FOLDED = f"Protocol differs from the published column's: see “{DIFFERENCES}”."
LISTED = 4  # values in a sentence; more are counted
NOT_MEASURED = Cell(reason="Not measured.")
NOT_REPORTED = Cell(reason="Not reported in the paper.", mark="published")


@dataclass(frozen=True, kw_only=True)
class PublishedColumn:
    """A column of the paper, and which results belong into it."""

    key: str
    title: str
    direction: Direction
    metric: str  # of results: "FVD"
    command: str  # of `latte-eval`: "fvd"
    network: str  # that the published figures are made with
    dataset: str

    @property
    def column(self) -> Column:
        """As the table has it."""
        return Column(key=self.key, title=self.title, direction=self.direction)


Cells = Mapping[tuple[str, str], Measured]  # by model and column


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """A table of the paper that results of `latte-eval` can stand in."""

    name: str  # of the command and the files
    section: str  # title of its section in the joined report
    title: str
    caption: str
    source: str
    columns: tuple[PublishedColumn, ...]
    rows: Callable[[], list[Row]]  # as published
    protocols: str  # a sentence about how the published figures were made
    nothing_measured: str  # a sentence for a table without results
    on_shapes: tuple[str, ...]  # the metrics that stand for its columns on the embedded data set

    @property
    def metrics(self) -> tuple[str, ...]:
        """Whose results it takes."""
        return tuple(dict.fromkeys(column.metric for column in self.columns))

    def with_results(
        self,
        measured: Iterable[Measured],
        not_measured: Sequence[str] = (),
        *,
        folded: bool = False,
    ) -> Table:
        """The paper's rows, and the measured results below them.

        Args:
            not_measured: sentences about what was asked for and could not be had.
            folded: footnotes refer to `differences` instead of naming every field.

        Raises:
            InputError: two different results for one cell.
        """
        cells, left_out = select(measured, self.columns)
        nothing = () if cells else (self.nothing_measured,)
        return Table(
            title=self.title,
            caption=self.caption,
            columns=tuple(column.column for column in self.columns),
            rows=(*self.rows(), *measured_rows(cells, self.columns, folded=folded)),
            remarks=(self.protocols, *nothing, *not_measured, *left_out),
            provenance=(
                Provenance(details={"published": self.source}),
                *(provenance_of_result(item) for item in cells.values()),
            ),
        )

    def differences(self, measured: Iterable[Measured]) -> list[Block]:
        """In which fields results were not made as their columns were, folded away; or nothing."""
        cells, _ = select(measured, self.columns)
        columns = {column.key: column for column in self.columns}
        found = {
            f"{model}, {columns[key].title}": differing_fields(item.record, columns[key])
            for (model, key), item in cells.items()
        }
        rows = [
            Row(label=label, cells={"fields": Cell(text="; ".join(map(str, fields)))})
            for label, fields in found.items()
            if fields
        ]
        if not rows:
            return []
        table = Table(
            title="Measured values that were not made as the published ones of their column",
            label_heading="Value",
            columns=(Column(key="fields", title="What differs"),),
            rows=tuple(rows),
        )
        return [Details(summary=DIFFERENCES, blocks=(bare(table),))]

    def lead(self, measured: Iterable[Measured]) -> str:
        """Who is best by the published figures, and what was measured, in two sentences."""
        table = self.with_results(measured)
        best = "; ".join(f"{row} ({', '.join(found)})" for row, found in leaders(table).items())
        values = [
            f"{row.label}, {column.title} {cell.number}"
            for row in table.rows
            for column, cell in ((column, row.cells[column.key]) for column in self.columns)
            if cell.mark == "measured" and not cell.is_empty
        ]
        here = f"No {' or '.join(self.metrics)} was given or measured here."
        if values:
            shown = "; ".join(values) if len(values) <= LISTED else f"{len(values)} values"
            here = f"Measured here: {shown}."
        return f"Best of the published figures: {best}. {here}"


def select(
    measured: Iterable[Measured], columns: Sequence[PublishedColumn]
) -> tuple[Cells, list[str]]:
    """What belongs into the table, by its cell; and a sentence about the rest, if there is any.

    Raises:
        InputError: two different results for one cell.
    """
    entered: list[tuple[PublishedColumn, Measured]] = []
    left_out: Counter[str] = Counter()
    for item in measured:
        found = _column_of(item.record, columns)
        if isinstance(found, PublishedColumn):
            entered.append((found, item))
        else:
            left_out[found] += 1
    remarks = [_left_out_sentence(left_out)] if left_out else []
    return _one_per_cell(entered), remarks


def measured_rows(
    cells: Cells, columns: Sequence[PublishedColumn], *, folded: bool = False
) -> list[Row]:
    """One row for each model, in the order of the results."""
    return [
        Row(
            label=model,
            section=SECTION,
            cells={
                column.key: _measured_cell(cells[model, column.key], column, folded)
                if (model, column.key) in cells
                else NOT_MEASURED
                for column in columns
            },
        )
        for model in dict.fromkeys(model for model, _ in cells)
    ]


def published_cell(value: str | None, notes: Sequence[str] = ()) -> Cell:
    """A figure with the paper's decimals; None and "" are what it does not report."""
    if not value:
        return NOT_REPORTED
    return Cell(value=float(value), text=value, mark="published", notes=tuple(notes))


def differing_fields(record: Mapping[str, Any], column: PublishedColumn) -> list[Deviation]:
    """Everything in which a result was not made as the published column's were."""
    from evaluation.catalogue.networks import for_metric
    from evaluation.catalogue.registry import metric
    from evaluation.protocol.fields import LABELS, REAL_FIELDS
    from evaluation.protocol.presets import published_protocol

    chosen = metric(column.command)
    reference = for_metric(published_protocol(column.dataset), chosen).moving_fields()
    made = {key: value for key, value in record["protocol_fields"].items() if key not in LABELS}
    if not chosen.needs_real:
        reference = {key: reference[key] for key in reference if key not in REAL_FIELDS}
        made = {key: made[key] for key in made if key not in REAL_FIELDS}
    found = differences(made, reference)
    found += differences(
        {key: (record.get("parameters") or {}).get(key) for key in chosen.parameters},
        chosen.parameters,
    )
    # Deviations from the result's own preset name fields too: those are in the list already.
    found += [Deviation(**each) for each in record["deviations"] if each["field"] not in made]
    return found


def provenance_of_result(item: Measured) -> Provenance:
    """How one value came about."""
    record = item.record
    versions, host = record.get("versions") or {}, record.get("host") or {}
    hardware = "device_name" if host.get("device_name") else "processor"
    real = f"{record['num_real']} real and " if record["num_real"] != 0 else ""
    return Provenance(
        subject=f"{record['model']} on {record['dataset']}",
        command=record.get("command"),
        details={
            "protocol": f"{record['protocol']} {record['fingerprint']}",
            "clips": f"{real}{record['num_fake']} generated",
            "weights": str(record.get("weights_sha256") or "not stated")[:12],
        },
        versions=known({name: versions.get(name) for name in ("latte-eval", "torch", "decoder")}),
        host=known({hardware: host.get(hardware)}),
        date=record.get("date"),
        seconds=record.get("seconds"),
    )


def _column_of(
    record: Mapping[str, Any], columns: Sequence[PublishedColumn]
) -> PublishedColumn | str:
    """Where a result belongs, or why it belongs nowhere."""
    metric, dataset = record["metric"], record.get("dataset")
    of_metric = [column for column in columns if column.metric == metric]
    if not of_metric:
        return f"{metric} is another metric"
    wanted = of_metric[0].network
    if record["network"] != wanted:
        return f"{metric} by the network {record['network']} instead of {wanted}"
    if dataset is None:
        return "its data set is not named: measure with --dataset"
    for column in of_metric:
        if column.dataset == dataset:
            return column
    missing = f"{metric} on {dataset}" if dataset in DATASETS else f"data set {dataset}"
    return f"the paper has no {missing}"


def _left_out_sentence(left_out: Counter[str]) -> str:
    count = sum(left_out.values())
    reasons = "; ".join(f"{number} × {reason}" for reason, number in left_out.items())
    return f"Left out: {count} {'result' if count == 1 else 'results'} ({reasons})."


def _one_per_cell(entered: Iterable[tuple[PublishedColumn, Measured]]) -> Cells:
    """One result for each cell; repetitions of one run are one.

    Raises:
        InputError: two results that differ in their value, its interval or their protocol.
    """
    cells: dict[tuple[str, str], Measured] = {}
    for column, item in entered:
        model = str(item.record["model"])
        before = cells.setdefault((model, column.key), item)
        first, second = before.record, item.record
        if _run_of(first) != _run_of(second):
            values = f"{first['value']:.6g} and {second['value']:.6g}"
            if first["value"] == second["value"]:
                what = "protocol" if first["fingerprint"] != second["fingerprint"] else "interval"
                values = f"both {first['value']:.6g}, each with its own {what}"
            raise InputError(
                f"{before.where} and {item.where}: two results for {model} on {column.dataset} "
                f"({values}); remove one of the lines, or measure with another --name"
            )
    return cells


def _run_of(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """What two lines of one run have in common, and no others."""
    return record["fingerprint"], record["value"], record.get("interval") or None


def _measured_cell(item: Measured, column: PublishedColumn, folded: bool) -> Cell:
    """The value and its interval; ranked with the published ones only if made as they were."""
    differing = differing_fields(item.record, column)
    note = FOLDED if folded else DIFFERS.format(fields="; ".join(map(str, differing)))
    low, high = item.record.get("interval") or (None, None)
    return Cell(
        value=float(item.record["value"]),
        low=low,
        high=high,
        notes=(note,) if differing else (),
        # The official tools draw without a seed: no figure of theirs belongs to one.
        comparable=all(each.field == "seed" for each in differing),
    )
