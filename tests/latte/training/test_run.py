"""A run from its configuration to the files that it leaves."""

import csv
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from latte.autoencoder import open_autoencoder
from latte.data.errors import InputError
from latte.data.shapes import CLASS_NAMES
from latte.data.sources import open_video_set
from latte.model.checkpoints import build_model, load_checkpoint
from latte.sampling import SamplingOptions
from latte.sampling.plan import SampleRequest
from latte.sampling.preview import contact_sheet
from latte.sampling.run import sample
from latte.training.config import as_table, load_config
from latte.training.run import RunOptions, allowing_tf32, locked_folder, train

EVERY = "output.evaluate_every=3"


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def weights_of(path):
    return load_checkpoint(path).state_dict


def assert_equal(mine, theirs):
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():
        assert torch.equal(tensor, theirs[name]), name


def test_a_run_leaves_what_it_promises(run, tmp_path):
    settings = ["output.checkpoint_every=4", "output.sample_every=3", "output.sample_steps=2"]
    last = run(*settings, EVERY, evaluate=lambda snapshot: {"value": 1.0})
    folder = tmp_path / "run"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    (events,) = (name for name in found if name.startswith("tensorboard/"))
    assert found - {events} == {
        ".lock",
        "config.toml",
        "log.csv",
        "evaluations.csv",
        "samples/0000003.png",
        "samples/0000006.png",
        "checkpoints/0000004/ema.safetensors",
        "checkpoints/0000006/ema.safetensors",
        "checkpoints/0000006/state.safetensors",
    }
    assert last == folder / "checkpoints/0000006/ema.safetensors"
    assert (folder / events).stat().st_size > 1000


def test_the_configuration_of_a_run_starts_it_again(run, left_by, tmp_path):
    run("training.steps=2", "data.flip=true")
    config = load_config(str(tmp_path / "run" / "config.toml"))
    options = RunOptions(
        out=tmp_path / "again", data_root=tmp_path, device="cpu", workers=0, progress=False
    )
    train(config, options)
    mine, theirs = left_by("again")[0], left_by("run")[0]
    assert_equal(mine, theirs)


def test_a_checkpoint_says_how_it_was_made_and_how_to_sample_from_it(run, tiny, tmp_path):
    settings = ["training.steps=2", "output.guidance_scale=2.5", "data.stride=2"]
    settings += ["diffusion.num_steps=200", "output.log_every=1"]
    checkpoint = load_checkpoint(run(*settings))
    stated = dict(checkpoint.settings)
    assert stated.pop("training") == as_table(tiny(*settings))
    assert stated == {
        "dataset": "shapes",
        "frame_size": 8,
        "autoencoder": {"name": "identity"},
        "diffusion": {"num_steps": 200, "schedule": "linear", "prediction": "noise"},
        "step": 2,
        "samples": 4,
        "classes": list(CLASS_NAMES),
        "sampling": {"guidance_scale": 2.5},
        "fps": 4.0,
    }
    state = load_file(checkpoint.path.with_name("state.safetensors"))
    assert build_model(checkpoint).config == checkpoint.config
    for name, tensor in checkpoint.state_dict.items():
        if name != "pos_embed" and name != "temp_embed":
            assert torch.equal(tensor, state[f"ema/{name}"])
    report = sample(
        SampleRequest(
            checkpoint=checkpoint.path,
            out=tmp_path / "samples",
            num_samples=2,
            options={"steps": 2},
            device="cpu",
            progress=False,
        )
    )
    assert report.made == 2
    record = json.loads((tmp_path / "samples" / ".sampling.json").read_text())["settings"]
    assert (record["guidance_scale"], record["fps"]) == (2.5, 4.0)
    names = [video.name for video in open_video_set(tmp_path / "samples").videos]
    assert names == ["circle bouncing/000000", "circle orbiting/000001"]


def test_without_classes_none_are_stated_and_guidance_is_none(run, tmp_path):
    settings = ["model.class_conditional=false", "output.guidance_scale=2", "training.steps=2"]
    settings += ["output.sample_every=2", "output.sample_steps=2"]
    checkpoint = load_checkpoint(run(*settings))
    assert checkpoint.config.num_classes is None
    assert not {"classes", "sampling"} & checkpoint.settings.keys()
    assert (tmp_path / "run" / "samples" / "0000002.png").is_file()
    request = SampleRequest(
        checkpoint=checkpoint.path,
        out=tmp_path / "samples",
        num_samples=1,
        options={"steps": 2},
        device="cpu",
        progress=False,
    )
    assert sample(request).made == 1


def test_the_snapshot_is_the_checkpoint(run, tmp_path, tiny):
    seen = []

    def look(snapshot):
        options = SamplingOptions(steps=3, seed=5, guidance_scale=1.5)
        seen.append((snapshot.step, snapshot.model, list(snapshot.clips(2, options))))
        assert not snapshot.model.training
        assert not any(each.requires_grad for each in snapshot.model.parameters())
        assert snapshot.classes == CLASS_NAMES
        assert snapshot.config == tiny(EVERY, "output.checkpoint_every=3")
        assert snapshot.labels(12) == [*range(10), 0, 1]
        return {"value": snapshot.step}

    run("output.checkpoint_every=3", EVERY, evaluate=look)
    assert [step for step, _, _ in seen] == [3, 6]
    for step, model, clips in seen:
        path = tmp_path / "run" / "checkpoints" / f"{step:07d}" / "ema.safetensors"
        assert_equal(model.state_dict(), weights_of(path))
        request = SampleRequest(
            checkpoint=path,
            out=tmp_path / f"samples{step}",
            num_samples=2,
            options={"steps": 3, "seed": 5, "guidance_scale": 1.5},
            device="cpu",
            progress=False,
        )
        sample(request)
        videos = open_video_set(tmp_path / f"samples{step}").videos
        for clip, video in zip(clips, videos, strict=True):
            assert np.array_equal(clip, video.read(range(4)))
    assert not np.array_equal(seen[0][2], seen[1][2])


def test_sample_grids_show_the_averages_with_the_same_noise(run, tmp_path):
    grids = []

    def look(snapshot):
        clips = list(snapshot.clips(3))
        grids.append(np.asarray(contact_sheet(list(zip(CLASS_NAMES, clips, strict=False)))))
        return {}

    settings = ["output.sample_every=3", "output.num_samples=3", "output.sample_steps=2"]
    run(*settings, "output.guidance_scale=2", EVERY, evaluate=look)
    for step, grid in zip((3, 6), grids, strict=True):
        with Image.open(tmp_path / "run" / "samples" / f"{step:07d}.png") as image:
            assert np.array_equal(np.asarray(image), grid)


def test_numbers_of_a_callback_are_logged(run, tmp_path):
    def measure(snapshot):
        return {"a": snapshot.step / 8, "b": snapshot.step} if snapshot.step < 6 else {"c": 7.5}

    run("output.evaluate_every=2", evaluate=measure)
    assert rows(tmp_path / "run" / "evaluations.csv") == [
        {"step": "2", "a": "0.25", "b": "2", "c": ""},
        {"step": "4", "a": "0.5", "b": "4", "c": ""},
        {"step": "6", "a": "", "b": "", "c": "7.5"},
    ]


def test_a_run_that_is_taken_up_earlier_drops_the_rows_after_it(run, tmp_path):
    run("output.checkpoint_every=3", "output.keep_states=2", "output.evaluate_every=1",
        evaluate=lambda snapshot: {"old": snapshot.step})  # fmt: skip
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "0000006")
    with (tmp_path / "run" / "evaluations.csv").open("a") as file:
        file.write("7")  # cut by a kill
    run("output.checkpoint_every=3", "output.evaluate_every=2",
        evaluate=lambda snapshot: {"new": -snapshot.step})  # fmt: skip
    assert rows(tmp_path / "run" / "evaluations.csv") == [
        *({"step": str(step), "old": str(step), "new": ""} for step in (1, 2, 3)),
        *({"step": str(step), "old": "", "new": str(-step)} for step in (4, 6)),
    ]
    assert [row["step"] for row in rows(tmp_path / "run" / "log.csv")] == ["2", "4", "6"]


def test_what_is_looked_at_cannot_move_the_weights(run):
    def meddle(snapshot):
        for parameter in snapshot.model.parameters():
            parameter.zero_()
        torch.manual_seed(0)
        return {}

    plain = run(out="plain")
    watched = run(
        "output.sample_every=2",
        "output.sample_steps=2",
        "output.checkpoint_every=1",
        "output.evaluate_every=1",
        "output.log_every=1",
        evaluate=meddle,
    )
    assert_equal(weights_of(watched), weights_of(plain))


def test_a_fault_in_a_callback_costs_no_steps(run, tmp_path):
    def fail(snapshot):
        raise ValueError("a fault of the user's")

    with pytest.raises(ValueError, match="a fault of the user's"):
        run(EVERY, evaluate=fail)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["0000003"]


def test_activations_that_are_computed_again_are_the_same(run):
    again = run("training.checkpoint_activations=true")
    assert_equal(weights_of(again), weights_of(run(out="kept")))


@pytest.mark.slow
def test_workers_move_nothing(run):
    assert_equal(weights_of(run(workers=2)), weights_of(run(out="alone")))


@pytest.mark.slow
def test_a_compiled_network_learns_alike_and_may_go_on_uncompiled(run, left_by, monkeypatch):
    compiled, compile = [], torch.compile

    def traced(model):  # generating code takes a minute and a compiler
        compiled.append(model)
        return compile(model, backend="eager", fullgraph=True)

    monkeypatch.setattr(torch, "compile", traced)
    run("training.compile=true", "training.steps=3")
    run()
    run(out="plain")
    assert len(compiled) == 1
    (tensors, _), (expected, _) = left_by("run"), left_by("plain")
    assert tensors.keys() == expected.keys()  # the wrapper's prefix is gone
    for name, tensor in tensors.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-5)


@pytest.mark.slow  # imports diffusers
def test_cached_latents_train_like_those_made_on_the_way(run, left_by, tmp_path):
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
    )
    vae.save_pretrained(tmp_path / "vae")
    settings = ["autoencoder.name=sd-vae", f"autoencoder.path={tmp_path / 'vae'}", "data.flip=true"]
    settings += ["model.patch_size=2", "data.num_videos=2", "data.images_per_clip=1"]
    run(*settings, "output.sample_every=6", "output.sample_steps=2", out="direct")
    run(*settings, f"autoencoder.cache={tmp_path / 'cache'}", out="cached")
    (tensors, rows_of_one), (expected, rows_of_other) = left_by("cached"), left_by("direct")
    for name, tensor in tensors.items():  # the cache rounds to 11 bits
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=2e-3)
    assert rows_of_one != rows_of_other
    assert len(list((tmp_path / "cache").iterdir())) == 4  # two videos, both ways round
    stated = load_checkpoint(
        tmp_path / "direct" / "checkpoints" / "0000006" / "ema.safetensors"
    ).settings
    digest = open_autoencoder("sd-vae", tmp_path / "vae").digest
    path = str(tmp_path / "vae")
    assert stated["autoencoder"] == {"name": "sd-vae", "path": path, "digest": digest}


PATCHES = ("autoencoder.name=patches", "model.patch_size=1", "training.steps=1")


def test_a_checkpoint_finds_its_autoencoder_from_anywhere(run, patches, tmp_path, monkeypatch):
    digest = patches("a.safetensors")
    monkeypatch.chdir(tmp_path)
    path = run(*PATCHES, "autoencoder.path=a.safetensors")
    stated = load_checkpoint(path).settings
    file = str(tmp_path / "a.safetensors")
    assert stated["autoencoder"] == {"name": "patches", "path": file, "digest": digest}
    assert stated["training"]["autoencoder"]["path"] == "a.safetensors"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    request = SampleRequest(
        checkpoint=path, num_samples=1, options={"steps": 2}, device="cpu", progress=False
    )
    assert sample(request).made == 1
    patches("a.safetensors", seed=1)
    with pytest.raises(InputError, match=r"another autoencoder.*a\.safetensors"):
        sample(replace(request, out=tmp_path / "others"))


def test_a_run_that_resumes_says_from_where(run, caplog, tmp_path):
    run("training.steps=1")
    run("training.steps=2", "data.stride=1")
    assert re.search(r"resuming from step 1 of 2 \(.*run/checkpoints/0000001\)", caplog.text)


def test_two_runs_do_not_train_in_one_folder(run, tmp_path):
    out = tmp_path / "run"
    run("training.steps=2", out=out)
    with locked_folder(out), pytest.raises(InputError, match=rf"{out}.*another run"):
        run("training.steps=4", out=out)
    assert [row["step"] for row in rows(out / "log.csv")] == ["2"]
    assert "steps = 2" in (out / "config.toml").read_text(encoding="utf-8")
    run("training.steps=4", out=out)
    assert [row["step"] for row in rows(out / "log.csv")] == ["2", "4"]


def test_arithmetic_after_a_training_is_what_it_was_before():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    with allowing_tf32(True):
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.allow_tf32
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before
    with allowing_tf32(False):
        assert torch.get_float32_matmul_precision() == before[0]
