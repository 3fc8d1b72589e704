import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reports.blocks import (
    Block,
    Details,
    Heading,
    ImageBlock,
    StripsBlock,
    SvgBlock,
    TableBlock,
)
from reports.cells import Cell, Row
from reports.charts.contact_sheet import Strip
from reports.document import Report
from reports.table import Table


def record(*blocks: Block) -> Any:
    return json.loads(Report(title="t", blocks=blocks).to_json())["report"]


def read(changed: Any) -> Report:
    whole = {"format": "latte-eval report", "version": 3, "report": changed}
    return Report.from_json(json.dumps(whole))


def test_what_is_stored_gives_the_same_documents(nasty_report: Report) -> None:
    report = nasty_report
    again = Report.from_json(report.to_json())
    assert again.html() == report.html()
    assert again.markdown() == report.markdown()
    assert again.findings == report.findings
    first, second = report.pictures(), again.pictures()
    assert first.keys() == second.keys()
    for name in first:
        assert name.endswith(".svg") or first[name] == second[name]


def test_numbers_keep_every_digit_and_numpys_become_numbers(nasty_table: Table) -> None:
    cells = {"x": Cell(value=np.float32(0.1), text="0.1"), "y": Cell(text="y")}  # type: ignore[arg-type]
    table = replace(nasty_table, rows=(*nasty_table.rows, Row(label="numpy", cells=cells)))
    (block,) = read(record(TableBlock(table=table))).blocks
    assert isinstance(block, TableBlock)
    assert block.table.rows[:2] == nasty_table.rows
    assert block.table.rows[2].cells["x"].value == float(np.float32(0.1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "no stored report"),
        ("1" * 9999, "no stored report"),
        ("[]", "no stored report"),
        ('{"format": "something else"}', r"Invalid .*\$\.format`"),
        ('{"format": "latte-eval report", "version": 4}', r"Invalid .*\$\.version`"),
        ('{"format": "latte-eval report", "version": 3}', "`report`"),
    ],
)
def test_what_is_no_stored_report_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Report.from_json(text)


CELL = ("blocks", 1, "table", "rows", 0, "cells", "x")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("title",), 5, r"Expected .*\.title`"),
        (("title",), "\ud800", "not JSON"),
        (("blocks", 0, "colour"), "red", r"`colour` .*blocks\[0\]`"),
        (("blocks", 0, "kind"), "Script", r"'Script' .*blocks\[0\]\.kind`"),
        (("blocks", 0, "kind"), ["Script"], r"blocks\[0\]\.kind`"),
        (("blocks", 0, "level"), 1, r"blocks\[0\]\.level`"),
        ((*CELL, "high"), 1e999, "not JSON"),
        ((*CELL, "mark"), "guessed", r"'guessed' .*\.mark`"),
        ((*CELL, "value"), True, r"\.value`"),
        ((*CELL, "value"), 10**400, "out of range"),
        (CELL[:-1], {"y": {"text": "a"}}, "has cells for y"),
        (
            ("findings",),
            [{"claim": "c", "verdict": "maybe", "numbers": "s"}],
            "'maybe' .*verdict`",
        ),
        (("blocks", 2, "name"), "../../elsewhere", r"blocks\[2\]\.name`"),
        (("blocks", 2, "image", "png"), "aGVsbG8=", "no PNG"),
        (("blocks", 2, "image", "png"), "%", "no PNG"),
        (("blocks", 2, "image", "count"), 3, r"\b3 .*\b4\b"),
        (("blocks", 2, "image", "count"), 0, "no PNG"),
        (("blocks", 2, "image"), {"count": 1}, "no PNG"),
        (("blocks", 3, "strips"), [], "strip"),
        (("blocks", 3, "name"), "picture", r"picture\.png"),
        (("blocks", 1, "table", "columns", 0, "key"), "two\nlines", "two lines, y"),
    ],
)
def test_a_broken_part_is_named(
    place: tuple[Any, ...], value: Any, message: str, nasty_table: Table, pixels
) -> None:
    image = ImageBlock(image=pixels(4, 5, 3), description="d", name="picture")
    strip = Strip(label="s", pictures=pixels(3, 4, 5, 3))
    sheet = StripsBlock(strips=(strip,), description="d", name="sheet")
    stored = record(Heading(text="h"), TableBlock(table=nasty_table), image, sheet)
    read(stored)
    part = stored
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    with pytest.raises(ValueError, match=message) as error:
        read(stored)
    assert "\n" not in str(error.value)


def test_equal_names_of_folded_pictures_are_found(pixels) -> None:
    sheet = ImageBlock(image=pixels(4, 5, 3), description="d", name="sheet")
    stored = record(sheet, Details(summary="s", blocks=(Details(summary="s", blocks=(sheet,)),)))
    with pytest.raises(ValueError, match=r"sheet\.png"):
        read(stored)


SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {}>{}</svg>'
)


@pytest.mark.parametrize(
    ("attributes", "content"),
    [
        ("", "<script>alert(1)</script>"),
        ("", '<s:script xmlns:s="http://www.w3.org/2000/svg">alert(1)</s:script>'),
        ('onload="alert(1)"', ""),
        ("", "<g ONCLICK='alert(1)'/>"),
        ("", "<foreignObject><p/></foreignObject>"),
        ("", '<a xlink:href="https://example.org"><g/></a>'),
        ("", '<use href="https://example.org/x.svg#y"/>'),
        ("", '<image xlink:href="https://example.org/x.png"/>'),
        ("", '<image xlink:href="javascript:alert(1)"/>'),
        ("", '<set attributeName="onload" to="alert(1)"/>'),
        ("", "<style>@import 'https://example.org'</style>"),
        ("", '<g style="fill: url(https://example.org)"/>'),
        ("", '<g style="fill: u\\72l(https://example.org)"/>'),
        ("", "<g>"),
        ("", "</svg><script>alert(1)</script><svg>"),
        # What HTML reads otherwise than XML.
        ("", "<!--><script>alert(1)</script>-->"),
        ("", "<?x ><script>alert(1)</script>?>"),
        ("", "<style><![CDATA[</style><script>alert(1)</script>]]></style>"),
    ],
)
def test_an_svg_that_does_more_than_draw_is_refused(attributes: str, content: str) -> None:
    block = SvgBlock(svg=SVG.format("", "<g/>"), description="d", name="x")
    sound = record(block)
    read(sound)
    sound["blocks"][0]["svg"] = SVG.format(attributes, content)
    with pytest.raises(ValueError, match="the figure"):
        read(sound)


def test_an_svg_with_entities_is_refused_before_it_is_read() -> None:
    changed = record(SvgBlock(svg=SVG.format("", ""), description="d", name="x"))
    changed["blocks"][0]["svg"] = '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("", "<g>&a;</g>")
    with pytest.raises(ValueError, match="SVG"):
        read(changed)
