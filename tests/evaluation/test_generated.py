"""`--checkpoint FILE`: a model is sampled from, then measured."""

import json
from dataclasses import replace

import pytest
import torch

from evaluation.generated import sample_first
from evaluation.protocol.presets import SHAPES
from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.data.shapes import CLASS_NAMES
from latte.model import Latte
from latte.model.checkpoints import save_checkpoint


@pytest.fixture
def checkpoint(tmp_path):
    """A network of random weights on latents of `shapes`, which says how it is sampled from."""
    config = LatteConfig(4, 1, 24, 16, 2, 2, 16, num_classes=10)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = Latte(config).state_dict()
    settings = {
        "dataset": "shapes",
        "classes": list(CLASS_NAMES),
        "autoencoder": {"name": "patches"},
        "sampling": {"method": "ddim", "steps": 2, "guidance_scale": 1.0},
    }
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, config, state, settings)
    return path


def test_samples_are_made_once_and_measured_as_they_are(latte_eval, checkpoint, tmp_path):
    folder, out = tmp_path / "samples", tmp_path / "results.jsonl"
    common = ("--num-videos", 12, "--json", "--store", tmp_path / "store", "--out", out)
    common = (*common, "--resamples", 0, "--dataset", "shapes", "--device", "cpu", "--workers", 0)
    done = latte_eval("fvd", "--checkpoint", checkpoint, "--fake", folder, *common, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = sorted(folder.glob("*/*.mkv"))
    assert len(made) == 12
    assert len({path.parent for path in made}) == 10  # every class in turn
    record = json.loads(done.stdout)
    assert record["num_fake"] == 12
    times = [path.stat().st_mtime_ns for path in made]
    again = latte_eval("fvd", "--checkpoint", checkpoint, "--fake", folder, *common, cwd=tmp_path)
    assert json.loads(again.stdout)["value"] == record["value"]
    assert [path.stat().st_mtime_ns for path in made] == times
    alone = latte_eval("fvd", "--fake", folder, *common, cwd=tmp_path)
    assert json.loads(alone.stdout)["value"] == record["value"]


def test_without_a_folder_samples_go_where_they_are_looked_for(latte_eval, checkpoint, tmp_path):
    done = latte_eval(
        *("fvd", "--dataset", "shapes", "--checkpoint", checkpoint, "--num-videos", 4),
        *("--device", "cpu", "--workers", 0, "--resamples", 0, "--store", tmp_path / "store"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "samples" / "shapes").glob("*/*.mkv"))) == 4


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--checkpoint", "missing.safetensors"), "no such file"),
        (("--checkpoint", "tiny.safetensors", "--set", "num_fake=0"), "--num-videos"),
    ],
)
def test_bad_input_is_one_sentence(latte_eval, checkpoint, tmp_path, arguments, problem):
    done = latte_eval("fvd", "--dataset", "shapes", *arguments, "--device", "cpu", cwd=tmp_path)
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def official(tmp_path):
    """An official file, which does not say what decodes its latents."""
    config = LatteConfig(8, 2, 4, 32, 2, 2, 4)
    torch.save(Latte(config).state_dict(), tmp_path / "small.pt")
    config = LatteConfig(8, 2, 4, 384, 2, 6, 4)  # the width of Latte-S/2, which tells the heads
    torch.save(Latte(config).state_dict(), tmp_path / "ffs.pt")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "option"), [("small.pt", "--num-heads"), ("ffs.pt", "--autoencoder")]
)
def test_what_only_latte_sample_can_do_is_left_to_it(latte_eval, official, file, option):
    done = latte_eval(
        *("fvd", "--checkpoint", file, "--fake", "out", "--device", "cpu", "--num-videos", 4),
        *("--network", "shapes", "--dataset", "shapes"),
        cwd=official,
    )
    assert done.returncode == 2
    assert option in done.stderr
    assert "`latte sample`" in done.stderr
    assert not (official / "out").exists()


def test_the_folder_of_samples_is_called_fake(latte_eval, checkpoint, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.mp4").write_bytes(b"")
    done = latte_eval(
        *("fvd", "--checkpoint", checkpoint, "--fake", "full", "--dataset", "shapes"),
        *("--device", "cpu", "--num-videos", 4),
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "--out is --fake here" in done.stderr


@pytest.mark.parametrize(
    ("changes", "needed"), [({"num_frames": 32}, 32), ({"fake_stride": 2}, 31), ({}, None)]
)
def test_videos_that_are_too_short_are_not_made(checkpoint, tmp_path, changes, needed):
    out = tmp_path / "samples"
    protocol = replace(SHAPES, num_fake=1, **changes)
    if needed is None:
        assert sample_first(checkpoint, protocol, out=out) == out
        return
    with pytest.raises(InputError, match=rf"\b16 frames.*shapes.*\b{needed}\b"):
        sample_first(checkpoint, protocol, out=out)
    assert not out.exists()
