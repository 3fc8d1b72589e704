import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from latte.data.arrays import ArrayVideo
from latte.data.datasets import open_dataset
from latte.data.errors import BrokenVideoError, InputError
from latte.data.frames import FrameFolder
from latte.data.sources import FileVideo, PreparedRecord, open_video_set

CLIPS = Path(__file__).parents[2] / "data"


def put(path, content=b"0"):
    """Names alone decide what a set is: nothing is opened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def names(path):
    return [video.name for video in open_video_set(path).videos]


def test_a_folder_of_video_files_is_a_set_sorted_by_name(tmp_path):
    for name in ("b.mp4", "a.avi", "c.MKV", "d.webm", "e.mov", "readme.txt", ".hidden.mp4"):
        put(tmp_path / name)
    videos = open_video_set(tmp_path)
    assert [video.name for video in videos.videos] == ["a", "b", "c", "d", "e"]
    assert videos.name == tmp_path.name
    assert videos.root == str(tmp_path)
    assert videos.videos[0] == FileVideo(name="a", path=tmp_path / "a.avi")
    assert not videos.videos[0].prepared


def test_class_folders_are_part_of_the_names(tmp_path):
    for name in ("walk/1.avi", "jump/1.avi", "jump/2.avi"):
        put(tmp_path / name)
    assert names(tmp_path) == ["jump/1", "jump/2", "walk/1"]


def test_names_keep_their_suffix_where_they_would_be_the_same(tmp_path):
    for name in ("a.mp4", "a.avi", "b.mp4"):
        put(tmp_path / name)
    assert names(tmp_path) == ["a.avi", "a.mp4", "b.mp4"]


def test_a_folder_of_frame_folders_is_a_set(tmp_path):
    for name in ("x.1/0.jpg", "x.1/1.jpg", "w/0.PNG", "empty.txt"):
        put(tmp_path / name)
    (tmp_path / "nothing").mkdir()
    videos = open_video_set(tmp_path).videos
    assert videos == (
        FrameFolder(name="w", path=tmp_path / "w"),
        FrameFolder(name="x.1", path=tmp_path / "x.1"),
    )
    assert videos[0].prepared


def test_frame_folders_may_lie_two_levels_deep(tmp_path):
    for name in ("id/id_2/0.jpg", "id/id_1/0.jpg", "other/other_1/0.jpg"):
        put(tmp_path / name)
    (tmp_path / "gone").mkdir()
    assert names(tmp_path) == ["id/id_1", "id/id_2", "other/other_1"]


def test_an_array_file_is_a_set(tmp_path):
    np.save(tmp_path / "clips.npy", np.zeros((2, 3, 4, 5, 3), np.uint8))
    videos = open_video_set(tmp_path / "clips.npy").videos
    assert videos == tuple(
        ArrayVideo(name=str(row), path=tmp_path / "clips.npy", row=row) for row in range(2)
    )


def test_a_video_file_is_a_set_of_one():
    (video,) = open_video_set(CLIPS / "short.webm").videos
    assert video.probe().num_frames == 20
    assert video.read([0, 19]).shape == (2, 96, 128, 3)


def test_the_digest_of_a_video_file_is_that_of_the_file():
    (video,) = open_video_set(CLIPS / "short.webm").videos
    expected = hashlib.sha256((CLIPS / "short.webm").read_bytes()).hexdigest()
    assert video.digest([0]) == video.digest([3, 4]) == expected


def test_a_file_that_vanished_is_a_broken_video(tmp_path):
    shutil.copy(CLIPS / "short.webm", tmp_path)
    (video,) = open_video_set(tmp_path).videos
    (tmp_path / "short.webm").unlink()
    for use in (video.probe, lambda: video.read([0]), lambda: video.digest([0])):
        with pytest.raises(BrokenVideoError, match=r"(?i)short\.webm.*no such file"):
            use()


@pytest.mark.parametrize(
    ("files", "path", "message"),
    [
        ([], "none", r"\bnone: no such file"),
        ([], "", r"\bempty\b"),
        (
            ["a.txt", "b.txt", "c.json", "folder/d.txt", "README"],
            "",
            r"1 \.json, 2 \.txt, 1 [^,]*, 1 folder",
        ),
        (["clips.npy"], "", r"1 \.npy\b.*array"),
        (["0.png"], "", r"\b1 images?\b"),  # it is not guessed to be one video
        (["a.mp4", "b/0.jpg"], "", r"\ba\.mp4\b.*\(b\)"),
        (["clip.txt"], "clip.txt", r"clip\.txt: not a "),
        (["clips.pt"], "clips.pt", r"clips\.pt: is a pickle.*np\.save"),
        (["clips.pkl"], "clips.pkl", r"clips\.pkl: is a pickle.*np\.save"),
    ],
)
def test_what_is_no_set_of_videos_is_refused_with_what_it_is(tmp_path, files, path, message):
    for name in files:
        put(tmp_path / name)
    with pytest.raises(InputError, match=message):
        open_video_set(tmp_path / path)


STATED = {"recipe": "latte", "size": 64, "format": "png", "decoder": "pyav 18.1.0"}


def test_a_prepared_folder_says_how_it_was_made(tmp_path):
    put(tmp_path / "a/0.png")
    assert open_video_set(tmp_path).preparation is None
    put(tmp_path / ".prepared.json", json.dumps(STATED).encode())
    assert open_video_set(tmp_path).preparation == PreparedRecord(**STATED)
    assert hash(open_video_set(tmp_path)) == hash(open_video_set(tmp_path))


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        *(
            json.dumps(STATED | change).encode()
            for change in ({"recipe": 1}, {"size": "64"}, {"size": True}, {"format": None})
        ),
    ],
)
def test_a_damaged_record_of_the_preparation_is_ignored(tmp_path, damaged):
    put(tmp_path / "a/0.png")
    put(tmp_path / ".prepared.json", damaged)
    assert open_video_set(tmp_path).preparation is None


def test_a_prepared_split_of_a_data_set_says_how_it_was_made(tmp_path):
    for split in ("train", "test"):
        put(tmp_path / f"sky/{split}/{split}/0.png")
        put(tmp_path / f"sky/{split}/.prepared.json", json.dumps(STATED).encode())
    assert open_dataset("skytimelapse", data_root=tmp_path).preparation == PreparedRecord(**STATED)
    both = open_dataset("skytimelapse", data_root=tmp_path, split="train+test")
    assert both.preparation is None


def test_a_link_to_nowhere_says_so_and_what_to_do(tmp_path):
    (tmp_path / "a.mp4").symlink_to("gone.mp4")
    (video,) = open_video_set(tmp_path).videos
    with pytest.raises(BrokenVideoError, match=r"a\.mp4: .*link.*\bgone\.mp4"):
        video.probe()


def notes_of(path, caplog):
    """Names of the videos in a set, and the notes about it."""
    caplog.clear()
    with caplog.at_level("WARNING"):
        found = names(path)
    return found, [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("files", "videos", "left_out"),
    [
        (["a.mp4", "preview.png"], ["a"], r"\b1 pictures.*preview\.png"),
        (["a.mp4", "b.mp4", "a.jpg", "b.jpg", "c.jpg"], ["a", "b"], r"\b3 pictures"),
        (["v/0.png", "v/1.png", "preview.png"], ["v"], r"preview\.png"),
        (["jump/a.avi", "jump/x.png", "walk/b.avi"], ["jump/a", "walk/b"], r"jump/x\.png"),
        (["k/a/0.png", "k/b/0.png", "k/x.png"], ["k/a", "k/b"], r"k/x\.png"),
        (["v/0.png", "v/1.png", "v/thumbs/0.png"], ["v"], r"1 folders.*v/thumbs"),
        (["a.mp4", "x/y/z/b.mp4", "x/c.mp4"], ["a", "x/c"], r"1 folders.*x/y/z"),
        (["a.mp4", "x/y/b.mp4", "x/c.mp4"], ["a", "x/c"], r"1 folders.*x/y\b"),
        (
            ["a.ts", "B.WMV", "c.gif", "k/d.rm", "k/e.mp4", "x.txt"],
            ["B", "a", "k/e"],
            r"1 \.gif, 1 \.rm",
        ),
    ],
)
def test_what_is_left_out_of_a_set_is_said(tmp_path, caplog, files, videos, left_out):
    for name in files:
        put(tmp_path / name)
    found, (note,) = notes_of(tmp_path, caplog)
    assert found == videos
    assert re.search(rf"{tmp_path}: .*{left_out}", note)


def test_frames_beside_a_video_are_not_taken_for_thumbnails(tmp_path):
    for name in ("a/0.png", "a/1.png", "a/source.mp4"):
        put(tmp_path / name)
    with pytest.raises(InputError, match=r"a/source\.mp4.*\(a\)"):
        open_video_set(tmp_path)


@pytest.mark.parametrize(
    ("link", "target"), [("up", ".."), ("self", "."), ("z", "k"), ("z.mp4", "a.mp4"), ("0", "k")]
)
def test_each_file_counts_once_whatever_leads_to_it(tmp_path, caplog, link, target):
    for name in ("set/a.mp4", "set/k/b.mp4", "other.mp4"):
        put(tmp_path / name)
    (tmp_path / "set" / link).symlink_to(target)
    found, notes = notes_of(tmp_path / "set", caplog)
    assert found == ["a", "k/b"]
    assert len(notes) == (target not in ("..", "."))


def test_links_to_files_elsewhere_are_videos(tmp_path, caplog):
    for name in ("store/1.mp4", "store/2.mp4", "set/3.mp4"):
        put(tmp_path / name)
    for name in ("1.mp4", "2.mp4"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "store" / name)
    (tmp_path / "set" / "more").symlink_to(tmp_path / "store")
    assert notes_of(tmp_path / "set", caplog)[0] == ["1", "2", "3"]


@pytest.mark.parametrize("name", ["x.mp4", "x"])
def test_a_link_that_leads_to_itself_is_a_broken_video_or_nothing(tmp_path, name):
    put(tmp_path / "a.mp4")
    (tmp_path / name).symlink_to(name)
    videos = open_video_set(tmp_path).videos
    assert len(videos) == (2 if name == "x.mp4" else 1)
    if name == "x.mp4":
        with pytest.raises(BrokenVideoError, match=r"x\.mp4: .*link that leads back to itself"):
            videos[1].digest([0])


def test_links_in_a_circle_end(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one).symlink_to(tmp_path / other)
    with pytest.raises(InputError, match=str(tmp_path)):
        open_video_set(tmp_path)
