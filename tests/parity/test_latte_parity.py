"""Latte against diffusers' Latte (text-to-video) and DiT, with the same weights in both.

Theirs is conditioned as PixArt: all blocks share one layer of modulation and add a table of their
own. That is a special case of ours, so blocks can be made equal. What differs besides:

- Cross-attention to a text. Its output layer is zero here.
- The modulation of the last layer, which is a sum there and a linear layer here. Ours is solved for
  the timesteps of a test.
- No classes, variants 2 to 4, tubes, tokens as conditions, rotary positions: theirs has none.
"""

from dataclasses import replace

import pytest
import torch

from latte.config import LatteConfig
from latte.model import Latte
from latte.model.blocks import AxisBlock, Timeline
from latte.model.embeddings import (
    PatchEmbedder,
    TimestepEmbedder,
    frame_positions,
    patch_positions,
    timestep_waves,
)

pytest.importorskip("diffusers")

LIMIT = 1e-5
TIMES = torch.tensor([17, 801])
CONFIG = LatteConfig(
    input_size=8,
    patch_size=2,
    in_channels=4,
    hidden_size=96,
    depth=6,
    num_heads=4,
    num_frames=5,
)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def randomise(module):
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in module.parameters():
            values = torch.randn(weight.shape, generator=source)
            weight.copy_(values / weight[0].numel() ** 0.5 if weight.ndim > 1 else 0.2 * values)
    return module.eval()


def relative_difference(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


def block_weights(state, theirs, ours):
    """A `BasicTransformerBlock`'s attention and MLP under our names."""
    weights = {}
    for kind in ("weight", "bias"):
        parts = [state[f"{theirs}.attn1.to_{part}.{kind}"] for part in "qkv"]
        weights[f"{ours}.attn.qkv.{kind}"] = torch.cat(parts)
        weights[f"{ours}.attn.proj.{kind}"] = state[f"{theirs}.attn1.to_out.0.{kind}"]
        weights[f"{ours}.mlp.fc1.{kind}"] = state[f"{theirs}.ff.net.0.proj.{kind}"]
        weights[f"{ours}.mlp.fc2.{kind}"] = state[f"{theirs}.ff.net.2.{kind}"]
    return weights


def renamed(state, names):
    return {
        f"{ours}.{kind}": state[f"{theirs}.{kind}"]
        for ours, theirs in names.items()
        for kind in ("weight", "bias")
    }


# Whole networks


def their_latte():
    from diffusers import LatteTransformer3DModel

    model = LatteTransformer3DModel(
        num_attention_heads=4,
        attention_head_dim=24,
        in_channels=4,
        out_channels=8,
        num_layers=3,
        cross_attention_dim=96,
        attention_bias=True,
        sample_size=8,
        patch_size=2,
        activation_fn="gelu-approximate",
        norm_type="ada_norm_single",
        norm_elementwise_affine=False,
        norm_eps=1e-6,
        caption_channels=12,
        video_length=5,
    )
    randomise(model)
    for block in model.transformer_blocks:
        torch.nn.init.zeros_(block.attn2.to_out[0].weight)
        torch.nn.init.zeros_(block.attn2.to_out[0].bias)
    return model


def our_latte(theirs, times):
    """Ours with their weights: equal at these timesteps."""
    model, state = Latte(CONFIG).eval(), theirs.state_dict()
    names = {
        "x_embedder.proj": "pos_embed.proj",
        "t_embedder.mlp.0": "adaln_single.emb.timestep_embedder.linear_1",
        "t_embedder.mlp.2": "adaln_single.emb.timestep_embedder.linear_2",
        "final_layer.linear": "proj_out",
    }
    weights = renamed(state, names)
    shared = renamed(state, {"shared": "adaln_single.linear"})
    for index in range(CONFIG.depth):
        kind = "temporal_transformer_blocks" if index % 2 else "transformer_blocks"
        block = f"{kind}.{index // 2}"
        weights |= block_weights(state, block, f"blocks.{index}")
        table = state[f"{block}.scale_shift_table"].flatten()
        weights[f"blocks.{index}.adaLN_modulation.1.weight"] = shared["shared.weight"]
        weights[f"blocks.{index}.adaLN_modulation.1.bias"] = shared["shared.bias"] + table
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected
    last = model.final_layer.adaLN_modulation[1]
    tables = {"pos_embed", "temp_embed"}
    assert set(missing) - tables == {
        f"final_layer.adaLN_modulation.1.{k}" for k in ("weight", "bias")
    }
    with torch.no_grad():
        last.bias.copy_(state["scale_shift_table"].flatten())
        embedded = model.t_embedder(times).double()  # W silu(e) = (e, e)
        inverse = torch.linalg.pinv(torch.nn.functional.silu(embedded).T)
        last.weight.copy_(torch.cat([embedded, embedded], dim=1).T @ inverse)
    return model


@torch.no_grad()
def test_videos(check_difference):
    theirs, x = their_latte(), noise(2, 5, 4, 8, 8)
    ours = our_latte(theirs, TIMES)
    text = noise(2, 7, 12, seed=2)
    expected = theirs(x.transpose(1, 2), TIMES, text).sample.transpose(1, 2)
    check_difference(
        "Latte, videos", "diffusers", relative_difference(ours(x, TIMES), expected), LIMIT
    )


@torch.no_grad()
def test_images_of_joint_training_are_theirs_without_temporal_attention(check_difference):
    theirs, x = their_latte(), noise(2, 8, 4, 8, 8)
    ours = our_latte(theirs, TIMES)
    text = noise(2, 7, 12, seed=2)
    found = ours(x, TIMES, num_images=3)[:, 5:]
    images = x[:, 5:].transpose(1, 2)
    expected = theirs(images, TIMES, text, enable_temporal_attentions=False).sample.transpose(1, 2)
    check_difference("Latte, images", "diffusers", relative_difference(found, expected), LIMIT)


def their_dit(depth=3):
    from diffusers import DiTTransformer2DModel

    model = DiTTransformer2DModel(
        num_attention_heads=4,
        attention_head_dim=24,
        in_channels=4,
        out_channels=8,
        num_layers=depth,
        sample_size=8,
        patch_size=2,
        num_embeds_ada_norm=7,  # classes
        norm_eps=1e-6,  # DiT has 1e-6; their default is 1e-5
    )
    randomise(model)
    first = model.transformer_blocks[0].norm1.emb
    for block in model.transformer_blocks:
        # Each block has its copy of the embedders. Their 128 frequencies end at 1/10000, which in
        # DiT would be the 129th: they are brought back.
        block.norm1.emb.load_state_dict(first.state_dict())
        block.norm1.emb.time_proj.downscale_freq_shift = 0
    return model


@pytest.mark.parametrize("variant", [1, 2])
@torch.no_grad()
def test_images_are_a_dits(variant, check_difference):
    """Spatial blocks alone, with classes: temporal ones leave images as they are."""
    theirs, ours = their_dit(), Latte(replace(CONFIG, variant=variant, num_classes=7)).eval()
    take_weights(ours, theirs.state_dict(), [b.axis == "space" for b in ours.blocks])
    x, y_images = noise(2, 7, 4, 8, 8), torch.tensor([[0, 7], [3, 6]])
    found = ours(x, TIMES, torch.tensor([1, 2]), num_images=2, y_images=y_images)[:, 5:]
    expected = theirs(
        x[:, 5:].flatten(0, 1), TIMES.repeat_interleave(2), y_images.flatten()
    ).sample.unflatten(0, (2, 2))
    name = f"DiT, images of variant {variant}"
    check_difference(name, "diffusers", relative_difference(found, expected), LIMIT)


@torch.no_grad()
def test_a_latte_without_time_is_a_dit(check_difference):
    config = replace(CONFIG, depth=4, num_frames=1, num_classes=7, temporal_attention=False)
    theirs, ours = their_dit(4), Latte(config).eval()
    take_weights(ours, theirs.state_dict(), [True] * 4)
    x, y = noise(2, 1, 4, 8, 8), torch.tensor([1, 7])
    found, expected = ours(x, TIMES, y)[:, 0], theirs(x[:, 0], TIMES, y).sample
    check_difference("DiT, whole", "diffusers", relative_difference(found, expected), LIMIT)


def take_weights(ours, state, is_spatial):
    """Fill our embeddings and spatial blocks with diffusers' DiT."""
    first = "transformer_blocks.0.norm1.emb"
    weights = renamed(
        state,
        {
            "x_embedder.proj": "pos_embed.proj",
            "t_embedder.mlp.0": f"{first}.timestep_embedder.linear_1",
            "t_embedder.mlp.2": f"{first}.timestep_embedder.linear_2",
            "final_layer.linear": "proj_out_2",
            "final_layer.adaLN_modulation.1": "proj_out_1",
        },
    )
    table = "embedding_table.weight"
    weights[f"y_embedder.{table}"] = state[f"{first}.class_embedder.{table}"]
    spatial = [index for index, wanted in enumerate(is_spatial) if wanted]
    for theirs_index, index in enumerate(spatial):
        block, ours_block = f"transformer_blocks.{theirs_index}", f"blocks.{index}"
        weights |= block_weights(state, block, ours_block)
        weights |= renamed(state, {f"{ours_block}.adaLN_modulation.1": f"{block}.norm1.linear"})
    missing, unexpected = ours.load_state_dict(weights, strict=False)
    assert not unexpected
    assert not [name for name in missing if name.startswith(tuple(f"blocks.{i}." for i in spatial))]


# Parts


@pytest.mark.parametrize("axis", ["space", "time"])
@torch.no_grad()
def test_one_block(axis, check_difference):
    from diffusers.models.attention import BasicTransformerBlock

    theirs = randomise(
        BasicTransformerBlock(
            96,
            num_attention_heads=4,
            attention_head_dim=24,
            activation_fn="gelu-approximate",
            attention_bias=True,
            norm_type="ada_norm_single",
            norm_elementwise_affine=False,
            norm_eps=1e-6,
        )
    )
    ours, modulation = AxisBlock(CONFIG, axis).eval(), noise(2, 6 * 96, seed=2)
    state = {f"block.{name}": tensor for name, tensor in theirs.state_dict().items()}
    weights = block_weights(state, "block", "block")
    weights = {name.removeprefix("block."): tensor for name, tensor in weights.items()}
    missing, unexpected = ours.load_state_dict(weights, strict=False)
    assert not unexpected
    assert len(missing) == 2
    # The condition of sample 0 is the first unit vector, and that of sample 1 the second.
    linear = ours.adaLN_modulation[1]
    linear.weight.zero_()
    linear.weight[:, :2] = modulation.T / torch.nn.functional.silu(torch.tensor(1.0))
    linear.bias.copy_(theirs.scale_shift_table.flatten())
    condition = torch.eye(96)[:2, None]  # (N, 1, D)

    x = noise(2, 5, 16, 96)
    found = ours(x, condition, Timeline(num_frames=5))
    rows = x if axis == "space" else x.transpose(1, 2)
    out = theirs(
        rows.flatten(0, 1), timestep=modulation.repeat_interleave(rows.shape[1], dim=0)
    ).unflatten(0, rows.shape[:2])
    expected = out if axis == "space" else out.transpose(1, 2)
    name = f"Latte, one block over {axis}"
    check_difference(name, "diffusers", relative_difference(found, expected), LIMIT)


@torch.no_grad()
def test_patches_and_positions(check_difference):
    from diffusers.models.embeddings import (
        PatchEmbed,
        get_1d_sincos_pos_embed_from_grid,
        get_2d_sincos_pos_embed,
    )

    over_time = get_1d_sincos_pos_embed_from_grid(96, torch.arange(16))
    difference = float((frame_positions(96, 16)[0] - over_time).abs().max())
    check_difference("positions in time", "diffusers", difference, 1e-6)
    for side in (4, 16):
        in_frame = get_2d_sincos_pos_embed(96, side, base_size=side)
        difference = float((patch_positions(96, side)[0] - in_frame).abs().max())
        check_difference(f"positions in a frame of {side}", "diffusers", difference, 1e-6)

    theirs = randomise(PatchEmbed(8, 8, patch_size=2, in_channels=4, embed_dim=96))
    ours, x = PatchEmbedder(2, 4, 96), noise(2, 5, 4, 8, 8)
    ours.proj.load_state_dict(theirs.proj.state_dict())
    found = ours(x) + patch_positions(96, 4)
    expected = theirs(x.flatten(0, 1)).unflatten(0, (2, 5))
    check_difference("patches", "diffusers", relative_difference(found, expected), LIMIT)


@torch.no_grad()
def test_timesteps(check_difference):
    from diffusers.models.embeddings import TimestepEmbedding, Timesteps

    times = torch.arange(1000)
    waves = Timesteps(256, flip_sin_to_cos=True, downscale_freq_shift=0)(times)
    difference = float((timestep_waves(times, 256) - waves).abs().max())
    # Angles up to 999 in float32 are 6e-5 apart.
    check_difference("timesteps, waves", "diffusers", difference, 1e-4)
    theirs, ours = randomise(TimestepEmbedding(256, 96)), TimestepEmbedder(96)
    for mine, name in ((ours.mlp[0], "linear_1"), (ours.mlp[2], "linear_2")):
        mine.load_state_dict(getattr(theirs, name).state_dict())
    difference = relative_difference(ours(times), theirs(waves))
    check_difference("timesteps, embedded", "diffusers", difference, 1e-4)
