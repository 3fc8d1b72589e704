"""Whole preparations against the packages that they are named after."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latte.data.transforms import cd_fvd

SHAPES = [(240, 320), (320, 240), (97, 131), (131, 97), (64, 64), (33, 500), (49, 48), (7, 9)]


@pytest.fixture(scope="module")
def preprocess():
    """cd-fvd's own; its module imports what torchvision may have removed."""
    pytest.importorskip("cdfvd")
    try:
        from cdfvd.utils.data_utils import preprocess
    except ImportError as error:
        pytest.skip(f"cd-fvd's loader does not import here: {error}")
    return preprocess


def random_clip(height, width, num_frames=3):
    shape = (num_frames, height, width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def theirs(preprocess, clip, size):
    """As `compute_real_stats` takes a clip of the loader: times 255, cut off to whole levels."""
    video = preprocess(torch.from_numpy(clip), size)["video"]  # (C, T, H, W), 0 … 1
    return (video * 255).permute(1, 2, 3, 0).byte().numpy()


def difference(preprocess, clip, size):
    ours = cd_fvd(clip, size)
    return float(np.abs(ours.astype(int) - theirs(preprocess, clip, size)).max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [17, 64, 128, 256])
def test_cd_fvds_preparation_bit_for_bit(preprocess, check_difference, shape, size):
    worst = difference(preprocess, random_clip(*shape), size)
    if shape == SHAPES[0] and size == 256:
        check_difference("prepare: cd-fvd's resize and crop, grey levels", "cd-fvd 0.1.1", worst, 0)
    assert worst == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 70))
def test_cd_fvds_preparation_of_any_size_bit_for_bit(preprocess, height, width, size):
    assert difference(preprocess, random_clip(height, width, 1), size) == 0


def test_cd_fvds_way_through_0_to_1_costs_arrays_and_frame_folders_no_level():
    levels = torch.arange(256, dtype=torch.uint8)
    array = (levels / 255.0 * 255).byte()  # load_videos of an array
    folder = torch.from_numpy(levels.numpy().astype(np.float32) / np.float32(255))
    assert torch.equal(array, levels)
    assert torch.equal((folder * 255).byte(), levels)
