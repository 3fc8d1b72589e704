"""`latte-bench`: names, options, and how commands end."""

import errno
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cells.scale import as_scale, name_at
from benchmarks.cli.options import documents_folder
from benchmarks.runners import RUNNERS
from benchmarks.tables import table3 as table3_fvd
from benchmarks.tables.run import TableRequest
from latte.data.errors import InputError

needs_proc = pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs a folder that takes no files"
)


def _recorder(calls: list[Any]) -> Any:
    return lambda out, *given, **options: calls.append((out, given, options))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Calls of runners, which do nothing else."""
    calls: list[tuple[Any, ...]] = []
    for runner in RUNNERS.values():
        module = import_module(runner.module)
        monkeypatch.setattr(module, "run", _recorder(calls))
    return calls


@pytest.mark.parametrize(
    ("name", "alias"),
    [(name, RUNNERS[name].alias) for name in ("table1", "table2", "table3", "table4", "table5")],
)
def test_a_table_and_its_alias_write_the_same_documents_and_say_where(
    name: str, alias: str, tmp_path: Path, run_cli
) -> None:
    first = run_cli("latte-bench", name, cwd=tmp_path)
    second = run_cli("latte-bench", alias, "--out", "other")
    assert (first.returncode, second.returncode) == (0, 0)
    for ending in ("csv", "tex", "md"):
        path = Path("results") / name / f"{name}.{ending}"
        assert str(path) in first.stderr
        other = tmp_path / "other" / path.name
        assert other.stat().st_size > 0
        if ending == "csv":
            assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_closed_forms_are_the_same_at_every_scale(name: str, tmp_path: Path, run_cli) -> None:
    texts = set()
    for scale in ("tiny", "small", "paper"):
        out = tmp_path / scale
        assert run_cli("latte-bench", name, "--scale", scale, "--out", out).returncode == 0
        texts.add((out / f"{name}.csv").read_bytes())
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["tabel3"], "'tabel3': did you mean table3 "),
        (["zzz"], "'zzz': known: table1, table2, "),
        (["table1", "--scale", "tinny"], "'tinny': did you mean tiny?"),
        (["table3", "--scale", "big"], "no scale is called 'big'"),
        (["table3", "--results", "no.jsonl"], "no.jsonl: no such file"),
        (["table4", "--results", "no.json"], "no.json: no such file"),
        (["table4", "--scale", "paper"], "a results file of VBench"),
        (["table5", "--seeds", "3", "--num-videos", "40"], "--seeds, --num-videos: "),
        (["table3", "--scale", "tiny", "--num-videos", "4"], "--num-videos 4: "),
        (["table3", "--scale", "tiny", "--vae", "x", "--only-available"], "--vae, --only-"),
        (["figure5a", "--gpus", "4"], "--gpus: "),
        (["reproduce", "--vae", "x", "--gpus", "1"], "--vae, --gpus: "),
        (["protocols", "--real", "."], "--fake"),
        (["protocols", "--real", "no", "--fake", "no"], "no: "),
        (["protocols", "--base", "lattte"], "unknown protocol 'lattte': did you mean "),
        (["sensitivity", "--metric", "fdv"], "unknown metric 'fdv': did you mean fvd"),
        (["sensitivity", "--metric", "per-class"], "per-class"),
    ],
)
def test_what_the_user_can_fix_ends_with_2_and_leaves_nothing(
    arguments: list[str], part: str, tmp_path: Path, run_cli
) -> None:
    done = run_cli("latte-bench", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert part in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "option"),
    [
        *((name, "--out") for name in RUNNERS if name != "training"),
        ("reproduce", "--results"),
        ("report", "--results"),
    ],
)
def test_a_folder_that_is_a_file_is_refused_before_the_work(
    command: str, option: str, tmp_path: Path, seen: list[Any], run_cli
) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    done = run_cli("latte-bench", command, option, file / "below")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {file} ")
    assert done.stderr.endswith(f" {option}\n")
    assert file.read_text(encoding="utf-8") == "mine"
    assert not seen


@needs_proc
@pytest.mark.parametrize("out", ["/proc/x/new", "x" * 300, "/proc"])
@pytest.mark.parametrize("command", ["demo", "table3", "coverage"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_work(
    command: str, out: str, tmp_path: Path, seen: list[Any], run_cli
) -> None:
    done = run_cli("latte-bench", command, "--out", out, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {out} ")
    assert done.stderr.endswith(" --out\n")
    assert list(tmp_path.iterdir()) == []
    assert not seen


@needs_proc
def test_a_report_of_results_that_can_only_be_read_goes_elsewhere(run_cli) -> None:
    done = run_cli("latte-bench", "report", "--results", "/proc")
    assert done.returncode == 2
    assert done.stderr.endswith(" --out\n")


def test_a_folder_that_can_be_made_is_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert documents_folder("demo", tmp_path / "there" / "new" / "below")
    assert documents_folder("demo", tmp_path / "there")
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]
    assert list((tmp_path / "there").iterdir()) == []


def test_scales_write_into_folders_of_their_own() -> None:
    assert name_at("figure7", "tiny") == "figure7"
    assert name_at("figure7", "small") == "figure7-small"
    assert as_scale("tiny") == "tiny"
    with pytest.raises(InputError, match="'papers': did you mean paper"):
        as_scale("papers")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_what_the_system_refuses_is_one_sentence(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli
) -> None:
    from benchmarks.studies import coverage

    def refuse(*given: object, **options: object) -> None:
        raise OSError(number, os.strerror(number), "x.md")

    monkeypatch.setattr(coverage, "run", refuse)
    done = run_cli("latte-bench", "coverage", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: x.md: {os.strerror(number).lower()}")


def test_a_fault_of_ours_is_not_made_into_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli
) -> None:
    def fail(*given: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(table3_fvd, "run", fail)
    with pytest.raises(ZeroDivisionError):
        run_cli("latte-bench", "table3", "--out", tmp_path)


@pytest.mark.parametrize("name", ["table3", "fvd", "table5"])
def test_a_scale_is_a_request_to_measure(
    name: str, tmp_path: Path, seen: list[Any], run_cli
) -> None:
    options = ["--scale", "small", "--seeds", "2", "--num-videos", "30", "--workers", "0"]
    options += ["--checkpoint", "m.safetensors", "--store", "kept"]
    run_cli("latte-bench", name, "--results", "r.jsonl", "--results", "s.jsonl", cwd=tmp_path)
    run_cli("latte-bench", name, "--scale", "tiny", *options)  # the later scale counts
    table = {"fvd": "table3"}.get(name, name)
    (first, (request,), _), (folder, (measured,), _) = seen
    assert first == Path("results") / table
    assert folder == Path("results") / f"{table}-small"
    assert request.results == ("r.jsonl", "s.jsonl")
    assert request.scale is None
    assert measured == TableRequest(
        scale="small",
        num_videos=30,
        seeds=2,
        checkpoint=Path("m.safetensors"),
        workers=0,
        store=Path("kept"),
    )
    assert measured.folder == Path("results/methods-small")


@pytest.mark.parametrize("command", ["figure5a", "table3"])
def test_runners_get_the_device_that_auto_stands_for(
    command: str, tmp_path: Path, seen: list[Any], run_cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    options = ("--scale", "tiny", "--device", "auto")
    assert run_cli("latte-bench", command, *options, cwd=tmp_path).returncode == 0
    _, (request, *_), _ = seen[0]
    assert request.device == "cpu"


@pytest.mark.parametrize(
    ("command", "options", "wanted"),
    [
        ("demo", ["--num-videos", "64", "--seed", "3"], {"num_videos": 64, "seed": 3}),
        (
            "training",
            ["a run", "--fvd", "--steps", "5", "--guidance-scale", "1.5"],
            {"folder": Path("a run"), "fvd": True, "steps": 5, "guidance_scale": 1.5},
        ),
        (
            "protocols",
            ["--real", "a", "--fake", "b", "--base", "latte", "--set", "size=64"],
            {"real": Path("a"), "fake": Path("b"), "base": "latte", "settings": ("size=64",)},
        ),
        (
            "sensitivity",
            [*("--real", "a", "--weights", "w.pt", "--weights", "inception=f.pt"), "--draws", "4"],
            {"weights": {"i3d": Path("w.pt"), "inception": Path("f.pt")}, "draws": 4},
        ),
        ("sensitivity", ["--metric", "fvd", "--metric", "is"], {"metrics": ("fvd", "is")}),
        ("coverage", ["--repetitions", "60", "--workers", "3"], {"repetitions": 60, "workers": 3}),
        ("speed-generator", ["--no-compile", "--quick"], {"compiled": False, "quick": True}),
        ("figure6", ["--num-clips", "8", "--vae", "x"], {"num_clips": 8, "vae": "x"}),
    ],
)
def test_runners_get_their_options(
    command: str, options: list[str], wanted: dict[str, Any], tmp_path: Path, seen, run_cli
) -> None:
    assert run_cli("latte-bench", command, *options, cwd=tmp_path).returncode == 0
    out, given, named = seen[0]
    request = vars(given[0]) if given else named
    assert out == Path("results") / command
    assert wanted.items() <= request.items()


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['latte-bench', '--help']\n"
        "from benchmarks.cli.app import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'matplotlib', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"  {name} " in done.stdout for name in (*RUNNERS, "reproduce", "report"))


@pytest.mark.parametrize(
    ("command", "options", "part"),
    [
        ("table3", ["--executor", "slrm"], "--executor slrm: did you mean slurm?"),
        ("figure7", ["--nodes", "3", "--gpus", "4"], "--executor slurm"),
        ("figure7", ["--gpus", "5"], "--gpus 5: "),
        ("reproduce", ["--executor", "slurm", "--nodes", "3"], "--nodes 3 --gpus 2: "),
    ],
)
def test_resources_that_make_no_sense_are_refused_before_anything_heavy_loads(
    command: str, options: list[str], part: str, tmp_path: Path
) -> None:
    code = (
        f"import sys; sys.argv = ['latte-bench', *{[command, '--scale', 'paper', *options]}]\n"
        "from benchmarks.cli.app import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules)"
    )
    command_line = [sys.executable, "-c", code]
    done = subprocess.run(command_line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert part in done.stderr
    assert list(tmp_path.iterdir()) == []
