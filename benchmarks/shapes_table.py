"""The table of methods on the embedded data set, and what was expected of them."""

from collections.abc import Mapping, Sequence

from benchmarks.demo import GENERATORS, REAL, SECOND_DRAW
from benchmarks.scale import Scale
from benchmarks.shapes_methods import FID, FVD, IS, OnShapes
from reports.cells import Direction
from reports.tables import Cell, Column, Row, Table

DIRECTIONS: Mapping[str, Direction] = {FVD: "lower", FID: "lower", IS: "higher"}
OF_SECOND_DRAW = (
    "Real videos as they are: what a perfect generator would get with so many clips; not ranked."
)
OF_REAL = "The real videos that the others are measured against; not ranked."
STAND_INS = (
    "The methods of the paper cannot be had at this scale: real videos that are made worse in one "
    "known way stand for them."
)
OWN_NAMES = (
    "Metrics that end in -shapes use small networks that come with the package. They do not "
    "compare with the figures above."
)
REFERENCE = Cell(reason="The reference that the others are measured against.")


def methods_table(measured: OnShapes, metrics: Sequence[str], scale: Scale) -> Table:
    """Methods × metrics, each with its interval; a table of its own beside the published one."""
    seeds = max((len(cells) for cells in measured.cells.values()), default=1)
    spread = "the bootstrap over the clips"
    if seeds > 1:
        spread = "Student's t on the logarithms of the seeds, whose geometric mean is shown"
    kinds = " and ".join(metrics)
    return Table(
        title=f"{kinds} of methods on the data set shapes",
        caption=(
            f"Scale {scale}: {measured.num_videos} clips of 16 frames at 32×32 in each set, "
            f"{seeds} {'seed' if seeds == 1 else 'seeds'}; ± is half of the 95 % interval of "
            f"{spread}."
        ),
        columns=tuple(
            Column(key=metric, title=metric, direction=DIRECTIONS[metric]) for metric in metrics
        ),
        rows=tuple(
            Row(
                label=method,
                section=f"Measured at scale {scale}",
                cells={metric: _cell(measured, method, metric) for metric in metrics},
            )
            for method in measured.methods
            if method != REAL or IS in metrics
        ),
        remarks=(OWN_NAMES, STAND_INS, *standings(measured, metrics)),
        provenance=measured.provenance(metrics),
    )


def standings(measured: OnShapes, metrics: Sequence[str]) -> list[str]:
    """What a sound metric and a sound model do, beside what was measured: computed."""
    found = []
    for metric in metrics:
        values = {
            method: measured.cell(method, metric).value or 0.0
            for method in measured.cells
            if method != REAL
        }
        stand_ins = [each.label for each in GENERATORS if each.distortion and each.label in values]
        for method in (SECOND_DRAW, measured.model):
            if method not in values or not stand_ins:
                continue
            sign = 1 if DIRECTIONS[metric] == "higher" else -1
            behind = [label for label in stand_ins if sign * values[method] > sign * values[label]]
            found.append(
                f"{metric}: {method} is better than {len(behind)} of {len(stand_ins)} stand-ins."
            )
    return found


def _cell(measured: OnShapes, method: str, metric: str) -> Cell:
    if method == REAL and metric != IS:
        return REFERENCE
    notes = {SECOND_DRAW: OF_SECOND_DRAW, REAL: OF_REAL}
    if method in notes and measured.cells.get(method):
        return measured.cell(method, metric, comparable=False, notes=(notes[method],))
    return measured.cell(method, metric)
