"""A comparison as a table of `reports`, and the sentences that go with it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from evaluation.comparison.columns import ComparedCell, ComparedColumn, Superseded
from evaluation.comparison.significance import Instead, Method
from evaluation.protocol.deviations import Deviation
from reports.cells import Cell, Column, Direction, Row
from reports.table import Table

INSTEAD: Mapping[Instead, str] = {  # why features were not permuted
    "not_in_store": "features are not in the store",
    "lengths_differ": "clips differ in length",
    "too_wide": "features are too wide",
    "other_values": "features in the store give other values",
}
DIRECTIONS: Mapping[bool | None, Direction | None] = {True: "higher", False: "lower", None: None}


def comparison_table(
    models: Sequence[str],
    columns: Sequence[ComparedColumn],
    superseded: Iterable[Superseded],
    level: float,
) -> Table:
    """Models × metrics, with ranks, marks, footnotes and remarks."""
    drawn = []
    rows: dict[str, dict[str, Cell]] = {model: {} for model in models}
    for number, column in enumerate(columns):
        shared, key = _shared_notes(column), str(number)
        drawn.append(
            Column(
                key=key,
                title=column.title,
                direction=DIRECTIONS[column.higher_is_better],
                notes=(*column_notes(column), *shared),
            )
        )
        for model in models:
            rows[model][key] = _table_cell(column.cells.get(model), shared)
    return Table(
        title="Comparison of models",
        caption=_caption(columns),
        columns=tuple(drawn),
        rows=tuple(Row(label=model, cells=cells) for model, cells in rows.items()),
        label_heading="Model",
        remarks=(
            *(_settings_line(column) for column in columns),
            *_test_lines(columns),
            *map(_superseded_line, superseded),
        ),
        level=level,
    )


def cell_notes(cell: ComparedCell) -> tuple[str, ...]:
    """What has to be said about one value."""
    result, notes = cell.result, []
    if cell.differences:
        notes.append(f"Not ranked: {_listed(cell.differences)}.")
    if cell.deviations:
        notes.append(f"Deviates from protocol {result.protocol}: {_listed(cell.deviations)}.")
    if cell.own_weights:
        notes.append(f"The weights are not the published ones ({result.weights_sha256[:12]}…).")
    return tuple(notes)


def column_notes(column: ComparedColumn) -> tuple[str, ...]:
    """What sets a second column of a metric apart from the first."""
    if not column.differences:
        return ()
    return (f"Not comparable with {column.beside}: {_listed(column.differences)}.",)


def method_text(method: Method) -> str:
    """How a difference was tested."""
    if method.kind == "permutations":
        pairs = "paired" if method.paired else "unpaired"
        number = f"all {method.permutations}" if method.exact else f"{method.permutations}"
        return f"permutation test on the features, {pairs}, {number} permutations"
    text = "not tested, because an interval is missing"
    if method.kind == "intervals":
        text = "difference compared with both intervals, as of independent normal values"
        text += ", which is conservative because both share the real set" * method.conservative
    paired = ", so --paired has no effect" if method.paired else ""
    return f"{text} ({INSTEAD[method.instead]}{paired})" if method.instead else text


def _table_cell(cell: ComparedCell | None, shared: Sequence[str]) -> Cell:
    if cell is None:
        return Cell(reason="Not measured.")
    return Cell.measured(
        cell.result.value,
        cell.result.interval,
        notes=tuple(note for note in cell_notes(cell) if note not in shared),
        comparable=cell.comparable,
        p_value=cell.p_value,
        significant=cell.significant,
    )


def _shared_notes(column: ComparedColumn) -> tuple[str, ...]:
    """Notes that all ranked cells of a column share: they belong to its heading."""
    listed = [cell_notes(cell) for cell in column.cells.values() if cell.comparable]
    if len(listed) < 2:
        return ()
    return tuple(note for note in listed[0] if all(note in notes for notes in listed))


def _caption(columns: Sequence[ComparedColumn]) -> str:
    """What the signs in the table mean, if they occur."""
    sentences = []
    if any(column.higher_is_better is not None for column in columns):
        sentences.append("↓ lower is better, ↑ higher is better.")
    if any(column.higher_is_better is None for column in columns):
        sentences.append("Columns without an arrow have no best value and are not ranked.")
    results = [cell.result for column in columns for cell in column.cells.values()]
    levels = sorted({result.level for result in results if result.interval})
    if levels:
        shown = ", ".join(f"{100 * level:.4g} %" for level in levels)
        sentences.append(f"± and [low, high]: {shown} intervals.")
    if any(cell.p_value is not None for column in columns for cell in column.cells.values()):
        sentences.append("p-values are corrected for their number in the column (Holm).")
    return " ".join(sentences)


def _settings_line(column: ComparedColumn) -> str:
    """How the ranked values of a column were measured."""
    result = column.reference
    weights = f" {result.weights_sha256[:8]}…" if result.weights_sha256 else ""
    return (
        f"{column.title}: {result.protocol} {result.fingerprint}, {result.network}{weights}, "
        f"{result.samples}."
    )


def _test_lines(columns: Sequence[ComparedColumn]) -> Iterator[str]:
    """A sentence for each kind of test, with the columns in which it was used."""
    used: dict[Method, list[str]] = {}
    for column in columns:
        for method in dict.fromkeys(cell.test for cell in column.cells.values() if cell.test):
            used.setdefault(method, []).append(column.title)
    for method, titles in used.items():
        yield f"{'; '.join(titles)}: {method_text(method)}."


def _superseded_line(superseded: Superseded) -> str:
    older, newer = superseded.entry, superseded.newer
    return (
        f"{older.result.model}, {older.title}: measured twice in the same way, so the newer value "
        f"counts ({newer.where}) and not {older.result.value:.6g} ({older.where})."
    )


def _listed(deviations: Iterable[Deviation]) -> str:
    return "; ".join(map(str, deviations))
