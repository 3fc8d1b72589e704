"""Official files: what is read off their shapes, and what is refused."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.model import Latte
from latte.model.checkpoints import (
    Checkpoint,
    build_model,
    load_checkpoint,
    load_official,
    save_checkpoint,
)

GOLDEN = Path(__file__).parents[2] / "golden"
SMALL = LatteConfig(8, 2, 4, 32, 2, 2, 4)
T = torch.tensor([17, 801])


def saved(path: Path, content: object, **options: object) -> Path:
    torch.save(content, path, **options)
    return path


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


@pytest.mark.parametrize("key", ["ema", "model", "state_dict", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.module."])
def test_a_state_dict_is_found_in_its_checkpoint(make, key, prefix):
    state = make(SMALL).state_dict()
    wrapped = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    config, read = load_official({key: wrapped, "epoch": 3, "optimizer": {}}, num_heads=2)
    assert config == SMALL
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("missing", [["pos_embed"], ["pos_embed", "temp_embed"]])
def test_tables_of_positions_that_a_file_leaves_out_are_computed(make, caplog, missing):
    frames = 16 if "temp_embed" in missing else 5
    whole = LatteConfig(32, 2, 4, 32, 2, 2, frames)
    state = make(whole).state_dict()
    left = {name: tensor for name, tensor in state.items() if name not in missing}
    config, read = load_official(left, num_heads=2)
    assert config == whole
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    assert "latents of 32×32" in caplog.text
    assert ("16 frames" in caplog.text) == ("temp_embed" in missing)


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
def test_all_sizes_are_read_off_the_shapes(make, run, config, tmp_path):
    path = saved(tmp_path / "official.pt", make(config).state_dict())
    found = load_checkpoint(path, config.num_heads)
    assert found.config == config
    assert found.settings == {}
    assert torch.equal(run(build_model(found)), run(make(config)))


@pytest.mark.parametrize("hidden_size", [384, 768, 1024, 1152])
def test_heads_are_those_of_the_preset_with_that_hidden_size(hidden_size):
    with torch.device("meta"):
        shapes = Latte(LatteConfig(8, 8, 4, hidden_size, 2, 2, 1)).state_dict()
    state = {name: torch.zeros(()).expand(tensor.shape) for name, tensor in shapes.items()}
    heads = {384: 6, 768: 12, 1024: 16, 1152: 16}
    assert load_official(state)[0].num_heads == heads[hidden_size]
    assert load_official(state, num_heads=8)[0].num_heads == 8


def test_unknown_heads_are_asked_for(small):
    with pytest.raises(InputError, match=r"hidden size 32.*--num-heads"):
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
        (
            {"x_embedder.proj.weight": None},
            r"x_embedder.proj.weight is missing.*it has",
        ),
        ({"temp_embed": torch.zeros(4, 32)}, r"temp_embed .*\(4, 32\)"),
        ({"pos_embed": torch.zeros(1, 15, 32)}, "15 patches"),
        ({"final_layer.linear.weight": torch.zeros(33, 32)}, "33 rows.*16"),
        ({"blocks.2.mlp.fc1.bias": torch.zeros(128)}, "depth 3.*variant 1"),
        ({"pos_embed": torch.full((1, 16, 32), torch.nan)}, "pos_embed .*not finite"),
        ({"temp_embed": None}, r"\bDiT\b.*image"),
        ({"transformer_blocks.0.attn1.to_q.weight": torch.zeros(1)}, "text-to-video"),
        ({"step": 3}, r"\bint\b.*\bstep\b.*tensors"),
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
    with pytest.raises(InputError, match=r"a\.pt: .*state dict"):
        load_official(saved(tmp_path / "a.pt", content))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        ("Gewichte für später: 12345678".encode(), "text file"),
        (b"\x00\x01\x02\x03 anything", "not .*weights"),
        (b"PK\x03\x04 cut short", "cut short or damaged"),
        (b"\x80\x02}q", "cut short or damaged"),
        ((10**6).to_bytes(8, "little") + b"{}", "safetensors"),
    ],
)
def test_what_holds_no_weights_is_called_what_it_is(content, sentence, tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        load_checkpoint(path)


def test_folders_and_missing_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.pt: .*no such file"):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(InputError, match=rf"{tmp_path}: is a folder"):
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
    with pytest.raises(InputError, match=r"more than tensors.*\bema\b"):
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
        with pytest.raises(InputError, match=r"a\.pt: .*fetch it again"):
            load_checkpoint(path, 2)
