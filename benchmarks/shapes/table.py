"""The table of methods on the embedded data set, and what was expected of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.cells.scale import Scale
from benchmarks.demo.run import GENERATORS, REAL, SECOND_DRAW
from benchmarks.shapes.methods import FID, FVD, IS, OnShapes
from reports.cells import LOPSIDED, Direction, print_alike
from reports.tables import Cell, Column, Row, Table

DIRECTIONS: Mapping[str, Direction] = {FVD: "lower", FID: "lower", IS: "higher"}
OF_SECOND_DRAW = (
    "Real videos as they are: what a perfect generator would get with so many clips; not ranked."
)
OF_REAL = "The real videos that the others are measured against; not ranked."
NOTES = {SECOND_DRAW: OF_SECOND_DRAW, REAL: OF_REAL}
METHODS_ARE_STAND_INS = (
    "The methods of the paper cannot be had at this scale: real videos that are made worse in one "
    "known way stand for them."
)
NETWORKS_ARE_SMALL = (
    "Metrics that end in -shapes use small networks that come with the package. They do not "
    "compare with the figures above."
)
BY_INTERVALS = "Better and worse: by 95 % intervals that do not overlap."
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
            f"{spread}; {LOPSIDED}."
        ),
        columns=tuple(
            Column(key=metric, title=metric, direction=DIRECTIONS[metric]) for metric in metrics
        ),
        rows=tuple(
            Row(
                label=method,
                section=f"Measured at scale {scale}",
                cells={metric: _metric_cell(measured, method, metric) for metric in metrics},
            )
            for method in measured.methods
            if method != REAL or IS in metrics
        ),
        remarks=(
            NETWORKS_ARE_SMALL,
            METHODS_ARE_STAND_INS,
            *standings_by_metric(measured, metrics),
        ),
        provenance=measured.provenance(metrics),
    )


def standings_by_metric(measured: OnShapes, metrics: Sequence[str]) -> list[str]:
    """How the real videos and the model stand beside the stand-ins, by their intervals.

    A sentence for each metric and method, and one that says what they mean. What has no value is
    left out, of the methods and of the stand-ins.
    """
    found = []
    for metric in metrics:
        cells = {each: measured.cell(each, metric) for each in measured.cells if each != REAL}
        others = [
            cells[each.label] for each in GENERATORS if each.distortion and each.label in cells
        ]
        for method in (SECOND_DRAW, measured.model):
            if method not in cells:
                continue
            lower, higher, alike = counts(cells[method], others)
            better, worse = (lower, higher) if DIRECTIONS[metric] == "higher" else (higher, lower)
            if total := better + worse + alike:
                said = [f"better than {better} of {total} stand-ins"]
                said += [f"not told apart from {alike}"] * (alike > 0)
                said += [f"worse than {worse}"] * (worse > 0)
                found.append(f"{metric}: {method} is {', '.join(said)}.")
    return [*found, BY_INTERVALS] if found else []


def counts(own: Cell, others: Iterable[Cell]) -> tuple[int, int, int]:
    """How many cells lie below `own`, how many above, and how many are not told apart from it.

    Told apart are cells whose intervals, by all their digits, have no point in common: a cautious
    rule, since intervals that overlap a little may belong to values that differ. Of a cell without
    an interval the value decides, and cells that print alike are not told apart. A cell without a
    value is counted nowhere, and counts nothing.
    """
    below = above = alike = 0
    for other in others:
        mine, theirs = own.ends, other.ends
        if mine is None or theirs is None:
            continue
        if print_alike(own, other):
            alike += 1
        elif theirs[1] < mine[0]:
            below += 1
        elif theirs[0] > mine[1]:
            above += 1
        else:
            alike += 1
    return below, above, alike


def real_are_not_ranked(
    measured: OnShapes, method: str, notes: Mapping[str, str]
) -> dict[str, Any]:
    """How the cells of a method are shown: of real videos, by their labels, with a note that they
    are not ranked; a cell that was not measured has its reason alone."""
    if method in notes and measured.cells.get(method):
        return {"comparable": False, "notes": (notes[method],)}
    return {}


def _metric_cell(measured: OnShapes, method: str, metric: str) -> Cell:
    """A value; of the real videos there is one where a metric has no reference."""
    if method == REAL and metric != IS:
        return REFERENCE
    return measured.cell(method, metric, **real_are_not_ranked(measured, method, NOTES))
