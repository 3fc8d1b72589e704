"""Trainings at the paper's settings: their commands, jobs and cost, and resuming one."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cells.cache import MeasuredCells, read_cells
from benchmarks.cells.executors import Job, read_job
from benchmarks.figures.designs import (
    BASELINE,
    FROM_IMAGES,
    ROTARY,
    SIZES,
)
from benchmarks.figures.paper import cells as paper_cells
from benchmarks.figures.paper import training as paper_runs
from benchmarks.figures.paper.cells import (
    job_commands,
    measure_job,
    measure_paper_cells,
    requirements,
    training_cost,
    training_job,
    training_of_job,
)
from benchmarks.figures.paper.training import (
    PaperTraining,
    measure_paper_training,
    tidy,
)
from benchmarks.figures.requests import TrainingRequest
from latte.data.errors import InputError
from latte.data.processes.cluster import Resources
from latte.training.config import load_config


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

    monkeypatch.setattr(paper_runs, "run_command", pretend)
    return names


def test_what_is_not_there_yet_is_run_and_its_results_are_read(
    tmp_path: Path, ran: list[str], task_of
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


def test_samples_that_a_stop_has_left_are_removed(tmp_path: Path, ran: list[str], task_of) -> None:
    task = task_of(tmp_path)
    measure_paper_training(task)
    task.samples(20_000).mkdir()
    ran.clear()
    measure_paper_training(task)
    assert not ran
    assert not task.samples(20_000).exists()


@pytest.fixture
def everything_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is missing, and jobs run in this process, from their files."""

    def run_jobs(jobs: Sequence[Job], path: Path, resources: Resources) -> MeasuredCells:
        cells = {}
        for job in jobs:
            cells |= measure_job(read_job(job.write(path.parent))).cells
        return MeasuredCells(cells=cells)

    monkeypatch.setattr(paper_cells, "requirements", lambda designs, _: {d: [] for d in designs})
    monkeypatch.setattr(paper_cells, "run_jobs", run_jobs)


def test_of_a_training_the_weights_that_are_measured_stay(
    tmp_path: Path, ran: list[str], everything_is_here: None, task_of, request_in
) -> None:
    request = request_in(tmp_path)

    def files(kind: str) -> list[Path]:
        return sorted(tmp_path.glob(f"runs/*/{kind}/*/*"))

    measure_paper_cells([ROTARY], request)
    kept = files("checkpoints")
    assert [path.parts[-2:] for path in kept] == [
        (f"{step:07d}", "ema.safetensors") for step in range(20_000, 200_001, 20_000)
    ]
    late = kept[0].parents[1] / "0025000" / "ema.safetensors"  # a stop before the end leaves it so
    late.parent.mkdir()
    late.touch()
    ran.clear()
    measure_paper_cells([ROTARY], request)
    assert files("checkpoints") == kept
    assert not ran
    tidy(task_of(tmp_path, design=BASELINE))  # the run does not exist


def test_another_measurement_takes_the_weights_that_are_there(
    tmp_path: Path,
    ran: list[str],
    everything_is_here: None,
    monkeypatch: pytest.MonkeyPatch,
    task_of,
    request_in,
) -> None:
    measure_paper_cells([BASELINE], request_in(tmp_path))
    ran.clear()
    monkeypatch.setattr("benchmarks.figures.paper.training.VERSION", 99)
    measure_paper_cells([BASELINE], request_in(tmp_path))
    assert "train" not in ran
    assert ran.count("sample") == 10
    task = task_of(tmp_path, design=BASELINE)
    task.checkpoint(40_000).unlink()
    task.results(40_000, 3).unlink()
    with pytest.raises(InputError, match="weights of step 40,000"):
        measure_paper_training(task)


def test_the_cost_of_what_is_left_is_said_before_it_is_done(
    tmp_path: Path,
    ran: list[str],
    everything_is_here: None,
    caplog: pytest.LogCaptureFixture,
    task_of,
    request_in,
) -> None:
    caplog.set_level(logging.INFO)
    tasks = [task_of(tmp_path, design=design) for design in (BASELINE, SIZES["XL"], ROTARY)]
    # The largest size is the baseline.
    assert str(training_cost(tasks)).startswith(
        "400,000 steps in 2 of 2 trainings, about 2,880 GPU hours "
    )
    measure_paper_cells([BASELINE], request_in(tmp_path))
    assert "200,000 steps in 1 of 1 trainings, about 1,440 GPU hours" in caplog.messages[0]
    assert "https://github.com/Vchitect/Latte/issues/54" in caplog.messages[0]
    left = str(training_cost(tasks, read_cells(tmp_path / "cells.jsonl")))
    assert left.startswith("200,000 steps in 1 of 2 trainings")
    task_of(tmp_path, design=ROTARY).weights.parent.mkdir(parents=True)
    task_of(tmp_path, design=ROTARY).weights.touch()  # trained, but not measured
    assert str(training_cost(tasks)).startswith("0 steps in 0 of 2 trainings")


def test_the_cost_is_said_also_where_something_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, request_in
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(InputError, match=r"\b\d+ things\b"):
        measure_paper_cells([BASELINE, ROTARY], request_in(tmp_path))
    assert "400,000 steps in 2 of 2 trainings" in caplog.messages[0]


def test_one_seed_is_the_default_at_paper_scale() -> None:
    assert TrainingRequest(scale="paper").num_seeds == 1
    assert TrainingRequest(scale="small").num_seeds == 3
    assert TrainingRequest(scale="paper", seeds=2).num_seeds == 2


def test_a_job_is_the_training_that_it_was_written_for(tmp_path: Path) -> None:
    request = TrainingRequest(
        scale="paper", cells=tmp_path, data_root=tmp_path, nodes=2, gpus=2, executor="slurm"
    )
    task = PaperTraining(design=ROTARY, seed=1, request=request)
    job = read_job(training_job(task).write(tmp_path))
    assert training_of_job(job) == task
    with pytest.raises(InputError, match=job.name):
        training_of_job(replace(job, inputs={**job.inputs, "seed": 2}))
    with pytest.raises(InputError, match="did you mean seed"):
        training_of_job(replace(job, inputs={**job.inputs, "sed": 2}))


def test_a_broken_results_file_is_one_sentence(tmp_path: Path, ran: list[str], task_of) -> None:
    task = task_of(tmp_path)
    path = task.results(20_000, 1)
    path.parent.mkdir(parents=True)
    path.write_text('{"value": 1', encoding="utf-8")
    with pytest.raises(InputError, match=r"stride1\.jsonl, line 1: "):
        measure_paper_training(task)
    assert not ran


def test_a_local_autoencoder_is_trained_with_and_known_by_its_content(
    tmp_path: Path, task_of, settings_in, request_in
) -> None:
    keys = []
    for name, content in (("a", "x"), ("b", "x"), ("c", "y")):
        folder = tmp_path / name / "vae"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}", encoding="utf-8")
        (folder / "diffusion_pytorch_model.safetensors").write_text(content, encoding="utf-8")
        request = request_in(tmp_path, vae=str(tmp_path / name))
        task = PaperTraining(design=BASELINE, seed=0, request=request)
        config = load_config("faceforensics", settings_in(task.train_command()))
        assert config.autoencoder.path == str(tmp_path / name)
        needed = {each.name: each.met for each in requirements([BASELINE], request)[BASELINE]}
        assert needed[f"the autoencoder {tmp_path / name}"]
        keys.append(task.key)
    assert keys[0] == keys[1] != keys[2]
    assert len({*keys, task_of(tmp_path, design=BASELINE).key}) == 3


def test_the_file_to_start_from_is_known_by_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task_of
) -> None:
    monkeypatch.setenv("LATTE_WEIGHTS", str(tmp_path))
    files = [tmp_path / name for name in ("a.pt", "b.pt")]
    jobs = []
    for path in files:
        path.write_text("the same weights", encoding="utf-8")
        cells = tmp_path / path.stem
        request = TrainingRequest(scale="paper", cells=cells, initialise_from=path)
        with pytest.raises(InputError, match="`latte-bench cell --show FILE`"):
            measure_paper_cells([FROM_IMAGES], request)
        jobs += [read_job(file) for file in (cells / "jobs").iterdir()]
    assert jobs[0].key == jobs[1].key
    unknown = task_of(tmp_path / "c", design=FROM_IMAGES)
    assert unknown.key != jobs[0].key
    train, *others = job_commands(jobs[0])
    assert f"model.initialise_from={files[0]}" in train
    assert len(others) == 10 * 2 + 1  # samples and FVD of each checkpoint, FID of the last


def test_an_option_without_effect_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    request = TrainingRequest(scale="paper", cells=tmp_path / "cells", device="cuda:1")
    with pytest.raises(InputError, match="--device cuda:1: "):
        measure_paper_cells([BASELINE], request)
    assert not (tmp_path / "cells").exists()
