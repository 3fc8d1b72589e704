"""Trainings at the paper's settings: their commands, and going on where one was interrupted."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from PIL import Image

import latte.cli.app
from benchmarks.figures import paper_trainings
from benchmarks.figures.ablations import NUMBERS_OF_GPUS, Request
from benchmarks.figures.designs import (
    BASELINE,
    FROM_IMAGES,
    ONLY_VIDEO,
    PAPER,
    ROTARY,
    SIZES,
    STRIDES,
    TEMPORAL_MASK,
    Design,
)
from benchmarks.figures.paper_commands import DATASET, SAMPLES, PaperTraining, write_commands
from benchmarks.figures.paper_trainings import (
    make_paper_cells,
    measure_paper_training,
    paper_training,
    requirements,
    tidy,
)
from evaluation.cli import app as cli
from evaluation.networks import weights
from latte.data.errors import InputError
from latte.data.shapes import shapes_video_set
from latte.sampling.official import official_options
from latte.training.config import load_config


def task_of(
    folder: Path, *, seed: int = 0, design: Design = STRIDES[0], steps: int = 0
) -> PaperTraining:
    """A training, by default of two intervals; with fewer checkpoints for brevity."""
    made = paper_training(design, seed, Request(scale="paper", cells=folder, data_root=folder))
    return replace(made, steps=made.steps[-steps:])


def write_frames(folder: Path, count: int, num_frames: int) -> None:
    for video in shapes_video_set("train", num_videos=count, num_frames=num_frames).videos:
        (folder / video.name).mkdir(parents=True)
        for number, frame in enumerate(video.read(range(num_frames))):
            Image.fromarray(frame).save(folder / video.name / f"{number:03d}.png")


def settings_in(command: list[str]) -> list[str]:
    """What a command of `latte train` sets."""
    return [command[i + 1] for i, word in enumerate(command) if word == "--set"]


def result_line(value: float, **more: object) -> str:
    """What `latte-eval` writes."""
    record = {"metric": "FVD", "value": value, "interval": [value - 1, value + 1], "level": 0.95}
    record |= {"num_real": 704, "num_fake": 2048, "num_frames": 16, "network": "i3d"}
    record |= {"fingerprint": "f", "protocol": "latte", "protocol_fields": {}, "date": "2024"}
    record |= {"higher_is_better": False, "weights_sha256": "", "weights_published": True}
    record |= {"dataset": None, "model": "", "real": None, "fake": None, "seconds": 1.0}
    return json.dumps(record | {"deviations": []} | more) + "\n"


def deviation(count: int) -> dict[str, object]:
    return {"field": "num_real", "value": 11, "wanted": count, "subject": ""}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the commands that would be run; they leave what the real ones would."""
    names: list[str] = []

    def pretend(command: list[str]) -> None:
        names.append(command[command.index("-m") + 2])
        out = Path(command[command.index("--out") + 1])
        if names[-1] == "train":
            for step in range(5_000, 200_001, 5_000):
                checkpoint = out / "checkpoints" / f"{step:07d}"
                checkpoint.mkdir(parents=True)
                (checkpoint / "ema.safetensors").write_text("weights", encoding="utf-8")
            (checkpoint / "state.safetensors").write_text("state", encoding="utf-8")
        elif names[-1] == "sample":
            assert Path(command[command.index("sample") + 1]).is_file()
            out.mkdir(parents=True, exist_ok=True)
        else:
            assert Path(command[command.index("--fake") + 1]).exists()
            out.parent.mkdir(parents=True, exist_ok=True)
            stride = out.stem.partition("stride")[2]
            lacking = {"deviations": [deviation(700 + int(stride or 0))]}
            with out.open("a", encoding="utf-8") as file:
                file.write(result_line(float(out.stem[:7]) + int(stride or 0), **lacking))

    monkeypatch.setattr(paper_trainings, "_run", pretend)
    return names


def test_what_is_not_there_yet_is_run_and_its_results_are_read(
    tmp_path: Path, ran: list[str]
) -> None:
    task = task_of(tmp_path)
    assert task.strides == (1, 3)
    measured = measure_paper_training(task)
    assert ran == ["train", *["sample", "fvd", "fvd"] * 10, "fid"]
    assert measured.details["points"][1][0] == [20_000, 20_003.0, 20_002.0, 20_004.0]
    assert measured.details["fid"] == [200_000.0, 199_999.0, 200_001.0]
    assert (measured.value, measured.interval) == (200_001.0, (200_000.0, 200_002.0))
    assert not list((task.measured / "samples").iterdir())
    assert (measured.details["num_real"], measured.details["num_fake"]) == (704, 2048)
    assert measured.details["deviations"] == [deviation(count) for count in (701, 703, 700)]
    ran.clear()
    task.results(40_000, 3).write_text("\n", encoding="utf-8")  # there, but without a result
    assert measure_paper_training(task) == measured
    assert ran == ["sample", "fvd"]


def test_samples_that_a_stop_has_left_are_removed(tmp_path: Path, ran: list[str]) -> None:
    task = task_of(tmp_path)
    measure_paper_training(task)
    task.samples(20_000).mkdir()
    ran.clear()
    measure_paper_training(task)
    assert not ran
    assert not task.samples(20_000).exists()


@pytest.fixture
def everything_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_trainings, "unmet", lambda found: [])
    monkeypatch.setattr(paper_trainings, "require", lambda found, *rest, **more: None)


def request_in(folder: Path, **more: object) -> Request:
    return Request(scale="paper", cells=folder, data_root=folder, seeds=1, **more)


def test_of_a_training_the_weights_that_are_measured_stay(
    tmp_path: Path, ran: list[str], everything_is_here: None
) -> None:
    request = request_in(tmp_path)

    def files(kind: str) -> list[Path]:
        return sorted(tmp_path.glob(f"runs/*/{kind}/*/*"))

    make_paper_cells([ROTARY], request)
    kept = files("checkpoints")
    assert [path.parts[-2:] for path in kept] == [
        (f"{step:07d}", "ema.safetensors") for step in range(20_000, 200_001, 20_000)
    ]
    late = kept[0].parents[1] / "0025000" / "ema.safetensors"  # as a stop before the end leaves it
    late.parent.mkdir()
    late.touch()
    ran.clear()
    make_paper_cells([ROTARY], request)
    assert files("checkpoints") == kept
    assert not ran
    tidy(task_of(tmp_path, design=BASELINE))  # of a run that is not there


def test_another_measurement_takes_the_weights_that_are_there(
    tmp_path: Path, ran: list[str], everything_is_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_paper_cells([BASELINE], request_in(tmp_path))
    ran.clear()
    monkeypatch.setattr("benchmarks.figures.paper_commands.VERSION", 99)
    make_paper_cells([BASELINE], request_in(tmp_path))
    assert "train" not in ran
    assert ran.count("sample") == 10
    task = task_of(tmp_path, design=BASELINE)
    task.checkpoint(40_000).unlink()
    task.results(40_000, 3).unlink()
    with pytest.raises(
        InputError, match="its weights of step 40,000 are gone: bring them back, or"
    ):
        measure_paper_training(task)


def test_how_much_there_is_to_do_is_said_before_it_is_done(
    tmp_path: Path,
    ran: list[str],
    everything_is_here: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_paper_cells([BASELINE], request_in(tmp_path))
    said = capsys.readouterr().err
    assert said.startswith(
        "1 training of 200,000 steps, of which 0 done, 0 trained but not all measured, and 1 still "
        "to be trained, one after the other on 8 GPUs: days for each\n"
    )
    make_paper_cells([BASELINE, SIZES["XL"], ROTARY], request_in(tmp_path, gpus=4))
    assert capsys.readouterr().err.startswith("2 trainings of 200,000 steps, of which 1 done, 0 ")
    make_paper_cells([BASELINE], request_in(tmp_path))
    assert "training" not in capsys.readouterr().err


def test_a_broken_results_file_is_one_sentence(tmp_path: Path, ran: list[str]) -> None:
    task = task_of(tmp_path)
    path = task.results(20_000, 1)
    path.parent.mkdir(parents=True)
    path.write_text('{"value": 1', encoding="utf-8")
    with pytest.raises(InputError, match=r"stride1\.jsonl, line 1: not valid JSON"):
        measure_paper_training(task)
    assert not ran


def test_the_commands_measure_all_real_videos_however_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = task_of(tmp_path, steps=1)
    write_frames(tmp_path / DATASET / "train", 3, 48)  # as long as interval 3 takes
    assert not missing_data(tmp_path, BASELINE)
    write_frames(task.samples(200_000), 5, 16)
    script = write_commands(tmp_path / "commands.sh", [task]).read_text(encoding="utf-8")
    lines = [line.partition(" || ")[2] for line in script.splitlines() if " evaluation " in line]
    assert len(lines) == 3
    small = {"fvd": ["--network", "shapes"], "fid": ["--network", "shapes-frame"]}
    usual = ["--device", "cpu", "--workers", "0", "--resamples", "0", "--quiet"]
    for line in lines:
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "evaluation"]
        assert f"num_fake={SAMPLES}" in words
        more = [*small[words[3]], *usual, "--store", str(tmp_path / "store")]
        monkeypatch.setattr(sys, "argv", ["latte-eval", *words[3:], *more])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code, capsys.readouterr().err
    strides = []
    for path in task.measure_commands(200_000):
        record = json.loads(path.read_text(encoding="utf-8"))
        assert (record["num_real"], record["num_fake"]) == (3, 5)
        assert record["protocol"] == "latte"
        strides.append((record["metric"], record["protocol_fields"]["real_stride"]))
    assert strides == [("FVD-shapes", 1), ("FVD-shapes", 3), ("FID-shapes", 1)]


def test_seeds_have_other_noise_and_the_official_sampler(tmp_path: Path) -> None:
    command = typer.main.get_command(latte.cli.app.app).commands["sample"]
    official = official_options(DATASET, None)
    for seed in (0, 1):
        words = task_of(tmp_path, seed=seed).sample_command(20_000)
        given = command.make_context("sample", words[words.index("sample") + 1 :]).params
        assert given["seed"] == seed
        assert (given["method"], given["steps"]) == (official.method, official.steps)
        assert given["num_samples"] == SAMPLES
        assert given["precision"] == "fp16"  # as official samples are made, and those of Table 3


@pytest.mark.skipif(shutil.which("sh") is None, reason="runs a shell script")
def test_the_script_can_be_run_again_and_makes_nothing_twice(tmp_path: Path) -> None:
    task = task_of(tmp_path / "with space", steps=2)
    script = write_commands(tmp_path / "with space" / "commands.sh", [task])
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("torchrun", "python"):
        # Notes its command and leaves what the real one would.
        text = f"""#!/bin/sh
echo "$*" >> '{tmp_path}/ran'
while [ "$1" != --out ]; do shift; done
case "$2" in
  *.jsonl) mkdir -p "$(dirname "$2")"; echo result > "$2" ;;
  */samples/*) mkdir -p "$2" ;;
  *) for step in 0175000 0180000 0200000; do
       mkdir -p "$2/checkpoints/$step"; echo weights > "$2/checkpoints/$step/ema.safetensors"
     done; echo state > "$2/checkpoints/0200000/state.safetensors" ;;
esac
"""
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)

    def run() -> list[str]:
        environment = {"PATH": f"{programs}:/usr/bin:/bin"}
        subprocess.run(["sh", str(script)], check=True, env=environment)
        return (tmp_path / "ran").read_text(encoding="utf-8").splitlines()

    ran = run()
    assert len(ran) == 1 + 3 + 4  # the last checkpoint has FID as well
    kept = [path.parts[-2:] for path in sorted(task.run.glob("checkpoints/*/*"))]
    assert kept == [(step, "ema.safetensors") for step in ("0180000", "0200000")]
    assert not list(task.run.glob("measured/*/samples/*"))
    assert run() == ran
    task.fid.unlink()
    again = run()[len(ran) :]
    assert [" sample " in line or " fid " in line for line in again] == [True, True]


def test_all_figures_share_a_script_with_each_training_once(tmp_path: Path) -> None:
    path = tmp_path / "commands.sh"
    figure5 = [task_of(tmp_path, design=BASELINE, seed=seed) for seed in (0, 1)]
    figure7 = [task_of(tmp_path, design=each) for each in (SIZES["S"], SIZES["XL"])]

    def headings() -> list[str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [line.partition(" [")[0] for line in lines if line.startswith("# ")]

    write_commands(path, figure5)
    write_commands(path, figure7)
    # The largest is the baseline, and the later figure's name is kept.
    assert headings() == ["# size S, seed 0", "# size XL, seed 0", "# baseline, seed 1"]
    before = path.read_bytes()
    write_commands(path, figure7)
    assert path.read_bytes() == before
    # A training that is another one now takes the place of what it was.
    other = replace(figure7[0], settings=(*figure7[0].settings, "training.batch_size=4"))
    write_commands(path, [other])
    assert headings() == ["# size S, seed 0", "# size XL, seed 0", "# baseline, seed 1"]
    assert "batch_size=4" in path.read_text(encoding="utf-8")


def test_keys_are_over_what_decides_the_weights_and_the_values(tmp_path: Path) -> None:
    task = task_of(tmp_path, design=FROM_IMAGES)
    moved = replace(task, data_root=tmp_path / "moved", folder=tmp_path / "x", gpus=2)
    assert (moved.training_key, moved.key) == (task.training_key, task.key)
    elsewhere = tuple(each.replace("DiT-XL", "elsewhere/DiT-XL") for each in task.settings)
    assert elsewhere != task.settings
    assert replace(task, settings=elsewhere).key == task.key
    measurements = [
        replace(task, strides=(1,)),
        replace(task, steps=task.steps[1:]),
        replace(task, seed=1),  # of the samples' noise
    ]
    assert {each.training_key for each in measurements} == {task.training_key}
    trainings = [
        replace(task, initial="another file"),
        replace(task, vae="another autoencoder"),
        replace(task, settings=(*task.settings, "training.seed=1")),
    ]
    assert len({task.training_key, *(each.training_key for each in trainings)}) == 4
    assert len({task.key, *(each.key for each in (*measurements, *trainings))}) == 7


def test_a_value_that_is_the_usual_one_orphans_no_training(tmp_path: Path) -> None:
    task = task_of(tmp_path, design=BASELINE)
    usual = ("data.images_per_clip=0", "training.weight_decay=0.0", "diffusion.schedule=linear")
    output = ("output.checkpoint_every=100", "output.log_every=7")
    assert replace(task, settings=(*task.settings, *usual, *output)).key == task.key
    other = replace(task, settings=(*task.settings, "diffusion.schedule=cosine"))
    assert other.training_key != task.training_key


def test_fewer_gpus_make_the_same_batch_in_several_passes(tmp_path: Path) -> None:
    batches = set()
    for gpus in NUMBERS_OF_GPUS:
        request = request_in(tmp_path, gpus=gpus)
        command = paper_training(BASELINE, 0, request).train_command()
        assert f"--nproc_per_node={gpus}" in command
        table = load_config("faceforensics", settings_in(command)).training
        batches.add(table.batch_size * table.accumulate * gpus)
        needed = requirements([BASELINE], request)[BASELINE]
        assert needed[-1].name == ("a GPU" if gpus == 1 else f"{gpus} GPUs")
    assert batches == {40}
    with pytest.raises(InputError, match="--gpus 3: the paper's batch is of 8 processes; give 1, "):
        request_in(tmp_path, gpus=3)


def test_joint_training_has_the_batch_of_its_own_configuration() -> None:
    official = load_config("faceforensics-joint")
    for design in (ONLY_VIDEO, TEMPORAL_MASK):
        config = PAPER.config_of(design)
        assert config.training.batch_size == official.training.batch_size == 4
        assert config.data.images_per_clip == official.data.images_per_clip
    assert PAPER.config_of(BASELINE).training.batch_size == 5


def test_a_local_autoencoder_is_trained_with_and_known_by_its_content(tmp_path: Path) -> None:
    keys = []
    for name, content in (("a", "x"), ("b", "x"), ("c", "y")):
        folder = tmp_path / name / "vae"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}", encoding="utf-8")
        (folder / "diffusion_pytorch_model.safetensors").write_text(content, encoding="utf-8")
        request = request_in(tmp_path, vae=str(tmp_path / name))
        task = paper_training(BASELINE, 0, request)
        config = load_config("faceforensics", settings_in(task.train_command()))
        assert config.autoencoder.path == str(tmp_path / name)
        needed = {each.name: each.met for each in requirements([BASELINE], request)[BASELINE]}
        assert needed[f"the autoencoder {tmp_path / name}"]
        keys.append(task.key)
    assert keys[0] == keys[1] != keys[2]
    assert len({*keys, paper_training(BASELINE, 0, request_in(tmp_path)).key}) == 3


def test_the_file_to_start_from_is_known_by_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATTE_WEIGHTS", str(tmp_path))
    files = [tmp_path / name for name in ("a.pt", "b.pt")]
    keys = []
    for path in files:
        path.write_text("the same weights", encoding="utf-8")
        request = Request(scale="paper", cells=tmp_path / "c", seeds=1, initialise_from=path)
        with pytest.raises(InputError):
            make_paper_cells([FROM_IMAGES], request)
        script = (tmp_path / "c" / "commands.sh").read_text(encoding="utf-8")
        keys.append(script.partition("[")[2].partition("]")[0])
    assert keys[0] == keys[1]
    assert len(weights.digest(files[0]).sha256) == 64
    unknown = paper_training(FROM_IMAGES, 0, Request(scale="paper", cells=tmp_path / "c"))
    assert unknown.key != keys[0]


def test_ingredients_have_all_that_the_commands_load(tmp_path: Path) -> None:
    needed = requirements([BASELINE], Request(scale="paper"))
    names = [each.name for each in needed[BASELINE]]
    assert "the autoencoder stabilityai/sd-vae-ft-ema" in names
    assert {"weights of the network i3d", "weights of the network inception"} < set(names)


def missing_data(folder: Path, design: Design) -> Mapping[str, str]:
    """What is said of the data set, if it does not do."""
    needed = requirements([design], request_in(folder))[design]
    return {each.name: each.line for each in needed if "data set" in each.name and not each.met}


def test_videos_have_to_be_long_enough_for_the_clips_of_a_figure(tmp_path: Path) -> None:
    write_frames(tmp_path / DATASET / "train", 2, 47)
    (line,) = missing_data(tmp_path, BASELINE).values()
    assert "none can be read and has 48 frames, as the clips need" in line
    (line,) = missing_data(tmp_path, STRIDES[3]).values()
    assert "256 frames" in line


def test_an_option_without_effect_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    request = Request(scale="paper", cells=tmp_path / "cells", device="cuda:1")
    with pytest.raises(InputError, match="--device cuda:1: at paper scale torchrun takes 8 GPUs"):
        make_paper_cells([BASELINE], request)
    assert not (tmp_path / "cells").exists()
