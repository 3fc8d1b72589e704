import io

import numpy as np
import pytest
from PIL import Image

from reports.charts.contact_sheet import (
    PICTURE_HEIGHT,
    Strip,
    contact_sheet,
    png_bytes,
    strip_image,
)


def pictures(count: int = 3, height: int = 4, width: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def test_a_strip_repeats_pixels_and_never_blends_them() -> None:
    strip = Strip(label="a", pictures=pictures())
    image = strip_image(strip, scale=3)
    assert image.shape == (12, 3 * (3 * 6 - 1), 4)
    second = image[:, 3 * 6 : 3 * 11]
    np.testing.assert_array_equal(second[1::3, 1::3, :3], strip.pictures[1])
    np.testing.assert_array_equal(second[0::3, 2::3], second[2::3, 0::3])
    assert (image[:, 15:18, 3] == 0).all()
    assert (second[..., 3] == 255).all()


def test_a_contact_sheet_holds_every_picture_at_a_whole_factor() -> None:
    strips = [
        Strip(label="short", pictures=pictures(2)),
        Strip(label="a much longer label", pictures=pictures(4, 8, 8), note="class 3"),
    ]
    sheet = contact_sheet(strips)
    assert sheet.dtype == np.uint8
    for strip in strips:
        scale = PICTURE_HEIGHT // strip.pictures.shape[1]
        for picture in strip.pictures:
            large = picture.repeat(scale, axis=0).repeat(scale, axis=1)
            lines = np.lib.stride_tricks.sliding_window_view(sheet, (1, *large.shape[1:]))
            top, left = np.argwhere((lines[:, :, 0, 0] == large[0]).all(axis=(2, 3)))[0]
            found = sheet[top : top + large.shape[0], left : left + large.shape[1]]
            np.testing.assert_array_equal(found, large)


def test_labels_are_drawn_left_of_the_pictures() -> None:
    blank = np.full((1, 8, 8, 3), 255, dtype=np.uint8)
    assert (contact_sheet([Strip(label="", pictures=blank)]) == 255).all()
    labelled = contact_sheet([Strip(label="blur", pictures=blank)])
    assert (labelled < 128).any()


def test_a_name_with_line_breaks_is_drawn_on_one_line() -> None:
    sheets = [
        contact_sheet([Strip(label=f"a{gap}b", pictures=pictures(), note=f"c{gap}d")])
        for gap in ("\n", " ")
    ]
    np.testing.assert_array_equal(*sheets)


def test_png_bytes_read_back_as_the_image() -> None:
    image = pictures(1)[0]
    with Image.open(io.BytesIO(png_bytes(image))) as read:
        np.testing.assert_array_equal(np.asarray(read), image)
    assert png_bytes(image) == png_bytes(image)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 4, 4, 3)), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4, 4, 3), np.uint8)],
)
def test_pictures_of_another_kind_are_refused_by_dtype_and_shape(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 .*\(K, H, W, 3\)"):
        Strip(label="a", pictures=wrong)
