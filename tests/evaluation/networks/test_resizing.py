import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from evaluation.networks.resizing import clean_fid_resizer, tf1_bilinear

SIZES = [(24, 40), (37, 29), (400, 310), (299, 299), (1, 5)]


def noise(height, width, count=1, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def as_tensor(frames):
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float()


def clean_fid(frames, mode):
    return clean_fid_resizer(mode)(torch.from_numpy(frames)).numpy()


def all_three(frames):
    return {
        "clean": clean_fid(frames, "clean"),
        "legacy-tensorflow": tf1_bilinear(as_tensor(frames)).permute(0, 2, 3, 1).numpy(),
        "legacy-pytorch": clean_fid(frames, "legacy-pytorch"),
    }


def applied(rows, columns, frames):
    """The matrices (new, old) of both axes, on frames (n, H, W, 3), in float64."""
    across = np.einsum("jw,nhwc->nhjc", columns, frames, optimize=True)
    return np.einsum("ih,nhjc->nijc", rows, across, optimize=True)


def cubic_matrix(old, new):
    """Antialiased bicubic weights (new, old): Keys' kernel with a = −1/2, widened to shrink."""
    scale = old / new
    wide = max(scale, 1)
    places = (np.arange(old) + 0.5 - (np.arange(new)[:, None] + 0.5) * scale) / wide
    x = np.abs(places)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0))
    return weights / weights.sum(axis=1, keepdims=True)


def linear_matrix(old, new, *, centres):
    """Bilinear weights (new, old) of two pixels, read at i · old/new, or from centre to centre."""
    weights = np.zeros((new, old))
    for i in range(new):
        place = max((i + 0.5) * old / new - 0.5, 0) if centres else i * old / new
        lower = int(place)
        weights[i, lower] += 1 - (place - lower)
        weights[i, min(lower + 1, old - 1)] += place - lower
    return weights


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_every_mode_is_the_filter_that_it_says(height, width):
    frames = noise(height, width)
    matrices = {
        "clean": cubic_matrix,
        "legacy-tensorflow": lambda old, new: linear_matrix(old, new, centres=False),
        "legacy-pytorch": lambda old, new: linear_matrix(old, new, centres=True),
    }
    for mode, found in all_three(frames).items():
        matrix = matrices[mode]
        expected = applied(matrix(height, 299), matrix(width, 299), frames).clip(0, 255)
        assert found.dtype == np.float32
        assert found.shape == (1, 299, 299, 3)
        assert np.abs(found - expected).max() < 0.01, mode  # places are float32, steps up to 255


@pytest.mark.parametrize("value", [0, 77, 255])
def test_one_colour_stays_that_colour(value):
    for size in (24, 400):
        for found in all_three(np.full((1, size, size + 3, 3), value, np.uint8)).values():
            assert np.abs(found - value).max() < 1e-3


def test_frames_of_the_size_that_is_wanted_stay_as_they_are():
    frames = noise(299, 299, count=2)
    for found in all_three(frames).values():
        assert np.array_equal(found, frames)


def test_values_between_grey_levels_are_kept_and_overshoot_is_cut():
    edge = np.zeros((1, 30, 30, 3), np.uint8)
    edge[:, :, 15:] = 255
    found = clean_fid(edge, "clean")
    assert found.min() == 0
    assert found.max() == 255
    assert ((found > 0) & (found < 255) & (found % 1 > 0.1) & (found % 1 < 0.9)).any()


def test_only_the_clean_mode_filters_before_it_drops_pixels():
    stripes = np.zeros((1, 598, 598, 3), np.uint8)
    stripes[:, :, ::2] = 255
    found = {mode: frames[0, 100:200, 100:200] for mode, frames in all_three(stripes).items()}
    assert np.abs(found["clean"] - 127.5).max() < 1
    assert np.unique(found["legacy-tensorflow"]).tolist() == [255]


def test_tensorflow_1_reads_from_the_corner_and_repeats_the_last_pixel():
    ramp = torch.tensor([0.0, 8.0]).reshape(1, 1, 1, 2).expand(1, 1, 2, 2)
    assert tf1_bilinear(ramp, 4)[0, 0, 0].tolist() == [0, 4, 8, 8]


@pytest.mark.parametrize(("height", "width"), SIZES[:3])
def test_tensorflow_1_samples_where_stylegans_torchscript_does(height, width):
    x = as_tensor(noise(height, width))
    theta = torch.eye(2, 3)
    theta[0, 2], theta[1, 2] = 1 / width - 1 / 299, 1 / height - 1 / 299
    grid = functional.affine_grid(theta[None], [1, 3, 299, 299], align_corners=False)
    sampled = functional.grid_sample(x, grid, "bilinear", "border", align_corners=False)
    assert (tf1_bilinear(x) - sampled).abs().max() < 0.02


def test_frames_do_not_see_each_other():
    frames = noise(24, 40, count=3)
    single = [all_three(frame[None]) for frame in frames]
    for mode, found in all_three(frames).items():
        assert np.array_equal(found, np.concatenate([each[mode] for each in single]))
    assert clean_fid(frames[:0], "clean").shape == (0, 299, 299, 3)


def test_a_view_gives_what_its_copy_gives():
    view = noise(48, 40)[:, ::2]
    copy = np.ascontiguousarray(view)
    assert np.array_equal(all_three(view)["clean"], all_three(copy)["clean"])


def test_clean_fids_resizers_leave_the_filters_of_warnings_alone():
    filters = list(warnings.filters)
    clean_fid_resizer.cache_clear()
    all_three(noise(5, 5))
    assert warnings.filters == filters


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_clean_mode_is_pillows_filter_bit_for_bit(height, width):
    frames = noise(height, width)
    planes = [
        Image.fromarray(plane.astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC)
        for plane in np.moveaxis(frames[0], 2, 0)
    ]
    expected = np.stack([np.asarray(plane) for plane in planes], axis=2).clip(0, 255)
    assert np.array_equal(clean_fid(frames, "clean")[0], expected)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_pytorch_mode_is_torchs_filter_bit_for_bit(height, width):
    frames = noise(height, width)
    expected = functional.interpolate(as_tensor(frames), (299, 299), mode="bilinear")
    found = torch.from_numpy(clean_fid(frames, "legacy-pytorch"))
    assert torch.equal(found, expected.permute(0, 2, 3, 1))
