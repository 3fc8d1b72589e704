"""Our own files, which hold all that sampling needs."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from latte.config import LatteConfig, preset
from latte.data.errors import InputError
from latte.model.checkpoints import (
    Checkpoint,
    build_model,
    bundled_checkpoint,
    load_checkpoint,
    save_checkpoint,
)

GOLDEN = Path(__file__).parents[2] / "golden"
SMALL = LatteConfig(8, 2, 4, 32, 2, 2, 4)
T = torch.tensor([17, 801])


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"num_classes": 3, "learn_sigma": False},
        {"variant": 2, "temporal_position": "rotary"},
        {"variant": 3, "patch_embedding": "compression"},
        {"variant": 4, "conditioning": "all-tokens", "num_classes": 2},
    ],
)
def test_every_design_comes_back_from_our_files(make, run, change, tmp_path):
    config = LatteConfig(**(asdict(SMALL) | change))
    model = make(config)
    settings = {"dataset": "shapes", "step": 7, "fps": 8.0, "more": [1, None]}
    save_checkpoint(tmp_path / "deep" / "a.safetensors", config, model.state_dict(), settings)
    found = load_checkpoint(tmp_path / "deep" / "a.safetensors")
    assert (found.config, found.settings) == (config, settings)
    built = build_model(found)
    assert not built.training
    assert torch.equal(run(built), run(model))


def test_a_file_is_the_same_bytes_each_time_and_safetensors_reads_it(small, tmp_path):
    for name in ("a", "b"):
        shuffled = dict(sorted(small.items(), reverse=name == "b"))
        save_checkpoint(tmp_path / name, SMALL, shuffled, {"step": 1}, dtype=torch.bfloat16)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b"]
    with safe_open(tmp_path / "a", framework="pt") as file:
        assert json.loads(file.metadata()["settings"]) == {"step": 1}
        assert file.metadata()["format"] == "latte-eval 1"
        for name, tensor in small.items():
            assert torch.equal(file.get_tensor(name).float(), stored(name, tensor))


def stored(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Position tables keep their precision."""
    return tensor if name.endswith("_embed") else tensor.bfloat16().float()


@pytest.mark.skipif(os.name == "nt", reason="has no such permissions")
def test_a_file_has_the_permissions_that_other_files_get(small, tmp_path):
    save_checkpoint(tmp_path / "a", SMALL, small, {})
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_what_cannot_be_stored_leaves_the_old_file(small, tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, SMALL, small, {})
    before = path.read_bytes()
    large = small | {"x_embedder.proj.bias": torch.full((32,), 1e6)}
    with pytest.raises(InputError, match=r"float16: x_embedder\.proj\.bias .*not finite"):
        save_checkpoint(path, SMALL, large, {}, dtype=torch.float16)
    with pytest.raises(ValueError):
        save_checkpoint(path, SMALL, small, {"loss": float("nan")})
    with pytest.raises(ValueError, match="state dict"):
        save_checkpoint(path, preset("Latte-S/2"), small, {})
    with pytest.raises(ValueError, match=r"float64.*float32"):
        save_checkpoint(path, SMALL, small, {}, dtype=torch.float64)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_network_shares_no_memory_with_the_checkpoint(make, run, small, tmp_path):
    save_checkpoint(tmp_path / "a", SMALL, small, {})
    found = load_checkpoint(tmp_path / "a")
    with torch.no_grad():
        for weights in build_model(found).parameters():
            weights.zero_()
    assert torch.equal(run(build_model(found)), run(make(SMALL)))


def with_config(**change: object) -> dict[str, str]:
    return {"config": json.dumps(asdict(SMALL) | change)}


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"format": "latte-eval 2"}, "latte-eval 2.*latte-eval 1"),
        ({"config": "[1]"}, "configuration: expected"),
        ({"config": "{"}, "configuration: cannot be read as JSON"),
        ({"config": '{"depth": 2}'}, "configuration: .*missing.*input_size"),
        (with_config(colour="red"), r"configuration: .*\bcolour\b"),
        (with_config(depth=4), r"\b2 blocks.*depth 4\b"),
        (with_config(depth=10**9), r"\b2 blocks.*depth 1000000000\b"),
        (with_config(depth=2.0), r"configuration: depth .*2\.0"),
        (with_config(hidden_size=2**62), "configuration .*sizes"),
        (
            with_config(hidden_size=64),
            r"configuration .*pos_embed .*\(1, 16, 64\)",
        ),
        (with_config(num_classes=3), "y_embedder.embedding_table.weight is missing"),
        (with_config(variant=[1]), "configuration: variant"),
        (with_config(learn_sigma=1), r"configuration: learn_sigma .*\b1$"),
        (with_config(mlp_ratio=float("nan")), "configuration: cannot be read as JSON"),
        (with_config(conditioning="film"), "conditioning.*film.*all-tokens, s-adaln"),
        ({"settings": "3"}, "settings: expected"),
        ({"settings": '{"fps": "fast"}'}, r"settings: fps .*fast"),
        ({"settings": '{"fps": -1}'}, r"settings: fps .*-1"),
        (
            {"settings": '{"classes": ["a"]}'},
            "settings: 1 classes",
        ),
        ({"settings": '{"sampling": 250}'}, r"settings: .*sampling"),
    ],
)
def test_files_that_contradict_themselves_are_refused(metadata, sentence, small, tmp_path):
    path = tmp_path / "a.safetensors"
    ours = {"format": "latte-eval 1", "config": json.dumps(asdict(SMALL)), "settings": "{}"}
    save_file(small, path, ours | metadata)
    with pytest.raises(InputError, match=sentence) as raised:
        load_checkpoint(path)
    assert str(raised.value).startswith(f"{path}: ")


def test_a_checkpoint_that_was_put_together_wrongly_is_not_built(small, tmp_path):
    config = LatteConfig(**(asdict(SMALL) | {"num_frames": 5}))
    checkpoint = Checkpoint(config=config, state_dict=small, settings={}, path=tmp_path)
    with pytest.raises(InputError, match=r"temp_embed is \(1, 4, 32\), not \(1, 5, 32\)"):
        build_model(checkpoint)


def test_the_bundled_checkpoint_lies_in_the_package():
    try:
        path = bundled_checkpoint()
    except InputError as error:
        assert "install latte-eval again" in str(error)  # noqa: PT017
    else:
        assert load_checkpoint(path).settings["dataset"] == "shapes"
