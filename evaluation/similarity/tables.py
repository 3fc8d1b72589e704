"""Similarities as tables that a person reads."""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from tabulate import tabulate

from evaluation.similarity.summary import FRAME_NUMBERS, MUTUAL_NUMBERS
from reports.numbers import format_value

SITE_NUMBERS = ("mean", "variance", "inverted")


def video_table(details: Mapping[str, Any]) -> str:
    """Real and generated videos and their difference, from the details of a result."""
    sets = {
        "real": details["sets"]["real"]["numbers"],
        "generated": details["sets"]["fake"]["numbers"],
        "generated − real": details["differences"],
    }
    rows = [[label, *_shown(numbers, FRAME_NUMBERS)] for label, numbers in sets.items()]
    text, chance = _table(rows, "videos", *FRAME_NUMBERS), details["chance_distance"]
    if chance is None:
        return text
    text += f"Two sets of this size from one source have a distance of about {format_value(chance)}"
    if details["significantly_different"] is False:
        return f"{text}: these sets are not significantly different.\n"
    return f"{text}.\n"


def hidden_states_table(details: Mapping[str, Any]) -> str:
    """Every site and timestep, and below them the pairs, from the details of a result."""
    in_order = itemgetter("timestep")
    rows = [
        [x["timestep"], x["path"], x["kind"], *_shown(x["summary"]["numbers"], SITE_NUMBERS)]
        for x in sorted(details["sites"], key=in_order)
    ]
    text = _table(rows, "timestep", "part", "kind", *SITE_NUMBERS)
    if not details["pairs"]:
        return text
    rows = [
        [x["timestep"], x["first"], x["second"], *_shown(x["summary"]["numbers"], MUTUAL_NUMBERS)]
        for x in sorted(details["pairs"], key=in_order)
    ]
    return f"{text}\n{_table(rows, 'timestep', 'first', 'second', *MUTUAL_NUMBERS)}"


def _table(rows: list[list[Any]], *columns: str) -> str:
    headers = [column.replace("_", " ") for column in columns]
    return tabulate(rows, headers=headers, disable_numparse=True) + "\n"


def _shown(records: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    shown = [(records[name]["value"], records[name]["interval"]) for name in names]
    return [format_value(value, interval and tuple(interval)) for value, interval in shown]
