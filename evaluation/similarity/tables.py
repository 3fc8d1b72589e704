"""Similarities as tables that a person reads."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from evaluation.similarity.summary import FRAME_NUMBERS, MUTUAL_NUMBERS
from reports.cells import Cell, Column, Row
from reports.numbers import format_value
from reports.table import Table

SITE_NUMBERS = ("mean", "variance", "inverted")


def video_table(details: Mapping[str, Any]) -> str:
    """Real and generated videos and their difference, from the details of a result."""
    sets = {
        "real": details["sets"]["real"]["numbers"],
        "generated": details["sets"]["fake"]["numbers"],
        "generated − real": details["differences"],
    }
    rows = [Row(label=label, cells=_cells(x, FRAME_NUMBERS)) for label, x in sets.items()]
    remarks, chance = [], details["chance_distance"]
    if chance is not None:
        alike = ": these sets are not significantly different"
        remarks.append(
            "Two sets of this size from one source have a distance of about "
            f"{format_value(chance)}{alike * (details['significantly_different'] is False)}."
        )
    return _table("Similarity of frames", "videos", rows, remarks)


def hidden_states_table(details: Mapping[str, Any]) -> str:
    """Every site and timestep, and below them the pairs, from the details of a result."""
    sites = [
        Row(
            label=x["path"],
            section=f"timestep {x['timestep']}",
            cells={"kind": Cell(text=x["kind"]), **_cells(x["summary"]["numbers"], SITE_NUMBERS)},
        )
        for x in sorted(details["sites"], key=itemgetter("timestep"))
    ]
    pairs = [
        Row(
            label=f"{x['first']} × {x['second']}",
            section=f"timestep {x['timestep']}",
            cells=_cells(x["summary"]["numbers"], MUTUAL_NUMBERS),
        )
        for x in sorted(details["pairs"], key=itemgetter("timestep"))
    ]
    text = _table("Similarity of frames", "part", sites)
    return f"{text}\n{_table('Similarity of two parts', 'parts', pairs)}" if pairs else text


def _table(title: str, heading: str, rows: Sequence[Row], remarks: Sequence[str] = ()) -> str:
    columns = tuple(Column(key=name, title=name.replace("_", " ")) for name in rows[0].cells)
    return Table(
        title=title,
        label_heading=heading,
        columns=columns,
        rows=tuple(rows),
        remarks=tuple(remarks),
    ).text()


def _cells(records: Mapping[str, Any], names: Iterable[str]) -> dict[str, Cell]:
    return {
        name: Cell.measured(records[name]["value"], records[name]["interval"]) for name in names
    }
