"""Tables of methods on the embedded data set, by metrics and by VBench's dimensions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from benchmarks.cells.scale import Scale
from benchmarks.shapes.dimensions import STAND_INS, SUFFIX
from benchmarks.shapes.distortions import DISTORTED, HELD_OUT, REAL
from benchmarks.shapes.measuring import DIRECTIONS, IS
from benchmarks.shapes.methods import MeasuredMethods
from reports.cells import Cell, Column, Row
from reports.numbers import ASYMMETRIC
from reports.ranks import print_alike
from reports.table import Table

OF_HELD_OUT = (
    "Unchanged real videos: the score of a perfect generator with so many clips; not ranked."
)
OF_REAL = "The real videos that the others are measured against; not ranked."
METHODS_ARE_STAND_INS = (
    "The methods of the paper are not available at this scale: real videos with one known "
    "distortion stand in for them."
)
METRICS_ARE_SMALL = (
    "Metrics that end in -shapes use the small embedded networks. They cannot be compared with the "
    "figures above."
)
SCORES_ARE_STAND_INS = (
    "Scores that end in -shapes follow VBench's formulas with small stand-ins for its networks. "
    "They cannot be compared with the figures above."
)
BY_INTERVALS = "Better and worse: by 95 % intervals that do not overlap."
PREFERENCES = ("aesthetic_quality", "imaging_quality")  # scored by networks trained on ratings


def methods_table(measured: MeasuredMethods, metrics: Sequence[str], scale: Scale) -> Table:
    """Methods × metrics, each with its interval; a table of its own beside the published one."""
    methods = [method for method in measured.cells if method != REAL or IS in metrics]
    seeds = _seeds(measured)
    spread = "the bootstrap over the clips"
    if seeds > 1:
        spread = "Student's t on the logarithms of the seeds, whose geometric mean is shown"
    return Table(
        title=f"{' and '.join(metrics)} of methods on the data set shapes",
        caption=(
            f"Scale {scale}: {measured.num_videos} clips of 16 frames at 32×32 in each set, "
            f"{seeds} {'seed' if seeds == 1 else 'seeds'}; ± is half of the 95 % interval of "
            f"{spread}; {ASYMMETRIC}."
        ),
        columns=tuple(Column(key=x, title=x, direction=DIRECTIONS[x]) for x in metrics),
        rows=_rows(measured, methods, metrics, scale, {HELD_OUT: OF_HELD_OUT, REAL: OF_REAL}),
        remarks=(METRICS_ARE_SMALL, METHODS_ARE_STAND_INS, *standings_by_metric(measured, metrics)),
        provenance=measured.provenance(metrics),
    )


def dimensions_table(measured: MeasuredMethods, titles: Mapping[str, str], scale: Scale) -> Table:
    """Methods × dimensions in percent, each with its interval.

    Args:
        titles: headings of all of VBench's dimensions, in its order.
    """
    measurable = [name for name in titles if name in STAND_INS]
    missing = [name for name in titles if name not in STAND_INS and name not in PREFERENCES]
    keys, seeds = [f"{name}{SUFFIX}" for name in measurable], _seeds(measured)
    spread = "over clips" if seeds == 1 else f"over {seeds} seeds"
    notes = dict.fromkeys((HELD_OUT, REAL), OF_HELD_OUT)
    return Table(
        title="VBench's dimensions of methods on the data set shapes, by stand-ins",
        caption=(
            f"Scale {scale}: {measured.num_videos} clips of 16 frames at 32×32 of each method; "
            f"percent; higher is better; ± is half of the 95 % interval {spread}; {ASYMMETRIC}."
        ),
        columns=tuple(
            Column(key=key, title=f"{titles[name]}{SUFFIX}", direction="higher")
            for key, name in zip(keys, measurable, strict=True)
        ),
        rows=_rows(measured, measured.cells, keys, scale, notes),
        remarks=(
            SCORES_ARE_STAND_INS,
            "; ".join(f"{titles[name]}: {STAND_INS[name]}" for name in measurable) + ".",
            "Not measured: aesthetic and imaging quality, whose networks are trained on human "
            f"ratings, and {', '.join(name.replace('_', ' ') for name in missing)}, which prompts "
            "ask for and classes of shapes do not.",
            METHODS_ARE_STAND_INS,
            *standings_by_dimension(measured, titles),
        ),
        provenance=measured.provenance(keys),
    )


def _rows(
    measured: MeasuredMethods,
    methods: Iterable[str],
    keys: Sequence[str],
    scale: Scale,
    notes: Mapping[str, str],
) -> tuple[Row, ...]:
    """Methods by columns; numbers of those with a note are not ranked."""

    def cell(method: str, key: str) -> Cell:
        own = measured.cell(method, key)
        if own.is_empty or method not in notes:
            return own
        return replace(own, comparable=False, notes=(notes[method],))

    section = f"Measured at scale {scale}"
    return tuple(
        Row(label=method, section=section, cells={key: cell(method, key) for key in keys})
        for method in methods
    )


def standings_by_metric(measured: MeasuredMethods, metrics: Sequence[str]) -> list[str]:
    """How the held-out real videos and the model stand beside the stand-ins, in words."""
    sentences = []
    for metric in metrics:
        for method in _compared(measured):
            below, above, alike = standing(measured, method, metric)
            better, worse = (above, below) if DIRECTIONS[metric] == "lower" else (below, above)
            parts = [f"better than {better} of {better + worse + alike} stand-ins"]
            parts += [f"not significantly different from {alike}"] * (alike > 0)
            parts += [f"worse than {worse}"] * (worse > 0)
            sentences.append(f"{metric}, {method}: {', '.join(parts)}.")
    return [*sentences, BY_INTERVALS] if sentences else []


def standings_by_dimension(measured: MeasuredMethods, titles: Mapping[str, str]) -> list[str]:
    """Numbers of stand-ins with lower and higher scores than held-out videos and the model."""
    sentences = []
    for method in _compared(measured):
        pairs, total = [], 0
        for name in (key for key in titles if key in STAND_INS):
            below, above, alike = standing(measured, method, f"{name}{SUFFIX}")
            pairs.append(f"{titles[name]}{SUFFIX} {below} / {above}")
            total = below + above + alike
        sentences.append(
            f"Stand-ins, of {total}, with lower / higher scores than {method}, by 95 % "
            f"intervals that do not overlap: {', '.join(pairs)}."
        )
    return sentences


def _compared(measured: MeasuredMethods) -> list[str]:
    """Held-out real videos and the model, where both they and stand-ins are measured."""
    if not any(measured.cells.get(label) for label in DISTORTED):
        return []
    return [method for method in (HELD_OUT, measured.model) if measured.cells.get(method)]


def standing(measured: MeasuredMethods, method: str, name: str) -> tuple[int, int, int]:
    """Numbers of stand-ins below a method, above it, and not significantly different from it.

    Stand-ins without a value are left out.
    """
    others = (measured.cell(label, name) for label in DISTORTED if measured.cells.get(label))
    return below_above_alike(measured.cell(method, name), others)


def below_above_alike(own: Cell, others: Iterable[Cell]) -> tuple[int, int, int]:
    """Numbers of cells below `own`, above it, and not significantly different from it.

    Cells differ where their intervals, by all their digits, have no point in common: a cautious
    rule, since intervals that overlap a little may belong to values that differ. Without an
    interval the value decides; cells that print alike do not differ. A cell without a value is
    counted nowhere, and counts nothing.
    """
    below = above = alike = 0
    for other in others:
        if own.ends is None or other.ends is None:
            continue
        if not print_alike(own, other) and other.ends[1] < own.ends[0]:
            below += 1
        elif not print_alike(own, other) and other.ends[0] > own.ends[1]:
            above += 1
        else:
            alike += 1
    return below, above, alike


def _seeds(measured: MeasuredMethods) -> int:
    return max((len(cells) for cells in measured.cells.values()), default=1)
