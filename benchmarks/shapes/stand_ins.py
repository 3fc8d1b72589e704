"""Stand-ins for generators: test videos of the embedded data set, with one distortion or none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.shapes.distortions import DistortedVideo
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet

REAL, HELD_OUT = "real videos", "held-out real videos"
NUM_VIDEOS = 256  # default size of each set
KEYED_LABELS: Mapping[str, str] = {HELD_OUT: "second draw of real videos"}  # names in keys


@dataclass(frozen=True)
class Generator:
    """A stand-in for a generator: other real videos, with one distortion at most."""

    label: str
    family: str
    distortion: str | None = None
    strength: float = 0.0

    @property
    def key(self) -> dict[str, Any]:
        """Its part of a cell's key."""
        return asdict(self) | {"label": KEYED_LABELS.get(self.label, self.label)}

    def videos(self, first: int, count: int) -> VideoSet:
        """`count` test videos from number `first` on, distorted."""
        drawn = shapes_video_set("test", num_videos=count, start=first)
        videos = replace(drawn, name=self.label, root=self.label)
        return distorted(videos, self.distortion, self.strength) if self.distortion else videos


GENERATORS = (
    Generator(HELD_OUT, "real"),
    Generator("blur, σ 0.5 px", "blur", "blur", 0.5),
    Generator("blur, σ 1 px", "blur", "blur", 1.0),
    Generator("blur, σ 2 px", "blur", "blur", 2.0),
    Generator("noise, σ 8 of 255", "noise", "noise", 8.0),
    Generator("noise, σ 16 of 255", "noise", "noise", 16.0),
    Generator("noise, σ 32 of 255", "noise", "noise", 32.0),
    Generator("wrong colours", "colour", "wrong colours", 1.0),
    Generator("frozen first frame", "time", "frozen", 1.0),
    Generator("shuffled frames", "time", "shuffled", 1.0),
    Generator("half speed", "time", "slowed", 2.0),
)
DISTORTED = tuple(generator.label for generator in GENERATORS if generator.distortion)


def real_videos(first: int, count: int) -> VideoSet:
    """The test videos that generators are measured against."""
    return replace(shapes_video_set("test", num_videos=count, start=first), name=REAL)


def distorted(videos: VideoSet, distortion: str, strength: float) -> VideoSet:
    """The set with every video distorted as it is read."""
    changed = tuple(
        DistortedVideo(
            video=video, distortion=distortion, strength=strength, prepared=video.prepared
        )
        for video in videos.videos
    )
    return replace(videos, videos=changed)
