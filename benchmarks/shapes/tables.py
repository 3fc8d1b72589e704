"""Tables of methods on the embedded data set, by metrics and by VBench's dimensions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.cells.scale import Scale
from benchmarks.shapes.dimensions import STAND_INS, SUFFIX
from benchmarks.shapes.measuring import DIRECTIONS, IS
from benchmarks.shapes.methods import MeasuredMethods
from benchmarks.shapes.stand_ins import DISTORTED, HELD_OUT, REAL
from reports.cells import Cell, Column, Row
from reports.numbers import ASYMMETRIC
from reports.ranks import print_alike
from reports.table import Table

OF_HELD_OUT = (
    "Unchanged real videos: the score of a perfect generator with so many clips; not ranked."
)
OF_REAL = "The real videos that the others are measured against; not ranked."
REFERENCE = "The reference that the others are measured against."
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


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A method beside the stand-ins in one metric, by intervals that do not overlap."""

    metric: str
    method: str
    better: int  # stand-ins that it is better than
    worse: int
    alike: int  # stand-ins that it does not differ from significantly

    def __str__(self) -> str:
        total = self.better + self.worse + self.alike
        parts = [f"better than {self.better} of {total} stand-ins"]
        parts += [f"not significantly different from {self.alike}"] * (self.alike > 0)
        parts += [f"worse than {self.worse}"] * (self.worse > 0)
        return f"{self.metric}, {self.method}: {', '.join(parts)}."


def methods_table(measured: MeasuredMethods, metrics: Sequence[str], scale: Scale) -> Table:
    """Methods × metrics, each with its interval; a table of its own beside the published one."""
    seeds = _seeds(measured)
    spread = "the bootstrap over the clips"
    if seeds > 1:
        spread = "Student's t on the logarithms of the seeds, whose geometric mean is shown"

    def cell(method: str, metric: str) -> Cell:
        if method == REAL and metric != IS:
            return Cell(reason=REFERENCE)
        return _unranked(measured.cell(method, metric), method, OF_REAL)

    return Table(
        title=f"{' and '.join(metrics)} of methods on the data set shapes",
        caption=(
            f"Scale {scale}: {measured.num_videos} clips of 16 frames at 32×32 in each set, "
            f"{seeds} {'seed' if seeds == 1 else 'seeds'}; ± is half of the 95 % interval of "
            f"{spread}; {ASYMMETRIC}."
        ),
        columns=tuple(
            Column(key=metric, title=metric, direction=DIRECTIONS[metric]) for metric in metrics
        ),
        rows=_rows(
            [method for method in measured.methods if method != REAL or IS in metrics],
            metrics,
            cell,
            scale,
        ),
        remarks=(METRICS_ARE_SMALL, METHODS_ARE_STAND_INS, *standings_in_words(measured, metrics)),
        provenance=measured.provenance(metrics),
    )


def standings_by_metric(measured: MeasuredMethods, metrics: Sequence[str]) -> list[Standing]:
    """Standings of the held-out real videos and of the model beside the stand-ins.

    Methods and stand-ins without a value are left out.
    """
    standings = []
    for metric in metrics:
        others = [measured.cell(label, metric) for label in DISTORTED if label in measured.cells]
        for method in (HELD_OUT, measured.model):
            if method not in measured.cells:
                continue
            below, above, alike = counts(measured.cell(method, metric), others)
            if DIRECTIONS[metric] == "lower":
                below, above = above, below
            if below + above + alike:
                standings.append(
                    Standing(metric=metric, method=method, better=below, worse=above, alike=alike)
                )
    return standings


def standings_in_words(measured: MeasuredMethods, metrics: Sequence[str]) -> list[str]:
    """A sentence for each standing, and one on what they mean."""
    standings = standings_by_metric(measured, metrics)
    return [*map(str, standings), BY_INTERVALS] if standings else []


def dimensions_table(measured: MeasuredMethods, titles: Mapping[str, str], scale: Scale) -> Table:
    """Methods × dimensions in percent, each with its interval.

    Args:
        titles: headings of all of VBench's dimensions, in its order.
    """
    shown = {f"{name}{SUFFIX}": name for name in titles if name in STAND_INS}
    missing = [name for name in titles if name not in STAND_INS and name not in PREFERENCES]
    seeds = _seeds(measured)
    spread = "over clips" if seeds == 1 else f"over {seeds} seeds"
    meanings = "; ".join(f"{titles[name]}: {STAND_INS[name].what}" for name in shown.values())

    def cell(method: str, key: str) -> Cell:
        return _unranked(measured.percent(method, key), method, OF_HELD_OUT)

    return Table(
        title="VBench's dimensions of methods on the data set shapes, by stand-ins",
        caption=(
            f"Scale {scale}: {measured.num_videos} clips of 16 frames at 32×32 of each method; "
            f"percent; higher is better; ± is half of the 95 % interval {spread}; {ASYMMETRIC}."
        ),
        columns=tuple(
            Column(key=key, title=f"{titles[name]}{SUFFIX}", direction="higher")
            for key, name in shown.items()
        ),
        rows=_rows(measured.methods, shown, cell, scale),
        remarks=(
            SCORES_ARE_STAND_INS,
            f"{meanings}.",
            "Not measured: aesthetic and imaging quality, whose networks are trained on human "
            f"ratings, and {', '.join(name.replace('_', ' ') for name in missing)}, which prompts "
            "ask for and classes of shapes do not.",
            METHODS_ARE_STAND_INS,
            *standings_by_dimension(measured, titles),
        ),
        provenance=measured.provenance(shown),
    )


def standings_by_dimension(measured: MeasuredMethods, titles: Mapping[str, str]) -> list[str]:
    """Numbers of stand-ins with lower and higher scores than held-out videos and the model."""
    others = [label for label in DISTORTED if label in measured.cells]
    sentences = []
    for method in (HELD_OUT, measured.model):
        if method not in measured.cells or not others:
            continue
        pairs = []
        for name in (key for key in titles if key in STAND_INS):
            own, *scores = (measured.percent(x, f"{name}{SUFFIX}") for x in (method, *others))
            below, above, _ = counts(own, scores)
            pairs.append(f"{titles[name]}{SUFFIX} {below} / {above}")
        sentences.append(
            f"Stand-ins, of {len(others)}, with lower / higher scores than {method}, by 95 % "
            f"intervals that do not overlap: {', '.join(pairs)}."
        )
    return sentences


def counts(own: Cell, others: Iterable[Cell]) -> tuple[int, int, int]:
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


def _rows(
    methods: Iterable[str], keys: Iterable[str], cell: Callable[[str, str], Cell], scale: Scale
) -> tuple[Row, ...]:
    names = list(keys)
    return tuple(
        Row(
            label=method,
            section=f"Measured at scale {scale}",
            cells={key: cell(method, key) for key in names},
        )
        for method in methods
    )


def _unranked(cell: Cell, method: str, of_real: str) -> Cell:
    """A measured cell of real videos with a note; other cells as they are."""
    note = {HELD_OUT: OF_HELD_OUT, REAL: of_real}.get(method)
    if cell.is_empty or note is None:
        return cell
    return replace(cell, comparable=False, notes=(note,))


def _seeds(measured: MeasuredMethods) -> int:
    return max((len(cells) for cells in measured.cells.values()), default=1)
