"""Jobs: run here one after the other, several at a time, or through submitit."""

import logging
import os
import re
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from benchmarks.cells import executors
from benchmarks.cells.cache import FILE, CellRecord, FailedCellsError, read_cells
from benchmarks.cells.executors import (
    Job,
    gpu_places,
    read_job,
    resource_requirements,
    run_jobs,
)
from benchmarks.cells.requirements import unmet
from latte.data.errors import InputError
from latte.data.processes.cluster import Resources

# Measures a cell: its name as the value; "bad" fails for a reason that the user can fix.
CODE = """
    import json, os, sys
    from pathlib import Path
    job = json.loads(Path(sys.argv[1]).read_text())
    with open(Path(sys.argv[1]).with_suffix(".ran"), "a") as file:
        file.write(os.environ.get("CUDA_VISIBLE_DEVICES", "") + "\\n")
    if job["name"] == "bad":
        failure = {"message": "the data set is gone"}
        Path(os.environ["LATTE_FAILURE_FILE"]).write_text(json.dumps(failure))
        sys.exit(2)
    if job["name"] == "lost":
        os.kill(os.getpid(), 9)
    line = {"key": job["key"], "name": job["name"], "value": job["inputs"]["value"], "seconds": 1}
    with open(sys.argv[2], "a") as file:
        file.write(json.dumps(line) + "\\n")
"""


def job(name: str, value: float = 1.0) -> Job:
    return Job(kind="test", key=f"key-{name}", name=name, inputs={"value": value})


@pytest.fixture(autouse=True)
def short_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs add their lines to the cells of the folder at once."""
    code, cells = textwrap.dedent(CODE), str(tmp_path / FILE)
    monkeypatch.setattr(
        executors, "job_command", lambda path: [sys.executable, "-c", code, str(path), cells]
    )


def times_run(folder: Path, name: str) -> int:
    path = folder / "jobs" / f"key-{name}.ran"
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


@pytest.mark.parametrize("executor", ["local", "slurm"])
def test_each_cell_is_measured_once_and_one_that_fails_costs_no_other(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "CLUSTER", "local")
    resources = Resources(executor=executor)
    jobs = [job("a", 1.5), job("bad"), job("lost"), job("b"), job("a", 1.5)]
    outcome = run_jobs(jobs, tmp_path / FILE, resources)
    assert [cell.value for cell in outcome.cells.values()] == [1.5, 1.0]
    with pytest.raises(FailedCellsError, match="bad: the data set is gone") as error:
        outcome.raise_if_failed()
    assert [(cell.name, cell.fixable) for cell in error.value.failed] == [
        ("bad", True),
        ("lost", False),
    ]
    again = run_jobs([*jobs, job("c")], tmp_path / FILE, resources)
    assert set(again.cells) == {"key-a", "key-b", "key-c"}
    assert [times_run(tmp_path, name) for name in ("a", "bad", "b", "c")] == [1, 2, 1, 1]


def test_several_jobs_share_the_gpus_of_a_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 5)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3,4,6,7")
    assert gpu_places(2) == [{"CUDA_VISIBLE_DEVICES": "1,3"}, {"CUDA_VISIBLE_DEVICES": "4,6"}]
    assert gpu_places(3) == [{}]
    caplog.set_level(logging.INFO)
    jobs = [job(name) for name in "abcd"]
    resources = Resources(gpus=2)
    run_jobs(jobs, tmp_path / FILE, resources)
    assert "2 jobs at a time" in caplog.text
    used = {path.read_text(encoding="utf-8") for path in (tmp_path / "jobs").glob("*.ran")}
    assert used <= {"1,3\n", "4,6\n"}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpu_places(2) == [{"CUDA_VISIBLE_DEVICES": "0,1"}, {"CUDA_VISIBLE_DEVICES": "2,3"}]


def test_a_job_reads_as_it_was_written(tmp_path: Path) -> None:
    path = job("a").write(tmp_path)
    assert read_job(path) == job("a")
    path.write_text('{"kind": "training"}', encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(str(path))):
        read_job(path)
    with pytest.raises(InputError, match=r"none\.json: "):
        read_job(tmp_path / "none.json")


@pytest.mark.skipif(sys.platform == "win32", reason="Slurm's programs are shell scripts here")
def test_slurm_is_asked_for_the_resources_of_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, code in (("sbatch", f"cp $1 {tmp_path}/script; exit 1"), ("srun", ""), ("sacct", "")):
        (programs / name).write_text(f"#!/bin/sh\n{code}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    options = ("partition=gpu", "time=2-0")
    resources = Resources(executor="slurm", nodes=2, gpus=4, slurm=options)
    with pytest.raises(InputError, match=r"\bsbatch\b.* a\b"):
        run_jobs([job("a")], tmp_path / FILE, resources)
    lines = (tmp_path / "script").read_text(encoding="utf-8").splitlines()
    for option in (
        *("partition=gpu", "time=2-0", "nodes=2", "ntasks-per-node=1", "gpus-per-node=4"),
        *("cpus-per-task=16", "signal=USR2@600"),
    ):
        assert f"#SBATCH --{option}" in lines
    (start,) = (line for line in lines if line.startswith("srun"))
    assert "--nodes=1 --ntasks=1 --overlap" in start


def test_a_machine_without_slurm_lacks_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (lacking,) = unmet(resource_requirements(Resources(executor="slurm")))
    assert lacking.name == "Slurm"
    for name in ("sbatch", "srun"):
        (tmp_path / name).touch(mode=0o755)
    assert not unmet(resource_requirements(Resources(executor="slurm")))


def test_a_cell_that_is_there_needs_no_job(tmp_path: Path) -> None:
    cell = CellRecord(key="key-a", name="a", value=2.0, seconds=1.0)
    (tmp_path / FILE).write_text(cell.to_json() + "\n", encoding="utf-8")
    outcome = run_jobs([job("a")], tmp_path / FILE, Resources())
    assert outcome.cells == read_cells(tmp_path / FILE)
    assert not (tmp_path / "jobs").exists()
