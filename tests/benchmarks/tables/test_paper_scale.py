"""The published weights at the paper's settings: which samples, which autoencoder, which key."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import typer

from benchmarks.tables import paper_scale
from benchmarks.tables import table3 as table3_fvd
from benchmarks.tables.paper_scale import (
    PaperTask,
    measure_cell,
    paper_task,
    requirements,
)
from benchmarks.tables.request import TableRequest
from evaluation.protocol.presets import SHAPES
from latte.cli.app import app
from latte.data.errors import InputError

COLUMN = replace(table3_fvd.TABLE.columns[0], network="shapes", metric="FVD-shapes")


@pytest.fixture
def request_here(tmp_path: Path, faces_and_model, monkeypatch: pytest.MonkeyPatch) -> TableRequest:
    """A small data set and a small model of it, in the places of the paper's."""
    assert COLUMN.dataset == "faceforensics"
    monkeypatch.setattr("benchmarks.tables.request.MIN_VIDEOS", 2)
    return TableRequest(
        scale="paper",
        cells=tmp_path / "cells",
        checkpoints=tmp_path / "models",
        data_root=tmp_path / "data",
        device="cpu",
        num_videos=3,
    )


def task_of(request: TableRequest, count: int = 3) -> PaperTask:
    small = replace(SHAPES, split="published", num_fake=count, fake_order="random")
    return replace(paper_task(COLUMN, request), protocol=small)


def names_of_vae(request: TableRequest) -> list[str]:
    names = [each.name for each in requirements(COLUMN, request)]
    return [name for name in names if name.startswith("the autoencoder")]


def test_the_first_samples_are_measured_whatever_the_folder_holds(
    request_here: TableRequest, tmp_path: Path
) -> None:
    few = task_of(request_here, 3)
    fresh = measure_cell(few, replace(request_here, cells=tmp_path / "fresh"))
    used_before = replace(request_here, cells=tmp_path / "used")
    measure_cell(task_of(request_here, 6), used_before)
    used = measure_cell(few, used_before)
    assert len(list(few.samples_folder(tmp_path / "used").glob("*.mkv"))) == 6
    assert (used.value, used.interval) == (fresh.value, fresh.interval)
    assert used.details["fake"]["order"] == fresh.details["fake"]["order"]
    assert used.details["num_fake"] == 3


def test_a_key_is_over_what_decides_the_value(request_here: TableRequest, tmp_path: Path) -> None:
    task = paper_task(COLUMN, request_here)
    (tmp_path / "data").rename(tmp_path / "moved")
    moved = replace(request_here, data_root=tmp_path / "moved", workers=2)
    assert paper_task(COLUMN, moved).key == task.key
    on_gpu = [paper_task(COLUMN, replace(request_here, device=name)) for name in (None, "cuda:1")]
    assert on_gpu[0].key == on_gpu[1].key != task.key
    assert [each.precision for each in (task, *on_gpu)] == ["fp32", "fp16", "fp16"]
    folder = task.samples_folder(tmp_path)
    assert on_gpu[0].samples_folder(tmp_path) != folder
    more = paper_task(COLUMN, replace(request_here, num_videos=4))
    assert more.key != task.key
    assert more.samples_folder(tmp_path) == folder  # its samples go on where the fewer ended


def test_the_autoencoder_is_the_one_asked_for_or_the_checkpoints_own(
    request_here: TableRequest, tmp_path: Path, tiny_checkpoint
) -> None:
    assert names_of_vae(request_here) == []  # a model of pixels
    assert names_of_vae(replace(request_here, vae="some/vae")) == ["the autoencoder some/vae"]
    official = replace(request_here, checkpoints=tmp_path / "published")
    assert names_of_vae(official) == ["the autoencoder stabilityai/sd-vae-ft-ema"]
    path = tmp_path / "models" / "faceforensics.safetensors"
    for stated, wanted in (
        ({"name": "sd-vae", "path": "its/own"}, "its/own"),
        ({"name": "sd-vae"}, "stabilityai/sd-vae-ft-ema"),
        ({}, "stabilityai/sd-vae-ft-ema"),  # sampling asks for one then
    ):
        tiny_checkpoint(path, num_classes=None, autoencoder=stated)
        assert names_of_vae(request_here) == [f"the autoencoder {wanted}"]


def test_another_content_of_a_local_autoencoder_is_another_cell(
    request_here: TableRequest, tmp_path: Path
) -> None:
    keys = set()
    for name, content in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}", encoding="utf-8")
        weights = tmp_path / name / "diffusion_pytorch_model.safetensors"
        weights.write_text(content, encoding="utf-8")
        keys.add(paper_task(COLUMN, replace(request_here, vae=str(tmp_path / name))).key)
    assert len(keys) == 2


def sample_options(words: list[str]) -> dict[str, object]:
    """What `latte sample` takes from a command, however many processes it has."""
    command = typer.main.get_command(app).commands["sample"]
    return command.make_context("sample", words[words.index("sample") + 1 :]).params


@pytest.mark.parametrize(("device", "visible"), [(None, 3), ("cuda", 3), ("cuda:1", 0)])
def test_several_gpus_that_are_visible_share_the_samples(
    device: str | None,
    visible: int,
    request_here: TableRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    ran = []
    monkeypatch.setattr(paper_scale, "run_command", ran.append)
    monkeypatch.setattr(paper_scale, "sample", ran.append)
    request = replace(request_here, device=device)
    task = paper_task(COLUMN, request)
    samples = task.samples_folder(tmp_path / "cells")
    with pytest.raises(InputError, match=re.escape(str(samples))):  # nothing was sampled here
        measure_cell(task, request)
    if not visible:
        assert ran[0].device == "cuda:1"
        return
    (shown,) = ran
    assert shown[:3] == ["torchrun", "--standalone", "--nproc_per_node=3"]
    options = sample_options(shown)
    assert options["device"] == "cuda"
    assert options["precision"] == "fp16"
    assert options["num_samples"] == 3
    assert options["dataset"] == "faceforensics"
    assert options["out"] == samples
