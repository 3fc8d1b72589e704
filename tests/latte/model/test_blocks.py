"""Blocks against plain formulations with loops, and which tokens see which."""

from dataclasses import replace

import pytest
import torch

from latte.config import LatteConfig
from latte.model.blocks import (
    Attention,
    AxisBlock,
    FinalLayer,
    Mlp,
    Modulation,
    SpaceThenTimeBlock,
    SplitHeadsBlock,
    Timeline,
    attend_over_time,
    layer_norm,
    modulate,
)
from latte.model.embeddings import rotary_angles, rotate

CONFIG = LatteConfig(8, 2, 4, hidden_size=24, depth=2, num_heads=4, num_frames=4)
VIDEO = Timeline(num_frames=4)
KINDS = ("space", "time", "space then time", "split heads")
CONDITIONINGS = ("s-adaln", "all-tokens")


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def make(randomise):
    """Maker of a block of this kind, with changes of its configuration."""

    def block(kind, **changes):
        config = replace(CONFIG, **changes)
        if kind in ("space", "time"):
            return randomise(AxisBlock(config, kind))
        if kind == "space then time":
            return randomise(SpaceThenTimeBlock(replace(config, variant=3)))
        return randomise(SplitHeadsBlock(replace(config, variant=4)))

    return block


def assert_near(found, expected, atol=1e-5):
    torch.testing.assert_close(found, expected, atol=atol, rtol=1e-5)


def plain_attention(attention, tokens, sees=None, angles=None):
    """Softmax attention over (L, D), one head and one query at a time."""
    length, width = tokens.shape
    size = width // attention.num_heads
    weight, bias = attention.qkv.weight, attention.qkv.bias
    qkv = tokens @ weight.T + (0 if bias is None else bias)
    mixed = torch.empty(length, width)
    for head in range(attention.num_heads):
        q, k, v = (qkv[:, part * width + head * size :][:, :size] for part in range(3))
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        for i in range(length):
            others = [j for j in range(length) if sees is None or sees[i, j]]
            scores = torch.stack([q[i] @ k[j] for j in others]) / size**0.5
            shares = torch.exp(scores) / torch.exp(scores).sum()
            mixed[i, head * size :][:size] = sum(
                share * v[j] for share, j in zip(shares, others, strict=True)
            )
    return mixed @ attention.proj.weight.T + attention.proj.bias


def plain_over_space(attention, x):
    return torch.stack(
        [torch.stack([plain_attention(attention, frame) for frame in video]) for video in x]
    )


def plain_over_time(attention, x):
    swapped = plain_over_space(attention, x.transpose(1, 2))
    return swapped.transpose(1, 2)


def plain_norm(x, norm):
    mean = x.mean(-1, keepdim=True)
    normal = (x - mean) / (((x - mean) ** 2).mean(-1, keepdim=True) + 1e-6).sqrt()
    return normal if norm.weight is None else normal * norm.weight + norm.bias


def plain_block(kind, block, x, condition):
    """Tokens (N, F, S, D) and a condition (N, D) through a block, as the paper words it."""
    if block.adaLN_modulation is None:
        shift1 = scale1 = shift2 = scale2 = torch.zeros(())
        gate1 = gate2 = torch.ones(())
    else:
        linear = block.adaLN_modulation[1]
        parts = (condition * torch.sigmoid(condition)) @ linear.weight.T + linear.bias
        shift1, scale1, gate1, shift2, scale2, gate2 = parts[:, None, None].chunk(6, dim=-1)

    def tokens(norm):
        return plain_norm(x, norm) * (1 + scale1) + shift1

    if kind == "space":
        mixed = plain_over_space(block.attn, tokens(block.norm1))
    elif kind == "time":
        mixed = plain_over_time(block.attn, tokens(block.norm1))
    elif kind == "space then time":
        mixed = plain_over_space(block.attn, tokens(block.norm1))
        normal = plain_norm(mixed, block.norm_temporal)
        mixed = mixed + plain_over_time(block.attn_temporal, normal)
    else:
        mixed = plain_over_space(block.attn, tokens(block.norm1))
        mixed = mixed + plain_over_time(block.attn_temporal, tokens(block.norm_temporal))
    x = x + gate1 * mixed
    wide = (plain_norm(x, block.norm2) * (1 + scale2) + shift2) @ block.mlp.fc1.weight.T
    wide = wide + block.mlp.fc1.bias
    cubic = (2 / torch.pi) ** 0.5 * (wide + 0.044715 * wide**3)
    wide = 0.5 * wide * (1 + torch.tanh(cubic))
    return x + gate2 * (wide @ block.mlp.fc2.weight.T + block.mlp.fc2.bias)


# Attention


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_attention_is_softmax_of_scaled_products(randomise, qkv_bias):
    attention = randomise(Attention(24, 4, qkv_bias=qkv_bias))
    x = noise(2, 3, 5, 24)
    assert_near(attention(x), plain_over_space(attention, x))


def test_masked_attention_sees_what_the_mask_allows(randomise):
    attention, x = randomise(Attention(24, 4)), noise(5, 24)
    sees = torch.rand(5, 5, generator=torch.Generator().manual_seed(1)) < 0.5
    sees |= torch.eye(5, dtype=torch.bool)
    assert_near(attention(x[None], mask=sees)[0], plain_attention(attention, x, sees=sees))


def test_rotary_attention_turns_queries_and_keys_and_no_values(randomise):
    attention, x = randomise(Attention(24, 4)), noise(5, 24)
    angles = rotary_angles(6, 5)
    expected = plain_attention(attention, x, angles=angles)
    assert_near(attention(x[None], angles=angles)[0], expected)
    assert (expected - plain_attention(attention, x)).abs().max() > 0.01


def test_rotary_attention_depends_on_distances_in_time_alone(randomise):
    attention, x = randomise(Attention(24, 4)), noise(1, 5, 24)
    angles = rotary_angles(6, 12)
    assert_near(attention(x, angles=angles[7:]), attention(x, angles=angles[:5]))


# Blocks against the plain formulation


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_block_is_what_the_paper_says(make, kind, conditioning):
    block = make(kind, conditioning=conditioning)
    x, condition = noise(2, 4, 5, 24), noise(2, 24, seed=1)
    expected = plain_block(kind, block, x, condition)
    with torch.no_grad():
        assert_near(block(x, condition[:, None], VIDEO), expected, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_may_have_conditions_of_their_own(make, kind):
    block, x, condition = make(kind), noise(2, 4, 5, 24), noise(2, 1, 24, seed=1)
    same = condition.repeat(1, 4, 1)
    assert_near(block(x, same, VIDEO), block(x, condition, VIDEO))
    other = same.clone()
    other[:, 2] += 1
    # Products of the same shapes on both sides: of others the last bits are the processor's.
    moved = (block(x, other, VIDEO) - block(x, same, VIDEO)).abs().amax(dim=(0, 2, 3))
    assert moved[2] > 0.01
    if kind == "space":
        assert moved[[0, 1, 3]].max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_block_changes_nothing_when_it_is_modulated(make, kind):
    config = replace(CONFIG, variant=KINDS.index(kind) + 1)
    block = make(kind)
    torch.nn.init.zeros_(block.adaLN_modulation[1].weight)
    torch.nn.init.zeros_(block.adaLN_modulation[1].bias)
    x = noise(2, config.num_frames, 5, 24)
    assert torch.equal(block(x, noise(2, 1, 24), VIDEO), x)


# Who sees whom


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_spatial_blocks_keep_frames_apart(make, conditioning):
    block, condition = make("space", conditioning=conditioning), noise(2, 1, 24, seed=1)
    x = noise(2, 4, 5, 24)
    out = block(x, condition, VIDEO)
    changed = x.clone()
    changed[:, 2] = noise(2, 5, 24, seed=2)
    moved = (block(changed, condition, VIDEO) - out).abs().amax(dim=(0, 2, 3))
    assert moved[[0, 1, 3]].max() == 0
    assert moved[2] > 0.1
    order = torch.tensor([2, 0, 3, 1])
    assert_near(block(x[:, order], condition, VIDEO), out[:, order])


def test_spatial_blocks_mix_all_positions(make):
    block, x, condition = make("space"), noise(1, 4, 5, 24), noise(1, 1, 24, seed=1)
    changed = x.clone()
    changed[:, 2, 3] = noise(24, seed=2)
    moved = (block(changed, condition, VIDEO) - block(x, condition, VIDEO)).abs().amax(dim=(0, 3))
    assert moved[2].min() > 1e-4


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_temporal_blocks_keep_positions_apart(make, conditioning):
    block, condition = make("time", conditioning=conditioning), noise(2, 1, 24, seed=1)
    x = noise(2, 4, 5, 24)
    out = block(x, condition, VIDEO)
    changed = x.clone()
    changed[:, 1, 3] = noise(2, 24, seed=2)
    moved = (block(changed, condition, VIDEO) - out).abs().amax(dim=(0, 3))  # (F, S)
    assert moved[:, [0, 1, 2, 4]].max() == 0
    assert moved[:, 3].min() > 1e-4  # all frames see the change
    order = torch.tensor([2, 0, 3, 1, 4])
    assert_near(block(x[:, :, order], condition, VIDEO), out[:, :, order])


@pytest.mark.parametrize("kind", KINDS)
def test_without_positions_the_order_of_frames_is_unknown(make, kind):
    block, condition, x = make(kind), noise(2, 1, 24, seed=1), noise(2, 4, 5, 24)
    order = torch.tensor([2, 0, 3, 1])
    assert_near(block(x[:, order], condition, VIDEO), block(x, condition, VIDEO)[:, order])


@pytest.mark.parametrize("kind", KINDS[1:])
def test_rotary_positions_tell_the_order_of_frames(make, kind):
    changes = {"temporal_position": "rotary"}
    block, condition, x = make(kind, **changes), noise(2, 1, 24, seed=1), noise(2, 4, 5, 24)
    head_size = 12 if kind == "split heads" else 6
    timeline = Timeline(num_frames=4, angles=rotary_angles(head_size, 4))
    order = torch.tensor([2, 0, 3, 1])
    out, plain = block(x, condition, timeline), block(x, condition, VIDEO)
    assert (block(x[:, order], condition, timeline) - out[:, order]).abs().max() > 1e-3
    assert (out - plain).abs().max() > 1e-3
    later = Timeline(num_frames=4, angles=rotary_angles(head_size, 9)[5:])
    assert_near(block(x, condition, later), out)


@pytest.mark.parametrize("kind", ["space then time", "split heads"])
def test_blocks_with_two_attentions_reach_their_row_and_their_column(make, kind):
    block, condition, x = make(kind), noise(1, 1, 24, seed=1), noise(1, 4, 5, 24)
    changed = x.clone()
    changed[:, 1, 3] = noise(24, seed=2)
    moved = (block(changed, condition, VIDEO) - block(x, condition, VIDEO)).abs().amax(dim=(0, 3))
    assert moved[1].min() > 1e-4  # the same frame
    assert moved[:, 3].min() > 1e-4  # the same position
    rest = torch.ones(4, 5, dtype=torch.bool)
    rest[1], rest[:, 3] = False, False
    if kind == "space then time":
        assert moved[rest].min() > 1e-5  # first along the row, then along the columns
    else:
        assert moved[rest].max() == 0  # side by side: one block reaches no further


# Joint training


def test_images_are_left_out_of_attention_over_time(randomise):
    attention, x = randomise(Attention(24, 4)), noise(2, 7, 5, 24)
    timeline = Timeline(num_frames=4, num_images=3)
    assert timeline.leaves_images_out
    mixed = attend_over_time(attention, x, timeline)
    assert_near(mixed[:, :4], attend_over_time(attention, x[:, :4], VIDEO))
    assert not mixed[:, 4:].any()


def test_masked_images_attend_to_themselves(randomise):
    attention, x = randomise(Attention(24, 4)), noise(2, 7, 5, 24)
    mask = torch.zeros(7, 7, dtype=torch.bool)
    mask[:4, :4] = True
    mask[range(4, 7), range(4, 7)] = True
    timeline = Timeline(num_frames=4, num_images=3, mask=mask)
    assert not timeline.leaves_images_out
    mixed = attend_over_time(attention, x, timeline)
    assert_near(mixed[:, :4], attend_over_time(attention, x[:, :4], VIDEO))
    for image in range(4, 7):
        alone = x[:, image : image + 1]
        expected = attend_over_time(attention, alone, Timeline(num_frames=1))
        assert_near(mixed[:, image : image + 1], expected)


# Small parts


def test_norms_have_the_official_epsilon(randomise):
    """It counts for tokens that are nearly alike in all channels alone."""
    x = 1e-3 * noise(2, 4, 5, 24)
    for affine in (False, True):
        norm = randomise(layer_norm(24, affine=affine))
        assert_near(norm(x), plain_norm(x, norm))


def test_an_mlp_sees_each_token_by_itself(randomise):
    mlp, x = randomise(Mlp(24, 4.0)), noise(2, 4, 5, 24)
    assert mlp.fc1.weight.shape == (96, 24)
    assert_near(mlp(x)[1, 2, 3], mlp(x[1, 2, 3]))


def test_modulation_gives_each_part_of_each_frame(randomise):
    modulation, condition = randomise(Modulation(24, 6)), noise(2, 4, 24)
    parts = modulation(condition)
    assert [tuple(part.shape) for part in parts] == [(2, 4, 1, 24)] * 6
    expected = torch.nn.functional.silu(condition) @ modulation[1].weight.T + modulation[1].bias
    assert_near(torch.cat(parts, dim=-1)[:, :, 0], expected)


def test_modulating_scales_around_one():
    x, shift, scale = noise(2, 4, 5, 24), noise(2, 1, 1, 24, seed=1), noise(2, 1, 1, 24, seed=2)
    assert_near(modulate(x, shift, scale), x * (1 + scale) + shift)
    assert modulate(x, None, None) is x


def test_small_modulations_survive_bfloat16(make):
    """1 + γ has steps of 2⁻⁷ in bfloat16: a γ of 2⁻¹⁰ would have no effect, and no more learn."""
    block, x, condition = make("space"), noise(2, 4, 5, 24), noise(2, 1, 24, seed=1)
    torch.nn.init.zeros_(block.adaLN_modulation[1].weight)
    seen = []
    block.attn.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    for scale in (0.0, 2.0**-10):
        block.adaLN_modulation[1].bias.data[:24] = 0
        block.adaLN_modulation[1].bias.data[24:48] = scale
        with torch.autocast("cpu", torch.bfloat16):
            block(x, condition, VIDEO)
    without, with_scale = (tokens.float() for tokens in seen)
    assert_near(with_scale, without * (1 + 2.0**-10))


def test_the_last_layer_is_modulated_without_a_gate(randomise):
    layer, x, condition = randomise(FinalLayer(CONFIG)), noise(2, 4, 5, 24), noise(2, 1, 24, seed=1)
    linear = layer.adaLN_modulation[1]
    parts = torch.nn.functional.silu(condition) @ linear.weight.T + linear.bias
    shift, scale = parts[:, :, None].chunk(2, dim=-1)
    tokens = plain_norm(x, layer.norm_final) * (1 + scale) + shift
    assert_near(layer(x, condition), tokens @ layer.linear.weight.T + layer.linear.bias)
    plain = randomise(FinalLayer(replace(CONFIG, conditioning="all-tokens")))
    expected = plain_norm(x, plain.norm_final) @ plain.linear.weight.T + plain.linear.bias
    assert_near(plain(x, condition), expected)
    assert expected.shape == (2, 4, 5, 2 * 2 * 8)
