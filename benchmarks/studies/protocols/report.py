"""The documents of `latte-bench protocols`: a table of every choice, and a tornado chart."""

from collections.abc import Iterator

from benchmarks.cells.provenance import of_result
from benchmarks.documents.drawings import Drawing
from benchmarks.documents.tables import TableDocument, bare
from benchmarks.studies.protocols.choices import changes
from benchmarks.studies.protocols.measure import ChoiceResult, ProtocolStudy
from evaluation.results.record import Result, SetRecord
from evaluation.uncertainty import Interval
from reports.cells import Cell, Column, Row
from reports.charts.bars import Bar, Base, bar_chart
from reports.charts.style import styles_for
from reports.numbers import ASYMMETRIC, decimals_of, percent
from reports.table import Table

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
COLUMNS = {
    "change": "Change",
    "relative": "Relative",
    "clear": "Beyond chance",
    "fields": "What differs",
}


def protocols_document(study: ProtocolStudy, seconds: float) -> TableDocument:
    """The table, and the chart above it.

    Args:
        seconds: wall time of the study.
    """
    table, drawings = protocols_table(study, seconds), draw(study)
    return TableDocument(
        name="protocols",
        title=f"Protocols: how far one choice moves {study.result.metric}",
        lead=_lead(study),
        tables=(table,),
        blocks=(*(drawing.block for drawing in drawings), bare(table)),
        drawings=drawings,
    )


def draw(study: ProtocolStudy) -> list[Drawing]:
    """The chart; none where no choice could be made, or where the base protocol gives 0."""
    base, metric = study.result.value, study.result.metric
    if not study.measured or base <= 0:
        return []
    title = f"How far one choice moves {metric}"
    bars = [
        Bar(
            label=measured.choice.label,
            value=result.value,
            low=base + measured.change.low if measured.change else None,
            high=base + measured.change.high if measured.change else None,
            family=FAMILIES[measured.choice.family],
        )
        for measured, result in study.measured
    ]
    chart = bar_chart(
        bars,
        base=Base(value=base, label=f"base protocol {study.base.name}:"),
        title=title,
        axis=f"{metric} (lower is better)",
        styles=styles_for(FAMILIES.values()),
    )
    return [
        Drawing(
            name="protocols",
            figure=chart,
            description=f"{title}: bars.",
            caption=f"{title} away from the base protocol, the farthest first; whiskers are 95 % "
            "intervals.",
        )
    ]


def protocols_table(study: ProtocolStudy, seconds: float) -> Table:
    """One row for each choice, the base protocol first."""
    result = study.result
    first = Row(
        label=f"base protocol: {study.base.name}",
        cells={
            "value": Cell.measured(result.value, result.interval),
            **dict.fromkeys(COLUMNS, Cell(reason="The base protocol itself.")),
        },
    )
    real, fake = _records(result)
    details = {
        "real videos": real.path,
        "generated videos": fake.path,
        "clips": f"{result.num_real} real and {result.num_fake} generated of "
        f"{result.num_frames} frames under the base protocol",
        "fingerprint of the base protocol as carried out": result.fingerprint,
    }
    return Table(
        title=f"How far one choice of the protocol moves {result.metric}",
        caption=CAPTION,
        label_heading="Choice",
        columns=(
            Column(key="value", title=result.metric),
            *(Column(key=key, title=title) for key, title in COLUMNS.items()),
        ),
        rows=(first, *(_row(study, choice) for choice in study.choices)),
        provenance=(of_result(result, seconds=seconds, details=details),),
    )


def notes(base: Result, measured: ChoiceResult) -> Iterator[str]:
    """What else is not as under the base protocol."""
    changed = measured.result
    if changed is None:
        return
    if changed.interval and {"real_clips", "mirror"} & set(measured.choice.changes):
        yield "Clips of one video count as independent here: the intervals are too narrow."
    sides = zip(_records(base), _records(changed), ("real", "generated"), strict=True)
    for before, after, whose in sides:
        more = len(after.too_short) - len(before.too_short)
        if more > 0:
            yield f"{more} more {whose} videos are too short and left out."
    if changed.value == base.value:
        yield "The same number to the last digit: this choice does nothing to these videos."


def _records(result: Result) -> tuple[SetRecord, SetRecord]:
    assert result.real is not None
    assert result.fake is not None
    return result.real, result.fake


def _is_clear(change: Interval) -> bool:
    return not change.low <= 0 <= change.high


def _lead(study: ProtocolStudy) -> str:
    """The base protocol's number, how many choices move it, and which one the farthest."""
    base, measured = study.result.value, study.measured
    sentences = [f"{study.result.metric} is {base:.4g} under the base protocol {study.base.name}."]
    known = [choice.change for choice, _ in measured if choice.change]
    if known:
        clear = sum(map(_is_clear, known))
        sentences.append(f"Of {len(measured)} choices {clear} move it beyond chance.")
    if measured and base > 0:
        farthest, result = max(measured, key=lambda pair: abs(pair[1].value - base))
        relative = percent(result.value / base - 1)
        sentences.append(f"The farthest: {farthest.choice.label}, {relative}.")
    return " ".join(sentences)


def _row(study: ProtocolStudy, measured: ChoiceResult) -> Row:
    choice, result, change = measured.choice, measured.result, measured.change
    base = study.result.value
    words = [str(deviation) for deviation in changes(study.base, choice)]
    words += [f"of {choice.videos} videos"] if choice.videos else []
    cells = dict.fromkeys(("value", *COLUMNS), Cell(reason=f"{measured.error}."))
    if result is not None:
        clear = None if change is None else "yes" if _is_clear(change) else "no"
        relative = percent(result.value / base - 1) if base > 0 else None
        cells = {
            "value": Cell.measured(result.value, result.interval),
            "change": _change_cell(result.value - base, change),
            "relative": Cell(text=relative, reason="The base protocol gives 0."),
            "clear": Cell(text=clear, reason="No intervals were asked for."),
        }
    return Row(
        label=choice.label,
        section=FAMILIES[choice.family],
        cells={**cells, "fields": Cell(text="; ".join(words))},
        notes=tuple(notes(study.result, measured)),
    )


def _change_cell(difference: float, change: Interval | None) -> Cell:
    """A difference with its sign, and no more decimals than its interval makes meaningful."""
    ends, width = None, difference
    if change is not None:
        ends, width = (change.low, change.high), (change.high - change.low) / 2 or difference
    decimals = decimals_of(width)
    return Cell.measured(difference, ends, text=f"{difference:+.{decimals}f}", decimals=decimals)
