"""What was measured as tables that a person reads."""

from collections.abc import Mapping
from typing import Any

from tabulate import tabulate

from reports.numbers import format_value

# In the words of a table; the order is that of the columns.
WORDS = {
    "mean": "mean",
    "variance": "variance",
    "neighbours": "neighbours",
    "lowest_neighbours": "lowest neighbours",
    "inverted": "inverted",
}


def set_table(details: Mapping[str, Any]) -> str:
    """Real and generated videos and their difference, from the details of a result."""
    names = {"real": "real", "fake": "generated"}
    shown = {names[side]: record for side, record in details["sets"].items()}
    shown["generated − real"] = details["differences"]
    rows = [[label, *(_number(record[name]) for name in WORDS)] for label, record in shown.items()]
    text, equal = _table(rows, ["videos", *WORDS.values()]), details["of_equal_sets"]
    if equal is None:
        return text
    text += f"As many clips of one and the same source are about {format_value(equal)} apart"
    return text + (": these are not told from such.\n" if details["told_apart"] is False else ".\n")


def model_table(details: Mapping[str, Any]) -> str:
    """Every site and timestep, and below them the pairs, from the details of a result."""
    own = ("mean", "variance", "inverted")
    rows = [
        [site["timestep"], site["path"], site["kind"], *(_number(site[name]) for name in own)]
        for site in sorted(details["sites"], key=lambda site: site["timestep"])
    ]
    text = _table(rows, ["timestep", "part", "kind", *own])
    if not details["pairs"]:
        return text
    mutual = ("mean", "variance", "same_frame")
    rows = [
        [pair["timestep"], pair["first"], pair["second"], *(_number(pair[name]) for name in mutual)]
        for pair in sorted(details["pairs"], key=lambda pair: pair["timestep"])
    ]
    headers = ["timestep", "first", "second", "mean", "variance", "same frame"]
    return f"{text}\n{_table(rows, headers)}"


def _table(rows: list[list[Any]], headers: list[str]) -> str:
    return tabulate(rows, headers=headers, disable_numparse=True) + "\n"


def _number(record: Mapping[str, Any]) -> str:
    ends = record["interval"]
    return format_value(record["value"], None if ends is None else (ends[0], ends[1]))
