"""What follows a checkpoint: evaluations and pictures, and making them after a kill."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from latte.data.errors import InputError
from latte.training import run as run_module

EVERY = "output.evaluate_every=3"
PICTURES = ("output.sample_every=3", "output.num_samples=2", "output.sample_steps=2")


class Killed(BaseException):
    """Nothing handles it, like a kill."""


def evaluations(folder):
    with (folder / "evaluations.csv").open(newline="", encoding="utf-8") as file:
        return [(row["step"], row["value"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("killed_at", [3, 6])
def test_an_evaluation_that_was_killed_is_made_when_the_run_is_resumed(run, tmp_path, killed_at):
    steps = []

    def evaluate(snapshot):
        steps.append(snapshot.step)
        if snapshot.step == killed_at and steps.count(killed_at) == 1:
            raise Killed
        return {"value": snapshot.step}

    settings = (EVERY, "output.checkpoint_every=3", "training.steps=6")
    with pytest.raises(Killed):
        run(*settings, evaluate=evaluate)
    for _ in range(2):
        run(*settings, evaluate=evaluate)
    assert evaluations(tmp_path / "run") == [("3", "3"), ("6", "6")]
    assert sorted(steps) == sorted([3, 6, killed_at])


def test_pictures_that_were_killed_are_made_when_the_run_is_resumed(run, tmp_path, monkeypatch):
    def kill(run, snapshot, log):
        raise Killed

    settings = (*PICTURES, "output.checkpoint_every=3", "training.steps=3")
    monkeypatch.setattr(run_module, "_draw_samples", kill)
    with pytest.raises(Killed):
        run(*settings)
    monkeypatch.undo()
    run(*settings)
    run(*settings, out="whole")
    ours, theirs = (tmp_path / name / "samples" / "0000003.png" for name in ("run", "whole"))
    assert ours.read_bytes() == theirs.read_bytes()
    made = ours.stat().st_mtime_ns
    run(*settings)
    assert ours.stat().st_mtime_ns == made  # it was there


@pytest.mark.parametrize("value", [2.5, np.float32(2.5), torch.tensor(2.5)])
def test_one_number_has_the_name_of_its_function(run, tmp_path, value):
    def distance(snapshot):
        return value

    run(EVERY, evaluate=distance)
    assert (tmp_path / "run" / "evaluations.csv").read_text() == "step,distance\n3,2.5\n6,2.5\n"


@pytest.mark.parametrize("value", [None, "high", [1.0, 2.0], {"value": None}])
def test_what_is_no_number_is_one_sentence_and_costs_no_steps(run, tmp_path, value):
    with pytest.raises(InputError, match=r"--evaluate: .*return a number"):
        run(EVERY, evaluate=lambda snapshot: value)
    assert (tmp_path / "run" / "checkpoints" / "0000003").is_dir()


def test_tables_that_are_not_of_a_run_are_refused_before_the_first_step(run, tmp_path):
    run("training.steps=2")
    (tmp_path / "run" / "log.csv").write_bytes(b"step,loss\n2,\xff\n")
    with pytest.raises(InputError, match=r"log\.csv.*not a table"):
        run("training.steps=3")
    assert not (tmp_path / "run" / "checkpoints" / "0000003").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode elsewhere")
def test_a_folder_whose_name_is_not_utf_8_has_its_tables(run, tmp_path, caplog):
    out = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    run(out=out)
    assert (tmp_path / out / "log.csv").read_text().startswith("step,")
    assert "TensorBoard takes paths in UTF-8 alone" in caplog.text


FAULTY = """
def fail(snapshot):
    raise ValueError("a fault of the user's")
"""


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_fault_of_an_evaluation_ends_all_with_code_1(tmp_path, tiny_settings, processes):
    (tmp_path / "faulty.py").write_text(FAULTY, encoding="utf-8")
    program = [sys.executable, "-m"]
    if processes > 1:
        program += ["torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    options = ["--device", "cpu", "--workers", "1", "--quiet", "--out", str(tmp_path / "run")]
    options += ["--set", EVERY, "--evaluate", "faulty:fail"]
    ended = subprocess.run(
        [*program, "latte", "train", "shapes-tiny", *tiny_settings, *options],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,  # processes that wait for each other would do so for days
    )
    assert ended.returncode == 1
    assert "a fault of the user's" in ended.stderr
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["0000003"]
