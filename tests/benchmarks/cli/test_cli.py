import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import app as cli
from benchmarks.cli.options import documents_folder


def run_cli(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["latte-bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("name", ["table3", "fvd"])
def test_table3_and_its_alias_write_three_documents_and_say_where(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(monkeypatch, name, "--out", str(tmp_path / "new")) == 0
    printed = capsys.readouterr().out
    for ending in ("md", "csv", "tex"):
        path = tmp_path / "new" / f"table3.{ending}"
        assert path.stat().st_size > 0
        assert str(path) in printed
    assert "| Latte+IMG " in printed


def test_documents_go_to_a_folder_of_the_runners_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_cli(monkeypatch, "fvd") == 0
    assert (tmp_path / "results" / "table3" / "table3.md").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["tabel3"],
            "error: no table, figure or benchmark is called 'tabel3': did you mean table3 ",
        ),
        (
            ["zzz"],
            "error: no table, figure or benchmark is called 'zzz': known: table1, table2, ",
        ),
        (["table3", "--results", "no.jsonl"], "error: no.jsonl: no such results file; "),
    ],
)
def test_what_the_user_can_mend_is_one_sentence_and_exit_code_2(
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
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_out_that_is_a_file_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    for out in (file, file / "below"):
        assert run_cli(monkeypatch, "table3", "--out", str(out)) == 2
        assert capsys.readouterr().err == (
            f"error: {file} is a file, not a folder: choose another --out\n"
        )
    assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("out", ["/proc/x/new", "x" * 300, "/proc"])
@pytest.mark.parametrize("command", [["demo"], ["table3", "--scale", "tiny"], ["coverage"]])
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no files")
def test_an_out_that_cannot_be_written_is_refused_before_the_work(
    command: list[str],
    out: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.MonkeyPatch.context() as working:
        for runner in ("demo.run", "tables.table3", "studies.coverage"):
            working.setattr(f"benchmarks.{runner}.run", lambda *_, **__: pytest.fail("it works"))
        assert run_cli(monkeypatch, *command, "--out", out) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {out} is no folder that can be written (")
    assert error.endswith("): choose another --out\n")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_be_made_is_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert documents_folder("demo", tmp_path / "there" / "new" / "below")
    assert documents_folder("demo", tmp_path / "there")
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize("command", ["reproduce", "report"])
def test_the_option_that_is_named_is_the_one_that_was_given(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    assert run_cli(monkeypatch, command, "--results", str(file)) == 2
    assert capsys.readouterr().err == (
        f"error: {file} is a file, not a folder: choose another --results\n"
    )


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no files")
def test_a_report_of_results_that_can_only_be_read_goes_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(monkeypatch, "report", "--results", "/proc") == 2
    assert capsys.readouterr().err.endswith(": choose another --out\n")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "free some space, or choose another path"),
        (errno.EACCES, "choose another path, and run the command again"),
    ],
)
def test_what_the_system_refuses_is_one_sentence_on_what_to_do(
    number: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from benchmarks.studies import coverage

    def refuse(**options: object) -> None:
        raise OSError(number, os.strerror(number), "x.md")

    monkeypatch.setattr(coverage, "run", refuse)
    assert run_cli(monkeypatch, "coverage", "--out", str(tmp_path)) == 2
    said = os.strerror(number).lower()
    assert capsys.readouterr().err.startswith(f"error: x.md: {said}: {sentence}")


def test_the_demo_gets_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.demo import run as demo

    seen: list[Any] = []
    monkeypatch.setattr(demo, "run", lambda *given: seen.extend(given))
    arguments = ["--num-videos", "64", "--workers", "0", "--seed", "3", "--store", "kept"]
    arguments += ["--checkpoint", "m.safetensors"]
    assert run_cli(monkeypatch, "demo", "--out", str(tmp_path), *arguments) == 0
    assert seen == [
        tmp_path,
        demo.DemoRequest(
            num_videos=64,
            workers=0,
            seed=3,
            device="cpu",
            store=Path("kept"),
            checkpoint=Path("m.safetensors"),
        ),
    ]


def test_the_training_report_gets_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.studies.training import report as training_report

    seen: dict[str, Any] = {}
    monkeypatch.setattr(
        training_report, "run", lambda folder, **options: seen.update(options, folder=folder)
    )
    arguments = ["--fvd", "--num-videos", "64", "--steps", "5", "--guidance-scale", "1.5"]
    arguments += ["--workers", "0", "--store", "kept"]
    assert run_cli(monkeypatch, "training", "a run", "--out", str(tmp_path), *arguments) == 0
    assert seen == {
        "folder": Path("a run"),
        "out": tmp_path,
        "fvd": True,
        "num_videos": 64,
        "steps": 5,
        "guidance_scale": 1.5,
        "workers": 0,
        "device": "cpu",
        "store": Path("kept"),
    }


def test_the_benchmarks_get_their_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.studies.protocols import run as protocols
    from benchmarks.studies.sensitivity import run as sensitivity

    seen: list[dict[str, Any]] = []
    for runner in (protocols, sensitivity):
        monkeypatch.setattr(runner, "run", lambda **options: seen.append(options))
    shared = ["--out", str(tmp_path), "--real", "a", "--num-videos", "64", "--workers", "0"]
    shared += ["--store", "kept", "--device", "cuda:1"]
    of_protocols = ["--fake", "b", "--base", "latte", "--set", "size=64", "--network", "i3d"]
    assert run_cli(monkeypatch, "protocols", *shared, *of_protocols, "--weights", "w.pt") == 0
    of_sensitivity = ["--metric", "fvd", "--metric", "is", "--draws", "4", "--seed", "3"]
    weights = ["--weights", "w.pt", "--weights", "inception=f.pt"]
    assert run_cli(monkeypatch, "sensitivity", *shared, *of_sensitivity, *weights) == 0
    both = {
        "out": tmp_path,
        "real": Path("a"),
        "num_videos": 64,
        "workers": 0,
        "store": Path("kept"),
        "device": "cuda:1",
    }
    assert seen[0] == both | {
        "fake": Path("b"),
        "base": "latte",
        "settings": ["size=64"],
        "network_name": "i3d",
        "weights": Path("w.pt"),
    }
    assert seen[1] == both | {
        "network_name": None,
        "weights": {"i3d": Path("w.pt"), "inception": Path("f.pt")},
        "metrics": ["fvd", "is"],
        "draws": 4,
        "seed": 3,
    }


def test_coverage_gets_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.studies import coverage

    seen: dict[str, Any] = {}
    monkeypatch.setattr(coverage, "run", lambda **options: seen.update(options))
    options = ("--repetitions", "60", "--workers", "3")
    assert run_cli(monkeypatch, "coverage", "--out", str(tmp_path), *options) == 0
    assert seen == {"out": tmp_path, "repetitions": 60, "workers": 3}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["protocols", "--real", "."], "error: one set of videos is no pair: "),
        (["protocols", "--real", "no", "--fake", "no"], "error: no: no such file or folder"),
        (["protocols", "--base", "lattte"], "error: unknown protocol 'lattte': did you mean "),
        (["sensitivity", "--metric", "fdv"], "error: unknown metric 'fdv': did you mean fvd"),
        (["sensitivity", "--metric", "per-class"], "error: metric per-class is not followed here"),
    ],
)
def test_what_a_benchmark_cannot_measure_is_one_sentence_and_leaves_nothing(
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


def test_a_fault_of_ours_is_not_made_into_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.tables import table3 as table3_fvd

    def fail(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(table3_fvd, "run", fail)
    monkeypatch.setattr(sys, "argv", ["latte-bench", "table3", "--out", str(tmp_path)])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['latte-bench', '--help']\n"
        "from benchmarks.cli.app import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'matplotlib', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for name in ("table3", "demo", "training", "protocols", "sensitivity", "coverage", "speed"):
        assert f"  {name} " in done.stdout
