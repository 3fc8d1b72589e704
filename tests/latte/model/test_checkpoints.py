import json
import os
import pickle
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from latte.config import LatteConfig, preset
from latte.data.errors import InputError
from latte.model import Latte
from latte.model.checkpoints import (
    Checkpoint,
    build_model,
    bundled_checkpoint,
    load_checkpoint,
    load_official,
    save_checkpoint,
)

GOLDEN = Path(__file__).parents[2] / "golden"
SMALL = LatteConfig(8, 2, 4, 32, 2, 2, 4)
T = torch.tensor([17, 801])


def filled(config: LatteConfig) -> Latte:
    """A network no weight of which is 0, always the same."""
    model = Latte(config).eval()
    random = torch.Generator().manual_seed(0)
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.1, generator=random)
    return model


def run(model: Latte) -> torch.Tensor:
    config = model.config
    random = torch.Generator().manual_seed(1)
    shape = (2, config.num_frames, config.in_channels, config.input_size, config.input_size)
    y = None if config.num_classes is None else torch.tensor([1, config.num_classes])
    with torch.no_grad():
        return model(torch.randn(shape, generator=random), T, y)


def saved(path: Path, content: object, **options: object) -> Path:
    torch.save(content, path, **options)
    return path


@pytest.fixture(scope="module")
def small() -> dict[str, torch.Tensor]:
    return filled(SMALL).state_dict()


# Official files


def test_an_official_file_gives_the_official_outputs(
    formula_state_dict, golden_latte, latents, tmp_path
):
    for num_classes, name, y in [
        (None, "unconditional", None),
        (5, "class_conditional", torch.tensor([1, 4])),
    ]:
        path = saved(tmp_path / f"{name}.pt", {"ema": formula_state_dict(num_classes)})
        config, state = load_official(path, num_heads=4)
        checkpoint = Checkpoint(config=config, state_dict=state, settings={}, path=path)
        with torch.no_grad():
            out = build_model(checkpoint)(latents("latent", 2, 4), T, y)
        expected = torch.from_numpy(golden_latte[name])
        torch.testing.assert_close(out, expected, rtol=0, atol=1e-4 * expected.abs().max().item())


def test_the_keys_of_official_files_are_read():
    lines = (GOLDEN / "latte_keys.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" ", 1) for line in lines)
    state = {name: torch.zeros(json.loads(shape)) for name, shape in pairs}
    config, read = load_official(state, num_heads=4)
    assert config == LatteConfig(8, 2, 4, 96, 4, 4, 4, num_classes=5)
    assert {name: tensor.shape for name, tensor in read.items()} == {
        name: tensor.shape for name, tensor in state.items()
    }


@pytest.mark.parametrize(
    "config",
    [
        LatteConfig(12, 3, 4, 32, 4, 2, 6),
        LatteConfig(8, 4, 3, 48, 2, 3, 1, num_classes=1, learn_sigma=False),
        LatteConfig(8, 8, 4, 32, 6, 4, 5, num_classes=9, mlp_ratio=2.0),
    ],
)
def test_all_sizes_are_read_off_the_shapes(config, tmp_path):
    path = saved(tmp_path / "official.pt", filled(config).state_dict())
    found = load_checkpoint(path, config.num_heads)
    assert found.config == config
    assert found.settings == {}
    assert torch.equal(run(build_model(found)), run(filled(config)))


@pytest.mark.parametrize("hidden_size", [384, 768, 1024, 1152])
def test_heads_are_those_of_the_preset_with_that_hidden_size(hidden_size):
    with torch.device("meta"):
        shapes = Latte(LatteConfig(8, 8, 4, hidden_size, 2, 2, 1)).state_dict()
    state = {name: torch.zeros(()).expand(tensor.shape) for name, tensor in shapes.items()}
    heads = {384: 6, 768: 12, 1024: 16, 1152: 16}
    assert load_official(state)[0].num_heads == heads[hidden_size]
    assert load_official(state, num_heads=8)[0].num_heads == 8


def test_unknown_heads_are_asked_for(small):
    with pytest.raises(InputError, match=r"no preset has hidden size 32.*--num-heads"):
        load_official(small)


def test_the_moving_average_is_preferred(small, tmp_path):
    other = {name: tensor + 1 for name, tensor in small.items()}
    for content, wanted in [
        ({"model": other, "ema": small}, small),
        ({"model": other, "opt": {"step": 3}}, other),
        (other, other),
    ]:
        _, state = load_official(saved(tmp_path / "a.pt", content), 2)
        assert torch.equal(state["x_embedder.proj.bias"], wanted["x_embedder.proj.bias"])


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_of_wrappers_are_removed(prefix, small):
    wrapped = {prefix + name: tensor for name, tensor in small.items()}
    assert load_official(wrapped, 2)[1].keys() == small.keys()


def test_projections_of_texts_are_left_out(small):
    extra = {"text_embedding_projection.1.weight": torch.zeros(32, 8)}
    assert load_official(small | extra, 2)[1].keys() == small.keys()


@pytest.mark.parametrize("zipped", [True, False])
def test_weights_of_half_precision_become_float32(zipped, small, tmp_path):
    halves = {name: tensor.half() for name, tensor in small.items()}
    path = saved(tmp_path / "a.ckpt", halves, _use_new_zipfile_serialization=zipped)
    state = load_checkpoint(path, 2).state_dict
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert torch.equal(state["blocks.1.mlp.fc1.weight"].half(), halves["blocks.1.mlp.fc1.weight"])


def test_official_weights_as_safetensors_are_read_too(small, tmp_path):
    save_file(small, tmp_path / "a.safetensors")
    assert load_checkpoint(tmp_path / "a.safetensors", 2).config == SMALL


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"final_layer.linear.bias": None}, "final_layer.linear.bias is missing"),
        ({"blocks.1.attn.qkv.bias": None, "extra": torch.zeros(1)}, "extra is not known"),
        ({"t_embedder.mlp.0.bias": torch.zeros(31)}, r"is \(31,\), not \(32,\)"),
        ({"x_embedder.proj.weight": None}, r"x_embedder.proj.weight is missing; it has "),
        ({"temp_embed": torch.zeros(4, 32)}, r"temp_embed is \(4, 32\), which no Latte has"),
        ({"pos_embed": torch.zeros(1, 15, 32)}, "for 15 patches, not a square"),
        ({"final_layer.linear.weight": torch.zeros(33, 32)}, "33 rows, which is neither 16"),
        ({"blocks.2.mlp.fc1.bias": torch.zeros(128)}, "depth 3: variant 1"),
        ({"pos_embed": torch.full((1, 16, 32), torch.nan)}, "pos_embed holds values that are not"),
        ({"temp_embed": None}, "is a DiT, an image model"),
        ({"transformer_blocks.0.attn1.to_q.weight": torch.zeros(1)}, "text-to-video"),
        ({"step": 3}, "holds a int called 'step', not tensors alone"),
    ],
)
def test_other_contents_are_named(change, sentence, small, tmp_path):
    state = {name: value for name, value in (small | change).items() if value is not None}
    path = saved(tmp_path / "a.pt", {"ema": state})
    with pytest.raises(InputError, match=sentence) as raised:
        load_checkpoint(path, 2)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [{}, [1, 2], torch.zeros(3)])
def test_what_is_no_state_dict_is_refused(content, tmp_path):
    with pytest.raises(InputError, match="not a state dict of tensors"):
        load_official(saved(tmp_path / "a.pt", content))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        ("Gewichte für später: 12345678".encode(), "is a text file"),
        (b"\x00\x01\x02\x03 anything", "is not a file of weights"),
        (b"PK\x03\x04 cut short", "cut short or damaged"),
        (b"\x80\x02}q", "cut short or damaged"),
        ((10**6).to_bytes(8, "little") + b"{}", "cannot be read as safetensors"),
    ],
)
def test_what_holds_no_weights_is_called_what_it_is(content, sentence, tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        load_checkpoint(path)


def test_folders_and_missing_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(InputError, match="is a folder"):
        load_checkpoint(tmp_path)
    (tmp_path / "model_index.json").write_text('{"_class_name": "LattePipeline"}')
    with pytest.raises(InputError, match="text-to-video"):
        load_checkpoint(tmp_path)


class Malicious:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "plain pickle"])
def test_a_pickle_that_needs_more_than_tensors_is_refused_and_not_run(kind, small, tmp_path):
    path, made = tmp_path / "a.pt", tmp_path / "made"
    content = {"ema": small, "args": Malicious(made)}
    if kind == "plain pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        saved(path, content, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(InputError, match=r"holds more than tensors.*save what is under \"ema\""):
        load_checkpoint(path)
    assert not made.exists()


@pytest.mark.parametrize("kind", ["zip", "legacy", "ours"])
def test_a_file_that_is_cut_short_is_refused(kind, small, tmp_path):
    path = tmp_path / "a.pt"
    if kind == "ours":
        save_checkpoint(path, SMALL, small, {})
    else:
        saved(path, small, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    for share in (0.01, 0.5, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match="fetch it again"):
            load_checkpoint(path, 2)


# Our own files


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
def test_every_design_comes_back_from_our_files(change, tmp_path):
    config = LatteConfig(**(asdict(SMALL) | change))
    model = filled(config)
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
    with pytest.raises(InputError, match=r"as float16: x_embedder.proj.bias holds values"):
        save_checkpoint(path, SMALL, large, {}, dtype=torch.float16)
    with pytest.raises(ValueError):
        save_checkpoint(path, SMALL, small, {"loss": float("nan")})
    with pytest.raises(ValueError, match="state dict"):
        save_checkpoint(path, preset("Latte-S/2"), small, {})
    with pytest.raises(ValueError, match="choose float32"):
        save_checkpoint(path, SMALL, small, {}, dtype=torch.float64)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_network_shares_no_memory_with_the_checkpoint(small, tmp_path):
    save_checkpoint(tmp_path / "a", SMALL, small, {})
    found = load_checkpoint(tmp_path / "a")
    with torch.no_grad():
        for weights in build_model(found).parameters():
            weights.zero_()
    assert torch.equal(run(build_model(found)), run(filled(SMALL)))


def with_config(**change: object) -> dict[str, str]:
    return {"config": json.dumps(asdict(SMALL) | change)}


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"format": "latte-eval 2"}, "another version of latte-eval"),
        ({"config": "[1]"}, "configuration: expected"),
        ({"config": "{"}, "configuration: not valid JSON"),
        ({"config": '{"depth": 2}'}, "configuration: object missing required field `input_size`"),
        (with_config(colour="red"), "configuration: unknown field colour"),
        (with_config(depth=4), "2 blocks, but depth 4"),
        (with_config(depth=10**9), "2 blocks, but depth 1000000000"),
        (with_config(depth=2.0), r"configuration: depth must be"),
        (with_config(hidden_size=2**62), "sizes that no network has"),
        (with_config(hidden_size=64), "is not what its own configuration says"),
        (with_config(num_classes=3), "y_embedder.embedding_table.weight is missing"),
        (with_config(variant=[1]), "configuration: variant"),
        (with_config(learn_sigma=1), r"configuration: learn_sigma must be"),
        (with_config(mlp_ratio=float("nan")), "configuration: not valid JSON"),
        (with_config(conditioning="film"), "known: all-tokens, s-adaln"),
        ({"settings": "3"}, "settings: expected"),
        ({"settings": '{"fps": "fast"}'}, r"settings: fps must be"),
        ({"settings": '{"fps": -1}'}, r"settings: fps must be"),
        (
            {"settings": '{"classes": ["a"]}'},
            "1 classes are named, but",
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
