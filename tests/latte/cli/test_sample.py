import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from latte.cli.sample import sample
from latte.config import LatteConfig
from latte.data.sources import open_video_set
from latte.model import Latte
from latte.model.checkpoints import save_checkpoint


@pytest.fixture
def checkpoint(tmp_path):
    """A network that was never trained: its noise stays noise."""
    config = LatteConfig(8, 4, 3, 32, 2, 2, 4, num_classes=2)
    model = Latte(config)
    for index, parameter in enumerate(model.parameters()):
        stream = torch.Generator().manual_seed(index)
        parameter.data = torch.randn(parameter.shape, generator=stream) * 0.1
    settings = {"classes": ["ape", "bee"], "sampling": {"steps": 3}, "dataset": "shapes"}
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, config, model.state_dict(), settings)
    return path


@pytest.fixture
def run(latte):
    """Run `latte sample`."""
    return lambda *arguments, **settings: latte("sample", *arguments, **settings)


def test_samples_land_where_the_metrics_look_for_them(run, checkpoint):
    options = ["--num-samples", 3, "--guidance-scale", 2]
    done = run(checkpoint, *options, cwd=checkpoint.parent)
    assert done.returncode == 0
    assert done.stdout == (
        "3 samples of 4 frames, 8×8: samples/shapes; preview: samples/shapes.preview.png\n"
    )
    assert "model.safetensors on cpu, ddpm, 3 steps, guidance 2, fp32" in done.stderr
    assert "9/9" in done.stderr
    names = [video.name for video in open_video_set(checkpoint.parent / "samples/shapes").videos]
    assert names == ["ape/000000", "ape/000002", "bee/000001"]


def test_every_option_reaches_the_samples(run, checkpoint, tmp_path):
    arguments = ["--labels", "bee,0", "--guidance-scale", 3, "--guided", "all", "--method", "ddim"]
    arguments += ["--steps", 2, "--eta", 0.5, "--seed", 4, "--start", 1, "--format", "png"]
    arguments += ["--fps", 5, "--device", "cpu", "--precision", "bf16", "--batch-size", 2]
    arguments += ["--autoencoder", "identity", "--dataset", "shapes", "--quiet"]
    done = run(checkpoint, "--out", tmp_path / "out", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    record = (tmp_path / "out" / ".sampling.json").read_text()
    for said in ('"guided": "all"', '"eta": 0.5', '"seed": 4', '"fps": 5.0', '"precision": "bf16"'):
        assert said in record
    names = {video.name for video in open_video_set(tmp_path / "out").videos}
    assert names == {"ape/000001", "bee/000002"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.safetensors"], "none.safetensors: there is no such file"),
        (["{}", "--labels", "bea"], "--labels: no class 'bea': did you mean bee?"),
        (["{}", "--labels", "2"], "--labels: no class 2, as there are 0 … 1"),
        (["{}", "--method", "dpm"], "method = 'dpm': did you mean ddpm"),
        (["{}", "--steps", "0"], "steps must be an integer of at least 1, got 0"),
        (["{}", "--steps", "1001"], "steps = 1001: the diffusion has 1000, so give no more"),
        (["{}", "--device", "tpu"], "--device tpu: give auto, cpu, cuda or cuda:N"),
        (["{}", "--num-samples", "0"], "--num-samples"),
        (["{}", "--format", "npy"], "no format 'npy': choose mkv, png, mp4"),
        (["--dataset", "ucf101"], "no checkpoint of ucf101 comes with the package, so give one"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_two(
    run, checkpoint, tmp_path, arguments, sentence
):
    given = [argument.format(checkpoint) for argument in arguments]
    done = run(*given, "--out", tmp_path / "out", "--quiet")
    errors = done.stderr
    assert done.returncode == 2
    assert errors.startswith("error: ")
    assert sentence in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_samples_of_earlier_runs_and_of_other_processes_are_told(
    checkpoint, tmp_path, monkeypatch, capsys
):
    def printed(folder, count):
        sample(checkpoint, num_samples=count, out=tmp_path / folder, device="cpu", quiet=True)
        return capsys.readouterr().out

    what = f"samples of 4 frames, 8×8: {tmp_path}"
    printed("one", 2)
    assert printed("one", 1) == (
        f"1 {what}/one (and 1 more from before); preview: {tmp_path}/one.preview.png\n"
    )
    for name, value in (("RANK", 0), ("WORLD_SIZE", 2), ("LOCAL_RANK", 0)):
        monkeypatch.setenv(name, str(value))
    assert printed("two", 3) == f"2 of 3 {what}/two (the others are with other processes)\n"


@pytest.mark.slow
def test_torchrun_makes_the_files_of_one_process(run, checkpoint, tmp_path):
    run(checkpoint, "--num-samples", 5, "--out", tmp_path / "one", "--quiet")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command = [*launcher, "--master_port", "0", "-m", "latte", "sample", str(checkpoint)]
    done = subprocess.run(
        [*command, "--num-samples", "5", "--out", str(tmp_path / "two"), "--device", "cpu"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 2
    first, second = (open_video_set(tmp_path / name).videos for name in ("one", "two"))
    assert [video.name for video in first] == [video.name for video in second]
    for mine, theirs in zip(first, second, strict=True):
        assert np.array_equal(mine.read(range(4)), theirs.read(range(4)))
    assert (tmp_path / "two.preview.png").is_file()
