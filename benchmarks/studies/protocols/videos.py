"""Videos for `latte-bench protocols`: source frames, not prepared yet."""

from dataclasses import replace
from typing import Any, cast

from benchmarks.shapes.distortions import DistortedVideo, WidenedVideo
from latte.data.shapes import ShapesVideo
from latte.data.sources import Video, VideoSet

SOURCE_SIZE, SOURCE_MARGIN = 60, 10  # 80×60, as UCF101's 320×240
FLAWS: tuple[tuple[str, float], ...] = (("blur", 1.5), ("slowed", 1.25))  # of the stand-in


def shapes_pair(count: int) -> tuple[VideoSet, VideoSet]:
    """Source videos of the embedded data set, 80×60, and those of a stand-in generator.

    Scenes drawn at 60×60 with a margin left and right, so that crop, resize and storage have work
    to do; four times as many as `count`, so that there is a choice among them. The stand-in's are
    other scenes, a little blurred (σ 1.5 pixels) and slow (4/5 of the speed).
    """
    real = tuple(_source(index) for index in range(4 * count))
    fake: list[Video] = []
    for index in range(4 * count, 8 * count):
        video: Video = _source(index)
        for distortion, strength in FLAWS:
            video = DistortedVideo(
                video=video, distortion=distortion, strength=strength, prepared=False
            )
        fake.append(video)
    return (
        VideoSet(name="shapes, 80×60", videos=real, root="shapes, real"),
        VideoSet(name="blurred and slow shapes", videos=tuple(fake), root="shapes, generated"),
    )


def _source(index: int) -> Video:
    video = ShapesVideo(index=index, split="test", size=SOURCE_SIZE, prepared=False)
    return WidenedVideo(video=video, margin=SOURCE_MARGIN)


def as_source(videos: VideoSet) -> VideoSet:
    """The set with its frames as sources for a protocol's preparation, whatever their files are."""
    unprepared = tuple(
        cast(Video, replace(cast(Any, video), prepared=False)) for video in videos.videos
    )
    return replace(videos, videos=unprepared, preparation=None)
