"""The documents lead to what is there: files, headings, commands."""

import re
import runpy
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from benchmarks.cli.app import app as bench
from evaluation.cli.app import app as evaluate
from latte.cli.app import app as generate

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROGRAMS = {"latte": generate, "latte-eval": evaluate, "latte-bench": bench}
LINK = re.compile(r"\]\((?:<([^>]+)>|([^)\s]+))\)")
COMMAND = re.compile(r"(?:^ *|`|&& |-m )(latte(?:-eval|-bench)?) ([a-z][\w-]*)", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """What links within a document can lead to, as GitHub names headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in (first or second for first, second in LINK.findall(text)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        where = path.parent / file if file else path
        assert where.exists(), target
        if anchor:
            assert anchor in anchors(where.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_commands_are_there(path: Path) -> None:
    for program, command in COMMAND.findall(path.read_text(encoding="utf-8")):
        group = get_command(PROGRAMS[program])
        assert isinstance(group, typer.core.TyperGroup)
        assert group.get_command(typer.Context(group), command), f"{program} {command}"


UPDATE = runpy.run_path(str(ROOT / "docs" / "update.py"))
REPORT = (ROOT / "docs" / "results" / "report.md").read_text(encoding="utf-8")


def test_the_committed_run_has_everything() -> None:
    lead = REPORT.split("\n\n")[1]
    for part in ("scale tiny", "5 of 5 tables", "5 of 6 studies", "25 claims of the paper"):
        assert part in lead


@pytest.mark.parametrize("path", UPDATE["GUIDES"], ids=name)
def test_tables_of_the_guides_are_those_of_the_committed_run(path: Path) -> None:
    guide = path.read_text(encoding="utf-8")
    places = UPDATE["PLACE"].findall(guide)
    assert len(places) == guide.count("<!-- end -->") > 0
    assert UPDATE["filled"](guide, REPORT) == guide


@pytest.mark.parametrize(("guide", "studies"), UPDATE["STUDIES"].items())
def test_guides_to_studies_have_the_tables_of_the_committed_runs(
    guide: str, studies: tuple[str, ...]
) -> None:
    text = (ROOT / "docs" / guide).read_text(encoding="utf-8")
    reports = [UPDATE["RESULTS"] / name / f"{name}.md" for name in studies]
    places = UPDATE["PLACE"].findall(text)
    assert len(places) == 2
    if all(report.exists() for report in reports):
        whole = "".join(report.read_text(encoding="utf-8") for report in reports)
        assert UPDATE["filled"](text, whole) == text
    else:
        assert not any(table for _, _, table, _ in places)


def test_a_table_that_the_report_lacks_is_named() -> None:
    with pytest.raises(ValueError, match="'Nothing'"):
        UPDATE["filled"]("<!-- table: Nothing -->\n<!-- end -->", REPORT)
