"""Table 4 of the paper: VBench's dimensions for text-to-video models, and yours below.

VBench's networks come with the VBench package and its downloads: this project reads its results. At
the small scales VBench's formulas are measured on the embedded data set, with stand-ins for the
networks, in a table of their own.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.cells.requirements import Requirement, require
from benchmarks.documents.tables import TableDocument, leaders
from benchmarks.runners import RUNNERS
from benchmarks.shapes.tables import dimensions_table, standings_by_dimension
from benchmarks.tables.published import NOT_MEASURED, SECTION, by_method, published_cell
from benchmarks.tables.request import Measurements, TableRequest
from benchmarks.tables.run import methods_on_shapes, publish_measured
from benchmarks.tables.vbench import DIMENSIONS, VBenchModel, read_models, total
from reports.cells import Cell, Column, Row
from reports.numbers import ASYMMETRIC
from reports.provenance import Provenance
from reports.published import published
from reports.table import Table, csv_of

SOURCE = "arXiv:2401.03048v3 Table 4"
DECIMALS = 2  # the paper prints scores so
HALF = 8  # dimensions beside each other, as the paper prints them
SAMPLES = 5  # videos of each prompt
FILTERED = "temporal_flickering"  # more videos are made here; the still ones count


CAPTION = (
    "Percent; higher is better; ± is half of the 95 % interval over prompts, where the results say "
    f"it of each video; {ASYMMETRIC}."
)
UNKNOWN_VERSIONS = (
    "Neither the paper nor a results file says which release of VBench and which hardware made a "
    "figure; both move scores (Vchitect/VBench#131, Vchitect/VBench#176)."
)
NOTHING_MEASURED = (
    "Published figures alone: no measured result was given. `vbench evaluate` makes one, "
    "`latte-bench table4 --results NAME=FILE` shows it here."
)
OR_ELSE = "leave --scale out for the published figures"
RESULTS_OF_VBENCH = Requirement(
    name="a results file of VBench",
    met=False,
    advice=(
        "`pip install vbench` in an environment of its own, make its 946 prompts' videos "
        "(PROMPT-INDEX.mp4, five of each), run `vbench evaluate` on a GPU, then give its file "
        "with --results (--vbench of `reproduce`)"
    ),
)


def run(out: Path, request: TableRequest) -> None:
    """Write the documents of `table4` into `out`; print the table and the paths.

    At `paper` scale nothing can be measured here, and results of VBench are needed.

    Raises:
        InputError: see `read_models`; or there are no results at `paper` scale.
        FailedRunError: cells that could not be measured, after the others are written.
    """
    started = time.monotonic()
    models = read_models(request.results)
    measurements = Measurements()
    if request.scale == "paper":
        require([] if models else [RESULTS_OF_VBENCH], "paper", or_else=OR_ELSE)
    elif request.scale is not None:  # the cells that Tables 3 and 5 share
        measured = methods_on_shapes(request, request.scale)
        headings = {key: dimension.heading for key, dimension in DIMENSIONS.items()}
        measurements = Measurements(
            tables=(dimensions_table(measured, headings, request.scale),),
            standings=standings_by_dimension(measured, headings),
            cells=measured.finished,
        )
    written = replace(document(models, measurements), scale=request.scale)
    publish_measured(written, measurements, out, started=started)


def document(models: Sequence[VBenchModel], measurements: Measurements) -> TableDocument:
    """The table in its halves, with who is best by how many dimensions.

    Args:
        measurements: what was measured besides, below it.
    """
    table = vbench_table(models)
    best = ", ".join(f"{label} in {len(titles)}" for label, titles in leaders(table).items())
    totals = [_total_sentence(model) for model in models]
    return TableDocument(
        name="table4",
        title=RUNNERS["table4"].title,
        lead=" ".join(
            [
                f"Best of the published figures, of {len(DIMENSIONS)} dimensions: {best}.",
                *(totals or ["No result of VBench was given."]),
                *measurements.standings,
            ]
        ),
        tables=(*paper_halves(table), *measurements.tables),
        data=csv_of([table, *measurements.tables]),
    )


def vbench_table(models: Sequence[VBenchModel]) -> Table:
    """The paper's table with the measured results below it, all dimensions beside each other."""
    nothing = () if models else (NOTHING_MEASURED,)
    return Table(
        title="VBench of text-to-video models",
        caption=CAPTION,
        columns=tuple(
            Column(key=key, title=dimension.heading, direction="higher")
            for key, dimension in DIMENSIONS.items()
        ),
        rows=(*published_rows(), *(measured_row(model) for model in models)),
        remarks=(UNKNOWN_VERSIONS, *nothing, *(_total_sentence(model) for model in models)),
        provenance=(
            Provenance(details={"published": SOURCE}),
            *(record for model in models for record in _provenance(model)),
        ),
    )


def paper_halves(table: Table) -> list[Table]:
    """The table as the paper prints it: eight dimensions beside each other, the others below.

    Remarks and provenance stand under the second only.
    """
    parts = []
    for first in range(0, len(table.columns), HALF):
        columns = table.columns[first : first + HALF]
        keys = [column.key for column in columns]
        names = ", ".join(DIMENSIONS[key].title for key in keys)
        part = replace(
            table,
            title=f"{table.title}, dimensions {first + 1} to {first + len(columns)}",
            caption=f"Dimensions: {names}. {table.caption}",
            columns=columns,
            rows=tuple(
                replace(row, cells={key: row.cells[key] for key in keys}) for row in table.rows
            ),
            remarks=(),
            provenance=(),
        )
        parts.append(part)
    return [*parts[:-1], replace(parts[-1], remarks=table.remarks, provenance=table.provenance)]


def published_rows() -> list[Row]:
    """The paper's methods in its order."""
    printed = by_method(published("vbench"), "dimension", "percent")
    return [
        Row(label=method, cells={key: published_cell(texts[key]) for key in DIMENSIONS})
        for method, texts in printed.items()
    ]


def measured_row(model: VBenchModel) -> Row:
    """One model's scores; ranked where they are of as many videos as VBench asks for."""
    cells = dict.fromkeys(DIMENSIONS, NOT_MEASURED)
    for key, score in model.scores.items():
        expected = SAMPLES * DIMENSIONS[key].prompts
        whole = key == FILTERED or score.num_videos == expected
        cells[key] = Cell.measured(
            score.percent,
            score.interval,
            text=f"{score.percent:.{DECIMALS}f}",
            decimals=DECIMALS,
            notes=() if whole else (f"{score.num_videos} videos instead of VBench's {expected}.",),
            comparable=whole,
        )
    return Row(label=model.name, section=SECTION, cells=cells)


def _total_sentence(model: VBenchModel) -> str:
    lacking = [key for key in DIMENSIONS if key not in model.scores]
    if lacking:
        return f"{model.name}: no total score: {len(lacking)} of 16 dimensions are missing."
    summary = total({key: score.percent for key, score in model.scores.items()})
    return (
        f"{model.name} by VBench's weights: quality {summary.quality:.2f}, semantic "
        f"{summary.semantic:.2f}, total {summary.total:.2f}."
    )


def _provenance(model: VBenchModel) -> list[Provenance]:
    files: dict[str, list[str]] = {}
    for dimension, score in model.scores.items():
        files.setdefault(score.where, []).append(f"{dimension} of {score.num_videos} videos")
    return [
        Provenance(subject=model.name, details={"file": path, "dimensions": ", ".join(parts)})
        for path, parts in files.items()
    ]
