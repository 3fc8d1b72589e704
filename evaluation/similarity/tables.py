"""Similarities as tables that a person reads."""

from collections.abc import Mapping
from typing import Any

from tabulate import tabulate

from reports.numbers import format_value

VIDEO_NUMBERS = ("mean", "variance", "neighbours", "lowest_neighbours", "inverted")
SITE_NUMBERS = ("mean", "variance", "inverted")
PAIR_NUMBERS = ("mean", "variance", "same_frame")


def video_table(details: Mapping[str, Any]) -> str:
    """Real and generated videos and their difference, from the details of a result."""
    sets = {
        "real": details["sets"]["real"]["numbers"],
        "generated": details["sets"]["fake"]["numbers"],
        "generated − real": details["differences"],
    }
    rows = [[label, *_numbers(numbers, VIDEO_NUMBERS)] for label, numbers in sets.items()]
    text, chance = _table(rows, "videos", *VIDEO_NUMBERS), details["chance_distance"]
    if chance is None:
        return text
    text += f"Two sets of this size from one source have a distance of about {format_value(chance)}"
    if details["significantly_different"] is False:
        return f"{text}: these sets are not significantly different.\n"
    return f"{text}.\n"


def hidden_states_table(details: Mapping[str, Any]) -> str:
    """Every site and timestep, and below them the pairs, from the details of a result."""
    rows = [
        [site["timestep"], site["path"], site["kind"], *_numbers_at(site, SITE_NUMBERS)]
        for site in sorted(details["sites"], key=lambda site: site["timestep"])
    ]
    text = _table(rows, "timestep", "part", "kind", *SITE_NUMBERS)
    if not details["pairs"]:
        return text
    rows = [
        [pair["timestep"], pair["first"], pair["second"], *_numbers_at(pair, PAIR_NUMBERS)]
        for pair in sorted(details["pairs"], key=lambda pair: pair["timestep"])
    ]
    return f"{text}\n{_table(rows, 'timestep', 'first', 'second', *PAIR_NUMBERS)}"


def _table(rows: list[list[Any]], *columns: str) -> str:
    headers = [column.replace("_", " ") for column in columns]
    return tabulate(rows, headers=headers, disable_numparse=True) + "\n"


def _numbers_at(place: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    return _numbers(place["summary"]["numbers"], names)


def _numbers(records: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    shown = [(records[name]["value"], records[name]["interval"]) for name in names]
    return [format_value(value, interval and tuple(interval)) for value, interval in shown]
