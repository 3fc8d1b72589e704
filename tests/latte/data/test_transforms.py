import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tvf

from latte.data.transforms import (
    FILTERS,
    OWN_FILTERS,
    RECIPES,
    cd_fvd,
    crop_then_resize,
    digan,
    encode_image,
    jpeg_round_trip,
    resize_then_crop,
    videogpt,
)

SIZES = [(240, 320), (240, 426), (320, 240), (97, 131), (131, 97), (64, 64), (33, 500), (48, 49)]


def decode_image(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def random_clip(height, width, num_frames=2, seed=0):
    shape = (num_frames, height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def torchvision_resize_then_crop(clip, size):
    lanczos = InterpolationMode.LANCZOS
    images = [tvf.resize(Image.fromarray(frame), size, interpolation=lanczos) for frame in clip]
    return np.stack([np.asarray(tvf.center_crop(image, [size, size])) for image in images])


def torchvision_crop_then_resize(clip, size):
    short = min(clip.shape[1:3])
    images = [tvf.center_crop(Image.fromarray(frame), [short, short]) for frame in clip]
    lanczos = InterpolationMode.LANCZOS
    return np.stack(
        [np.asarray(tvf.resize(image, size, interpolation=lanczos)) for image in images]
    )


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("size", [32, 63, 64, 128])
def test_stylegan_v_preparation_is_torchvisions_bit_for_bit(shape, size):
    clip = random_clip(*shape)
    np.testing.assert_array_equal(
        resize_then_crop(clip, size), torchvision_resize_then_crop(clip, size)
    )


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("size", [32, 63, 64, 128])
def test_latte_preparation_is_torchvisions_bit_for_bit(shape, size):
    clip = random_clip(*shape)
    np.testing.assert_array_equal(
        crop_then_resize(clip, size), torchvision_crop_then_resize(clip, size)
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 70))
def test_any_size_gives_squares_as_torchvision_does(height, width, size):
    clip = random_clip(height, width, num_frames=1)
    for ours, reference in (
        (resize_then_crop, torchvision_resize_then_crop),
        (crop_then_resize, torchvision_crop_then_resize),
    ):
        prepared = ours(clip, size)
        assert prepared.shape == (1, size, size, 3)
        np.testing.assert_array_equal(prepared, reference(clip, size))


def test_the_two_preparations_differ():
    clip = random_clip(90, 131)
    assert (resize_then_crop(clip, 64) != crop_then_resize(clip, 64)).any()


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("filter", FILTERS)
def test_filters_are_pils(shape, filter):
    clip = random_clip(*shape, num_frames=1)
    (image,) = (Image.fromarray(frame) for frame in clip)
    resampling = getattr(Image.Resampling, filter.upper())
    short = min(shape)
    width, height = (int(64 * side / short) for side in image.size)
    whole = image.resize((width, height), resampling)
    left, top = round((width - 64) / 2), round((height - 64) / 2)
    expected = np.asarray(whole.crop((left, top, left + 64, top + 64)))
    np.testing.assert_array_equal(resize_then_crop(clip, 64, filter)[0], expected)
    left, top = round((shape[1] - short) / 2), round((shape[0] - short) / 2)
    square = image.crop((left, top, left + short, top + short))
    expected = np.asarray(square.resize((64, 64), resampling))
    np.testing.assert_array_equal(crop_then_resize(clip, 64, filter)[0], expected)


def test_every_filter_makes_other_frames():
    clip = random_clip(90, 131, num_frames=1)
    made = {resize_then_crop(clip, 64, filter).tobytes() for filter in FILTERS}
    assert len(made) == len(FILTERS)


def slow_bilinear(plane, height, width):
    """float64 (H, W) → (height, width), by the definition: pixel centres, edges held, no filter."""
    rows, columns = plane.shape
    resized = np.empty((height, width))
    for i in range(height):
        y = max((i + 0.5) * rows / height - 0.5, 0)
        top, bottom = int(y), min(int(y) + 1, rows - 1)
        for j in range(width):
            x = max((j + 0.5) * columns / width - 0.5, 0)
            left, right = int(x), min(int(x) + 1, columns - 1)
            above = plane[top, left] * (1 - x % 1) + plane[top, right] * (x % 1)
            below = plane[bottom, left] * (1 - x % 1) + plane[bottom, right] * (x % 1)
            resized[i, j] = above * (1 - y % 1) + below * (y % 1)
    return resized


@pytest.mark.parametrize("shape", [(20, 33), (33, 20), (15, 15), (9, 40)])
@pytest.mark.parametrize("recipe", [videogpt, digan])
def test_recipes_without_antialiasing_are_bilinear_by_the_definition(shape, recipe):
    clip = random_clip(*shape, num_frames=1)
    plane = clip[0, :, :, 1].astype(float)
    height, width = shape
    size, short = 12, min(shape)
    if recipe is digan:
        top, left = (height - short) // 2, (width - short) // 2
        expected = slow_bilinear(plane[top : top + short, left : left + short], size, size)
    else:
        target = (math.ceil(height * (size / short)), math.ceil(width * (size / short)))
        top, left = (target[0] - size) // 2, (target[1] - size) // 2
        expected = slow_bilinear(plane, *target)[top : top + size, left : left + size]
    made = recipe(clip, size)[0, :, :, 1]
    # Cut off, after float32 arithmetic that may end just below a whole level.
    assert np.all(made <= expected + 1e-3)
    assert np.all(made > expected - 1 - 1e-3)


@pytest.mark.parametrize("recipe", [cd_fvd, videogpt, digan])
def test_recipes_by_torch_do_not_depend_on_its_threads(recipe):
    clip = random_clip(97, 131, num_frames=4)
    threads = torch.get_num_threads()
    try:
        made = []
        for number in (1, 3):
            torch.set_num_threads(number)
            made.append(recipe(clip, 50))
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(*made)


@pytest.mark.parametrize("recipe", OWN_FILTERS)
def test_recipes_by_torch_have_one_filter(recipe):
    with pytest.raises(ValueError, match=r"bilinear.*lanczos"):
        RECIPES[recipe](random_clip(9, 9), 8, "lanczos")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_clip_of_the_wanted_size_is_left_as_it_is(recipe):
    clip = random_clip(64, 64)
    made = RECIPES[recipe](clip, 64)
    if recipe == "videogpt":
        lower = clip - made
        assert set(np.unique(lower)) == {0, 1}
    else:
        np.testing.assert_array_equal(made, clip)


def test_videogpts_way_through_floats_costs_63_grey_levels():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    lower = levels[..., 0].astype(int) - videogpt(levels, 16)[..., 0]
    assert (lower.min(), lower.max(), lower.sum()) == (0, 1, 63)


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_frame_is_prepared_by_itself(recipe):
    clip = random_clip(50, 77, num_frames=3)
    apart = np.concatenate([RECIPES[recipe](frame[None], 32) for frame in clip])
    np.testing.assert_array_equal(RECIPES[recipe](clip, 32), apart)


def test_jpeg_of_quality_75_is_what_pil_writes_by_default():
    """The official scripts pass `q=95`, which PIL does not know: they get its default."""
    frame = random_clip(50, 61)[0]
    default, official = io.BytesIO(), io.BytesIO()
    Image.fromarray(frame).save(default, format="JPEG")
    Image.fromarray(frame).save(official, format="JPEG", q=95)
    assert encode_image(frame, "jpg") == default.getvalue() == official.getvalue()
    assert encode_image(frame, "jpg", 95) != default.getvalue()


def test_a_jpeg_round_trip_is_encoding_and_decoding_each_frame():
    clip = random_clip(32, 40)
    expected = np.stack([decode_image(encode_image(frame, "jpg")) for frame in clip])
    round_trip = jpeg_round_trip(clip)
    np.testing.assert_array_equal(round_trip, expected)
    assert (round_trip != clip).any()
    assert round_trip.shape == clip.shape


def test_png_loses_nothing():
    frame = random_clip(32, 40)[0]
    np.testing.assert_array_equal(decode_image(encode_image(frame, "png")), frame)
