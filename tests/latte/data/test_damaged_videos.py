"""Damage in video files: refused where it is read, noted where it is not."""

import sys
from pathlib import Path

import av
import numpy as np
import pytest

from latte.data.errors import BrokenVideoError
from latte.data.ffmpeg import display_matrix
from latte.data.video import iterate_file, open_video, probe_file, read_file

CLIPS = Path(__file__).parents[2] / "data"


def test_damage_within_a_frame_is_refused_where_it_is_read(tmp_path, encode, plain):
    """FFmpeg would conceal it and go on with wrong pixels."""
    encode(tmp_path / "video.mp4", "libx264", "yuv420p", options={"x264-params": "asm=0:keyint=8"})
    expected = plain(tmp_path / "video.mp4")
    content = bytearray((tmp_path / "video.mp4").read_bytes())
    with av.open(str(tmp_path / "video.mp4")) as file:
        places = [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]
    place, size = places[20]
    content[place + size // 2 : place + size] = bytes(size - size // 2)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    assert probe_file(path).notes == ()  # only its decoder can see it
    np.testing.assert_array_equal(read_file(path, [3, 12]), expected[[3, 12]])
    with open_video(path) as video:
        for _ in range(2):  # also after a failure
            np.testing.assert_array_equal(video.read(range(8)), expected[:8])
            with pytest.raises(BrokenVideoError, match=r"damaged\.mp4: "):
                video.read(range(16, 24))
        np.testing.assert_array_equal(video.read([39]), expected[[39]])
    with pytest.raises(BrokenVideoError, match=r"damaged\.mp4: "):
        list(iterate_file(path))


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", "mp4"), ("libx265", "mkv")])
def test_damage_of_several_packets_is_noted_where_only_frames_before_it_are_read(
    tmp_path, codec, suffix, encode, plain
):
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"damaged.{suffix}"
    encode(whole, codec, "yuv420p", num_frames=60)
    content = bytearray(whole.read_bytes())
    with av.open(str(whole)) as file:
        places = [packet.pos for packet in file.demux(video=0) if packet.size]
    content[places[40] - 3 : places[40] + 200] = b"\x55" * 203
    path.write_bytes(content)
    assert probe_file(path).notes == ("damaged_later",)
    np.testing.assert_array_equal(read_file(path, range(16)), plain(whole)[:16])
    with pytest.raises(BrokenVideoError, match=rf"damaged\.{suffix}: "):
        read_file(path, [45])


@pytest.fixture
def damage_block(tmp_path, encode, plain):
    def damage(path, number):
        """A Matroska file of 150 frames whose block of this number has lost its header."""
        whole = tmp_path / "whole.mkv"
        encode(whole, "mpeg4", "yuv420p", num_frames=150)
        with av.open(str(whole)) as file:
            places = [packet.pos for packet in file.demux(video=0) if packet.size]
        content = bytearray(whole.read_bytes())
        content[places[number] : places[number] + 6] = bytes(6)
        path.write_bytes(content)
        return plain(whole)

    return damage


def test_a_video_whose_container_is_damaged_later_is_read_up_to_there_and_noted(
    tmp_path, damage_block
):
    path = tmp_path / "damaged.mkv"
    expected = damage_block(path, 100)
    assert "damaged_later" in probe_file(path).notes
    with open_video(path) as video:
        np.testing.assert_array_equal(video.read(range(80)), expected[:80])
        with pytest.raises(BrokenVideoError, match=r"damaged\.mkv: "):
            video.read([100])
    with pytest.raises(BrokenVideoError, match=r"damaged\.mkv: "):
        next(iterate_file(path))


def test_frames_that_a_container_has_lost_are_not_passed_over(tmp_path, plain, damage_block):
    path = tmp_path / "damaged.mkv"
    damage_block(path, 2)
    assert len(plain(path)) < 150  # FFmpeg goes on behind the damage
    with pytest.raises(BrokenVideoError, match=r"damaged\.mkv: "):
        read_file(path, [5])


def test_what_a_damaged_stream_leaves_out_does_not_depend_on_what_was_read_before():
    path = CLIPS / "flipped_bit.webm"
    frames = np.stack(list(iterate_file(path)))
    for index in (7, 12, 23):
        np.testing.assert_array_equal(read_file(path, [index])[0], frames[index])
    with open_video(path) as video:
        np.testing.assert_array_equal(video.read(range(12)), frames[:12])
        np.testing.assert_array_equal(video.read(range(12, 24)), frames[12:])


def test_a_picture_is_freed_when_nobody_needs_it():
    with av.open(str(CLIPS / "closed_groups.mp4")) as file:
        picture = next(file.decode(video=0))
        before = sys.getrefcount(picture)
        assert display_matrix(picture) is None
        assert sys.getrefcount(picture) == before
