import hashlib
import os
import stat
import struct
import zlib
from functools import partial

import numpy as np
import pytest
from PIL import Image

from latte.data.errors import BrokenVideoError
from latte.data.frames import FrameFolder, natural_key
from latte.data.video import VideoInfo


def picture(seed, height=12, width=20, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Five frames with numbers that are not padded, and files that are no frames."""
    for index in (0, 1, 2, 10, 11):
        Image.fromarray(picture(index)).save(tmp_path / f"frame{index}.png")
    (tmp_path / "notes.txt").write_text("no frame")
    (tmp_path / ".hidden.png").write_bytes(b"no frame")
    return FrameFolder(name="video", path=tmp_path)


def test_length_and_size_come_from_the_names_and_the_first_header(folder):
    assert folder.probe() == VideoInfo(num_frames=5, height=12, width=20)


def test_frames_are_in_the_order_of_their_numbers(folder):
    clip = folder.read([0, 3, 4, 3])
    np.testing.assert_array_equal(clip, [picture(index) for index in (0, 10, 11, 10)])
    assert clip.dtype == np.uint8


def test_natural_order_keeps_text_apart_from_numbers():
    names = ["b1", "a10", "a2", "a", "a02", "10", "9"]
    assert sorted(names, key=lambda name: (natural_key(name), name)) == [
        "9",
        "10",
        "a",
        "a02",
        "a2",
        "a10",
        "b1",
    ]


def test_only_the_frames_that_are_asked_for_are_opened(folder):
    (folder.path / "frame1.png").write_bytes(b"damaged")
    np.testing.assert_array_equal(folder.read([0, 2]), [picture(0), picture(2)])


def test_the_digest_is_of_the_names_and_bytes_of_these_frames_alone(folder):
    before = folder.digest([0, 2])
    assert before == folder.digest([0, 2])
    assert before != folder.digest([0, 1])
    (folder.path / "frame11.png").write_bytes(b"another frame")
    assert folder.digest([0, 2]) == before
    Image.fromarray(picture(99)).save(folder.path / "frame2.png")
    assert folder.digest([0, 2]) != before
    expected = hashlib.sha256()
    for name in ("frame0.png", "frame2.png"):
        content = (folder.path / name).read_bytes()
        expected.update(f"{name}\0{len(content)}\0".encode() + content)
    assert folder.digest([0, 2]) == expected.hexdigest()


def test_a_frame_beyond_the_end_is_refused(folder):
    for use in (folder.read, folder.digest):
        with pytest.raises(BrokenVideoError, match=r"\b5\b.*\b5 frames"):
            use([0, 5])


def test_an_empty_or_missing_folder_is_refused(tmp_path):
    with pytest.raises(BrokenVideoError, match=rf"{tmp_path}: .*no frames"):
        FrameFolder(name="video", path=tmp_path).probe()
    with pytest.raises(BrokenVideoError, match=r"(?i)\bnone: .*no such file"):
        FrameFolder(name="video", path=tmp_path / "none").probe()


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def save_16_bit_rgb(path):
    """PIL cannot write it: a PNG by hand."""
    rows = b"".join(b"\0" + bytes(20 * 6) for _ in range(12))
    header = struct.pack(">IIBBBBB", 20, 12, 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def save_with_alpha(path, mode="RGBA", alpha=255):
    image = Image.fromarray(picture(0)).convert(mode)
    image.putalpha(alpha)
    image.save(path)


@pytest.mark.parametrize(
    ("save", "what"),
    [
        (
            Image.fromarray(np.arange(240, dtype=np.uint16).reshape(12, 20) * 200).save,
            "of PIL's mode I;16",
        ),
        (save_16_bit_rgb, "RGB of 16 bits"),
        (partial(Image.new("CMYK", (20, 12)).save, format="JPEG"), "of PIL's mode CMYK"),
    ],
)
def test_frames_that_are_not_of_8_bits_are_refused_not_converted(folder, save, what):
    save(folder.path / "frame0.png")
    for use in (folder.probe, lambda: folder.read([0])):
        with pytest.raises(BrokenVideoError, match=f"8 bits.*{what}") as caught:
            use()
        assert str(folder.path / "frame0.png") in str(caught.value)


def save_palette(path, **options):
    Image.fromarray(picture(0)).quantize(16).save(path, **options)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_that_hides_nothing_is_dropped(folder, mode):
    save_with_alpha(folder.path / "frame0.png", mode)
    grey = np.asarray(Image.fromarray(picture(0)).convert("L"))
    expected = picture(0) if mode == "RGBA" else np.stack([grey] * 3, -1)
    np.testing.assert_array_equal(folder.read([0])[0], expected)
    assert folder.probe().notes == (("alpha",) if mode == "RGBA" else ("alpha", "grey"))


@pytest.mark.parametrize(
    "save",
    [
        partial(save_with_alpha, alpha=254),
        partial(save_with_alpha, mode="LA", alpha=0),
        partial(save_palette, transparency=3),
    ],
)
def test_frames_through_which_something_shows_are_refused(folder, save):
    save(folder.path / "frame0.png")
    with pytest.raises(BrokenVideoError, match=r"frame0\.png: .*\bopaque\b"):
        folder.read([0])


def test_grey_levels_and_palettes_become_rgb(folder):
    grey = picture(0, channels=1)
    Image.fromarray(grey).save(folder.path / "frame0.png")
    np.testing.assert_array_equal(folder.read([0])[0], np.stack([grey] * 3, -1))
    assert folder.probe().notes == ("grey",)
    Image.fromarray(grey > 99).save(folder.path / "frame0.png")
    np.testing.assert_array_equal(folder.read([0])[0, ..., 1], (grey > 99) * np.uint8(255))
    save_palette(folder.path / "frame0.png")
    expected = np.asarray(Image.fromarray(picture(0)).quantize(16).convert("RGB"))
    np.testing.assert_array_equal(folder.read([0])[0], expected)


def test_mixed_sizes_are_refused(folder):
    Image.fromarray(picture(0, width=22)).save(folder.path / "frame2.png")
    with pytest.raises(BrokenVideoError, match=r"frame2\.png: .*22×12.*20×12"):
        folder.read([0, 1, 2])


def test_a_jpeg_called_png_is_read_by_its_content(folder):
    Image.fromarray(picture(7)).save(folder.path / "frame0.png", format="JPEG")
    with Image.open(folder.path / "frame0.png") as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(folder.read([0])[0], expected)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_truncated_image_is_refused(tmp_path, suffix):
    path = tmp_path / f"0.{suffix}"
    Image.fromarray(picture(0, 60, 60)).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(BrokenVideoError, match=rf"0\.{suffix}: .*truncated"):
        FrameFolder(name="video", path=tmp_path).read([0])


def test_what_is_no_image_is_refused(folder):
    (folder.path / "frame0.png").write_text("no image")
    with pytest.raises(BrokenVideoError, match=r"frame0\.png: .*not a PNG or JPEG"):
        folder.probe()


def test_a_png_whose_checksum_is_wrong_is_refused(folder):
    content = bytearray((folder.path / "frame0.png").read_bytes())
    place = content.index(b"IEND") - 5  # the last byte of the checksum before
    content[place] ^= 1
    (folder.path / "frame0.png").write_bytes(content)
    with pytest.raises(BrokenVideoError, match=r"frame0\.png: .*checksum"):
        folder.read([0])


def png_that_says(width, height, pixels=bytes(100)):
    """A header with its right checksum, and what it says are its pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_png_that_holds_fewer_pixels_than_it_says_is_refused(folder, kept):
    """PIL reads it without a word, and its missing rows as black."""
    pixels = bytes(12 * (1 + 3 * 20))
    (folder.path / "frame0.png").write_bytes(png_that_says(20, 12, pixels))
    assert not folder.read([0]).any()
    content = png_that_says(20, 12, pixels[: int(kept * len(pixels))])
    (folder.path / "frame0.png").write_bytes(content)
    with pytest.raises(BrokenVideoError, match=r"frame0\.png: .*(damage|truncated)"):
        folder.read([0])


def test_damage_in_a_jpeg_that_pil_paints_over_is_refused(tmp_path):
    path, folder = tmp_path / "0.jpg", FrameFolder(name="video", path=tmp_path)
    Image.fromarray(picture(0, 64, 64)).save(path, quality=90)
    content, refusals = bytearray(path.read_bytes()), []
    for place in range(1000, len(content) - 100, 50):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        try:
            folder.read([0])
        except BrokenVideoError as error:
            refusals.append(str(error))
    assert sum("FFmpeg finds damage" in refusal for refusal in refusals) >= 5


def exif(orientation):
    data = Image.Exif()
    data[0x112] = orientation
    return data.tobytes()


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pictures_are_not_turned_as_their_metadata_ask_and_this_is_noted(tmp_path, suffix):
    path, folder = tmp_path / f"0.{suffix}", FrameFolder(name="video", path=tmp_path)
    Image.fromarray(picture(0)).save(path, exif=exif(1))
    plain = folder.read([0])
    assert folder.probe().notes == ()
    for orientation in (2, 6, 8):
        Image.fromarray(picture(0)).save(path, exif=exif(orientation))
        assert folder.probe() == VideoInfo(num_frames=1, height=12, width=20, notes=("not_turned",))
        np.testing.assert_array_equal(folder.read([0]), plain)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("data", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])
@pytest.mark.filterwarnings("error")
def test_damaged_metadata_damage_no_pixel(tmp_path, suffix, data):
    path, folder = tmp_path / f"0.{suffix}", FrameFolder(name="video", path=tmp_path)
    Image.fromarray(picture(0)).save(path)
    plain = folder.read([0])
    Image.fromarray(picture(0)).save(path, exif=data)
    assert folder.probe().notes == ()
    np.testing.assert_array_equal(folder.read([0]), plain)


def test_the_limit_of_pixels_can_be_raised_beyond_that_of_pil(folder, monkeypatch):
    monkeypatch.setenv("LATTE_MEMORY_LIMIT", "32G")
    (folder.path / "frame0.png").write_bytes(png_that_says(14_000, 14_000))
    assert folder.probe().width == 14_000


@pytest.mark.parametrize(
    ("width", "height"), [(100_000, 100_000), (13_000, 13_000), (2**31 - 1, 1), (8192, 8193)]
)
def test_pictures_of_too_many_pixels_are_refused_before_they_are_decoded(folder, width, height):
    (folder.path / "frame0.png").write_bytes(png_that_says(width, height))
    for use in (folder.probe, lambda: folder.read([0])):
        with pytest.raises(BrokenVideoError, match=rf"frame0\.png: .*({width}|pixels)"):
            use()


def test_more_memory_than_a_clip_may_take_is_refused(folder, monkeypatch):
    monkeypatch.setenv("LATTE_MEMORY_LIMIT", str(4 * (2 * 12 * 20 * 3)))
    for module in ("limits", "ffmpeg"):
        monkeypatch.setattr(f"latte.data.{module}.max_pixels", lambda: 1000)
    assert len(folder.read([0, 1])) == 2
    with pytest.raises(BrokenVideoError, match=r"3 frames of 20×12.*LATTE_MEMORY_LIMIT"):
        folder.read([0, 1, 2])


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "link to itself", "dangling link"])
def test_what_is_no_regular_file_is_refused_not_waited_for(folder, kind):
    path = folder.path / "frame0.png"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("frame0.png" if kind == "link to itself" else "gone.png")
    for use in (folder.probe, lambda: folder.read([0]), lambda: folder.digest([0])):
        with pytest.raises(BrokenVideoError, match=rf"frame0\.png: .*\b{kind.split()[-1]}\b|link"):
            use()
