import argparse
import pickle
from collections import OrderedDict
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from evaluation.networks import registry, videomae
from evaluation.networks.registry import NETWORKS, build
from evaluation.networks.videomae import (
    VideoMAE,
    VideoMAEAttention,
    VideoMAEConfig,
    open_videomae,
    position_table,
    preprocess,
)
from latte.data.errors import InputError

SMALL = VideoMAEConfig(
    width=24, depth=2, num_heads=3, mlp_width=40, patch_size=16, frame_size=32, num_frames=16
)
CPU = torch.device("cpu")


def open_small(path):
    opened = open_videomae(NETWORKS["videomae"], path, CPU, config=SMALL)
    return opened.reference.make()


@pytest.fixture(scope="module")
def tensors():
    """Random weights of a small network."""
    random = torch.Generator().manual_seed(0)
    return OrderedDict(
        (name, 0.3 * torch.randn(tensor.shape, generator=random) + name.endswith("norm.weight"))
        for name, tensor in VideoMAE(SMALL).state_dict().items()
    )


@pytest.fixture
def clips(make_clips):
    return torch.from_numpy(make_clips(3, 16, 20, 50))


@pytest.fixture
def small_giant(monkeypatch):
    """`build("videomae")` with a network that fits into a test."""
    monkeypatch.setattr(videomae, "open_videomae", partial(open_videomae, config=SMALL))


def saved(tmp_path, content, name="weights.pth"):
    path = tmp_path / name
    torch.save(content, path)
    return path


def features(path, clips):
    with torch.inference_mode():
        return open_small(path)(clips)


def test_the_giant_has_the_published_sizes():
    with torch.device("meta"):
        model = VideoMAE()
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert len(shapes) == 40 * 13 + 4  # 13 of each block; 4 of patches and the last norm
    assert shapes["patch_embed.proj.weight"] == (1408, 3, 2, 14, 14)
    assert shapes["blocks.39.attn.qkv.weight"] == (4224, 1408)
    assert shapes["blocks.0.attn.q_bias"] == shapes["blocks.0.attn.v_bias"] == (1408,)
    assert shapes["blocks.0.mlp.fc1.weight"] == (6144, 1408)
    assert "blocks.0.attn.qkv.bias" not in shapes
    assert "positions" not in shapes
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_011_610_752
    assert model.config.num_tokens == 8 * 16 * 16
    assert NETWORKS["videomae"].num_features == model.config.width


def test_positions_are_sines_and_cosines_of_falling_frequency():
    table = position_table(50, 6)
    assert table.shape == (1, 50, 6)
    assert table.dtype == torch.float32
    place, width = np.meshgrid(np.arange(50.0), [0, 2, 4], indexing="ij")
    angles = place * 10000 ** (-width / 6)
    np.testing.assert_allclose(table[0, :, 0::2], np.sin(angles), atol=1e-6)
    np.testing.assert_allclose(table[0, :, 1::2], np.cos(angles), atol=1e-6)


def test_attention_is_softmax_of_scaled_products_with_biases_of_queries_and_values():
    torch.manual_seed(0)
    layer = VideoMAEAttention(SMALL)
    torch.nn.init.normal_(layer.q_bias)
    torch.nn.init.normal_(layer.v_bias)
    x = torch.randn(2, 5, SMALL.width)
    weights = layer.qkv.weight.reshape(3, 3, 8, SMALL.width)  # (qkv, heads, 8, width)
    q, k, v = torch.einsum("nlc,qhdc->qnhld", x, weights)
    q = q + layer.q_bias.reshape(3, 1, 8)
    v = v + layer.v_bias.reshape(3, 1, 8)
    attention = (q @ k.transpose(2, 3) / 8**0.5).softmax(dim=3)
    expected = layer.proj((attention @ v).transpose(1, 2).reshape(2, 5, SMALL.width))
    torch.testing.assert_close(layer(x), expected)


def test_patches_are_taken_time_first_then_row_by_row():
    model = VideoMAE(SMALL)
    torch.nn.init.zeros_(model.patch_embed.proj.bias)
    x = torch.zeros(1, 3, 16, 32, 32)
    x[0, :, 2:4, :16, 16:] = 1  # second pair of frames, upper right
    filled = model.patch_embed(x)[0].abs().sum(dim=1).nonzero().flatten()
    assert filled.tolist() == [1 * 4 + 1]


@pytest.mark.parametrize("size", [(48, 64), (300, 260), (224, 224)])
def test_frames_are_resized_one_by_one_and_brought_to_zero_to_one(size):
    clips = np.random.default_rng(0).integers(0, 256, (2, 3, *size, 3), dtype=np.uint8)
    x = preprocess(torch.from_numpy(clips))
    assert x.shape == (2, 3, 3, 224, 224)
    frame = torch.from_numpy(clips[1, 2]).permute(2, 0, 1)[None].float() / 255
    expected = torch.nn.functional.interpolate(frame, (224, 224), mode="bilinear")[0]
    torch.testing.assert_close(x[1, :, 2], expected, atol=1e-5, rtol=0)
    ends = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1, 1).expand(2, 1, 9, 9, 3)
    black, white = preprocess(ends)
    assert black.unique().tolist() == [0]
    torch.testing.assert_close(white, torch.ones_like(white), atol=1e-6, rtol=0)


@pytest.mark.parametrize("key", ["model", "module", None])
def test_checkpoints_hold_the_tensors_under_either_name_or_alone(key, tensors, clips, tmp_path):
    head = {"head.weight": torch.ones(7, 24), "head.bias": torch.ones(7)}
    content = tensors | head if key is None else {key: tensors | head, "epoch": 3}
    model = VideoMAE(SMALL)
    model.load_state_dict(tensors)
    with torch.inference_mode():
        expected = model(preprocess(clips, 32))
    assert expected.std(dim=0).min() > 0
    found = features(saved(tmp_path, content), clips)
    assert found.shape == (3, 24)
    torch.testing.assert_close(found, expected)


def test_safetensors_halves_and_a_prefix_are_read_too(tensors, clips, tmp_path):
    halves = {f"module.{name}": tensor.half() for name, tensor in tensors.items()}
    halves["module.head.weight"] = torch.ones(7, 24).half()
    path = tmp_path / "weights.safetensors"
    save_file(halves, path)
    found = features(path, clips)
    assert found.dtype == torch.float32
    expected = features(saved(tmp_path, tensors), clips)
    assert (found - expected).abs().max() < 1e-2 * expected.abs().max()


def test_the_tensors_of_the_file_become_the_networks_own(tensors, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(
        "evaluation.networks.files.torch.isfinite", lambda t: made.append(t) or torch.tensor(True)
    )
    path = saved(tmp_path, {"model": tensors})
    forward = open_small(path)
    model = next(c.cell_contents for c in forward.__closure__ if type(c.cell_contents) is VideoMAE)
    read = {tensor.data_ptr() for tensor in made}
    assert {parameter.data_ptr() for parameter in model.parameters()} == read


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("fc_norm.bias"), "fc_norm.bias is missing"),
        (lambda t: t.update(pos_embed=torch.ones(1)), "pos_embed is not known"),
        (
            lambda t: t.update({"blocks.1.attn.q_bias": torch.ones(23)}),
            r"blocks.1.attn.q_bias is \(23,\), not \(24,\)",
        ),
        (lambda t: t["fc_norm.bias"].fill_(torch.nan), r"fc_norm\.bias .*not finite"),
    ],
)
def test_tensors_of_another_network_are_named(change, message, tensors, tmp_path):
    changed = {name: tensor.clone() for name, tensor in tensors.items()}
    change(changed)
    with pytest.raises(InputError, match=message):
        open_small(saved(tmp_path, {"model": changed}))


def test_a_checkpoint_with_settings_is_refused_with_the_way_to_convert_it(tensors, tmp_path):
    path = saved(tmp_path, {"module": tensors, "args": argparse.Namespace(lr=1)})
    with pytest.raises(InputError, match=r"more than tensors.*\bmodel\b.*\bmodule\b"):
        open_small(path)
    converted = torch.load(path, weights_only=False)["module"]
    open_small(saved(tmp_path, converted, "ours.pth"))
    old = tmp_path / "old.pth"
    torch.save({"module": tensors}, old, _use_new_zipfile_serialization=False)
    open_small(old)
    old.write_bytes(pickle.dumps({"a": 1}, protocol=4))
    with pytest.raises(InputError, match="more than tensors"):
        open_small(old)


def test_clips_of_another_length_are_refused(tensors, tmp_path, small_giant):
    extractor = build("videomae", saved(tmp_path, tensors))
    for frames in (15, 17):
        clips = np.zeros((1, frames, 8, 8, 3), np.uint8)
        with pytest.raises(InputError, match=rf"\b16 frames.*\b{frames}\b"):
            extractor(clips)


def test_rows_have_the_same_bits_in_any_grouping(tensors, tmp_path, small_giant, clips):
    extractor = build("videomae", saved(tmp_path, tensors))
    assert extractor.implementation == "own network"
    assert registry.network("videomae").cpu_chunk == 1
    whole = extractor(clips)
    assert np.array_equal(whole, np.concatenate([extractor(clips[2:]), extractor(clips[:2])][::-1]))
