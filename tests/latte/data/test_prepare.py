import errno
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latte.data.errors import BrokenVideoError, InputError
from latte.data.prepare import prepare_folder
from latte.data.sources import open_video_set
from latte.data.transforms import RECIPES, jpeg_round_trip
from latte.data.video import read_file

CLIPS = Path(__file__).parents[2] / "data"


@pytest.fixture
def source(tmp_path):
    """Three videos, one of them with a # in its name."""
    folder = tmp_path / "source"
    folder.mkdir()
    shutil.copy(CLIPS / "short.webm", folder / "short#1.webm")
    shutil.copy(CLIPS / "b_frames.avi", folder)
    shutil.copy(CLIPS / "no_frame_count.mkv", folder)
    return folder


def prepare(source, target, **changes):
    options = {
        "recipe": "stylegan-v",
        "size": 48,
        "image_format": "jpg",
        "workers": 0,
        "progress": False,
    }
    return prepare_folder(source, target, **(options | changes))


def contents(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("image_format", ["jpg", "png"])
def test_prepared_frames_are_the_recipe_in_memory_bit_for_bit(
    source, tmp_path, recipe, image_format
):
    target = tmp_path / "target"
    report = prepare(source, target, recipe=recipe, image_format=image_format)
    assert (report.made, report.kept, report.broken) == (3, 0, ())
    prepared = {video.name: video for video in open_video_set(target).videos}
    assert sorted(prepared) == ["b_frames", "no_frame_count", "short_1"]
    for name, file in (
        ("b_frames", "b_frames.avi"),
        ("no_frame_count", "no_frame_count.mkv"),
        ("short_1", "short#1.webm"),
    ):
        num_frames = {"b_frames": 40, "no_frame_count": 48, "short_1": 20}[name]
        clip = RECIPES[recipe](read_file(source / file, range(num_frames)), 48)
        if image_format == "jpg":
            clip = jpeg_round_trip(clip)
        assert prepared[name].probe().num_frames == num_frames
        np.testing.assert_array_equal(prepared[name].read(range(num_frames)), clip)


def test_frames_are_numbered_from_zero_with_six_digits(source, tmp_path):
    prepare(source, tmp_path / "target")
    files = sorted(file.name for file in (tmp_path / "target/short_1").iterdir())
    assert files == [f"{index:06d}.jpg" for index in range(20)]


def test_workers_change_nothing(source, tmp_path):
    prepare(source, tmp_path / "one")
    prepare(source, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_run_that_was_stopped_goes_on(source, tmp_path):
    target = tmp_path / "target"
    prepare(source, tmp_path / "whole")
    prepare(source, target)
    shutil.rmtree(target / "short_1")
    kept = (target / "b_frames/000000.jpg").stat().st_mtime_ns
    report = prepare(source, target)
    assert (report.made, report.kept) == (1, 2)
    assert (target / "b_frames/000000.jpg").stat().st_mtime_ns == kept
    assert contents(target) == contents(tmp_path / "whole")


def test_a_video_appears_only_when_it_is_complete(source, tmp_path, monkeypatch):
    from latte.data import prepare as module

    calls = []

    def stop_at_the_thirtieth(*arguments):
        calls.append(arguments)
        if len(calls) == 30:
            raise KeyboardInterrupt
        return encode(*arguments)

    encode = module.encode_image
    monkeypatch.setattr(module, "encode_image", stop_at_the_thirtieth)
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "target")
    assert not (tmp_path / "target/short_1").exists()
    assert not any(".partial" in name for name in contents(tmp_path / "target"))


def test_class_folders_stay(tmp_path):
    for name in ("walk", "jump"):
        (tmp_path / "source" / name).mkdir(parents=True)
        shutil.copy(CLIPS / "short.webm", tmp_path / "source" / name / "clip.webm")
    prepare(tmp_path / "source", tmp_path / "target")
    videos = open_video_set(tmp_path / "target").videos
    assert [video.name for video in videos] == ["jump/clip", "walk/clip"]


def test_frame_folders_are_prepared_too(tmp_path):
    clip = np.random.default_rng(0).integers(0, 256, (19, 30, 44, 3), dtype=np.uint8)
    (tmp_path / "source/video").mkdir(parents=True)
    for index, frame in enumerate(clip):
        Image.fromarray(frame).save(tmp_path / f"source/video/{index}.png")
    prepare(tmp_path / "source", tmp_path / "target", size=16, image_format="png")
    (video,) = open_video_set(tmp_path / "target").videos
    np.testing.assert_array_equal(video.read(range(19)), RECIPES["stylegan-v"](clip, 16))


def test_a_broken_video_is_named_and_what_is_finished_is_kept(source, tmp_path):
    (source / "c_broken.mp4").write_text("no video")
    with pytest.raises(BrokenVideoError, match=r"c_broken\.mp4"):
        prepare(source, tmp_path / "target")
    assert (tmp_path / "target/b_frames").is_dir()
    assert not list((tmp_path / "target").glob(".partial*"))


def test_a_run_that_makes_nothing_claims_nothing(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/broken.mp4").write_text("no video")
    with pytest.raises(BrokenVideoError):
        prepare(tmp_path / "source", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_two_runs_into_one_target_leave_each_other_alone(source, tmp_path):
    here = f".partial-{platform.node()}-"
    others = [tmp_path / f"target/{name}/000000" for name in (f"{here}1", ".partial-elsewhere-9")]
    for other in others:
        other.mkdir(parents=True)
    assert prepare(source, tmp_path / "target").made == 3
    assert all(other.exists() for other in others)


@pytest.mark.skipif(os.name != "posix", reason="whether a process lives cannot be asked there")
def test_what_a_killed_run_left_half_made_is_removed(source, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f"target/.partial-{platform.node()}-{ended.pid}/000001"
    left.mkdir(parents=True)
    prepare(source, tmp_path / "target")
    assert not left.parent.exists()


def test_a_full_disk_names_the_file_and_leaves_nothing_behind(source, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space") as caught:
        prepare(source, tmp_path / "target")
    assert caught.value.filename.endswith("000000.jpg")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_videos_are_left_out_and_reported_if_allowed(source, tmp_path, workers):
    (source / "broken.mp4").write_text("no video")
    report = prepare(source, tmp_path / "target", skip_broken=True, workers=workers)
    assert report.made == 3
    assert len(report.broken) == 1
    assert str(source / "broken.mp4") in report.broken[0]
    assert not (tmp_path / "target/broken").exists()


def test_progress_goes_to_stderr(source, tmp_path, capsys):
    prepare(source, tmp_path / "target", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "stylegan"}, "stylegan.*did you mean stylegan-v"),
        ({"image_format": "gif"}, "gif.*jpg or png"),
        ({"size": 0}, r"\bsize 0\b"),
    ],
)
def test_bad_options_are_refused(source, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        prepare(source, tmp_path / "target", **changes)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "latte"}, "target: .*recipe stylegan-v.*latte"),
        ({"size": 32}, "target: .*size 48.*32"),
        ({"image_format": "png"}, "target: .*format jpg.*png"),
    ],
)
def test_a_target_made_otherwise_is_refused(source, tmp_path, changes, message):
    prepare(source, tmp_path / "target")
    with pytest.raises(InputError, match=message):
        prepare(source, tmp_path / "target", **changes)


def test_a_target_with_something_else_in_it_is_refused(source, tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target/thesis.tex").touch()
    with pytest.raises(InputError, match=r"target: .*not empty.*prepare"):
        prepare(source, tmp_path / "target")
    with pytest.raises(InputError, match=r"thesis\.tex: is a file"):
        prepare(source, tmp_path / "target/thesis.tex")


def test_source_and_target_may_not_be_the_same(source):
    with pytest.raises(InputError, match=r"source: .*same folder"):
        prepare(source, source)


def test_two_videos_that_would_share_a_folder_are_refused(source, tmp_path):
    shutil.copy(CLIPS / "short.webm", source / "short_1.webm")
    with pytest.raises(InputError, match=r"source: .*\bshort_1\b"):
        prepare(source, tmp_path / "target")
