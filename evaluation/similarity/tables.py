"""Similarities as tables that a person reads."""

from collections.abc import Mapping
from typing import Any

from tabulate import tabulate

from reports.numbers import format_value

# Headings of the numbers, in the order of the columns.
HEADINGS = {
    "mean": "mean",
    "variance": "variance",
    "neighbours": "neighbours",
    "lowest_neighbours": "lowest neighbours",
    "inverted": "inverted",
}
SITE_NUMBERS = ("mean", "variance", "inverted")
PAIR_NUMBERS = ("mean", "variance", "same_frame")


def video_table(details: Mapping[str, Any]) -> str:
    """Real and generated videos and their difference, from the details of a result."""
    sets = {
        "real": details["sets"]["real"]["numbers"],
        "generated": details["sets"]["fake"]["numbers"],
        "generated − real": details["differences"],
    }
    rows = [
        [label, *(_number(numbers[name]) for name in HEADINGS)] for label, numbers in sets.items()
    ]
    text, chance = _table(rows, ["videos", *HEADINGS.values()]), details["chance_distance"]
    if chance is None:
        return text
    text += f"Two sets of this size from one source have a distance of about {format_value(chance)}"
    if details["significantly_different"] is False:
        return f"{text}: these sets are not significantly different.\n"
    return f"{text}.\n"


def hidden_states_table(details: Mapping[str, Any]) -> str:
    """Every site and timestep, and below them the pairs, from the details of a result."""
    rows = [
        [site["timestep"], site["path"], site["kind"], *_numbers(site, SITE_NUMBERS)]
        for site in sorted(details["sites"], key=lambda site: site["timestep"])
    ]
    text = _table(rows, ["timestep", "part", "kind", *SITE_NUMBERS])
    if not details["pairs"]:
        return text
    rows = [
        [pair["timestep"], pair["first"], pair["second"], *_numbers(pair, PAIR_NUMBERS)]
        for pair in sorted(details["pairs"], key=lambda pair: pair["timestep"])
    ]
    headers = ["timestep", "first", "second", "mean", "variance", "same frame"]
    return f"{text}\n{_table(rows, headers)}"


def _table(rows: list[list[Any]], headers: list[str]) -> str:
    return tabulate(rows, headers=headers, disable_numparse=True) + "\n"


def _numbers(place: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    return [_number(place["summary"]["numbers"][name]) for name in names]


def _number(record: Mapping[str, Any]) -> str:
    interval = record["interval"]
    return format_value(record["value"], None if interval is None else tuple(interval))
