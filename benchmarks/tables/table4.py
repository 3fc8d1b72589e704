"""Table 4 of the paper: VBench's dimensions for text-to-video models, and yours below.

VBench's networks come with the VBench package and its downloads: this project reads its results. At
the small scales VBench's formulas are measured on the embedded data set, with stand-ins for the
networks, in a table of their own.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.cells.requirements import (
    Requirement,
    require,
)
from benchmarks.documents.tables import TableDocument, bare, leaders, of_this_run, publish
from benchmarks.tables.run import Made, TableRequest
from benchmarks.tables.vbench_results import Score, VBenchModel, read_models
from reports.numbers import ASYMMETRIC
from reports.provenance import Provenance
from reports.published import published
from reports.table import Cell, Column, Row, Table

SOURCE = "arXiv:2401.03048v3 Table 4"
SECTION = "Measured here"
HALF = 8  # dimensions beside each other, as the paper prints them
SAMPLES = 5  # videos of each prompt
FILTERED = "temporal_flickering"  # more videos are made, of which the still ones count


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One of VBench's dimensions."""

    title: str
    heading: str  # where eight stand beside each other
    prompts: int  # Vchitect/VBench 45e79ec, prompts/prompts_per_dimension


# In the paper's order, which is VBench's (Vchitect/VBench 45e79ec, scripts/constant.py).
DIMENSIONS: Mapping[str, Dimension] = {
    key: Dimension(title=key.replace("_", " "), heading=heading, prompts=prompts)
    for key, heading, prompts in (
        ("subject_consistency", "Subject", 72),
        ("background_consistency", "Background", 86),
        ("temporal_flickering", "Flickering", 75),
        ("motion_smoothness", "Motion", 72),
        ("dynamic_degree", "Dynamic", 72),
        ("aesthetic_quality", "Aesthetic", 93),
        ("imaging_quality", "Imaging", 93),
        ("object_class", "Object", 79),
        ("multiple_objects", "Objects", 82),
        ("human_action", "Action", 100),
        ("color", "Color", 85),
        ("spatial_relationship", "Spatial", 84),
        ("scene", "Scene", 86),
        ("appearance_style", "Appearance", 90),
        ("temporal_style", "Temporal", 100),
        ("overall_consistency", "Overall", 93),
    )
}
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
    "`latte-bench table4 --results NAME=FILE` puts it here."
)
OR_ELSE = "leave --scale out for the published figures"
HOW_TO_MEASURE = (
    "`pip install vbench` in an environment of its own, make its 946 prompts' videos "
    "(PROMPT-INDEX.mp4, five of each), run `vbench evaluate` on a GPU, then give --results"
)


@dataclass(frozen=True, kw_only=True)
class Total:
    """VBench's summary of a model, in percent."""

    quality: float
    semantic: float
    total: float


def run(out: Path, request: TableRequest) -> None:
    """Write the documents of `table4` into `out`; print the table and the paths.

    At `paper` scale nothing can be measured here, and results of VBench are needed.

    Raises:
        InputError: see `read_models`; at `paper` scale, no results. Nothing is written then. Cells
            that could not be measured, after the others are written.
    """
    started = time.monotonic()
    models = read_models([*map(str, request.results)], list(DIMENSIONS))
    made = Made()
    if request.scale == "paper":
        lacking = Requirement(name="a results file of VBench", met=False, advice=HOW_TO_MEASURE)
        require([] if models else [lacking], "paper", or_else=OR_ELSE)
    elif request.scale is not None:
        made = _measure_on_shapes(request)
    publish(of_this_run(document(models, made), started), out)
    if made.finished is not None:
        made.finished.raise_if_failed()


def document(models: Sequence[VBenchModel], made: Made | None = None) -> TableDocument:
    """The table in its halves, with who is best by how many dimensions.

    Args:
        made: what was measured besides, below it.
    """
    table, made = vbench_table(models), made or Made()
    best = ", ".join(f"{label} in {len(found)}" for label, found in leaders(table).items())
    totals = [_total_sentence(model) for model in models]
    tables = (*halves(table), *made.tables)
    return TableDocument(
        name="table4",
        title="Table 4: VBench",
        lead=" ".join(
            [
                f"Best of the published figures, of {len(DIMENSIONS)} dimensions: {best}.",
                *(totals or ["No result of VBench was given."]),
                *made.found,
            ]
        ),
        tables=tables,
        data=(table, *made.tables),
        blocks=tuple(map(bare, tables)),
    )


def vbench_table(models: Sequence[VBenchModel]) -> Table:
    """The paper's table with the measured results below it, all dimensions beside each other."""
    nothing = () if models else (NOTHING_MEASURED,)
    return Table(
        title="VBench of text-to-video models",
        caption=CAPTION,
        columns=tuple(
            Column(key=key, title=each.heading, direction="higher")
            for key, each in DIMENSIONS.items()
        ),
        rows=(*published_rows(), *(measured_row(model) for model in models)),
        remarks=(UNKNOWN_VERSIONS, *nothing, *(_total_sentence(model) for model in models)),
        provenance=(
            Provenance(details={"published": SOURCE}),
            *(record for model in models for record in _provenance(model)),
        ),
    )


def halves(table: Table) -> list[Table]:
    """The table as the paper prints it: eight dimensions beside each other, the others below.

    What is said under both stands under the second alone.
    """
    found = []
    for first in range(0, len(table.columns), HALF):
        columns = table.columns[first : first + HALF]
        keys = [column.key for column in columns]
        rows = tuple(
            replace(row, cells={key: row.cells[key] for key in keys}) for row in table.rows
        )
        last = first + HALF >= len(table.columns)
        found.append(
            replace(
                table,
                title=f"{table.title}, dimensions {first + 1} to {first + len(columns)}",
                caption=f"{_names(keys)}. {table.caption}",
                columns=columns,
                rows=rows,
                remarks=table.remarks if last else (),
                provenance=table.provenance if last else (),
            )
        )
    return found


def published_rows() -> list[Row]:
    """The paper's methods in its order."""
    frame = published("vbench")
    printed = {
        (str(method), str(dimension)): str(percent)
        for method, dimension, percent in zip(
            frame.method, frame.dimension, frame.percent, strict=True
        )
    }
    return [
        Row(
            label=method,
            cells={
                key: Cell(
                    value=float(printed[method, key]), text=printed[method, key], mark="published"
                )
                for key in DIMENSIONS
            },
        )
        for method in dict.fromkeys(method for method, _ in printed)
    ]


def measured_row(model: VBenchModel) -> Row:
    """One model's scores."""
    missing = Cell(reason="Not measured.")
    return Row(
        label=model.name,
        section=SECTION,
        cells={
            key: _cell(key, model.scores[key]) if key in model.scores else missing
            for key in DIMENSIONS
        },
    )


def total(percent: Mapping[str, float]) -> Total:
    """VBench's summary of all sixteen dimensions, in percent.

    Each dimension is brought to 0 … 1 by the least and the most that VBench expects of it; quality
    is the weighted mean of the first seven, with half the weight for the dynamic degree, semantic
    the mean of the others, and the total four parts of quality and one of semantic
    (Vchitect/VBench 45e79ec, scripts/cal_final_score.py and constant.py).
    """
    least = {
        "subject_consistency": 0.1462,
        "background_consistency": 0.2615,
        "temporal_flickering": 0.6293,
        "motion_smoothness": 0.706,
        "appearance_style": 0.0009,
    }
    most = {
        "motion_smoothness": 0.9975,
        "scene": 0.8222,
        "appearance_style": 0.2855,
        "temporal_style": 0.364,
        "overall_consistency": 0.364,
    }
    scaled = {
        key: (percent[key] / 100 - least.get(key, 0.0)) / (most.get(key, 1.0) - least.get(key, 0.0))
        for key in DIMENSIONS
    }
    of_quality = list(DIMENSIONS)[:7]
    weights = {key: 0.5 if key == "dynamic_degree" else 1.0 for key in of_quality}
    quality = sum(weights[key] * scaled[key] for key in of_quality) / sum(weights.values())
    semantic = sum(scaled[key] for key in list(DIMENSIONS)[7:]) / (len(DIMENSIONS) - 7)
    return Total(
        quality=100 * quality, semantic=100 * semantic, total=100 * (4 * quality + semantic) / 5
    )


def _measure_on_shapes(request: TableRequest) -> Made:
    """VBench's formulas on the embedded data set: cells that Tables 3 and 5 share."""
    from benchmarks.shapes.tables import dimensions_table, standings_by_dimension
    from benchmarks.tables.measurements import methods_on_shapes

    assert request.scale is not None
    measured = methods_on_shapes(request)
    headings = {key: each.heading for key, each in DIMENSIONS.items()}
    return Made(
        tables=(dimensions_table(measured, headings, request.scale),),
        found=standings_by_dimension(measured, headings),
        finished=measured.finished,
    )


def _total_sentence(model: VBenchModel) -> str:
    lacking = [key for key in DIMENSIONS if key not in model.scores]
    if lacking:
        return f"{model.name}: no total score, for want of {len(lacking)} of 16 dimensions."
    found = total({key: score.percent for key, score in model.scores.items()})
    return (
        f"{model.name} by VBench's weights: quality {found.quality:.2f}, semantic "
        f"{found.semantic:.2f}, total {found.total:.2f}."
    )


def _cell(key: str, score: Score) -> Cell:
    """A score; ranked if it is of as many videos as VBench asks for."""
    low, high = score.interval or (None, None)
    wanted = SAMPLES * DIMENSIONS[key].prompts
    whole = key == FILTERED or score.num_videos == wanted
    return Cell(
        value=score.percent,
        low=low,
        high=high,
        text=f"{score.percent:.2f}",  # the paper's decimals
        notes=() if whole else (f"{score.num_videos} videos instead of VBench's {wanted}.",),
        comparable=whole,
    )


def _names(keys: Sequence[str]) -> str:
    """The dimensions in words, as a beginning of a sentence."""
    names = ", ".join(DIMENSIONS[key].title for key in keys)
    return names[0].upper() + names[1:]


def _provenance(model: VBenchModel) -> list[Provenance]:
    files: dict[str, list[str]] = {}
    for dimension, score in model.scores.items():
        files.setdefault(score.where, []).append(f"{dimension} of {score.num_videos} videos")
    return [
        Provenance(subject=model.name, details={"file": path, "dimensions": ", ".join(parts)})
        for path, parts in files.items()
    ]
