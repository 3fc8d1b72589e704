"""A run that is asked to stop: what it finishes first, and what it writes."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from latte.training import data as data_module
from latte.training import loop as loop_module
from latte.training import stopping as stopping_module

EVERY = "output.evaluate_every=1"  # the callbacks below are called
KILLER = """
import signal
def killed(snapshot):
    if snapshot.step == 5:
        signal.raise_signal(signal.{name})
    return {{}}
"""


def assert_resumed(run, left_by):
    """Resume the run, to what one that was not stopped leaves."""
    run()
    run(out="whole")
    (tensors, rows), (expected, expected_rows) = left_by(), left_by("whole")
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in tensors.items())
    assert rows == expected_rows


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_the_command_goes_on_after_a_signal(run, left_by, tiny_settings, tiny, tmp_path, name):
    (tmp_path / "killer.py").write_text(KILLER.format(name=name))
    settings = [*tiny_settings, "--set", "output.checkpoint_every=3", "--set", EVERY]
    command = [sys.executable, "-m", "latte", "train", "shapes-tiny", *settings, "--quiet"]
    command += ["--device", "cpu", "--workers", "1", "--out", str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [*command, "--evaluate", "killer:killed"], env=environment, capture_output=True, text=True
    )
    last = max(path.parent.name for path in tmp_path.glob("run/checkpoints/*/state.safetensors"))
    if name == "SIGTERM":
        assert ended.returncode == 2
        assert "step 5: its evaluation is made when the run is resumed" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert last == "0000005"
    else:
        assert ended.returncode == -signal.SIGKILL
        assert last == "0000003"
    assert_resumed(run, left_by)


@pytest.fixture
def signals_within_step(monkeypatch):
    """Maker of steps during which this process gets signals, so many seconds apart."""

    def make(step, *, apart, count=2):
        learning_rate, times = loop_module.learning_rate, iter(range(count))
        clock = SimpleNamespace(monotonic=lambda: apart * next(times, count))
        monkeypatch.setattr(stopping_module, "time", clock)

        def with_signals(training, number):
            if number == step - 1:
                for _ in range(count):
                    signal.raise_signal(signal.SIGTERM)
            return learning_rate(training, number)

        monkeypatch.setattr(loop_module, "learning_rate", with_signals)

    return make


def test_a_second_signal_stops_at_once_and_saves_no_half_step(
    run, left_by, signals_within_step, tmp_path, monkeypatch
):
    before = signal.getsignal(signal.SIGTERM)
    signals_within_step(3, apart=1.0)
    with pytest.raises(KeyboardInterrupt):
        run("output.checkpoint_every=2")
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["0000002"]
    assert signal.getsignal(signal.SIGTERM) == before
    monkeypatch.undo()
    assert_resumed(run, left_by)


def test_two_signals_together_are_one_request(run, signals_within_step, tmp_path, caplog):
    signals_within_step(3, apart=0.9)
    with pytest.raises(KeyboardInterrupt):
        run("output.checkpoint_every=2")
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["0000002", "0000003"]
    assert caplog.text.count("stopping after this step") == 1


def test_a_process_that_waits_for_a_clip_stops_at_once(run, left_by, tmp_path, monkeypatch):
    load, loaded = data_module.load_clip, []

    def wait(clip, preparation):
        loaded.append(clip)
        if len(loaded) == 5:  # the first of step 3
            signal.raise_signal(signal.SIGTERM)
        return load(clip, preparation)

    monkeypatch.setattr(data_module, "load_clip", wait)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["0000002"]
    monkeypatch.undo()
    assert_resumed(run, left_by)
