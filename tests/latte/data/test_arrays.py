import os
import pickle

import numpy as np
import pytest
from safetensors.numpy import save_file

from latte.data.arrays import open_array
from latte.data.errors import BrokenVideoError, InputError
from latte.data.video import VideoInfo

CLIPS = np.random.default_rng(0).integers(0, 256, (12, 5, 6, 7, 3), dtype=np.uint8)


def save_npy(path, array):
    np.save(path, array)


def save_fortran_npy(path, array):
    np.save(path, np.asfortranarray(array))


def save_npz(path, array):
    np.savez(path, array)


def save_fortran_npz(path, array):
    np.savez(path, videos=np.asfortranarray(array), labels=np.arange(len(array)))


def save_compressed_npz(path, array):
    np.savez_compressed(path, labels=np.arange(len(array)), videos=array)


def save_safetensors(path, array):
    save_file({"videos": np.ascontiguousarray(array), "labels": np.arange(len(array))}, path)


FORMATS = {
    "clips.npy": save_npy,
    "fortran.npy": save_fortran_npy,
    "clips.npz": save_npz,
    "fortran.npz": save_fortran_npz,
    "compressed.npz": save_compressed_npz,
    "clips.safetensors": save_safetensors,
}


@pytest.fixture(params=FORMATS)
def path(request, tmp_path):
    FORMATS[request.param](tmp_path / request.param, CLIPS)
    return tmp_path / request.param


def test_each_row_is_a_video(path):
    videos = open_array(path)
    assert [video.name for video in videos] == [f"{row:02d}" for row in range(12)]
    assert videos[3].probe() == VideoInfo(num_frames=5, height=6, width=7)
    assert videos[3].prepared
    for row in (0, 3, 11):
        clip = videos[row].read([4, 0, 0])
        assert clip.dtype == np.uint8
        np.testing.assert_array_equal(clip, CLIPS[row, [4, 0, 0]])


def test_videos_can_travel_to_another_process(path):
    video = pickle.loads(pickle.dumps(open_array(path)[2]))
    np.testing.assert_array_equal(video.read([1]), CLIPS[2, [1]])
    assert len(pickle.dumps(video)) < 1000


def test_the_digest_is_of_the_pixels_whatever_the_file(path, tmp_path):
    np.save(tmp_path / "again.npy", CLIPS[::-1])
    video, same = open_array(path)[11], open_array(tmp_path / "again.npy")[0]
    assert video.digest([0, 2]) == same.digest([0, 2])
    assert video.digest([0, 2]) != video.digest([0, 3])


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path = tmp_path / "clips.npy"
    np.save(path, CLIPS)
    before = open_array(path)[0].digest([0])
    np.save(path, 255 - CLIPS[:5])
    assert len(open_array(path)) == 5
    assert open_array(path)[0].digest([0]) != before


def test_a_frame_beyond_the_end_is_refused(path):
    with pytest.raises(BrokenVideoError, match=r"row 0: .*\b5\b.*\b5 frames"):
        open_array(path)[0].read([5])


@pytest.mark.parametrize(
    ("array", "what", "advice"),
    [
        (CLIPS / np.float32(255), r"float32 \(12, 5, 6, 7, 3\)", "convert to uint8"),
        (CLIPS.astype(np.int64), "int64", "convert to uint8"),
        (CLIPS[0], r"uint8 \(5, 6, 7, 3\)", r"array\[None\]"),
        (CLIPS.transpose(0, 1, 4, 2, 3), r"\(12, 5, 3, 6, 7\)", r"transpose\(0, 1, 3, 4, 2\)"),
        (CLIPS.transpose(0, 4, 1, 2, 3), r"\(12, 3, 5, 6, 7\)", r"transpose\(0, 2, 3, 4, 1\)"),
        (CLIPS[..., 0], r"\(12, 5, 6, 7\)", "channels last"),
        (CLIPS[:0], r"\(0, 5, 6, 7, 3\)", "empty"),
    ],
)
@pytest.mark.parametrize("name", ["clips.npy", "clips.npz", "clips.safetensors"])
def test_another_type_or_shape_is_refused_with_the_way_to_mend_it(
    tmp_path, name, array, what, advice
):
    FORMATS[name](tmp_path / name, array)
    with pytest.raises(InputError, match=rf"{what}.*uint8.*{advice}") as caught:
        open_array(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", ["clips.npy", "clips.npz"])
def test_pickled_objects_are_refused(tmp_path, name):
    FORMATS[name](tmp_path / name, np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(InputError, match=rf"{name}.*pickled"):
        open_array(tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.6])
def test_a_file_that_is_cut_short_is_refused(tmp_path, name, share):
    FORMATS[name](tmp_path / name, CLIPS)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError) as caught:
        open_array(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["clips.npy", "clips.npz", "clips.safetensors"])
def test_a_file_that_is_cut_short_while_it_is_read_is_an_error_not_the_end(
    tmp_path, monkeypatch, name
):
    """Whoever has mapped it ends with SIGBUS."""
    FORMATS[name](tmp_path / name, np.tile(CLIPS, (20, 1, 1, 1, 1)))
    before = (tmp_path / name).stat()
    seen_before = before.st_size, before.st_mtime_ns  # another process shortens it after a look
    monkeypatch.setattr("latte.data.arrays._version", lambda path: seen_before)
    videos = open_array(tmp_path / name)
    os.truncate(tmp_path / name, 10_000)
    np.testing.assert_array_equal(videos[0].read([4]), CLIPS[0, [4]])
    with pytest.raises(InputError, match=rf"{name}: .*shorter"):
        videos[200].read([0])


def test_damage_in_a_compressed_file_is_refused(tmp_path):
    path = tmp_path / "compressed.npz"
    save_compressed_npz(path, CLIPS)
    content = bytearray(path.read_bytes())
    content[3000:3100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"compressed\.npz: cannot be read"):
        open_array(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_another_kind_is_refused(tmp_path, name):
    (tmp_path / name).write_text("this is no array\n" * 10)
    with pytest.raises(InputError, match=rf"{name}: cannot be read"):
        open_array(tmp_path / name)


def test_several_arrays_need_one_with_a_known_name(tmp_path):
    np.savez(tmp_path / "clips.npz", real=CLIPS, fake=CLIPS)
    with pytest.raises(InputError, match=r"\b2\b.*fake, real.*\bvideos\b"):
        open_array(tmp_path / "clips.npz")
