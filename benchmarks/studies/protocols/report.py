"""The documents of `latte-bench protocols`: a table of every choice, and a tornado chart."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.cells.provenance import of_result
from benchmarks.documents.figures import Drawing, write_drawings
from benchmarks.documents.tables import bare, provenance_of, written
from benchmarks.studies.protocols.choices import differing
from benchmarks.studies.protocols.run import Measured
from evaluation.protocol.fields import Protocol
from evaluation.results.record import Result
from evaluation.uncertainty import Interval
from reports.cells import Cell, Column, Row
from reports.charts.style import styles_for
from reports.charts.tornado import Swing, percent, tornado_chart
from reports.document import Report
from reports.numbers import ASYMMETRIC, decimals_of
from reports.provenance import Provenance
from reports.table import Table, write_table

FAMILIES = {
    "clips": "Which clips",
    "time": "Time",
    "frames": "Size and storage",
    "network": "Network",
    "statistics": "Statistics",
}
CAPTION = (
    "The base protocol, and what it gives with one choice made in another way. ± is half the 95 % "
    f"interval, {ASYMMETRIC}. That of a change is of the difference: where both numbers come from "
    "the same videos, what moves them alike cancels. “Beyond chance” says whether it leaves out 0."
)


def write_protocols(
    out: Path, base: Protocol, result: Result, measured: Sequence[Measured], *, seconds: float
) -> str:
    """Write `protocols.md`, `.csv`, `.tex`, `.svg`, `.png`, `.report.json` and `results.jsonl`.

    Returns:
        What the command prints: the table as Markdown, and where the files are.
    """
    table = protocols_table(base, result, measured, seconds=seconds)
    drawings = draw(base, result, measured)
    report = Report(
        title=f"Protocols: how far one choice moves {result.metric}",
        lead=_lead(base, result, measured),
        blocks=(*(each.block for each in drawings), bare(table), provenance_of([table])),
    )
    paths = write_table(table, out, "protocols")
    paths += [*write_drawings(drawings, out), report.store(out, "protocols")]
    results = [result, *(each.result for each in measured if each.result)]
    (out / "results.jsonl").write_text(
        "".join(each.to_json() + "\n" for each in results), encoding="utf-8"
    )
    return "\n".join([table.markdown(), written(paths), f"{seconds:.0f} s in all"])


def draw(base: Protocol, result: Result, measured: Sequence[Measured]) -> list[Drawing]:
    """The chart; none where no choice could be made, or where there is no share of the base."""
    found = swings(result, measured)
    if not found or result.value <= 0:
        return []
    title = f"How far one choice moves {result.metric}"
    chart = tornado_chart(
        found,
        base=result.value,
        title=title,
        axis=f"{result.metric} (lower is better)",
        base_label=f"base protocol {base.name}:",
        styles=styles_for(FAMILIES.values()),
    )
    caption = (
        f"{title} away from the base protocol, the farthest first; whiskers are 95 % intervals."
    )
    drawing = Drawing(
        name="protocols", figure=chart, data=None, description=f"{title}: bars.", caption=caption
    )
    return [drawing]


def protocols_table(
    base: Protocol, result: Result, measured: Sequence[Measured], *, seconds: float
) -> Table:
    """One row for each choice, the base protocol first."""
    low, high = result.interval or (None, None)
    none = Cell(reason="The base protocol itself.")
    first = Row(
        label=f"base protocol: {base.name}",
        cells={
            "value": Cell(value=result.value, low=low, high=high),
            "change": none,
            "relative": none,
            "clear": none,
            "fields": none,
        },
    )
    return Table(
        title=f"How far one choice of the protocol moves {result.metric}",
        caption=CAPTION,
        label_heading="Choice",
        columns=(
            Column(key="value", title=result.metric),
            Column(key="change", title="Change"),
            Column(key="relative", title="Relative"),
            Column(key="clear", title="Beyond chance"),
            Column(key="fields", title="What differs"),
        ),
        rows=(first, *(_row(base, result, each) for each in measured)),
        provenance=(_provenance(result, seconds),),
    )


def swings(result: Result, measured: Sequence[Measured]) -> list[Swing]:
    """A bar for each choice that could be made; its whisker is the interval of the change."""
    return [
        Swing(
            label=each.choice.label,
            value=each.result.value,
            low=result.value + each.change.low if each.change else None,
            high=result.value + each.change.high if each.change else None,
            family=FAMILIES[each.choice.family],
        )
        for each in measured
        if each.result
    ]


def _lead(base: Protocol, result: Result, measured: Sequence[Measured]) -> str:
    """The base protocol's number, how many choices move it, and which one the farthest."""
    said = [f"{result.metric} is {result.value:.4g} under the base protocol {base.name}."]
    made = [each for each in measured if each.result]
    clear = [each for each in made if each.change and is_clear(each.change)]
    if any(each.change for each in made):
        said.append(f"Of {len(made)} choices {len(clear)} move it beyond chance.")
    if made and result.value > 0:
        farthest = max(made, key=lambda each: abs(_value(each) - result.value))
        relative = percent(_value(farthest) / result.value - 1)
        said.append(f"The farthest: {farthest.choice.label}, {relative}.")
    return " ".join(said)


def is_clear(change: Interval) -> bool:
    """Whether the interval of a change leaves out 0."""
    return not change.low <= 0 <= change.high


def _value(each: Measured) -> float:
    assert each.result is not None
    return each.result.value


def _row(base: Protocol, result: Result, each: Measured) -> Row:
    fields = Cell(text=differing(base, each.choice))
    section = FAMILIES[each.choice.family]
    if each.result is None:
        empty = Cell(reason=each.reason)
        keys = ("value", "change", "relative", "clear")
        cells = {**dict.fromkeys(keys, empty), "fields": fields}
        return Row(label=each.choice.label, section=section, cells=cells)
    value, change = each.result.value, each.change
    low, high = each.result.interval or (None, None)
    relative = percent(value / result.value - 1) if result.value > 0 else None
    clear = None if change is None else "yes" if is_clear(change) else "no"
    cells = {
        "value": Cell(value=value, low=low, high=high),
        "change": _change_cell(value - result.value, change),
        "relative": Cell(text=relative, reason="The base protocol gives 0."),
        "clear": Cell(text=clear, reason="No intervals were asked for."),
        "fields": fields,
    }
    return Row(label=each.choice.label, section=section, cells=cells, notes=each.notes)


def _change_cell(difference: float, change: Interval | None) -> Cell:
    """With its sign, and no more decimals than its interval leaves a meaning."""
    if change is None:
        return Cell(value=difference, text=f"{difference:+.{decimals_of(difference)}f}")
    decimals = decimals_of((change.high - change.low) / 2 or difference)
    text = f"{difference:+.{decimals}f}"
    return Cell(value=difference, low=change.low, high=change.high, text=text)


def _provenance(result: Result, seconds: float) -> Provenance:
    assert result.real is not None
    assert result.fake is not None
    details = {
        "real videos": result.real.path,
        "generated videos": result.fake.path,
        "clips": f"{result.num_real} real and {result.num_fake} generated of {result.num_frames} "
        "frames under the base protocol",
        "fingerprint of the base protocol as carried out": result.fingerprint,
    }
    return of_result(result, seconds=seconds, details=details)
