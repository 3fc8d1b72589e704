"""A training at the paper's settings: its commands and its keys."""

from dataclasses import replace
from pathlib import Path

import pytest
import typer

import latte.cli.app
from benchmarks.figures.designs import (
    BASELINE,
    DATASET,
    FROM_IMAGES,
    ONLY_VIDEO,
    PAPER,
    TEMPORAL_MASK,
)
from benchmarks.figures.paper.training import SAMPLES, PaperTraining
from latte.data.errors import InputError
from latte.sampling.official import official_options
from latte.training.config import load_config


def changed(task: PaperTraining, **values: object) -> PaperTraining:
    """The training with other values in place of some that follow from its design."""
    other = replace(task)
    vars(other).update(values)
    return other


def test_seeds_have_other_noise_and_the_official_sampler(tmp_path: Path, task_of) -> None:
    command = typer.main.get_command(latte.cli.app.app).commands["sample"]
    official = official_options(DATASET, None)
    for seed in (0, 1):
        words = task_of(tmp_path, seed=seed).sample_command(20_000)
        given = command.make_context("sample", words[words.index("sample") + 1 :]).params
        assert given["seed"] == seed
        assert (given["method"], given["steps"]) == (official.method, official.steps)
        assert given["num_samples"] == SAMPLES
        assert given["precision"] == "fp16"  # official samples and those of Table 3 have it


def test_keys_are_over_what_decides_the_weights_and_the_values(tmp_path: Path, task_of) -> None:
    task = task_of(tmp_path, design=FROM_IMAGES)
    request = replace(task.request, data_root=tmp_path / "moved", cells=tmp_path / "x", gpus=2)
    moved = replace(task, request=request)
    assert (moved.training_key, moved.key) == (task.training_key, task.key)
    request = replace(task.request, initialise_from=tmp_path / "DiT-XL")
    elsewhere = replace(task, request=request)
    assert elsewhere.settings != task.settings
    assert elsewhere.key == task.key
    measurements = [
        changed(task, strides=(1,)),
        changed(task, steps=task.steps[1:]),
        changed(task, sampling=replace(task, seed=1).sampling),  # its noise
    ]
    assert {each.training_key for each in measurements} == {task.training_key}
    trainings = [
        changed(task, initial="another file"),
        changed(task, vae="another autoencoder"),
        replace(task, seed=1),
    ]
    assert len({task.training_key, *(each.training_key for each in trainings)}) == 4
    assert len({task.key, *(each.key for each in (*measurements, *trainings))}) == 7


def test_a_value_that_is_the_usual_one_orphans_no_training(tmp_path: Path, task_of) -> None:
    task = task_of(tmp_path, design=BASELINE)
    usual = ("data.images_per_clip=0", "training.weight_decay=0.0", "diffusion.schedule=linear")
    output = ("output.checkpoint_every=100", "output.log_every=7")
    assert changed(task, settings=(*task.settings, *usual, *output)).key == task.key
    other = changed(task, settings=(*task.settings, "diffusion.schedule=cosine"))
    assert other.training_key != task.training_key


def test_fewer_gpus_make_the_same_batch_in_several_passes(
    tmp_path: Path, settings_in, request_in
) -> None:
    batches = set()
    for nodes, gpus in ((1, 1), (1, 2), (1, 4), (1, 8), (2, 4), (4, 1)):
        request = request_in(tmp_path, gpus=gpus, nodes=nodes, executor="slurm")
        command = PaperTraining(design=BASELINE, seed=0, request=request).train_command()
        assert f"--nproc_per_node={gpus}" in command
        assert ("--standalone" in command) == (nodes == 1)
        table = load_config("faceforensics", settings_in(command)).training
        batches.add(table.batch_size * table.accumulate * gpus * nodes)
    assert batches == {40}
    assert request_in(tmp_path, nodes=2, executor="slurm").resources.gpus == 4
    for gpus, nodes in ((3, 1), (8, 2)):
        with pytest.raises(InputError, match=f"--nodes {nodes} --gpus {gpus}: "):
            request_in(tmp_path, gpus=gpus, nodes=nodes, executor="slurm")


def test_joint_training_has_the_batch_of_its_own_configuration() -> None:
    official = load_config("faceforensics-joint")
    for design in (ONLY_VIDEO, TEMPORAL_MASK):
        config = PAPER.config_of(design)
        assert config.training.batch_size == official.training.batch_size == 4
        assert config.data.images_per_clip == official.data.images_per_clip
    assert PAPER.config_of(BASELINE).training.batch_size == 5
