import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tvf

from latte.data.transforms import (
    RECIPES,
    crop_then_resize,
    decode_image,
    encode_image,
    jpeg_round_trip,
    resize_then_crop,
)

SIZES = [(240, 320), (240, 426), (320, 240), (97, 131), (131, 97), (64, 64), (33, 500), (48, 49)]


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


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_clip_of_the_wanted_size_is_left_as_it_is(recipe):
    clip = random_clip(64, 64)
    np.testing.assert_array_equal(RECIPES[recipe](clip, 64), clip)


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
