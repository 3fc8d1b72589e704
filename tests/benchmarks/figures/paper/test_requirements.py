"""What trainings at the paper's settings need, and what is measured of it."""

import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from benchmarks.figures.designs import (
    BASELINE,
    DATASET,
    STRIDES,
    Design,
)
from benchmarks.figures.paper.cells import (
    requirements,
)
from benchmarks.figures.paper.training import (
    SAMPLES,
)
from benchmarks.figures.requests import TrainingRequest
from latte.data.shapes import shapes_video_set


def write_frames(folder: Path, count: int, num_frames: int, size: int = 256) -> None:
    for video in shapes_video_set("train", num_videos=count, num_frames=num_frames).videos:
        (folder / video.name).mkdir(parents=True)
        for number, frame in enumerate(video.read(range(num_frames))):
            Image.fromarray(frame).resize((size, size)).save(
                folder / video.name / f"{number:03d}.png"
            )


def test_the_commands_measure_all_real_videos_however_few(tmp_path: Path, run_cli, task_of) -> None:
    task = task_of(tmp_path)
    write_frames(tmp_path / DATASET / "train", 3, 48)  # interval 3 takes so many frames
    assert not missing_data(tmp_path, BASELINE)
    write_frames(task.samples(200_000), 5, 16)
    commands = task.measure_commands(200_000)
    assert len(commands) == 3
    small = {"fvd": ["--network", "shapes"], "fid": ["--network", "shapes-frame"]}
    usual = ["--device", "cpu", "--workers", "0", "--resamples", "0", "--quiet"]
    for command in commands.values():
        assert command[:3] == ["python", "-m", "evaluation"]
        assert f"num_fake={SAMPLES}" in command
        more = [*small[command[3]], *usual, "--store", str(tmp_path / "store")]
        done = run_cli("latte-eval", *command[3:], *more)
        assert not done.returncode, done.stderr
    strides = []
    for path in commands:
        record = json.loads(path.read_text(encoding="utf-8"))
        assert (record["num_real"], record["num_fake"]) == (3, 5)
        assert record["protocol"] == "latte"
        strides.append((record["metric"], record["protocol_fields"]["real_stride"]))
    assert strides == [("FVD-shapes", 1), ("FVD-shapes", 3), ("FID-shapes", 1)]


def test_gpus_are_needed_here_only_where_the_jobs_run_here(tmp_path: Path, request_in) -> None:
    def names(**more: object) -> list[str]:
        return [x.name for x in requirements([BASELINE], request_in(tmp_path, **more))[BASELINE]]

    assert "4 GPUs" in names(gpus=4)
    assert "8 GPUs" not in names(executor="slurm")
    assert "the package submitit" in names(executor="slurm")


def test_requirements_have_all_that_the_commands_load(tmp_path: Path) -> None:
    needed = requirements([BASELINE], TrainingRequest(scale="paper"))
    names = [each.name for each in needed[BASELINE]]
    assert "the autoencoder stabilityai/sd-vae-ft-ema" in names
    assert {"weights of the network i3d", "weights of the network inception"} < set(names)


def missing_data(folder: Path, design: Design) -> Mapping[str, str]:
    """What is said of the data set, if it does not do."""
    request = TrainingRequest(scale="paper", data_root=folder)
    needed = requirements([design], request)[design]
    return {each.name: each.line for each in needed if "data set" in each.name and not each.met}


def test_videos_have_to_be_long_enough_for_the_clips_of_a_figure(tmp_path: Path) -> None:
    write_frames(tmp_path / DATASET / "train", 2, 47)
    (line,) = missing_data(tmp_path, BASELINE).values()
    assert "48 frames" in line
    (line,) = missing_data(tmp_path, STRIDES[3]).values()
    assert "256 frames" in line


def test_frames_have_to_be_of_the_papers_size(tmp_path: Path) -> None:
    write_frames(tmp_path / DATASET / "train", 2, 48, size=128)
    (line,) = missing_data(tmp_path, BASELINE).values()
    assert "128×128, not 256×256" in line
