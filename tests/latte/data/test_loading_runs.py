"""Neighbouring clips of one video: one open file, each common frame decoded once, the same bits."""

from dataclasses import replace

import numpy as np
import pytest

from latte.data import loading, video_reader
from latte.data.clips import Clip
from latte.data.errors import BrokenVideoError
from latte.data.ffmpeg import Painter
from latte.data.loading import Preparation, load_clip, load_in_workers
from latte.data.sources import FileVideo
from latte.data.video import write_video

AS_IT_IS = Preparation(recipe="none", size=64, storage="lossless")


@pytest.fixture
def videos(tmp_path, make_clips):
    """Two video files of 40 frames."""
    clips = make_clips(2, 40, 64, 80)
    for name, clip in zip("ab", clips, strict=True):
        write_video(tmp_path / f"{name}.mp4", clip, fps=25, lossless=False)
    return [FileVideo(name=name, path=tmp_path / f"{name}.mp4") for name in "ab"]


@pytest.fixture
def work(monkeypatch):
    """Counts how often files are opened, and frames painted, in this process."""
    counts = {"opened": 0, "frames": 0}
    opened, paint = video_reader.opened, Painter.paint

    def counted_open(path):
        counts["opened"] += 1
        return opened(path)

    def counted_paint(self, picture):
        counts["frames"] += 1
        return paint(self, picture)

    monkeypatch.setattr(video_reader, "opened", counted_open)
    monkeypatch.setattr(Painter, "paint", counted_paint)
    return counts


def clips_of(video, *starts, length=8):
    info = video.probe()
    return [
        Clip(video=video, info=info, frames=tuple(range(start, start + length))) for start in starts
    ]


def expected(clips):
    return [load_clip(clip, AS_IT_IS) for clip in clips]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_runs_give_what_single_clips_give(videos, workers):
    a, b = videos
    clips = [
        *clips_of(a, 0, 8, 16, 32),
        *clips_of(b, 0, 4, 30),
        *clips_of(b, 2),  # back again
        *clips_of(a, 5),
    ]
    clips += [replace(clip, mirrored=True) for clip in clips[:2]]
    loaded = list(load_in_workers(clips, AS_IT_IS, workers=workers))
    for frames, alone in zip(loaded, expected(clips), strict=True):
        np.testing.assert_array_equal(frames, alone)


def test_neighbouring_clips_share_one_open_file(videos, work):
    clips = [*clips_of(videos[0], 0, 8, 16, 24), *clips_of(videos[1], 0, 8)]
    list(load_in_workers(clips, AS_IT_IS, workers=0))
    assert work == {"opened": 2, "frames": 48}


def test_frames_of_overlapping_clips_are_decoded_once(videos, work):
    clips = clips_of(videos[0], 0, 3, 6, 7)
    clips.append(replace(clips[-1], mirrored=True))
    list(load_in_workers(clips, AS_IT_IS, workers=0))
    assert work == {"opened": 1, "frames": 15}


def test_a_long_run_is_divided(videos, work, monkeypatch):
    monkeypatch.setattr(loading, "MAX_RUN", 2)
    list(load_in_workers(clips_of(videos[0], 0, 8, 16, 24), AS_IT_IS, workers=0))
    assert work["opened"] == 2


def test_a_clip_that_cannot_be_read_does_not_cost_its_neighbours(videos):
    clips = clips_of(videos[0], 0, 36, 16)
    first, broken, last = load_in_workers(clips, AS_IT_IS, workers=0)
    assert isinstance(broken, BrokenVideoError)
    for frames, alone in zip((first, last), expected([clips[0], clips[2]]), strict=True):
        np.testing.assert_array_equal(frames, alone)


def test_no_more_is_loaded_ahead_than_fits_into_memory(videos, monkeypatch):
    begun = []

    def counted():
        for clip in clips_of(videos[0], *range(30)):
            begun.append(clip)
            yield clip

    clip_bytes = 8 * 64 * 80 * 3
    monkeypatch.setattr(loading, "memory_limit", lambda: 8 * 3 * clip_bytes)

    loaded = load_in_workers(counted(), AS_IT_IS, workers=1)
    for place in range(10):
        next(loaded)
        assert len(begun) <= place + 5  # three, and the one after them
    loaded.close()
