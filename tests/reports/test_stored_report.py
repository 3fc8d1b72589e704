import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reports.blocks import (
    Block,
    Code,
    Details,
    Heading,
    ImageBlock,
    Paragraph,
    ProvenanceBlock,
    StripsBlock,
    SvgBlock,
    TableBlock,
    figure_block,
)
from reports.cells import Cell, Column, Row
from reports.charts.contact_sheet import Strip
from reports.charts.style import new_figure
from reports.document import PaperClaim, Report
from reports.provenance import Provenance
from reports.table import Table

NASTY = "<script>alert(1)</script> & \"{{body}}\" '*x*' <!-- --> ± \u2028"
TABLE = Table(
    title=NASTY,
    caption=NASTY,
    label_heading=NASTY,
    columns=(Column(key="x", title=NASTY, direction="lower"), Column(key="y", title="said")),
    rows=(
        Row(
            label=NASTY,
            notes=(NASTY,),
            cells={
                "x": Cell(value=0.1 + 0.2, low=0.1, high=1 / 3, notes=(NASTY,)),
                "y": Cell(text=NASTY, mark="published"),
            },
        ),
        Row(
            label="b",
            section=NASTY,
            cells={"x": Cell(value=1, comparable=False), "y": Cell(reason=NASTY)},
        ),
    ),
    remarks=(NASTY,),
    provenance=(Provenance(details={"note": NASTY}),),
)


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def chart(name: str | None = None) -> SvgBlock:
    figure = new_figure(2, 1, NASTY)
    return figure_block(figure, description=NASTY, caption=NASTY, name=name)


def whole() -> Report:
    strip = Strip(label=NASTY, pictures=pixels(3, 4, 5, 3), note=NASTY)
    return Report(
        title=NASTY,
        lead=NASTY,
        findings=(PaperClaim(claim=NASTY, verdict="not decided", numbers=NASTY),),
        blocks=(
            Heading(text=NASTY, level=3),
            Paragraph(text=f"{NASTY} `a <b>`"),
            Code(text=f"```\n{NASTY}"),
            TableBlock(table=TABLE),
            TableBlock(table=TABLE, folds_notes=True),
            chart("bars"),
            ImageBlock(image=pixels(4, 5, 3), description=NASTY, caption=NASTY),
            ImageBlock(image=pixels(4, 5, 4), description=NASTY),
            StripsBlock(strips=(strip,), description=NASTY, caption=NASTY, name="sheet"),
            Details(summary=NASTY, blocks=(Details(summary="s", blocks=(chart(),)),)),
            ProvenanceBlock(records=(Provenance(details={"note": NASTY}),)),
        ),
    )


def record(*blocks: Block) -> Any:
    return json.loads(Report(title="t", blocks=blocks).to_json())["report"]


def read(changed: Any) -> Report:
    whole = {"format": "latte-eval report", "version": 3, "report": changed}
    return Report.from_json(json.dumps(whole))


def test_what_is_stored_gives_the_same_documents() -> None:
    report = whole()
    again = Report.from_json(report.to_json())
    assert again.html() == report.html()
    assert again.markdown() == report.markdown()
    assert again.findings == report.findings
    first, second = report.pictures(), again.pictures()
    assert first.keys() == second.keys()
    for name in first:
        assert name.endswith(".svg") or first[name] == second[name]


def test_numbers_keep_every_digit_and_numpys_become_numbers() -> None:
    cells = {"x": Cell(value=np.float32(0.1), text="0.1"), "y": Cell(text="y")}  # type: ignore[arg-type]
    table = replace(TABLE, rows=(*TABLE.rows, Row(label="numpy", cells=cells)))
    (block,) = read(record(TableBlock(table=table))).blocks
    assert isinstance(block, TableBlock)
    assert block.table.rows[:2] == TABLE.rows
    assert block.table.rows[2].cells["x"].value == float(np.float32(0.1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is no stored report"),
        ("1" * 9999, "it is no stored report"),
        ("[]", "it is no stored report"),
        ('{"format": "something else"}', "at `\\$.format`"),
        ('{"format": "latte-eval report", "version": 4}', "at `\\$.version`"),
        ('{"format": "latte-eval report", "version": 3}', "missing required field `report`"),
    ],
)
def test_what_is_no_stored_report_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Report.from_json(text)


def set_title(r: Any) -> None:
    r["title"] = 5


def set_half_a_character(r: Any) -> None:
    r["title"] = "\ud800"


def set_unknown_field(r: Any) -> None:
    r["blocks"][0]["colour"] = "red"


def set_unknown_kind(r: Any) -> None:
    r["blocks"][0]["kind"] = "Script"


def set_list_as_kind(r: Any) -> None:
    r["blocks"][0]["kind"] = ["Script"]


def set_infinity(r: Any) -> None:
    r["blocks"][1]["table"]["rows"][0]["cells"]["x"]["high"] = 1e999


def set_mark(r: Any) -> None:
    r["blocks"][1]["table"]["rows"][0]["cells"]["x"]["mark"] = "guessed"


def set_true(r: Any) -> None:
    r["blocks"][1]["table"]["rows"][0]["cells"]["x"]["value"] = True


def drop_cell(r: Any) -> None:
    del r["blocks"][1]["table"]["rows"][0]["cells"]["x"]


def set_finding(r: Any) -> None:
    r["findings"] = [{"claim": "c", "verdict": "maybe", "numbers": "s"}]


def set_path(r: Any) -> None:
    r["blocks"][2]["name"] = "../../elsewhere"


def set_png(r: Any) -> None:
    r["blocks"][2]["image"]["png"] = "aGVsbG8="


def set_base64(r: Any) -> None:
    r["blocks"][2]["image"]["png"] = "%"


def set_number_too_large(r: Any) -> None:
    r["blocks"][1]["table"]["rows"][0]["cells"]["x"]["value"] = 10**400


def drop_strips(r: Any) -> None:
    r["blocks"][3]["strips"] = []


def set_equal_names(r: Any) -> None:
    r["blocks"][3]["name"] = "picture"


def set_name_of_another_place(r: Any) -> None:
    r["blocks"][2]["name"] = "part-4"


def set_lines(r: Any) -> None:
    r["blocks"][1]["table"]["columns"][0]["key"] = "two\nlines"


def set_count(r: Any) -> None:
    r["blocks"][2]["image"]["count"] = 3


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (set_title, r"\$\.report\.title"),
        (set_half_a_character, "not JSON"),
        (set_unknown_field, "unknown field `colour`"),
        (set_unknown_kind, "'Script' - at"),
        (set_list_as_kind, "kind`"),
        (set_infinity, "not JSON"),
        (set_mark, "'guessed' - at .*mark`"),
        (set_true, "value`"),
        (drop_cell, "has cells for y"),
        (set_finding, "'maybe' - at .*verdict`"),
        (set_path, "name`"),
        (set_png, "no PNG"),
        (set_base64, "no PNG"),
        (set_count, "3 pictures in one of 4 rows"),
        (set_number_too_large, "out of range"),
        (drop_strips, "at least one strip"),
        (set_equal_names, "two pictures called picture.png"),
        (set_name_of_another_place, "two pictures called part-4.png"),
        (set_lines, "the columns are two lines, y"),
    ],
)
def test_a_broken_part_is_named(change: Callable[[Any], None], place: str) -> None:
    image = ImageBlock(image=pixels(4, 5, 3), description="d", name="picture")
    strip = Strip(label="s", pictures=pixels(3, 4, 5, 3))
    sheet = StripsBlock(strips=(strip,), description="d")
    sound = record(Heading(text="h"), TableBlock(table=TABLE), image, sheet)
    read(sound)
    change(sound)
    with pytest.raises(ValueError, match=place) as error:
        read(sound)
    assert "\n" not in str(error.value)


def test_equal_names_of_folded_pictures_are_found() -> None:
    sheet = ImageBlock(image=pixels(4, 5, 3), description="d", name="sheet")
    stored = record(sheet, Details(summary="s", blocks=(Details(summary="s", blocks=(sheet,)),)))
    with pytest.raises(ValueError, match=r"two pictures called sheet\.png"):
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
    block = SvgBlock(svg=SVG.format("", "<g/>"), description="d")
    sound = record(block)
    read(sound)
    sound["blocks"][0]["svg"] = SVG.format(attributes, content)
    with pytest.raises(ValueError, match="the figure"):
        read(sound)


def test_an_svg_with_entities_is_refused_before_it_is_read() -> None:
    changed = record(SvgBlock(svg=SVG.format("", ""), description="d"))
    changed["blocks"][0]["svg"] = '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("", "<g>&a;</g>")
    with pytest.raises(ValueError, match="no SVG as latte-bench stores it"):
        read(changed)
