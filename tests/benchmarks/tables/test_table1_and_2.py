"""Tables 1 and 2: what is counted beside the paper's figures, and what the figures say together."""

import re
from pathlib import Path

import pytest

from benchmarks.documents.tables import cut_off
from benchmarks.tables.table1 import (
    as_the_paper_counts,
    claims,
    comparison,
    published_variants,
    variants_table,
)
from benchmarks.tables.table1 import run as run_table1
from benchmarks.tables.table2 import run as run_table2
from benchmarks.tables.table2 import sizes_table
from latte.config import preset
from latte.model.cost import PAPER_SIZES, PAPER_VARIANTS
from reports.provenance import provenance_lines
from reports.published import published


def here(variant: int, column: str) -> float:
    value = variants_table().rows[variant - 1].cells[column].value
    assert value is not None
    return value


@pytest.mark.parametrize("variant", [1, 2])
def test_the_paper_determines_variants_1_and_2_and_they_are_equal(variant: int) -> None:
    parameters, flops = published_variants()[variant]
    cells = variants_table().rows[variant - 1].cells
    assert cut_off(here(variant, "params_m")) == parameters
    assert cut_off(here(variant, "flops_g_as_paper")) == flops
    assert cells["params_m"].notes == ()


@pytest.mark.parametrize(("variant", "lacking"), [(3, 1136), (4, 5152)])
def test_what_the_paper_leaves_open_is_said_with_its_size(variant: int, lacking: int) -> None:
    cell = variants_table().rows[variant - 1].cells["params_m"]
    assert float(published_variants()[variant][0]) * 1e6 - here(variant, "params_m") * 1e6 == (
        pytest.approx(lacking, abs=0.5)
    )
    assert f"{lacking:,} parameters" in cell.notes[1]


def test_operations_counted_as_the_paper_seems_to() -> None:
    counted = [as_the_paper_counts(preset("Latte-XL/2", variant=number)) for number in range(1, 5)]
    assert counted[:2] == [5572695048192, 5572695048192]
    assert counted[2] == pytest.approx(6153.15e9, rel=2e-4)  # blocks of ours, not the paper's
    assert counted[3] > 3 * float(published_variants()[4][1]) * 1e9


def test_operations_of_one_block_counted_by_hand() -> None:
    config = preset("Latte-XL/2", variant=1)
    d, tokens, frames, patches = 1152, 4096, 16, 256
    blocks = 28 * tokens * 12 * d**2  # four of attention, eight of the MLP
    outside = tokens * d * (16 + 32) + 256 * d + d**2
    modulations = (14 * 6 * (frames + patches) + 2 * frames) * d**2
    norms = 2 * 57 * tokens * d
    assert as_the_paper_counts(config) == 3 * (blocks + outside + modulations + norms)


def test_the_papers_sentence_on_variant_4_holds_for_its_figures_and_not_for_ours() -> None:
    equal, quarter = claims()
    assert (equal.paper.verdict, equal.measured.verdict) == ("yes", "yes")
    assert "variants 1 and 2" in comparison()
    assert (quarter.paper.verdict, quarter.measured.verdict) == ("yes", "no")
    assert "0.27" in quarter.paper.numbers
    assert "1.07" in quarter.measured.numbers


def test_our_sizes_are_the_papers_in_every_figure() -> None:
    table = sizes_table()
    assert "4 of 4 sizes" in table.remarks[0]
    rows = table.rows
    for paper, ours in zip(rows[:4], rows[4:], strict=True):
        assert ours.label == f"{paper.label}/2"
        for key in ("layers", "hidden_size", "heads"):
            assert ours.cells[key].value == paper.cells[key].value
        assert cut_off(ours.cells["params_m"].value or 0) == paper.cells["params_m"].text


def test_the_papers_two_tables_agree_on_the_model_that_they_share() -> None:
    sizes = published("sizes").set_index("model").params_m
    variants = published("variants").set_index("variant")
    assert sizes["Latte-XL"] == variants.params_m["1"] == variants.params_m["2"]
    assert variants.flops_g["1"] == variants.flops_g["2"]


def test_the_figures_that_latte_info_shows_are_those_of_the_tables() -> None:
    sizes, variants = published("sizes"), published("variants")
    rows = zip(sizes.model + "/2", sizes.params_m.astype(float), strict=True)
    assert dict(rows) == PAPER_SIZES
    figures = variants[["params_m", "flops_g"]].astype(float).itertuples(index=False, name=None)
    assert dict(zip(variants.variant.astype(int), figures, strict=True)) == PAPER_VARIANTS


@pytest.mark.parametrize(
    ("run", "name", "answers"),
    [(run_table1, "table1", ["yes", "no"]), (run_table2, "table2", [])],
)
def test_runs_say_how_they_were_made_and_leave_their_section(
    run,
    name: str,
    answers: list[str],
    section,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    run(tmp_path)
    text = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
    for part in ("- command: ", "- versions: latte-eval ", "- host: ", "- date: ", "published: "):
        assert text.count(part) == 1
    assert re.search(r"- date: \S+; (less than )?\d+ s in all", text)
    assert text in capsys.readouterr().out
    names = [f"{name}.{ending}" for ending in ("md", "csv", "tex", "report.json")]
    assert sorted(caplog.messages) == sorted(f"wrote {tmp_path / each}" for each in names)
    report = section(tmp_path, name)
    assert report.title.startswith(f"Table {name[-1]}: ")
    assert report.lead
    assert [claim.verdict for claim in report.findings] == answers
    table, made = report.blocks
    assert table.table.provenance == ()
    assert all(f"- {line}" in text for line in provenance_lines(made.records))
