"""Several processes are one with a larger batch."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from latte.data.errors import InputError
from latte.training.distributed import Group, join_group

STOPPER = """
import signal
def stop(snapshot):
    if snapshot.step == 3:
        signal.raise_signal(signal.SIGTERM)
    return {"step": snapshot.step}
"""


KILLED_ONCE = """
import os, signal
def kill(snapshot):
    if snapshot.step == 5 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        os.kill(os.getpid(), signal.SIGKILL)
    return {}
"""


def test_one_process_waits_for_nobody():
    group = Group(device=torch.device("cpu"))
    values = torch.tensor([1.0, 2.0])
    assert group.is_first
    assert group.mean(values) is values
    assert group.any(True)
    assert not group.any(False)
    group.wait()


def test_the_device_is_the_one_that_was_asked_for():
    with join_group("cpu") as group:
        assert group == Group(device=torch.device("cpu"))
        assert not torch.distributed.is_initialized()
    with pytest.raises(InputError, match="--device tpu"), join_group("tpu"):
        pass


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="has no such signals")
def test_two_processes_stop_together_and_one_goes_on(run, left_by, tiny_settings, tmp_path):
    (tmp_path / "stopper.py").write_text(STOPPER)
    settings = ["output.log_every=4", "data.images_per_clip=1", "data.flip=true"]
    options = [word for setting in settings for word in ("--set", setting)]
    options += ["--set", "output.evaluate_every=3", "--evaluate", "stopper:stop", "--quiet"]
    options += ["--device", "cpu", "--workers", "0", "--out", str(tmp_path / "run")]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc_per_node", "2", "-m", "latte", "train", "shapes-tiny"]
    ended = subprocess.run(
        [*command, *tiny_settings, *options],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,  # processes that wait for each other would do so for days
    )
    assert ended.stderr.count("made when the run is resumed") == 1  # one is asked, both stop
    assert ended.stderr.count("Interrupted.") == 2
    assert ended.returncode != 0
    left = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
    assert left == ["0000003"]

    run(*settings, "training.accumulate=2")  # each step has as many clips
    run(*settings, "training.batch_size=4", out="whole")
    (tensors, rows), (expected, expected_rows) = left_by(), left_by("whole")
    for name, tensor in tensors.items():
        kind = name.partition("/")[0]
        limits = {"rtol": 1e-3, "atol": 1e-5} if kind in ("model", "ema") else {}
        torch.testing.assert_close(tensor, expected[name], **limits or {"rtol": 1e-5, "atol": 1e-5})
    for row, expected_row in zip(rows, expected_rows, strict=True):
        for name, text in row.items():
            assert float(text) == pytest.approx(float(expected_row[name]), rel=1e-4), name


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="has no such signals")
def test_processes_that_are_started_again_go_on_from_the_last_checkpoint(tiny_settings, tmp_path):
    (tmp_path / "killer.py").write_text(KILLED_ONCE)
    options = ["--set", "output.evaluate_every=1", "--set", "output.checkpoint_every=3"]
    options += ["--evaluate", "killer:kill", "--quiet", "--device", "cpu", "--workers", "0"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc_per_node", "2", "--max-restarts", "1"]
    command = [*launcher, "-m", "latte", "train", "shapes-tiny", *tiny_settings, *options]
    ended = subprocess.run(
        [*command, "--out", str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr
    assert "resuming from step 3 of 6" in ended.stderr
    assert "error: another process of this run has ended" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_another_batch_is_allowed_and_said(run, tmp_path, caplog, monkeypatch):
    from latte.training import prepare

    run("training.steps=1")
    load = prepare.load_state

    def three(path, state, config, now):
        return load(path, state, config, replace(now, processes=3))

    monkeypatch.setattr(prepare, "load_state", three)
    run("training.steps=2")
    assert "a step had 2 clips in 1 process, from here on it has 6 in 3" in caplog.text
