"""The table of VBench's dimensions by stand-ins on the embedded data set."""

from collections.abc import Mapping

from benchmarks.cells.scale import Scale
from benchmarks.demo.run import GENERATORS, REAL, SECOND_DRAW
from benchmarks.shapes.dimensions import STAND_INS, SUFFIX
from benchmarks.shapes.methods import OnShapes
from benchmarks.shapes.table import (
    METHODS_ARE_STAND_INS,
    OF_SECOND_DRAW,
    counts,
    real_are_not_ranked,
)
from reports.cells import LOPSIDED
from reports.tables import Cell, Column, Row, Table

NOTES = dict.fromkeys((SECOND_DRAW, REAL), OF_SECOND_DRAW)  # no score has a reference
NETWORKS_ARE_STAND_INS = (
    "Scores that end in -shapes follow VBench's formulas with small stand-ins for its networks. "
    "They do not compare with the figures above."
)
WITHOUT = (
    "Not measured, for want of a stand-in: aesthetic and imaging quality, which networks learned "
    "from what people like, and {others}, which prompts ask for and classes of shapes do not."
)
LIKED = ("aesthetic_quality", "imaging_quality")


def dimensions_table(measured: OnShapes, titles: Mapping[str, str], scale: Scale) -> Table:
    """Methods × dimensions in percent, each with its interval.

    Args:
        titles: headings of all of VBench's dimensions, in its order.
    """
    shown = [name for name in titles if name in STAND_INS]
    others = [name for name in titles if name not in STAND_INS and name not in LIKED]
    seeds = max((len(cells) for cells in measured.cells.values()), default=1)
    spread = "over clips" if seeds == 1 else f"over {seeds} seeds"
    words = ", ".join(name.replace("_", " ") for name in others)
    means = "; ".join(f"{titles[name]}: {STAND_INS[name].what}" for name in shown)
    return Table(
        title="VBench's dimensions of methods on the data set shapes, by stand-ins",
        caption=(
            f"Scale {scale}: {measured.num_videos} clips of 16 frames at 32×32 of each method; "
            f"percent; higher is better; ± is half of the 95 % interval {spread}; "
            f"{LOPSIDED}."
        ),
        columns=tuple(
            Column(key=f"{name}{SUFFIX}", title=f"{titles[name]}{SUFFIX}", direction="higher")
            for name in shown
        ),
        rows=tuple(
            Row(
                label=method,
                section=f"Measured at scale {scale}",
                cells={f"{name}{SUFFIX}": _score(measured, method, name) for name in shown},
            )
            for method in measured.methods
        ),
        remarks=(
            NETWORKS_ARE_STAND_INS,
            f"{means}.",
            WITHOUT.format(others=words),
            METHODS_ARE_STAND_INS,
            *standings_by_dimension(measured, titles),
        ),
        provenance=measured.provenance([f"{name}{SUFFIX}" for name in shown]),
    )


def standings_by_dimension(measured: OnShapes, titles: Mapping[str, str]) -> list[str]:
    """How many stand-ins have lower scores than the real videos and the model, how many higher.

    A sentence for each of the two, by dimension and by intervals that do not overlap, as `counts`.
    """
    stand_ins = [each.label for each in GENERATORS if each.distortion]
    others = [label for label in stand_ins if label in measured.cells]
    found = []
    for method in (SECOND_DRAW, measured.model):
        if method not in measured.cells or not others:
            continue
        pairs = []
        for name in (each for each in titles if each in STAND_INS):
            own, *scores = (measured.percent(each, f"{name}{SUFFIX}") for each in (method, *others))
            below, above, _ = counts(own, scores)
            pairs.append(f"{titles[name]}{SUFFIX} {below} / {above}")
        found.append(
            f"Stand-ins, of {len(others)}, with lower / higher scores than {method}, by 95 % "
            f"intervals that do not overlap: {', '.join(pairs)}."
        )
    return found


def _score(measured: OnShapes, method: str, name: str) -> Cell:
    settings = real_are_not_ranked(measured, method, NOTES)
    return measured.percent(method, f"{name}{SUFFIX}", **settings)
