"""Video files that decoders read in several ways, or wrongly."""

import io
import itertools
import os
import shutil
import sys
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest

from evaluation.results.caveats import VIDEO_NOTES
from latte.data.errors import BrokenVideoError
from latte.data.video import Note, iterate_file, open_video, probe_file, read_file, write_video

CLIPS = Path(__file__).parents[2] / "data"


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
def test_frames_are_upright_as_the_display_matrix_says(tmp_path, a, b, c, d, plain):
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
def test_mpeg2_has_the_frames_of_plain_decoding_in_any_container(
    tmp_path, container, encode, plain, copy_packets
):
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


def test_a_transport_stream_that_lacks_packets_is_noted(tmp_path, encode, plain):
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
def test_a_file_that_begins_with_frames_that_cannot_be_decoded_is_refused(
    tmp_path, source, suffix, copy_packets
):
    copy_packets(CLIPS / source, tmp_path / f"video.{suffix}", skipped=3)
    with pytest.raises(BrokenVideoError, match=rf"video\.{suffix}: "):
        probe_file(tmp_path / f"video.{suffix}")
    with pytest.raises(BrokenVideoError, match=rf"video\.{suffix}: "):
        read_file(tmp_path / f"video.{suffix}", [0])


@pytest.mark.parametrize("codec", ["mpeg2video", "mpeg4"])
def test_a_copy_that_begins_within_a_video_has_the_frames_that_can_be_decoded(
    tmp_path, codec, encode, plain, copy_packets
):
    """Open groups of pictures: two frames before the key frame build on what was cut off."""
    encode(tmp_path / "whole.mkv", codec, "yuv420p", options={"bf": "2", "g": "12"})
    with av.open(str(tmp_path / "whole.mkv")) as file:
        keys = [place for place, packet in enumerate(file.demux(video=0)) if packet.is_keyframe]
    path = tmp_path / "cut.mkv"
    copy_packets(tmp_path / "whole.mkv", path, skipped=keys[1])
    check_reading(path, plain(path))
    assert probe_file(path).notes == ("fewer_frames",)
    np.testing.assert_array_equal(plain(path), plain(tmp_path / "whole.mkv")[-len(plain(path)) :])


def test_an_avi_with_dropped_frames_has_those_that_it_holds(tmp_path, encode, plain):
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
def test_what_was_written_to_a_pipe_is_read(tmp_path, container, codec, encode, plain):
    pipe = Pipe()
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    encode(pipe, codec, pixels, container=container)
    path = tmp_path / "piped"
    path.write_bytes(pipe.content)
    check_reading(path, plain(path))
    assert probe_file(path).notes == ("end_not_stated",)


@pytest.mark.parametrize("name", ["closed_groups.mp4", "no_frame_count.mkv", "b_frames.avi"])
@pytest.mark.parametrize("more", [bytes(500), b"uploaded by somebody " * 40, b"\xff" * 3000])
def test_bytes_after_the_end_are_noted(tmp_path, name, more, plain):
    path = tmp_path / name
    path.write_bytes((CLIPS / name).read_bytes() + more)
    check_reading(path, plain(CLIPS / name))
    assert probe_file(path).notes == ("bytes_after_end",)


def test_interlaced_frames_and_transparency_are_noted(tmp_path, encode, plain):
    options = {"x264-params": "interlaced=1:asm=0"}
    encode(tmp_path / "fields.mp4", "libx264", "yuv420p", options=options)
    assert probe_file(tmp_path / "fields.mp4").notes == ("interlaced",)
    check_reading(tmp_path / "fields.mp4", plain(tmp_path / "fields.mp4"))
    encode(tmp_path / "alpha.mov", "png", "rgba")
    assert probe_file(tmp_path / "alpha.mov").notes == ("alpha",)
    encode(tmp_path / "plain.mov", "png", "rgb24")
    assert probe_file(tmp_path / "plain.mov").notes == ()
    encode(tmp_path / "grey.mov", "png", "gray")
    assert probe_file(tmp_path / "grey.mov").notes == ("grey",)
    clip = read_file(tmp_path / "grey.mov", [0, 3])
    np.testing.assert_array_equal(clip[..., 0], clip[..., 2])


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparency_beside_the_frames_is_noted(tmp_path, codec, encode):
    encode(tmp_path / "alpha.webm", codec, "yuva420p", options={"auto-alt-ref": "0"})
    assert probe_file(tmp_path / "alpha.webm").notes == ("alpha_unread",)


@pytest.mark.parametrize("opacity", [255, 254])
def test_videos_through_which_something_shows_are_refused(tmp_path, opacity):
    path = tmp_path / "alpha.mov"
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 4), np.uint8)
    frames[..., 3] = 255
    frames[2, 5, 7, 3] = opacity
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=8)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "rgba"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgba")))
        container.mux(stream.encode())
    np.testing.assert_array_equal(read_file(path, [0, 1]), frames[:2, ..., :3])
    if opacity == 255:
        np.testing.assert_array_equal(read_file(path, [2]), frames[2:, ..., :3])
        return
    with pytest.raises(BrokenVideoError, match=r"alpha\.mov: .*shows through"):
        read_file(path, [2])


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


@pytest.mark.parametrize("name", ["closed_groups.mp4", "open_groups.mp4", "b_frames.avi"])
def test_what_is_read_does_not_depend_on_what_was_read_before(name, plain):
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
