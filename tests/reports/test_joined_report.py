import re
from dataclasses import replace

import numpy as np
import pytest

from reports.blocks import (
    Code,
    Details,
    Heading,
    ImageBlock,
    Paragraph,
    ProvenanceBlock,
    TableBlock,
    figure_block,
)
from reports.cells import Cell, Column, Row
from reports.charts.style import new_figure
from reports.document import PaperClaim, Report
from reports.joined_report import Section, claims_report, joined_report, provenance_of
from reports.provenance import Provenance
from reports.table import Table

MADE = Provenance(commit="abc", date="2026-01-02")
HOST = Provenance(host={"cores": "2"})


def table(*reasons: str) -> Table:
    rows = [Row(label=reason, cells={"x": Cell(reason=reason)}) for reason in reasons]
    return Table(
        title="t", columns=(Column(key="x", title="x"),), rows=tuple(rows), provenance=(MADE,)
    )


def section(name: str, *claims: PaperClaim, reasons: tuple[str, ...] = ("r",)) -> Section:
    figure = new_figure(2, 1, "t")
    image = np.zeros((2, 3, 3), np.uint8)
    report = Report(
        title=f"{name.capitalize()}: what it shows",
        lead=f"found in {name}",
        findings=claims,
        blocks=(
            Heading(text="two"),
            Heading(text="three", level=3),
            figure_block(figure, description="d", name=name),
            TableBlock(table=table(*reasons)),
            ImageBlock(image=image, description="d", name="samples"),
            Details(
                summary="more",
                blocks=(
                    Code(text="run"),
                    figure_block(figure, description="d", name="folded"),
                    Heading(text="inside"),
                ),
            ),
            ProvenanceBlock(records=(MADE, HOST)),
        ),
    )
    return Section(name=name, report=report)


def joined(*sections: Section) -> Report:
    return joined_report(title="All", lead="lead", sections=sections)


def test_the_list_of_contents_leads_to_every_section() -> None:
    report = joined(section("a"), section("b-c"))
    html, text = report.html(), report.markdown()
    for name in ("a", "b-c"):
        assert f'<a href="#{name}">' in html
        assert f'<section id="{name}">' in html
        assert f"](#{name})" in text
        assert f'<a id="{name}"></a>' in text


def test_ids_are_unique_though_sections_are_alike() -> None:
    html = joined(section("a"), section("b")).html()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    targets = re.findall(r'href="#([^"]+)"', html) + re.findall(r"url\(#([^)]+)\)", html)
    assert {"a-part-5-a", "b-part-5-a"} <= set(targets)  # the notes of the two tables
    assert set(targets) <= set(ids)


def test_headings_are_one_level_smaller() -> None:
    report = joined(section("a"))
    levels = re.findall(r"<h(\d)[^>]*>(?:<a[^>]*>↑</a>)?(\w+)", report.html())
    assert levels == [
        *[("1", "All"), ("2", "Contents"), ("2", "A")],
        *[("3", "two"), ("4", "three"), ("3", "inside")],
    ]
    assert "\n### two\n\n#### three\n" in report.markdown()


def test_provenance_stands_once_at_the_end_folded_away() -> None:
    text = joined(section("a")).markdown()
    assert provenance_of(section("a").report) == (MADE, HOST)
    assert text.count("commit: abc") == 1
    folded = "<details><summary>Provenance</summary>\n\n- commit: abc\n- date: 2026-01-02\n"
    assert text.endswith(f"{folded}- host: cores 2\n\n</details>\n")
    html = joined(section("a")).html()
    assert html.count('<details class="provenance">') == 1


def test_pictures_of_one_name_lie_beside_each_other_in_a_folder() -> None:
    report = joined(section("a"), section("b"))
    expected = {
        f"report-pictures/{name}{rest}"
        for name in "ab"
        for rest in (".svg", "-samples.png", "-folded.svg")
    }
    assert report.pictures().keys() == expected
    assert set(re.findall(r"\]\(<([^>]+)>\)", report.markdown())) == expected


def test_many_footnotes_are_folded_away_and_few_are_not() -> None:
    few = joined(section("a", reasons=("1", "2", "3")))
    many = joined(section("a", reasons=("1", "2", "3", "4")))
    assert "notes</summary>" not in few.markdown() + few.html()
    assert "<details><summary>4 notes</summary>\n\nᵃ 1  \nᵇ 2" in many.markdown()
    assert '<details class="notes"><summary>4 notes</summary>\n<p id="a-part-5-a">' in many.html()


def test_claims_stand_in_one_table_and_are_counted() -> None:
    yes = PaperClaim(claim="larger is better", verdict="yes", numbers="1 < 2")
    undecided = replace(yes, verdict="not decided", numbers="1 ~ 2")
    report = claims_report(
        [section("figure 5a", yes), section("b"), section("c", undecided, undecided)]
    )
    assert "3 claims" in report.lead
    assert "1 yes, 2 not decided" in report.lead


def test_a_claim_that_two_figures_make_is_named_with_each() -> None:
    one = PaperClaim(claim="larger is better", verdict="no", numbers="2 > 1")
    sections = [section("figure 5a", one), section("figure 7", replace(one, verdict="yes"), one)]
    (block,) = claims_report(sections).blocks
    assert isinstance(block, TableBlock)
    assert [row.label for row in block.table.rows] == [
        "larger is better (figure 5a)",
        "larger is better (figure 7)",
        "larger is better (figure 7), 2",
    ]
    assert [row.cells["here"].text for row in block.table.rows] == ["no", "yes", "no"]


def test_without_claims_there_is_no_table_of_them() -> None:
    report = claims_report([section("a")])
    assert report.blocks == ()
    assert report.lead


def test_two_sections_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sections .*\ba$"):
        joined(section("a"), section("b"), section("a"))


def test_what_is_about_the_report_stands_above_its_contents() -> None:
    about = (Paragraph(text="made today"),)
    text = joined_report(title="t", lead="l", about=about, sections=[section("a")]).markdown()
    assert text.index("made today") < text.index("## Contents")
