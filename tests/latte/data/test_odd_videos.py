"""Video files that decoders read in several ways, or wrongly."""

import io
import itertools
import os
import shutil
import sys
from fractions import Fraction
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest

from evaluation.results.caveats import VIDEO_NOTES
from latte.data.errors import BrokenVideoError
from latte.data.video import Note, iterate_file, open_video, probe_file, read_file, write_video

CLIPS = Path(__file__).parents[2] / "data"


def plain(path):
    """Slow oracle: every frame in turn, as FFmpeg gives them."""
    with av.open(f"file:{path}") as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def encode(path, codec, pixels, *, container=None, options=None, times=None, num_frames=40):
    """A moving clip of 96×72 in a file of any kind."""
    rows, columns = np.mgrid[0:72, 0:96]
    with av.open(str(path) if isinstance(path, Path) else path, "w", format=container) as file:
        stream = file.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = 96, 72, pixels
        stream.codec_context.thread_count = 1
        for step in range(num_frames):
            image = np.stack([rows * 3, columns * 2 + step * 4, (rows + columns) // 2], -1)
            image[step : step + 20, 2 * step : 2 * step + 20] = 255
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")
            frame = frame.reformat(format=pixels)
            frame.pts = times[step] if times else step
            frame.time_base = Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def copy_packets(source, target, skipped=0):
    """The packets of a file, without the first, in another container."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in itertools.islice(old.demux(video=0), skipped, None):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


def check_reading(path, expected):
    """All ways of reading give these frames."""
    assert probe_file(path).num_frames == len(expected)
    np.testing.assert_array_equal(list(iterate_file(path)), expected)
    with open_video(path) as video:
        for frames in ([len(expected) - 1], [5, 2, 5], [6, 9], [0], [20, 21], list(range(10, 25))):
            np.testing.assert_array_equal(video.read(frames), expected[frames])


def test_each_note_has_its_words():
    assert set(VIDEO_NOTES) == set(get_args(Note))


SIGNS = [(1, 1), (1, -1), (-1, 1), (-1, -1)]


@pytest.mark.parametrize(
    ("a", "b", "c", "d"), [(a, 0, 0, d) for a, d in SIGNS] + [(0, b, c, 0) for b, c in SIGNS]
)
def test_frames_are_upright_as_the_display_matrix_says(tmp_path, a, b, c, d):
    content = bytearray((CLIPS / "closed_groups.mp4").read_bytes())
    place = content.index(b"tkhd") + 44
    numbers = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], ">i4")
    content[place : place + 36] = numbers.tobytes()
    path = tmp_path / "turned.mp4"
    path.write_bytes(content)
    coded = plain(CLIPS / "closed_groups.mp4")[:3]
    rows, columns = np.mgrid[0 : coded.shape[1], 0 : coded.shape[2]]
    x, y = a * columns + c * rows, b * columns + d * rows  # ISO/IEC 14496-12, 6.2.2
    x, y = x - x.min(), y - y.min()
    expected = np.zeros((3, y.max() + 1, x.max() + 1, 3), np.uint8)
    expected[:, y, x] = coded
    info = probe_file(path)
    assert (info.height, info.width) == expected.shape[1:3]
    assert info.notes == (() if (a, d) == (1, 1) else ("rotated",))
    np.testing.assert_array_equal(read_file(path, range(3)), expected)
    np.testing.assert_array_equal(list(itertools.islice(iterate_file(path), 3)), expected)


def test_frames_that_are_turned_by_no_right_angle_are_refused(tmp_path):
    content = bytearray((CLIPS / "closed_groups.mp4").read_bytes())
    place = content.index(b"tkhd") + 44
    content[place : place + 20] = np.array([46341, 46341, 0, -46341, 46341], ">i4").tobytes()
    path = tmp_path / "turned.mp4"
    path.write_bytes(content)
    for use in (probe_file, lambda path: read_file(path, [0])):
        with pytest.raises(BrokenVideoError, match=r"turned\.mp4: .*right angle"):
            use(path)


@pytest.mark.parametrize("container", ["mpegts", "mpeg", "vob", "avi", "matroska"])
def test_mpeg2_has_the_frames_of_plain_decoding_in_any_container(tmp_path, container):
    path = tmp_path / "video.mpg"
    options = {"bf": "2", "g": "12"}
    encode(path, "mpeg2video", "yuv420p", container=container, options=options)
    expected = plain(path)
    assert len(expected) == 40
    check_reading(path, expected)
    notes = probe_file(path).notes
    assert ("counted" in notes) == (container in ("mpegts", "mpeg", "vob"))
    copy_packets(path, tmp_path / "copy.mkv")
    np.testing.assert_array_equal(list(iterate_file(tmp_path / "copy.mkv")), expected)


def test_a_transport_stream_that_lacks_packets_is_noted(tmp_path):
    """FFmpeg leaves out the frames that were in them, so that all others have other numbers."""
    whole, path = tmp_path / "whole.ts", tmp_path / "gaps.ts"
    encode(whole, "mpeg2video", "yuv420p", options={"bf": "2", "g": "12"})
    content = whole.read_bytes()
    assert "gaps" not in probe_file(whole).notes
    packets = [content[place : place + 188] for place in range(0, len(content), 188)]
    begins = [k for k, packet in enumerate(packets) if packet[1] & 0x40 and packet[2] == 0]
    begins = [k for k in begins if packets[k][1] & 0x1F]  # of frames, not of tables
    path.write_bytes(b"".join(packets[: begins[7]] + packets[begins[8] :]))
    assert len(plain(path)) == 39
    assert "gaps" in probe_file(path).notes
    path.write_bytes(content[:-100])
    assert "gaps" in probe_file(path).notes


@pytest.mark.parametrize(
    ("source", "suffix"),
    [
        ("closed_groups.mp4", "mkv"),
        ("closed_groups.mp4", "mp4"),
        ("closed_groups.mp4", "ts"),
        ("b_frames.avi", "avi"),
        ("b_frames.avi", "mkv"),
        ("short.webm", "mkv"),
    ],
)
def test_a_file_that_begins_with_frames_that_cannot_be_decoded_is_refused(tmp_path, source, suffix):
    copy_packets(CLIPS / source, tmp_path / f"video.{suffix}", skipped=3)
    with pytest.raises(BrokenVideoError, match=rf"video\.{suffix}: "):
        probe_file(tmp_path / f"video.{suffix}")
    with pytest.raises(BrokenVideoError, match=rf"video\.{suffix}: "):
        read_file(tmp_path / f"video.{suffix}", [0])


@pytest.mark.parametrize("codec", ["mpeg2video", "mpeg4"])
def test_a_copy_that_begins_within_a_video_has_the_frames_that_can_be_decoded(tmp_path, codec):
    """Open groups of pictures: two frames before the key frame build on what was cut off."""
    encode(tmp_path / "whole.mkv", codec, "yuv420p", options={"bf": "2", "g": "12"})
    with av.open(str(tmp_path / "whole.mkv")) as file:
        keys = [place for place, packet in enumerate(file.demux(video=0)) if packet.is_keyframe]
    path = tmp_path / "cut.mkv"
    copy_packets(tmp_path / "whole.mkv", path, skipped=keys[1])
    check_reading(path, plain(path))
    assert probe_file(path).notes == ("fewer_frames",)
    np.testing.assert_array_equal(plain(path), plain(tmp_path / "whole.mkv")[-len(plain(path)) :])


def test_an_avi_with_dropped_frames_has_those_that_it_holds(tmp_path):
    path = tmp_path / "dropped.avi"
    times = [*range(10), *range(15, 45)]
    encode(path, "mjpeg", "yuvj420p", times=times)
    check_reading(path, plain(path))
    assert probe_file(path).notes == ("fewer_frames",)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 9000] = bytes(9000)
    path.write_bytes(content)
    with pytest.raises(BrokenVideoError, match=r"dropped\.avi: .*damaged"):
        probe_file(path)


class Pipe(io.RawIOBase):
    """A file whose writer cannot go back."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data)
        return len(data)


@pytest.mark.parametrize(("container", "codec"), [("avi", "mjpeg"), ("matroska", "mpeg4")])
def test_what_was_written_to_a_pipe_is_read(tmp_path, container, codec):
    pipe = Pipe()
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    encode(pipe, codec, pixels, container=container)
    path = tmp_path / "piped"
    path.write_bytes(pipe.content)
    check_reading(path, plain(path))
    assert probe_file(path).notes == ("end_not_stated",)


@pytest.mark.parametrize("name", ["closed_groups.mp4", "no_frame_count.mkv", "b_frames.avi"])
@pytest.mark.parametrize("more", [bytes(500), b"uploaded by somebody " * 40, b"\xff" * 3000])
def test_bytes_after_the_end_are_noted(tmp_path, name, more):
    path = tmp_path / name
    path.write_bytes((CLIPS / name).read_bytes() + more)
    check_reading(path, plain(CLIPS / name))
    assert probe_file(path).notes == ("bytes_after_end",)


def test_interlaced_frames_and_transparency_are_noted(tmp_path):
    options = {"x264-params": "interlaced=1:asm=0"}
    encode(tmp_path / "fields.mp4", "libx264", "yuv420p", options=options)
    assert probe_file(tmp_path / "fields.mp4").notes == ("interlaced",)
    check_reading(tmp_path / "fields.mp4", plain(tmp_path / "fields.mp4"))
    encode(tmp_path / "alpha.mov", "png", "rgba")
    assert probe_file(tmp_path / "alpha.mov").notes == ("transparent",)
    encode(tmp_path / "plain.mov", "png", "rgb24")
    assert probe_file(tmp_path / "plain.mov").notes == ()


@pytest.mark.parametrize("folder", ["run:1", "https:", "2024-01-01T12:30:00"])
def test_a_colon_is_a_letter_like_any_other(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    path = Path(folder, "prompt: a cat.mkv")
    path.parent.mkdir()
    clip = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    write_video(path, clip, fps=8)
    assert probe_file(path).num_frames == 3
    np.testing.assert_array_equal(read_file(path, range(3)), clip)


@pytest.mark.parametrize(
    "content",
    [
        "ffconcat version 1.0\nfile target.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\ntarget.mp4\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
        "1\n00:00:00,000 --> 00:00:02,000\nsubtitle\n\n",
        ";FFMETADATA1\ntitle=x\n",
    ],
    ids=["concat", "hls", "sdp", "dash", "subtitles", "metadata"],
)
def test_no_text_leads_to_another_file(tmp_path, content):
    shutil.copy(CLIPS / "closed_groups.mp4", tmp_path / "target.mp4")
    path = tmp_path / "list.mp4"
    path.write_text(content * 3 if "-->" in content else content)
    for use in (probe_file, lambda path: read_file(path, [0])):
        with pytest.raises(BrokenVideoError, match=r"list\.mp4: "):
            use(path)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no named pipes in folders")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    for use in (probe_file, lambda path: read_file(path, [0])):
        with pytest.raises(BrokenVideoError, match=r"pipe\.mp4: .*named pipe"):
            use(tmp_path / "pipe.mp4")


def test_damage_within_a_frame_is_refused_where_it_is_read(tmp_path):
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
    np.testing.assert_array_equal(read_file(path, [3, 12]), expected[[3, 12]])
    with open_video(path) as video:
        for _ in range(2):  # also after a failure
            np.testing.assert_array_equal(video.read(range(8)), expected[:8])
            with pytest.raises(BrokenVideoError, match=r"damaged\.mp4: "):
                video.read(range(16, 24))
        np.testing.assert_array_equal(video.read([39]), expected[[39]])
    with pytest.raises(BrokenVideoError, match=r"damaged\.mp4: "):
        list(iterate_file(path))


def with_damaged_block(path, number):
    """A Matroska file of 150 frames whose block of this number has lost its header."""
    whole = path.with_stem("whole")
    encode(whole, "mpeg4", "yuv420p", num_frames=150)
    with av.open(str(whole)) as file:
        places = [packet.pos for packet in file.demux(video=0) if packet.size]
    content = bytearray(whole.read_bytes())
    content[places[number] : places[number] + 6] = bytes(6)
    path.write_bytes(content)
    return plain(whole)


def test_a_video_whose_container_is_damaged_later_is_read_up_to_there_and_noted(tmp_path):
    path = tmp_path / "damaged.mkv"
    expected = with_damaged_block(path, 100)
    assert "damaged_later" in probe_file(path).notes
    with open_video(path) as video:
        np.testing.assert_array_equal(video.read(range(80)), expected[:80])
        with pytest.raises(BrokenVideoError, match=r"damaged\.mkv: "):
            video.read([100])
    with pytest.raises(BrokenVideoError, match=r"damaged\.mkv: "):
        next(iterate_file(path))


def test_frames_that_a_container_has_lost_are_not_passed_over(tmp_path):
    path = tmp_path / "damaged.mkv"
    with_damaged_block(path, 2)
    assert len(plain(path)) < 150  # FFmpeg goes on behind the damage
    with pytest.raises(BrokenVideoError, match=r"damaged\.mkv: "):
        read_file(path, [5])


@pytest.mark.parametrize("name", ["closed_groups.mp4", "open_groups.mp4", "b_frames.avi"])
def test_what_is_read_does_not_depend_on_what_was_read_before(name):
    expected = plain(CLIPS / name)
    random = np.random.default_rng(0)
    with open_video(CLIPS / name) as video:
        for _ in range(30):
            frames = random.choice(len(expected), random.integers(1, 6))
            np.testing.assert_array_equal(video.read(frames.tolist()), expected[frames])


def test_frames_and_clips_beyond_the_limits_are_refused_before_they_are_decoded(monkeypatch):
    path = CLIPS / "closed_groups.mp4"
    monkeypatch.setenv("LATTE_MEMORY_LIMIT", str(128 * 96 * 128))  # that many pixels, one clip
    assert read_file(path, range(10)).shape == (10, 96, 128, 3)
    with pytest.raises(
        BrokenVideoError, match=r"closed_groups\.mp4: 11 frames .*LATTE_MEMORY_LIMIT"
    ):
        read_file(path, range(11))
    monkeypatch.setenv("LATTE_MEMORY_LIMIT", str(128 * 96 * 128 - 1))
    with pytest.raises(BrokenVideoError, match=r"closed_groups\.mp4: .*128×96.*LATTE_MEMORY_LIMIT"):
        probe_file(path)
