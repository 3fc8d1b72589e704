"""`latte-bench report`: what it joins, in which order, and what it refuses."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.blocks import ProvenanceBlock, TableBlock, figure_block
from reports.cells import Cell, Column, Row
from reports.charts.style import new_figure
from reports.document import PaperClaim, Report
from reports.provenance import Provenance
from reports.table import Table, write_tables


def leave(
    folder: Path,
    name: str,
    *,
    title: str = "",
    date: str = "2026-01-02T03:04:05+00:00",
    scale: str = "",
) -> Path:
    """What a runner leaves: a table in three forms, and the report as data."""
    table = Table(
        title=f"Values of {name}",
        columns=(Column(key="x", title="x"),),
        rows=(Row(label="a", cells={"x": Cell(value=1.5)}),),
    )
    figure = new_figure(2, 1, "t")
    write_tables([table], folder, name)
    host = {"system": "Linux", "cores": "2", "torch_threads": str(len(folder.name))}
    made = Provenance(commit="abc123", host=host, date=date)
    return Report(
        title=title or f"{name}: a title",
        lead=f"found in {name}",
        scale=scale,
        findings=(PaperClaim(claim=f"claim of {name}", verdict="yes", numbers="1 < 2"),),
        blocks=(
            TableBlock(table=table),
            figure_block(figure, description="bars", name=name),
            ProvenanceBlock(records=(made,)),
        ),
    ).store(folder, name)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of some runners, left in no order."""
    folder = tmp_path / "results"
    leave(folder / "zoo", "training")
    leave(folder / "demo", "demo", date="2026-03-04T00:00:00+00:00")
    leave(folder / "figure5", "figure5b")
    leave(folder / "figure5", "figure5a")
    leave(folder / "table5", "table5")
    leave(folder / "table3", "table3")
    leave(folder / "figure5-small", "figure5a", title="Figure 5a, small", scale="small")
    (folder / "trainings").mkdir()
    (folder / "trainings" / "cells.csv").write_text("not a table of the report")
    return folder


@pytest.fixture
def report(results: Path, run_cli) -> Callable[..., None]:
    """Make the report of the results, which must succeed."""

    def make(*options: object) -> None:
        done = run_cli("latte-bench", "report", "--results", results, *options)
        assert done.returncode == 0, done.stderr

    return make


def sections(page: Path) -> list[str]:
    return re.findall(r'<section id="([^"]+)">', page.read_text(encoding="utf-8"))


def test_sections_follow_the_paper_and_what_is_not_run_stands_at_the_end(
    results: Path, run_cli
) -> None:
    printed = run_cli("latte-bench", "report", cwd=results.parent).stdout
    assert sections(results / "report.html") == [
        "claims",
        *("table3", "figure5a", "figure5b", "table5"),
        *("demo", "training", "not-run"),
    ]
    for fact in ("2 of 5 tables", "1 of 10 figures", "2 of 6 panels", "6 yes"):
        assert fact in printed
    text = (results / "report.md").read_text(encoding="utf-8")
    for fact in ("2026-01-02 to 2026-03-04", "commit abc123", "system Linux, cores 2"):
        assert fact in text
    not_run = text[text.index("## Not run") :]
    for command in ("table1", "figure7", "intext", "speed-generator"):
        assert re.search(rf"\| +–ᵃ \| `latte-bench {command}`", not_run), command
    assert "figure5a" not in not_run
    assert "Figure 5a, small" not in text


def test_all_panels_of_a_figure_stand_before_the_first_of_them(results: Path, report) -> None:
    leave(results / "figure5", "figure5")
    report()
    found = sections(results / "report.html")
    assert found[2:5] == ["figure5", "figure5a", "figure5b"]


def test_tables_are_copied_and_every_link_leads_to_a_file(
    results: Path, tmp_path: Path, report
) -> None:
    out = tmp_path / "elsewhere"
    report("--out", out)
    names = ["demo", "figure5a", "figure5b", "table3", "table5", "training"]
    copied = sorted(path.name for path in out.iterdir() if path.suffix in (".csv", ".tex"))
    assert copied == [f"{name}.{ending}" for name in names for ending in ("csv", "tex")]
    assert (out / "table3.csv").read_bytes() == (results / "table3" / "table3.csv").read_bytes()
    referred = re.findall(r"\]\(<([^>]+)>\)", (out / "report.md").read_text(encoding="utf-8"))
    assert sorted(referred) == sorted(f"report-pictures/{name}.svg" for name in names)
    assert all((out / name).is_file() for name in referred)
    assert not list(out.rglob("*.part"))


def test_pictures_and_tables_of_what_is_no_longer_there_go(results: Path, report) -> None:
    folder = results / "report-pictures"
    folder.mkdir()
    own = {results / "mine.csv", results / "demo-mine.tex", folder / "mine.svg"}
    for path in own:
        path.write_text("kept", encoding="utf-8")
    report()
    names = ["figure5a", "figure5b", "table3", "table5", "training"]
    assert {path.stem for path in folder.iterdir()} == {"mine", "demo", *names}
    (results / "demo" / "demo.report.json").unlink()
    for _ in range(2):
        report()
        assert {path.name for path in folder.iterdir()} == {
            "mine.svg",
            *(f"{name}.svg" for name in names),
        }
        tables = {path.name for path in results.iterdir() if path.suffix in (".csv", ".tex")}
        assert tables == {
            *("mine.csv", "demo-mine.tex"),
            *(f"{name}{ending}" for name in names for ending in (".csv", ".tex")),
        }
    assert {path.read_text(encoding="utf-8") for path in own} == {"kept"}
    assert (results / "demo" / "demo.csv").exists()


def test_no_list_makes_a_report_remove_what_is_not_of_its_making(
    results: Path, tmp_path: Path, report
) -> None:
    report()
    (results / "folder.csv").mkdir()
    others = ["../mine.csv", str(tmp_path / "mine.csv"), "demo/demo.csv", "notes.md", "x\0.csv"]
    (tmp_path / "mine.csv").write_text("kept")
    (results / "notes.md").write_text("kept")
    named = [*others, "folder.csv", "gone.csv"]
    (results / ".report-files").write_text(json.dumps(named), encoding="utf-8")
    report()
    kept = ["../mine.csv", "demo/demo.csv", "notes.md", "folder.csv"]
    assert all((results / name).exists() for name in kept)


def test_tables_of_a_runner_are_its_own_though_the_report_lies_in_its_folder(
    results: Path, report
) -> None:
    out = ["--out", str(results / "demo")]
    report(*out)
    (results / "demo" / "demo.report.json").unlink()
    report(*out)
    assert (results / "demo" / "demo.csv").exists()


def test_the_same_results_give_the_same_report(results: Path, report) -> None:
    pages = []
    for _ in range(2):
        report()
        pages.append((results / "report.html").read_bytes())
    assert pages[0] == pages[1]


def test_another_scale_has_a_folder_of_its_own_and_what_has_no_scale(results: Path, report) -> None:
    leave(results / "table1", "table1", title="left by tiny")
    leave(results / "table2", "table2", title="left by tiny")
    leave(results / "table2-small", "table2", title="left by small", scale="small")
    report("--scale", "small")
    page = results / "report-small" / "report.html"
    assert sections(page) == [
        "claims",
        *("table1", "table2", "figure5a"),
        *("demo", "training", "not-run"),
    ]
    html = page.read_text(encoding="utf-8")
    assert "Figure 5a, small" in html
    assert len(re.findall("</a>left by (?:tiny|small)</h2>", html)) == 2
    assert html.count("</a>left by small</h2>") == 1  # table 2
    assert f"latte-bench figure7 --scale small --out {results / 'figure7-small'}" in html
    assert not (results / "report.html").exists()


def test_the_scale_of_a_report_stands_in_it_and_not_in_the_name_of_its_folder(
    results: Path, report
) -> None:
    leave(results / "mine", "table3", title="small, in my folder", scale="small")
    leave(results / "other-small", "figure7", title="tiny, in my folder", scale="tiny")
    report("--scale", "small")
    html = (results / "report-small" / "report.html").read_text(encoding="utf-8")
    assert "small, in my folder" in html
    assert "tiny, in my folder" not in html


def test_one_report_in_two_places_is_one(results: Path, report) -> None:
    path = results / "figure5" / "figure5a.report.json"
    (results / "figure5a").mkdir()
    (results / "figure5a" / path.name).write_bytes(path.read_bytes())
    report()
    assert sections(results / "report.html").count("figure5a") == 1


def test_of_two_runs_that_say_the_same_the_later_one_is_taken(results: Path, report) -> None:
    leave(results / "figure5a", "figure5a", date="2027-01-03T00:00:00+00:00")
    report()
    assert sections(results / "report.html").count("figure5a") == 1
    assert "to 2027-01-03" in (results / "report.md").read_text(encoding="utf-8")


def test_files_of_others_in_the_folders_are_left_alone(results: Path, report) -> None:
    for folder in ("table3", "table5"):
        (results / folder / "notes.csv").write_text(folder, encoding="utf-8")
        (results / folder / f"{folder}-depth.csv").write_text("a part", encoding="utf-8")
    report()
    assert not (results / "notes.csv").exists()
    assert (results / "table5-depth.csv").read_text(encoding="utf-8") == "a part"


def test_published_figures_alone_are_no_result(results: Path, run_cli) -> None:
    for name in ("table3", "table4"):
        assert run_cli("latte-bench", name, cwd=results.parent).returncode == 0
    assert run_cli("latte-bench", "report").returncode == 0
    text = (results / "report.md").read_text(encoding="utf-8")
    for fact in ("1 of 5 tables", "1 of 10 figures"):
        assert fact in text
    not_run = text[text.index("## Not run") :]
    for name in ("table3", "table4"):
        assert re.search(
            rf"\| published figures alone +\| `latte-bench {name} --scale tiny`", not_run
        )
    assert {"table3", "table4"} <= set(sections(results / "report.html"))


def leave_blocks(results: Path, *names: str) -> None:
    """A report of table 3 with pictures of these names."""
    figure = new_figure(2, 1, "t")
    blocks = [figure_block(figure, description="d", name=name) for name in names]
    Report(title="t", blocks=tuple(blocks)).store(results / "table3", "table3")


def leave_claims(results: Path, *texts: str) -> None:
    claims = [PaperClaim(claim=text, verdict="yes", numbers="1 < 2") for text in texts]
    Report(title="Table 3", blocks=(), findings=tuple(claims)).store(results / "table3", "table3")


def overwrite(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda results: (results / name).write_bytes(content)


TABLE3 = "table3/table3.report.json"
NOT = "is not named as a command names"


@pytest.mark.parametrize(
    ("spoil", "sentences"),
    [
        (overwrite(TABLE3, b'{"format": "latte'), (f"{TABLE3}: it is not JSON", "or remove it")),
        (overwrite(TABLE3, b"\xff\xfe"), (f"{TABLE3}: ", "or remove it")),
        (overwrite(TABLE3, b"[1]"), (f"{TABLE3}: it is no stored report", "or remove it")),
        (overwrite(".report-files", b'["table3.csv", 1]'), (".report-files is not the list of",)),
        (
            overwrite("report-pictures", b"a file"),
            ("cannot be written", "--out"),
        ),
        (lambda results: (results / "report.md").mkdir(), ("report.md cannot be written", "--out")),
        (lambda results: leave(results / "table3", 'x" onload="y'), (NOT,)),
        (lambda results: leave(results / "table3", "not-run"), (f"not-run.report.json {NOT}",)),
        (
            lambda results: leave(results / "figure5a", "figure5a", title="otherwise"),
            ("figure5/figure5a.report.json and ", "one name", "remove one"),
        ),
        (  # one has the name that a section gives the other
            lambda results: leave_blocks(results, "x", "table3-x"),
            ("results: ", "pictures", "report-pictures/table3-x", "remove"),
        ),
        (  # one that is called as another is with its place
            lambda results: leave_claims(results, "A", "A", "A (table3), 2"),
            ("results: ", "cannot be joined", "A (table3), 2", "remove it"),
        ),
    ],
)
def test_bad_input_is_one_sentence_and_overwrites_nothing(
    spoil: Callable[[Path], object], sentences: tuple[str, ...], results: Path, run_cli
) -> None:
    (results / "report.html").write_text("the report of yesterday")
    spoil(results)
    done = run_cli("latte-bench", "report", "--results", results)
    error = done.stderr
    assert done.returncode == 2
    assert error.count("\n") == 1
    assert all(sentence in error for sentence in sentences), error
    assert (results / "report.html").read_text() == "the report of yesterday"
    assert not (results / "table3.csv").exists()
    assert not list(results.rglob("*.part"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--results", "nowhere"], "nowhere: no such folder of results"),
        (["--results", "empty"], "empty: no folder in it holds a report of scale tiny"),
        (["--results", "empty", "--scale", "papre"], "did you mean paper?"),
        (["--results", "empty", "--out", "file/report"], "file is a file, not a folder"),
    ],
)
def test_what_cannot_be_read_or_written_is_said_first(
    arguments: list[str], sentence: str, tmp_path: Path, run_cli
) -> None:
    (tmp_path / "empty" / "table3").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    done = run_cli("latte-bench", "report", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_a_folder_that_may_not_be_written_is_said(
    results: Path, monkeypatch: pytest.MonkeyPatch, run_cli
) -> None:
    def refuse(path: Path, content: bytes) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    done = run_cli("latte-bench", "report", "--results", results)
    assert done.returncode == 2
    assert re.search(rf"{re.escape(str(results))}.*Permission denied.* --out", done.stderr)
    assert not (results / "report.md").exists()


def test_the_report_needs_no_torch() -> None:
    code = "import sys, benchmarks.reproduce.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
