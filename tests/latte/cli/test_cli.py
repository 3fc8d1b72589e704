import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from latte.cli.app import app
from latte.data.shapes import shapes_clips
from latte.data.sources import open_video_set

HEAVY = ("torch", "numpy", "av", "PIL", "tqdm")


SURFACE = {
    "convert": "--dataset --dtype --num-heads --vae source target",
    "info": (
        "--conditioning --json --num-classes --num-heads --patch-embedding --temporal-"
        "position --variant model"
    ),
    "patches": "--channels --data-root --dataset --num-clips --patch-size --seed --size target",
    "sample": (
        "--autoencoder --batch-size --compile --dataset --device --eta --format --fps "
        "--guidance-scale --guided --labels --method --num-frames --num-heads --num-samples --out "
        "--precision --quiet --seed --start --steps checkpoint"
    ),
    "shapes": "--format --num-frames --num-videos --quiet --size --split --start target",
    "train": (
        "--data-root --device --evaluate --list --out --quiet --set --show --skip-broken --workers "
        "config"
    ),
}


def test_the_surface_of_the_command_line_is_known():
    command = get_command(app)
    options = {
        name: sorted(option for parameter in sub.params for option in parameter.opts)
        for name, sub in command.commands.items()
    }
    assert options == {name: names.split() for name, names in SURFACE.items()}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    program = (
        "import sys\n"
        "from latte.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end:\n"
        f"    print([name for name in {HEAVY!r} if name in sys.modules], end.code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, option], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] 0"
    assert done.stdout.lower().count("latte") >= 1


@pytest.mark.parametrize("file_format", ["mkv", "png"])
def test_lossless_formats_bring_back_every_bit(file_format, tmp_path, latte):
    target = tmp_path / "made" / "here"
    arguments = ["--format", file_format, "--num-videos", "3", "--num-frames", "5", "--start", "7"]
    done = latte("shapes", target, *arguments)
    assert done.returncode == 0
    assert done.stdout == f"3 videos of 5 frames, 32×32, test: {target}\n"
    videos = open_video_set(target).videos
    assert len(videos) == 3
    read = np.stack([video.read(range(5)) for video in videos])
    assert np.array_equal(read, shapes_clips("test", [7, 8, 9], num_frames=5))


def test_mp4_looks_like_what_was_drawn(tmp_path, latte):
    arguments = ["--format", "mp4", "--num-videos", "1", "--num-frames", "4", "--size", "64"]
    assert latte("shapes", str(tmp_path), *arguments, "--quiet").returncode == 0
    (video,) = open_video_set(tmp_path).videos
    drawn = shapes_clips("test", [0], num_frames=4, size=64)[0].astype(float)
    assert np.abs(video.read(range(4)) - drawn).mean() < 8


def test_a_target_that_ends_in_npy_is_one_array(tmp_path, latte):
    target = tmp_path / "clips.npy"
    arguments = ["--split", "train+test", "--num-videos", "2", "--num-frames", "3", "--size", "16"]
    assert latte("shapes", str(target), *arguments).returncode == 0
    wanted = [shapes_clips(split, [0, 1], num_frames=3, size=16) for split in ("test", "train")]
    assert np.array_equal(np.load(target), np.concatenate(wanted))
    assert [path.name for path in tmp_path.iterdir()] == ["clips.npy"]


def test_writing_again_gives_the_same_files_and_nothing_else(tmp_path, latte):
    def write(frames: str) -> dict[str, bytes]:
        for file_format in ("mkv", "png"):
            target = str(tmp_path / file_format)
            arguments = ["--num-videos", "2", "--num-frames", frames, "--format", file_format]
            assert latte("shapes", target, *arguments).returncode == 0
        files = (path for path in tmp_path.rglob("*") if path.is_file())
        return {str(path.relative_to(tmp_path)): path.read_bytes() for path in files}

    first = write("3")
    assert len(write("5")) == 2 + 2 * 5
    assert write("3") == first


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{}/a", "--split", "valid"], 'shapes: no split "valid": choose train, test'),
        (["{}/a", "--format", "gif"], 'no format "gif": choose mkv, png, npy, mp4'),
        (["{}/a", "--format", "npy"], "a: npy writes one file"),
        (["{}/a.npy", "--format", "mkv"], "a.npy: npy writes one file"),
        (["{}/folder.npy"], "folder.npy: is a folder, but npy writes one file"),
        (["{}/file"], "file: is a file, but a folder is to be written"),
        (["{}/others"], "others: already holds cat.mp4, which is none of these videos"),
        (["{}/a", "--format", "mp4", "--size", "33"], "H.264 needs even sides, not 33×33"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_two(arguments, sentence, tmp_path, latte):
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "cat.mp4").write_bytes(b"")
    given = [argument.format(tmp_path) for argument in arguments]
    done = latte("shapes", "--quiet", *given)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--num-videos", "--num-frames"])
def test_counts_below_one_are_refused(option, tmp_path, latte):
    done = latte("shapes", tmp_path / "a", option, 0)
    assert done.returncode == 2
    assert option in done.stderr
    assert not (tmp_path / "a").exists()


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM cannot be caught there")
def test_an_interrupted_run_leaves_only_whole_videos(tmp_path: Path):
    target = tmp_path / "many"
    command = [sys.executable, "-m", "latte", "shapes", str(target), "--num-videos", "5000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not any(target.glob("test_*.mkv")) and time.monotonic() < deadline:
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)  # a shell may have SIGINT ignored
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert "Traceback" not in errors
    assert "Interrupted" in errors
    videos = open_video_set(target).videos
    assert 0 < len(videos) < 5000
    assert {video.probe().num_frames for video in videos} == {16}
