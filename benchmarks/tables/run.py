"""Makes a published table: reads results, measures what the scale asks for, writes documents."""

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.cells.scale import Scale
from benchmarks.documents.tables import TableDocument, bare, publish
from benchmarks.runners import RUNNERS
from benchmarks.shapes.methods import SCALES, MeasuredMethods, measure_on_shapes
from benchmarks.shapes.tables import methods_table, standings_by_metric
from benchmarks.tables.paper_scale import measure_at_paper_scale
from benchmarks.tables.published import PublishedTable
from benchmarks.tables.request import Measurements, TableRequest
from evaluation.measuring.checking import check_result
from evaluation.results.files import ResultLine, read_lines
from latte.data.errors import InputError
from reports.blocks import TableBlock


def run_table(table: PublishedTable, out: Path, request: TableRequest) -> None:
    """Write the documents of a table into `out`; print the table and the paths.

    Raises:
        InputError: a results file that cannot be read, a broken line, or two results for one cell,
            before anything is measured or written; or something that a measurement needs is
            missing.
        FailedRunError: cells that could not be measured, after the others are written.
    """
    started = time.monotonic()
    lines = [line for path in request.results for line in checked_lines(Path(path), table.metrics)]
    table.with_results(lines)  # refuses bad lines before hours of work
    measurements = measure_table(table, request)
    written = replace(document(table, lines, measurements), scale=request.scale)
    publish_measured(written, measurements, out, started=started)


def publish_measured(
    document: TableDocument, measurements: Measurements, out: Path, *, started: float
) -> None:
    """Write the documents of a table, then raise for the cells that failed."""
    publish(document, out, started=started)
    if measurements.cells is not None:
        measurements.cells.raise_if_failed()


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


def measure_table(table: PublishedTable, request: TableRequest) -> Measurements:
    """What the scale measures for a table; nothing without a scale."""
    if request.scale is None:
        return Measurements()
    if request.scale == "paper":
        return measure_at_paper_scale(table, request)
    measured = methods_on_shapes(request, request.scale)
    return Measurements(
        tables=(methods_table(measured, table.on_shapes, request.scale),),
        standings=standings_by_metric(measured, table.on_shapes),
        cells=measured.finished,
    )


def methods_on_shapes(request: TableRequest, scale: Scale) -> MeasuredMethods:
    """All methods on the embedded data set, by every metric that a table shows of them."""
    default = SCALES[scale]
    return measure_on_shapes(
        replace(
            default,
            num_videos=request.num_videos or default.num_videos,
            seeds=request.seeds,
            checkpoint=request.checkpoint,
            workers=request.workers,
            device=request.device or "cpu",
            store=request.store,
        ),
        request.folder,
    )


def document(
    table: PublishedTable, given: Sequence[ResultLine], measurements: Measurements
) -> TableDocument:
    """The table with given and measured results, what was measured besides below it."""
    lines = [*given, *measurements.lines]
    filled = table.with_results(lines, measurements.not_measured)
    section = TableBlock(table=replace(filled, provenance=()), folds_notes=bool(lines))
    return TableDocument(
        name=table.name,
        title=RUNNERS[table.name].title,
        lead=" ".join([table.lead(filled), *measurements.standings]),
        tables=(filled, *measurements.tables),
        blocks=(section, *map(bare, measurements.tables)),
    )
