import math

import numpy as np
import pytest
import torch

from evaluation.networks.i3d import (
    I3D,
    fold_batch_norms,
    max_pool_same,
    pad,
    preprocess,
    preprocess_crop,
    same_padding,
)


def relative_difference(found, expected):
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize(("eps", "name"), [(1e-3, "logits"), (1e-5, "logits_eps_1e-5")])
def test_reproduces_the_reference_implementation_plain_and_folded(
    eps, name, state_dict, golden, golden_clips
):
    model = I3D(batch_norm_eps=eps)
    model.load_state_dict(state_dict)
    x = preprocess(torch.from_numpy(golden_clips))
    with torch.inference_mode():
        plain, folded = model(x), fold_batch_norms(model)(x)
    assert plain.shape == (2, 400)
    assert relative_difference(plain, golden[name]) < 2e-5
    assert relative_difference(folded, golden[name]) < 2e-5


def test_pooled_features_are_what_the_logits_are_made_of(state_dict, golden):
    model = I3D()
    model.load_state_dict(state_dict)
    x = torch.rand(1, 3, 18, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        pooled, logits = model.pooled(x), model(x)
        expected = pooled @ model.logits.conv3d.weight.flatten(1).T + model.logits.conv3d.bias
    assert pooled.shape == (1, 1024)
    assert relative_difference(expected, logits.numpy()) < 1e-6


def test_tensors_are_named_and_shaped_as_in_the_public_weight_file(golden_keys):
    found = {name: tuple(tensor.shape) for name, tensor in I3D().state_dict().items()}
    assert found == golden_keys
    assert list(found) == list(golden_keys)


def test_folding_leaves_the_model_as_it_was(state_dict):
    model = I3D()
    model.load_state_dict(state_dict)
    fold_batch_norms(model)
    assert all(torch.equal(model.state_dict()[name], state_dict[name]) for name in state_dict)


def test_has_the_published_number_of_parameters():
    assert sum(parameter.numel() for parameter in I3D().parameters()) == 12_697_264


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (224, 7, 2, (2, 3)),
        (15, 7, 2, (3, 3)),
        (112, 3, 2, (0, 1)),
        (5, 3, 2, (1, 1)),
        (28, 3, 1, (1, 1)),
        (14, 2, 2, (0, 0)),
        (7, 2, 2, (0, 1)),
        (9, 1, 1, (0, 0)),
        (10, 1, 3, (0, 0)),
    ],
)
def test_padding_is_tensorflows_with_the_odd_zero_at_the_end(size, kernel, stride, expected):
    assert same_padding([size], [kernel], [stride]) == [expected]
    padded = size + sum(expected)
    assert (padded - kernel) // stride + 1 == -(-size // stride)


def test_zeros_go_to_the_axis_they_are_meant_for():
    padded = pad(torch.ones(1, 1, 1, 1, 1), [(1, 0), (0, 2), (1, 1)])
    assert padded.shape == (1, 1, 2, 3, 3)
    assert padded[0, 0, 1, 0, 1] == 1
    assert padded.sum() == 1


def test_pooling_pads_with_zeros_and_not_with_minus_infinity():
    x = torch.full((1, 1, 2, 2, 2), -5.0)
    assert torch.equal(max_pool_same(x, kernel=(3, 3, 3), stride=(1, 1, 1)), torch.zeros_like(x))


@pytest.mark.parametrize("size", [(48, 64), (300, 260), (224, 224)])
def test_frames_are_resized_one_by_one_and_brought_to_minus_one_to_one(size):
    clips = np.random.default_rng(0).integers(0, 256, (2, 3, *size, 3), dtype=np.uint8)
    x = preprocess(torch.from_numpy(clips))
    assert x.shape == (2, 3, 3, 224, 224)
    frame = torch.from_numpy(clips[1, 2]).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(frame, (224, 224), mode="bilinear")[0] * 2 / 255 - 1
    assert torch.allclose(x[1, :, 2], expected, atol=1e-6)


def test_black_and_white_are_the_ends_of_the_range():
    ends = (
        torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1, 1).expand(2, 1, 224, 224, 3)
    )
    x = preprocess(ends)
    assert x[0].unique().tolist() == [-1]
    assert x[1].unique().tolist() == [1]


def cropped_slowly(frame):
    """One frame uint8 (H, W, 3) → (3, 224, 224), step by step as VideoGPT's code does it."""
    height, width = frame.shape[:2]
    x = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
    scale = 224 / min(height, width)
    size = (224, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), 224)
    x = torch.nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)
    top, left = (x.shape[2] - 224) // 2, (x.shape[3] - 224) // 2
    return (x[0, :, top : top + 224, left : left + 224] - 0.5) * 2


@pytest.mark.parametrize(
    "size", [(48, 64), (64, 48), (50, 50), (300, 261), (224, 225), (224, 224), (25, 25)]
)
def test_cropping_keeps_the_aspect_and_takes_the_middle(size):
    clips = np.random.default_rng(0).integers(0, 256, (2, 3, *size, 3), dtype=np.uint8)
    x = preprocess_crop(torch.from_numpy(clips))
    assert x.shape == (2, 3, 3, 224, 224)
    torch.testing.assert_close(x[1, :, 2], cropped_slowly(clips[1, 2]), atol=1e-5, rtol=0)


def test_cropping_drops_the_odd_column_at_the_end():
    clips = np.zeros((1, 1, 224, 227, 3), np.uint8)
    clips[..., 1:225, :] = 255  # 227 − 224 = 3: one column before, two after
    assert preprocess_crop(torch.from_numpy(clips)).unique().tolist() == [1]


def test_black_and_white_are_the_ends_of_the_cropped_range_too():
    for value, expected in ((0, -1.0), (255, 1.0)):
        x = preprocess_crop(torch.full((1, 1, 30, 40, 3), value, dtype=torch.uint8))
        torch.testing.assert_close(x, torch.full_like(x, expected), atol=1e-6, rtol=0)
