"""Results of several models → a table of models × metrics that ranks only what compares.

A column is a metric on a data set. The results of a column that were made in the same way (same
fingerprint, weights and real clips) as most of them are ranked; the others are shown with what
differs. Where a model was measured in two ways, the second way has a column of its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

from evaluation.comparison.entries import Entry, differing, in_columns, newest, place_title
from evaluation.comparison.significance import Verdict, holm
from evaluation.protocol.deviations import Deviation
from reports.numbers import format_value

Rank = Literal["best", "second"]
EVERY = 400  # decimals: more than any number of 64 bits has
DifferenceTest = Callable[[Mapping[str, Any], Mapping[str, Any]], Verdict]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A value in its column."""

    value: float
    interval: tuple[float, float] | None
    level: float
    where: str
    comparable: bool  # False: shown, but not ranked
    rank: Rank | None = None
    p_value: float | None = None  # of the difference to the best, corrected for the column
    significant: bool | None = None  # None: the best itself, not ranked, or not tested
    test: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Column:
    """A metric on a data set, measured in one way but for the cells that say otherwise."""

    metric: str
    dataset: str  # empty: none
    title: str
    higher_is_better: bool | None  # None: neither; nothing in it is ranked
    protocol: str
    fingerprint: str
    made: str  # how its ranked values were made, in one line
    notes: tuple[str, ...]
    cells: Mapping[str, Cell]  # by model


@dataclass(frozen=True, kw_only=True)
class ComparisonTable:
    """Models × metrics, with all that has to be said about it."""

    models: tuple[str, ...]
    columns: tuple[Column, ...]
    level: float  # of significance
    remarks: tuple[str, ...]


def compare(
    entries: Iterable[Entry],
    test: DifferenceTest,
    *,
    level: float = 0.05,
) -> ComparisonTable:
    """The table of these results.

    Args:
        entries: results; of several by one model made in one way, the newest counts.
        test: of two results of a column, whether they differ (`comparison.significance`).
        level: corrected p-values below it are significant.
    """
    kept, remarks = newest(entries)
    groups = in_columns(kept)
    titles = _titles([group[0] for group in groups])
    firsts: dict[tuple[str, str], tuple[Entry, str]] = {}
    columns = tuple(
        _column(group, title, firsts.setdefault(group[0].place, (group[0], title)), test, level)
        for group, title in zip(groups, titles, strict=True)
    )
    return ComparisonTable(
        models=tuple(dict.fromkeys(entry.model for entry in kept)),
        columns=columns,
        level=level,
        remarks=(*_tests(columns), *remarks),
    )


def _titles(firsts: Sequence[Entry]) -> list[str]:
    """Metric and data set; the protocol, or its fingerprint, where that names two columns."""
    titles = [place_title(entry.place) for entry in firsts]
    for more in (lambda e: str(e.record["protocol"]), lambda e: e.way[0][:8]):
        titles = [
            f"{title} ({more(entry)})" if titles.count(title) > 1 else title
            for title, entry in zip(titles, firsts, strict=True)
        ]
    return titles


def _column(
    entries: Sequence[Entry],
    title: str,
    before: tuple[Entry, str],
    test: DifferenceTest,
    level: float,
) -> Column:
    """A column; `before` is the first one of this metric and data set, and its title."""
    first = entries[0]
    record = first.record
    cells = {entry.model: _cell(entry, first) for entry in entries}
    cells = _ranked(cells, higher=first.higher_is_better)
    by_model = {entry.model: entry for entry in entries}
    cells = _tested(cells, by_model, test, level, higher=first.higher_is_better)
    shared = _shared_notes(cells.values())
    other = _other_way(first, *before)
    return Column(
        metric=first.place[0],
        dataset=first.place[1],
        title=title,
        higher_is_better=first.higher_is_better,
        protocol=str(record["protocol"]),
        fingerprint=first.way[0],
        made=_made(record),
        notes=(*other, *shared),
        cells={
            model: replace(cell, notes=tuple(x for x in cell.notes if x not in shared))
            for model, cell in cells.items()
        },
    )


def _cell(entry: Entry, reference: Entry) -> Cell:
    record = entry.record
    interval = record.get("interval")
    comparable = entry.way == reference.way
    different = [] if comparable else differing(record, reference.record)
    notes = [f"Not ranked: {'; '.join(map(str, different))}."] if different else []
    named = {each.field for each in different}
    rest = [Deviation(**each) for each in record["deviations"] if each["field"] not in named]
    if rest:
        notes.append(f"Not as {record['protocol']} asks: {'; '.join(map(str, rest))}.")
    said = named | {each.field for each in rest}
    if record.get("weights_published") is False and "weights" not in said:
        notes.append(
            f"The weights are not the published ones ({str(record.get('weights_sha256'))[:12]}…)."
        )
    return Cell(
        value=float(record["value"]),
        interval=(float(interval[0]), float(interval[1])) if interval else None,
        level=float(record.get("level", 0.95)),
        where=entry.where,
        comparable=comparable,
        notes=tuple(notes),
    )


def _ranked(cells: Mapping[str, Cell], *, higher: bool | None) -> dict[str, Cell]:
    """Best and second among the comparable cells, where there are two.

    From the best value on, a cell shares the rank of the one before it if both are alike when they
    are rounded to the fewer of their printed decimals: no rank hangs on digits that nobody sees,
    and none is against the order of the values. `reports.cells.ranks` is the same rule. None are
    ranked where neither more nor less is better.
    """
    ranked = [model for model, cell in cells.items() if cell.comparable]
    if higher is None or len(ranked) < 2:
        return dict(cells)
    towards = -1 if higher else 1
    decimals = {model: _printed_decimals(cells[model]) for model in ranked}
    order = sorted(ranked, key=lambda model: (towards * cells[model].value, -decimals[model]))
    place, places = 0, {order[0]: 0}
    for before, model in pairwise(order):
        fewer = min(decimals[before], decimals[model])
        place += round(cells[before].value, fewer) != round(cells[model].value, fewer)
        places[model] = place
    names: Mapping[int, Rank] = {0: "best", 1: "second"}
    return {
        model: replace(cell, rank=names.get(places[model])) if model in places else cell
        for model, cell in cells.items()
    }


def _printed_decimals(cell: Cell) -> int:
    """Of the value as it is written; all that there are of 0, which hides none."""
    number, *_ = format_value(cell.value, cell.interval).split(" ")
    exponent = Decimal(number).as_tuple().exponent
    return -exponent if cell.value and isinstance(exponent, int) else EVERY


def _tested(
    cells: Mapping[str, Cell],
    entries: Mapping[str, Entry],
    test: DifferenceTest,
    level: float,
    *,
    higher: bool | None,
) -> dict[str, Cell]:
    """Every comparable cell against the best one; p-values corrected within the column."""
    firsts = [model for model, cell in cells.items() if cell.rank == "best"]
    if not firsts:
        return dict(cells)
    best = (max if higher else min)(firsts, key=lambda model: cells[model].value)
    tests = {
        model: test(entries[model].record, entries[best].record)
        for model, cell in cells.items()
        if cell.comparable and model != best
    }
    raw = {model: each.p_value for model, each in tests.items() if each.p_value is not None}
    corrected = dict(zip(raw, holm(list(raw.values())), strict=True))
    return {
        model: cell
        if model not in tests
        else replace(
            cell,
            p_value=corrected.get(model),
            significant=corrected[model] < level if model in corrected else None,
            test=tests[model].method,
        )
        for model, cell in cells.items()
    }


def _other_way(first: Entry, before: Entry, title: str) -> tuple[str, ...]:
    """What sets a second column of a metric apart from the first."""
    if first is before:
        return ()
    different = differing(first.record, before.record)
    return (f"Not to be held against {title}: {'; '.join(map(str, different))}.",)


def _shared_notes(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Notes that all ranked cells of a column share: they belong to its heading."""
    listed = [cell.notes for cell in cells if cell.comparable]
    if len(listed) < 2:
        return ()
    return tuple(note for note in listed[0] if all(note in notes for notes in listed))


def _made(record: Mapping[str, Any]) -> str:
    real, fake = (
        "?" if record.get(key) is None else record[key] for key in ("num_real", "num_fake")
    )
    clips = (
        f"{fake} clips"
        if record.get("num_real") in (0, fake)
        else f"{real} real and {fake} generated clips"
    )
    if record.get("num_fake") == 0:
        clips = f"{real} real clips"
    frames = f" × {record['num_frames']} frames" if record.get("num_frames") else ""
    weights = str(record.get("weights_sha256") or "")[:8]
    return (
        f"{record['protocol']} {record['fingerprint']}, {record['network']}"
        f"{f' {weights}…' if weights else ''}, {clips}{frames}"
    )


def _tests(columns: Sequence[Column]) -> list[str]:
    """A sentence for each kind of test, with the columns in which it was used."""
    used: dict[str, list[str]] = {}
    for column in columns:
        for method in dict.fromkeys(cell.test for cell in column.cells.values() if cell.test):
            used.setdefault(method, []).append(column.title)
    return [f"{'; '.join(titles)}: {method}." for method, titles in used.items()]
