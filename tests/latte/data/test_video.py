from importlib import metadata
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from latte.data.errors import BrokenVideoError, InputError
from latte.data.video import (
    VideoInfo,
    decoder_version,
    iterate_file,
    probe_file,
    read_file,
    write_video,
)

CLIPS = Path(__file__).parents[2] / "data"
INFOS = {
    "closed_groups.mp4": (40, 96, 128),
    "open_groups.mp4": (40, 96, 128),
    "b_frames.avi": (40, 96, 128),
    "no_frame_count.mkv": (48, 72, 128),
    "short.webm": (20, 96, 128),
}


def decoded_from_the_start(path):
    """Slow oracle: every frame in turn, as FFmpeg gives them."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize("name", INFOS)
def test_length_and_size_are_what_the_file_holds(name):
    num_frames, height, width = INFOS[name]
    assert probe_file(CLIPS / name) == VideoInfo(num_frames=num_frames, height=height, width=width)


@pytest.mark.parametrize("name", INFOS)
def test_chosen_frames_are_those_of_decoding_from_the_start(name):
    every = decoded_from_the_start(CLIPS / name)
    random = np.random.default_rng(0)
    choices = [[0], [len(every) - 1], list(range(3, 19, 3))]
    choices += [sorted(random.choice(len(every), 5, replace=False).tolist()) for _ in range(12)]
    for frames in choices:
        clip = read_file(CLIPS / name, frames)
        assert clip.dtype == np.uint8
        np.testing.assert_array_equal(clip, every[frames])


@pytest.mark.parametrize("name", INFOS)
def test_chosen_frames_are_bit_for_bit_those_of_iterating(name):
    every = np.stack(list(iterate_file(CLIPS / name)))
    assert len(every) == INFOS[name][0]
    frames = [17, 2, 2, 19]
    np.testing.assert_array_equal(read_file(CLIPS / name, frames), every[frames])


def test_a_frame_beyond_the_end_is_named():
    with pytest.raises(BrokenVideoError, match=r"short\.webm: .*\b20\b.*\b20 frames"):
        read_file(CLIPS / "short.webm", [3, 20])


@pytest.mark.parametrize("name", INFOS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_file_that_is_cut_short_is_refused(tmp_path, name, share):
    content = (CLIPS / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(len(content) * share)])
    for use in (
        probe_file,
        lambda path: read_file(path, [0]),
        lambda path: next(iterate_file(path)),
    ):
        with pytest.raises(BrokenVideoError, match=f"{name}: .*cut short") as caught:
            use(path)
        assert str(path) in str(caught.value)


def test_a_file_whose_data_are_overwritten_is_refused(tmp_path):
    content = bytearray((CLIPS / "closed_groups.mp4").read_bytes())
    content[8000:14000] = b"\x55" * 6000
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    with pytest.raises(BrokenVideoError, match=r"damaged\.mp4"):
        list(iterate_file(path))


def test_an_avi_that_lost_most_of_its_frames_is_refused(tmp_path):
    content = bytearray((CLIPS / "b_frames.avi").read_bytes())
    content[9000:] = bytes(len(content) - 9000)
    path = tmp_path / "damaged.avi"
    path.write_bytes(content)
    with pytest.raises(BrokenVideoError, match=r"damaged\.avi: .*\b40 frames.*\b\d+.*damaged"):
        probe_file(path)


def test_frames_that_an_edit_list_hides_do_not_count():
    path = CLIPS / "edit_list.mp4"
    every = decoded_from_the_start(CLIPS / "closed_groups.mp4")[8:]
    assert probe_file(path).num_frames == 32
    np.testing.assert_array_equal(list(iterate_file(path)), every)
    for frames in ([0, 5, 6], [31], [3, 14, 25]):
        np.testing.assert_array_equal(read_file(path, frames), every[frames])


@pytest.mark.parametrize(
    "content", [b"this is no video\n" * 50, b"", np.random.default_rng(0).bytes(5000)]
)
def test_what_is_no_video_is_refused_in_one_sentence(tmp_path, content, capfd):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    for use in (probe_file, lambda path: read_file(path, [0])):
        with pytest.raises(BrokenVideoError) as caught:
            use(path)
        message = str(caught.value)
        assert message.startswith(str(path))
        assert "\n" not in message
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BrokenVideoError, match=r"none\.mp4: .*no such file"):
        probe_file(tmp_path / "none.mp4")


def test_a_file_with_sound_alone_is_refused(tmp_path):
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(BrokenVideoError, match=r"sound\.mkv: .*no video"):
        probe_file(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_called_mp4_is_refused(tmp_path, kind, capfd):
    path = tmp_path / "clip.mp4"
    Image.new("RGB", (64, 48)).save(path, format=kind)
    with pytest.raises(BrokenVideoError, match=r"clip\.mp4"):
        read_file(path, [0])
    assert capfd.readouterr() == ("", "")


def test_av1_is_decoded():
    path = CLIPS / "av1.mp4"
    assert probe_file(path) == VideoInfo(num_frames=6, height=64, width=96)
    np.testing.assert_array_equal(read_file(path, range(6)), decoded_from_the_start(path))


def test_lossless_files_come_back_bit_for_bit(tmp_path):
    clip = np.random.default_rng(0).integers(0, 256, (5, 30, 37, 3), dtype=np.uint8)
    write_video(tmp_path / "clip.mkv", clip, fps=29.97)
    assert probe_file(tmp_path / "clip.mkv") == VideoInfo(num_frames=5, height=30, width=37)
    np.testing.assert_array_equal(read_file(tmp_path / "clip.mkv", range(5)), clip)


@pytest.mark.parametrize("width", [16, 32, 48, 62, 64, 66, 84, 86])
def test_h264_files_of_any_width_come_back_nearly_the_same(tmp_path, width):
    rows, columns = np.mgrid[0:32, 0:width]
    clip = np.stack(
        [np.stack([rows * 6, columns * 2, rows + columns + t], -1) for t in range(12)]
    ).astype(np.uint8)
    write_video(tmp_path / "clip.mp4", clip, fps=8, lossless=False)
    back = read_file(tmp_path / "clip.mp4", range(12))
    assert np.abs(back.astype(int) - clip).mean() < 4


@pytest.mark.parametrize(
    "clip",
    [
        np.zeros((4, 8, 8, 3), np.float32),
        np.zeros((4, 8, 8), np.uint8),
        np.zeros((4, 8, 8, 4), np.uint8),
        np.zeros((0, 8, 8, 3), np.uint8),
    ],
)
def test_what_is_no_clip_is_not_written(tmp_path, clip):
    with pytest.raises(InputError, match=r"uint8 \(T, H, W, 3\)"):
        write_video(tmp_path / "clip.mkv", clip, fps=8)
    assert not (tmp_path / "clip.mkv").exists()


def test_h264_refuses_odd_sides(tmp_path):
    with pytest.raises(InputError, match=r"even.*7×8"):
        write_video(tmp_path / "clip.mp4", np.zeros((4, 8, 7, 3), np.uint8), fps=8, lossless=False)


def test_the_version_names_the_decoder():
    assert decoder_version() == f"pyav {metadata.version('av')}"
