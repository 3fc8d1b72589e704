import math

import pytest
import torch

from latte.model.embeddings import (
    LabelEmbedder,
    PatchEmbedder,
    TimestepEmbedder,
    frame_positions,
    patch_positions,
    rotary_angles,
    rotate,
    sincos_1d,
    timestep_waves,
    unfold_patches,
)


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def waves_of(position, size):
    """The paper's sines and cosines of one position, in float64: sines first."""
    angles = [position / 10_000 ** (2 * i / size) for i in range(size // 2)]
    return [*map(math.sin, angles), *map(math.cos, angles)]


# Patches


@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_frame_patches_are_a_convolution_over_each_frame(patch_size):
    torch.manual_seed(0)
    embedder = PatchEmbedder(patch_size, in_channels=3, hidden_size=12)
    x = noise(2, 5, 3, 8, 8)
    found = embedder(x)
    assert found.shape == (2, 5, (8 // patch_size) ** 2, 12)
    for n in range(2):
        for f in range(5):
            expected = embedder.proj(x[n, f][None])[0]  # (D, rows, columns)
            torch.testing.assert_close(found[n, f], expected.flatten(1).T, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("patch_size", "tube_size"), [(2, 2), (4, 3), (1, 6), (2, 1)])
def test_tube_patches_are_a_sum_over_each_tube(patch_size, tube_size):
    torch.manual_seed(0)
    embedder = PatchEmbedder(patch_size, 3, 12, tube_size)
    x = noise(2, 6, 3, 8, 8)
    found, side = embedder(x), 8 // patch_size
    assert found.shape == (2, 6 // tube_size, side**2, 12)
    for frame in range(6 // tube_size):
        frames = slice(frame * tube_size, (frame + 1) * tube_size)
        for row in range(side):
            rows = slice(row * patch_size, (row + 1) * patch_size)
            for column in range(side):
                columns = slice(column * patch_size, (column + 1) * patch_size)
                tube = x[:, frames, :, rows, columns]  # (N, s, C, p, p)
                expected = torch.einsum("nscij,dcsij->nd", tube, embedder.proj.weight)
                torch.testing.assert_close(
                    found[:, frame, row * side + column],
                    expected + embedder.proj.bias,
                    atol=1e-5,
                    rtol=1e-5,
                )


@pytest.mark.parametrize("tube_size", [None, 2])
def test_patches_are_named_as_a_convolutions(tube_size):
    state = PatchEmbedder(2, 3, 12, tube_size).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    depth = () if tube_size is None else (2,)
    assert shapes == {"proj.weight": (12, 3, *depth, 2, 2), "proj.bias": (12,)}


@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_unfolding_puts_every_number_back(patch_size):
    x, p, side = noise(2, 3, 5, 8, 8), patch_size, 8 // patch_size
    tokens = torch.empty(2, 3, side * side, p * p * 5)
    for row in range(side):
        for column in range(side):
            for i in range(p):
                for j in range(p):
                    place = (i * p + j) * 5  # channels come last within a patch
                    pixel = x[:, :, :, row * p + i, column * p + j]
                    tokens[:, :, row * side + column, place : place + 5] = pixel
    assert torch.equal(unfold_patches(tokens, p, channels=5), x)


# Timesteps and labels


@pytest.mark.parametrize("size", [4, 256])
def test_timestep_waves_are_cosines_then_sines(size):
    t = torch.tensor([0, 1, 17, 500, 801, 999])
    found = timestep_waves(t, size)
    expected = [waves_of(step, size) for step in t.tolist()]
    expected = [row[size // 2 :] + row[: size // 2] for row in expected]
    assert found.dtype == torch.float32
    # An angle of 999 in float32 has a spacing of 6e-5.
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=0)


def test_timesteps_may_lie_between_whole_numbers():
    found = timestep_waves(torch.tensor([17.25]), 8)
    expected = waves_of(17.25, 8)
    torch.testing.assert_close(
        found[0], torch.tensor(expected[4:] + expected[:4]), atol=1e-5, rtol=0
    )


def test_all_timesteps_are_told_apart():
    found = timestep_waves(torch.arange(1000), 256)
    distances = torch.cdist(found, found) + 10 * torch.eye(1000)
    assert distances.min() > 0.1


def test_a_timestep_goes_through_two_layers():
    torch.manual_seed(0)
    embedder = TimestepEmbedder(12)
    first, second = embedder.mlp[0], embedder.mlp[2]
    t = torch.tensor([3, 700])
    hidden = timestep_waves(t, 256) @ first.weight.T + first.bias
    hidden = hidden / (1 + torch.exp(-hidden))
    expected = hidden @ second.weight.T + second.bias
    torch.testing.assert_close(embedder(t), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_timesteps_are_embedded_in_the_type_of_the_weights(dtype):
    torch.manual_seed(0)
    embedder, t = TimestepEmbedder(12), torch.tensor([3, 700])
    expected = embedder(t)
    found = embedder.to(dtype)(t)
    assert found.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float64 else 0.02
    torch.testing.assert_close(found.float(), expected, atol=tolerance, rtol=tolerance)


def test_labels_have_a_row_each_and_one_for_no_class():
    embedder = LabelEmbedder(5, hidden_size=12)
    table = embedder.embedding_table.weight
    assert table.shape == (6, 12)
    labels = torch.tensor([[0, 5, 2], [4, 1, 3]])
    assert torch.equal(embedder(labels), torch.stack([table[row] for row in labels]))


# Positions


@pytest.mark.parametrize("size", [2, 12, 96])
def test_positions_in_time_are_sines_then_cosines(size):
    found = sincos_1d(size, torch.arange(20))
    expected = [waves_of(position, size) for position in range(20)]
    assert found.dtype == torch.float64
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), atol=1e-12, rtol=0
    )
    torch.testing.assert_close(frame_positions(size, 20), found.float()[None], atol=0, rtol=0)


def test_positions_in_a_frame_say_the_column_then_the_row():
    found = patch_positions(24, side=5)
    assert found.shape == (1, 25, 24)
    assert found.dtype == torch.float32
    for row in range(5):
        for column in range(5):
            expected = torch.tensor(waves_of(column, 12) + waves_of(row, 12))
            torch.testing.assert_close(found[0, row * 5 + column], expected, atol=1e-6, rtol=0)


def test_position_tables_are_the_official_ones(golden_latte):
    for found, name in [
        (patch_positions(96, 4), "pos_embed"),
        (frame_positions(96, 4), "temp_embed"),
    ]:
        expected = torch.from_numpy(golden_latte[name])
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("head_size", [2, 8, 72])
def test_rotary_angles_are_positions_times_frequencies(head_size):
    found = rotary_angles(head_size, 16)
    assert found.dtype == torch.float32
    expected = [
        [frame / 10_000 ** (2 * i / head_size) for i in range(head_size // 2)]
        for frame in range(16)
    ]
    torch.testing.assert_close(found, torch.tensor(expected), atol=5e-6, rtol=0)


def test_rotation_is_a_product_of_complex_numbers():
    x, angles = noise(2, 3, 5, 8, dtype=torch.float64), noise(5, 4, seed=1, dtype=torch.float64)
    pairs = torch.view_as_complex(x.reshape(2, 3, 5, 4, 2))
    expected = torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)
    torch.testing.assert_close(rotate(x, angles), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_rotation_rounds_once_to_the_type_that_came(dtype):
    x, angles = noise(4, 6, 8).to(dtype), rotary_angles(8, 6)
    found = rotate(x, angles)
    assert found.dtype == dtype
    assert torch.equal(found, rotate(x.float(), angles).to(dtype))


def test_rotation_keeps_lengths_and_leaves_the_first_frame():
    x = noise(3, 6, 8)
    turned = rotate(x, rotary_angles(8, 6))
    assert torch.equal(turned[:, 0], x[:, 0])
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1), atol=1e-5, rtol=1e-5)


def test_a_rotated_product_depends_on_the_distance_in_time_alone():
    q, k = noise(8, dtype=torch.float64), noise(8, seed=1, dtype=torch.float64)
    angles = rotary_angles(8, 12).double()
    products = rotate(q.expand(12, 8), angles) @ rotate(k.expand(12, 8), angles).T  # (12, 12)
    for distance in range(-11, 12):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), atol=1e-5, rtol=0)
    assert products[0].std() > 0.1  # the product does depend on it
