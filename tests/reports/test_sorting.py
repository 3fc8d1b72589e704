"""The order in which the page's script puts the rows of a table, by Node where it is installed."""

import json
import shutil
import subprocess
from importlib.resources import files

import pytest

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")

SCRIPT = (files("reports") / "assets" / "report.js").read_text(encoding="utf-8")
# As much of a page as the functions for sorting look at; there is no table to listen to.
PAGE = """
globalThis.document = { querySelectorAll: () => [] };
globalThis.addEventListener = () => {};
(0, eval)(script + "; globalThis.keys = keys; globalThis.sorted = sorted;");
const rows = cells.map((cell, place) => ({
  place,
  classList: { contains: () => cell === "section" },
  cells: [typeof cell === "number"
    ? { dataset: { value: String(cell) }, childNodes: [] }
    : { dataset: {}, childNodes: [
        { localName: undefined, textContent: cell }, { localName: "sup", textContent: "9" }] }],
}));
const order = sorted(rows, keys(rows, 0), direction).map((row) => cells[row.place]);
console.log(JSON.stringify(order));
"""


def sorted_by_the_page(
    cells: list[str | float], direction: str | None = "ascending"
) -> list[str | float]:
    values = {"script": SCRIPT, "cells": cells, "direction": direction}
    names = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    done = subprocess.run(
        ["node", "--input-type=module", "-"],
        input=names + PAGE,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str | float] = json.loads(done.stdout)
    return found


def test_texts_that_begin_with_numbers_sort_as_numbers() -> None:
    assert sorted_by_the_page(["0.5", "0.03", "–", "0.06", "1", "25"]) == [
        "0.03",
        "0.06",
        "0.5",
        "1",
        "25",
        "–",
    ]
    assert sorted_by_the_page(["+0.11 %", "−50 %", "+338 %", "-1.5 %", "+0.01 % or less"]) == [
        "−50 %",
        "-1.5 %",
        "+0.01 % or less",
        "+0.11 %",
        "+338 %",
    ]
    assert sorted_by_the_page(["1,136 steps", "200 steps", "1e-5 steps"]) == [
        "1e-5 steps",
        "200 steps",
        "1,136 steps",
    ]


def test_descending_turns_the_order_round_and_keeps_empty_cells_last() -> None:
    assert sorted_by_the_page(["−2 %", "–", "+1 %", "+10 %", ""], "descending") == [
        "+10 %",
        "+1 %",
        "−2 %",
        "–",
        "",
    ]
    assert sorted_by_the_page(["b", "–", "a"], None) == ["b", "–", "a"]


def test_words_sort_as_words_and_their_digits_as_numbers() -> None:
    assert sorted_by_the_page(["noise 16", "noise 8", "blur", "3-D network"]) == [
        "3-D network",
        "blur",
        "noise 8",
        "noise 16",
    ]
    assert sorted_by_the_page(["2026-11-02", "2026-11-01", "2026-02-10"]) == [
        "2026-02-10",
        "2026-11-01",
        "2026-11-02",
    ]


def test_numbers_come_before_words_and_sections_keep_their_titles() -> None:
    assert sorted_by_the_page(["section", "none", 10.0, 9.0, "failed"]) == [
        "section",
        9,
        10,
        "failed",
        "none",
    ]
    assert sorted_by_the_page([10.0, "8 of 9", -1.5]) == [-1.5, "8 of 9", 10]
