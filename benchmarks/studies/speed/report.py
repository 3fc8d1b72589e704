"""The report of `latte-bench speed`: promises, times, and a chart of the ratios."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks.documents.drawings import Drawing
from benchmarks.studies.speed.goals import Goal, goals
from benchmarks.studies.speed.timings import (
    AGAIN,
    CACHED,
    CD_FVD,
    COLD,
    DECODE,
    FIRST,
    OURS,
    PLAIN,
    SCRIPT,
    SQRTM,
    TWO,
    Timing,
    Timings,
)
from reports.blocks import Block, ProvenanceBlock, TableBlock
from reports.cells import Cell, Column, Row
from reports.charts.bars import Bar, bar_chart
from reports.charts.style import styles_for
from reports.document import Report
from reports.provenance import Provenance
from reports.table import Table, simple_table

COLUMNS = (
    Column(key="seconds", title="Seconds"),
    Column(key="rate", title="Clips/s, best"),
    Column(key="times", title="Times as fast"),
    Column(key="memory", title="Peak memory, MB"),
)
NO_CLIPS = Cell(reason="It is not about clips.")
NOT_WATCHED = Cell(reason="The memory is not watched there.")
BASE = Cell(reason="The others are compared with it.")
ALONE = Cell(reason="There is nothing to compare it with.")
NETWORKS = {"i3d": "I3D", "shapes": "Network of shapes"}
WAYS = {
    OURS: "ours, as the suite runs it",
    PLAIN: "plain PyTorch, batches of four",
    "one": "plain PyTorch, one clip at a time",
    "torchscript": "TorchScript, batches of four",
    "inductor": "inductor, batches of four",
}
ALONE_SECTIONS = {"memory": "Extraction by the network of shapes", "starting": "Start"}
EVALUATIONS = {
    (COLD, OURS): "ours",
    (COLD, TWO): "ours, two processes of torchrun",
    (COLD, CD_FVD): "cd-fvd",
    (COLD, SCRIPT): "script, JPEG frames",
    (CACHED, OURS): "ours, second model, real side cached",
    (CACHED, CD_FVD): "cd-fvd, second model, real side cached",
    (CACHED, SCRIPT): "script, second model, real side cached",
    (AGAIN, OURS): "ours, the same again",
    (FIRST, OURS): "ours, first run on this machine",
    (DECODE, OURS): "ours, decoding and preparing alone",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A timing as a row: in which section, called what, beside which other."""

    section: str
    label: str
    timing: Timing
    base: Timing | None = None


def entries(timings: Timings) -> list[Entry]:
    """The rows in the order of the report."""
    rows = [
        Entry(
            section=f"{network} alone",
            label=WAYS[way],
            timing=timings[part, way],
            base=timings.get((part, PLAIN)),
        )
        for part, network in NETWORKS.items()
        for way in WAYS
        if (part, way) in timings
    ]
    whole = next(
        (timings[COLD, way] for way in (CD_FVD, SCRIPT) if _is_timed(timings, COLD, way)), None
    )
    rows += [
        Entry(section="Whole evaluation", label=label, timing=timings[key], base=whole)
        for key, label in EVALUATIONS.items()
        if key in timings
    ]
    for (part, way), timing in timings.items():
        if dimension := part.partition("distance ")[2]:
            section, base = f"Fréchet distance, {dimension} features", timings[part, SQRTM]
            rows.append(Entry(section=section, label=way, timing=timing, base=base))
    rows += [
        Entry(section=section, label=way, timing=timing)
        for kind, section in ALONE_SECTIONS.items()
        for (part, way), timing in timings.items()
        if part == kind
    ]
    return rows


def speed_report(timings: Timings, facts: dict[str, str], provenance: Provenance) -> Report:
    """Promises, times and the chart; the lead says how many promises are kept."""
    judged = goals(timings)
    decided = [goal for goal in judged if goal.reached is not None]
    missed = [f"{goal.what} ({_number(goal)})" for goal in decided if not goal.reached]
    lead = f"{len(decided) - len(missed)} of {len(decided)} goals are reached"
    lead += f"; not: {'; '.join(missed)}." if missed else "."
    lead += _ceiling(timings)
    blocks: list[Block] = [
        TableBlock(table=goals_table(judged)),
        *(drawing.block for drawing in drawings(timings)),
        TableBlock(table=times_table(timings, facts)),
        ProvenanceBlock(records=(provenance,)),
    ]
    return Report(title="Speed and memory", lead=lead, blocks=tuple(blocks))


def _ceiling(timings: Timings) -> str:
    """The share of the rate of decoding alone that a whole run reaches."""
    decode, whole = timings.get((DECODE, OURS)), timings.get((COLD, OURS))
    if decode is None or whole is None:
        return ""
    share = decode.best / whole.best
    return (
        f" From files to the distance, {whole.clips / whole.best:.3g} clips/s are measured: "
        f"{share:.0%} of what decoding and preparing reach alone."
    )


def goals_table(judged: Sequence[Goal]) -> Table:
    """One row for each goal."""
    titles = {"goal": "Goal", "measured": "Measured", "reached": "Reached"}
    rows: list[tuple[str, Sequence[str | Cell]]] = []
    for goal in judged:
        sign = "≥" if goal.at_least else "<"
        limit = f"{sign} {goal.limit:g} {goal.unit}"
        empty = Cell(reason=goal.reason)
        shown = Cell(text=_number(goal)) if goal.values else empty
        rows.append(
            (
                goal.what,
                (limit, shown, "yes" if goal.reached else "no")
                if goal.values
                else (limit, empty, empty),
            )
        )
    return simple_table(
        "Goals of time and memory",
        titles,
        rows,
        label_heading="What",
        caption="Medians of ratios within one turn, and the best of times.",
    )


def _number(goal: Goal) -> str:
    spread = ""
    if len(goal.values) > 1:
        spread = f" ({min(goal.values):.3g} to {max(goal.values):.3g})"
    return f"{goal.measured:.3g} {goal.unit}{spread}"


def times_table(timings: Timings, facts: dict[str, str]) -> Table:
    """One row for each way of each part."""
    rows = [
        Row(label=entry.label, section=entry.section, cells=_cells(entry))
        for entry in entries(timings)
    ]
    return Table(
        title="Times",
        caption="Medians, with the range over the turns; the ways of a section take turns.",
        label_heading="What",
        columns=COLUMNS,
        rows=tuple(rows),
        remarks=_remarks(timings, facts),
    )


def _cells(entry: Entry) -> dict[str, Cell]:
    timing = entry.timing
    if not timing.seconds:
        return {column.key: Cell(reason=timing.reason) for column in COLUMNS}
    if entry.base is None:
        times = ALONE
    elif entry.base == timing:
        times = BASE
    else:
        ratios = timing.ratios(entry.base) if _same_turns(timing, entry.base) else ()
        times = _spread(ratios) if ratios else Cell.fixed(entry.base.best / timing.best, 2)
    return {
        "seconds": _spread(timing.seconds),
        "rate": Cell.fixed(timing.clips / timing.best, 2) if timing.clips else NO_CLIPS,
        "times": times,
        "memory": Cell.fixed(max(timing.megabytes), 0) if timing.megabytes else NOT_WATCHED,
    }


def _same_turns(timing: Timing, other: Timing) -> bool:
    return len(timing.seconds) == len(other.seconds)


def _spread(values: Sequence[float]) -> Cell:
    """The median, with the smallest and the largest."""
    middle = float(pd.Series(values).median())
    if len(values) == 1:
        return Cell(value=middle, text=f"{middle:.3g}")
    return Cell(value=middle, text=f"{middle:.3g} ({min(values):.3g} to {max(values):.3g})")


def _remarks(timings: Timings, facts: dict[str, str]) -> tuple[str, ...]:
    remarks = [
        "Times as fast: as plain PyTorch on batches of four; as the whole evaluation of cd-fvd "
        "(of the script, where cd-fvd is not installed); as sqrtm.",
        "script: every frame becomes a JPEG file as in StyleGAN-V, TorchScript gives features, "
        "SciPy's sqrtm the distance. All have the same random weights.",
    ]
    if "videos" in facts:
        remarks.append(f"Videos: {facts['videos']}. Clips of 16 frames, two sets.")
    if "network" in facts:
        remarks.append(f"Network: {facts['network']}.")
    apart = [
        f"{name} {facts[f'value {name}']}" for name in (CD_FVD, SCRIPT) if f"value {name}" in facts
    ]
    if apart:
        remarks.append(
            f"Beside our distance, those of the others are: {', '.join(apart)}; their clips begin "
            "elsewhere or went through JPEG."
        )
    if f"value {TWO}" in facts:
        remarks.append(f"Beside our distance, that of {TWO} is: {facts[f'value {TWO}']}.")
    exact = [facts[key] for key in facts if key.startswith("distance ")]
    if exact:
        remarks.append(
            f"The three Fréchet distances differ by at most {max(map(float, exact)):.0e}."
        )
    return tuple(remarks)


def drawings(timings: Timings) -> list[Drawing]:
    """The chart of all ratios."""
    bars = []
    for entry in entries(timings):
        base = entry.base
        if base is None or base == entry.timing or not entry.timing.seconds or not base.seconds:
            continue
        if not _same_turns(entry.timing, base):
            continue
        ratios = entry.timing.ratios(base)
        bars.append(
            Bar(
                label=f"{entry.section}: {entry.label}",
                value=float(pd.Series(ratios).median()),
                low=min(ratios),
                high=max(ratios),
                family=entry.section.partition(",")[0],
            )
        )
    if not bars:
        return []
    title = "Times as fast as others"
    figure = bar_chart(
        bars,
        title=title,
        axis="times as fast (higher is better)",
        styles=styles_for(dict.fromkeys(bar.family for bar in bars)),
    )
    return [
        Drawing(
            name="speed-ratios",
            figure=figure,
            data=pd.DataFrame([vars(bar) for bar in bars]),
            description=f"{title}: points with their ranges.",
            caption=f"{title}: medians, with the range over the turns.",
        )
    ]


def csv_frame(timings: Timings) -> pd.DataFrame:
    """One row for each turn."""
    return pd.DataFrame(
        [
            {
                "part": timing.part,
                "way": timing.way,
                "turn": turn,
                "seconds": round(seconds, 4),
                "clips": timing.clips,
            }
            for timing in timings.values()
            for turn, seconds in enumerate(timing.seconds)
        ]
    )


def _is_timed(timings: Timings, part: str, way: str) -> bool:
    return (part, way) in timings and bool(timings[part, way].seconds)
