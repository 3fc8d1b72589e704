"""`latte-bench table1` … `table5`: names, options, and what ends with exit code 2."""

import sys
from pathlib import Path

import pytest

from benchmarks.cli import app as cli
from benchmarks.tables import table3 as table3_fvd
from benchmarks.tables import table5 as table5_is_fid
from benchmarks.tables.run import TableRequest


def run_cli(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["latte-bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("name", "alias"),
    [("table1", "variants"), ("table2", "sizes"), ("table4", "vbench"), ("table5", "is-fid")],
)
def test_a_table_and_its_alias_write_the_same_three_documents(
    name: str, alias: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_cli(monkeypatch, name) == 0
    assert run_cli(monkeypatch, alias, "--out", "other") == 0
    for ending in ("csv", "tex", "md"):
        assert (tmp_path / "results" / name / f"{name}.{ending}").stat().st_size > 0
        assert (tmp_path / "other" / f"{name}.{ending}").stat().st_size > 0


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_closed_forms_are_the_same_at_every_scale(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scale in ("tiny", "small", "paper"):
        assert run_cli(monkeypatch, name, "--scale", scale, "--out", str(tmp_path / scale)) == 0
    texts = {(tmp_path / scale / f"{name}.csv").read_bytes() for scale in ("tiny", "paper")}
    assert len(texts) == 1


@pytest.mark.parametrize(("name", "runner"), [("fvd", table3_fvd), ("table5", table5_is_fid)])
def test_a_scale_is_a_request_to_measure(
    name: str, runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(runner, "run", lambda *arguments: seen.append(arguments))
    monkeypatch.chdir(tmp_path)
    options = ["--scale", "small", "--seeds", "2", "--num-videos", "30", "--workers", "0"]
    options += ["--checkpoint", "m.safetensors", "--store", "kept", "--only-available"]
    assert run_cli(monkeypatch, name, "--results", "r.jsonl") == 0
    assert run_cli(monkeypatch, name, *options) == 0
    table = runner.TABLE.name
    assert seen[0] == ([Path("r.jsonl")], Path("results") / table)
    assert seen[1] == (
        [],
        Path("results") / f"{table}-small",
        TableRequest(
            scale="small",
            cells=Path("results/methods-small"),
            num_videos=30,
            seeds=2,
            checkpoint=Path("m.safetensors"),
            workers=0,
            store=Path("kept"),
            only_available=True,
        ),
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["table1", "--scale", "tinny"], "error: no scale is called 'tinny': did you mean tiny?"),
        (["table3", "--scale", "big"], "error: no scale is called 'big'"),
        (["table4", "--results", "no.json"], "error: no.json: no such results file; `vbench"),
        (["table5", "--results", "no.jsonl"], "error: no.jsonl: no such results file; "),
        (["table4", "--scale", "paper"], "error: --scale paper needs something that is not here"),
    ],
)
def test_what_the_user_can_mend_ends_with_2_and_leaves_nothing(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_cli(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(sentence)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["table1", "table2", "table4", "table5"])
def test_a_folder_that_cannot_be_one_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    assert run_cli(monkeypatch, name, "--out", str(file / "below")) == 2
    assert capsys.readouterr().err == (
        f"error: {file} is a file, not a folder: choose another --out\n"
    )
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_folder_that_may_not_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert run_cli(monkeypatch, "table2", "--out", str(tmp_path / "x")) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'x'} is no folder that can be written (Permission denied): choose "
        "another --out\n"
    )


def test_options_of_a_measurement_are_refused_where_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_cli(monkeypatch, "table3", "--seeds", "3", "--num-videos", "40") == 2
    printed = capsys.readouterr().err
    assert printed == "error: --seeds, --num-videos: nothing is measured without --scale; add it\n"


def test_the_later_scale_counts_so_that_tox_can_have_a_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    monkeypatch.setattr(table3_fvd, "run", lambda *arguments: seen.append(arguments))
    assert run_cli(monkeypatch, "table3", "--scale", "tiny", "--scale", "small") == 0
    assert seen[0][2].scale == "small"
