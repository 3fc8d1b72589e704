"""Stand-ins for generators: real videos with one known distortion, which need no training.

Each distortion takes uint8 (T, H, W, 3), a strength and its video's random stream, and gives uint8
of the same shape. A stronger one is never nearer to the original: what a weaker one changed stays
changed, since the random stream does not depend on the strength.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter

from latte.data.hashing import hash64
from latte.data.shapes import shapes_video_set
from latte.data.sources import Video, VideoSet
from latte.data.transforms import jpeg_round_trip
from latte.data.video import VideoInfo

Distort = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
PATCHES = 8  # along each side of a frame
REAL, HELD_OUT = "real videos", "held-out real videos"
NUM_VIDEOS = 256  # default size of each set


def blur(clip: np.ndarray, sigma: float, random: np.random.Generator) -> np.ndarray:
    """Gaussian blur of each frame; `sigma` in pixels."""
    blurred = gaussian_filter(clip.astype(np.float32), (0, sigma, sigma, 0), mode="nearest")
    return _to_uint8(blurred)


def noise(clip: np.ndarray, sigma: float, random: np.random.Generator) -> np.ndarray:
    """Independent Gaussian noise; `sigma` in grey levels of 255."""
    return _to_uint8(clip + sigma * random.standard_normal(clip.shape))


def jpeg(clip: np.ndarray, loss: float, random: np.random.Generator) -> np.ndarray:
    """Each frame through JPEG of quality 100 − `loss`, 4:2:0; `loss` 0 leaves it as it is."""
    return jpeg_round_trip(clip, 100 - round(loss)) if loss else clip


def swapped_patches(clip: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """This share of the patches of an 8×8 grid trade places in pairs, the same in every frame.

    Nothing moves in time that did not move before. Pixels beyond the last whole patch stay.
    """
    height, width = (max(1, side // PATCHES) for side in clip.shape[1:3])
    rows, columns = clip.shape[1] // height, clip.shape[2] // width
    order = random.permutation(rows * columns)
    swapped = clip.copy()
    for pair in range(round(share * len(order)) // 2):
        one, other = (
            (slice(None), slice(y * height, (y + 1) * height), slice(x * width, (x + 1) * width))
            for y, x in (divmod(int(place), columns) for place in order[2 * pair : 2 * pair + 2])
        )
        swapped[one], swapped[other] = clip[other], clip[one]
    return swapped


def wrong_colours(clip: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Red, green and blue trade places; `share` 1 is the full exchange, 0 none."""
    exchanged = clip[..., [1, 2, 0]].astype(np.float64)
    return _to_uint8((1 - share) * clip + share * exchanged)


def shaken(clip: np.ndarray, reach: float, random: np.random.Generator) -> np.ndarray:
    """Each frame is shifted by itself, up to `reach` whole pixels each way; edges are repeated."""
    height, width = clip.shape[1:3]
    shifts = np.rint(reach * random.uniform(-1, 1, (len(clip), 2))).astype(int)
    rows, columns = np.arange(height), np.arange(width)
    return np.stack(
        [
            frame[np.clip(rows + down, 0, height - 1)][:, np.clip(columns + right, 0, width - 1)]
            for frame, (down, right) in zip(clip, shifts, strict=True)
        ]
    )


def frozen(clip: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """The first frame stands still for this share of the clip, then time goes on."""
    still = round(share * len(clip))
    return np.concatenate([np.repeat(clip[:1], still, axis=0), clip[still:]])


def shuffled(clip: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """This share of the frames, chosen at random, trade places at random."""
    places = random.permutation(len(clip))[: round(share * len(clip))]
    order = np.arange(len(clip))
    order[np.sort(places)] = places
    return clip[order]


def disordered(clip: np.ndarray, reach: float, random: np.random.Generator) -> np.ndarray:
    """Frames pass each other, but none one that is `reach` or more frames away.

    Each frame is late by up to `reach`, at random; frames come in the order of their arrival. Up
    to 1 nothing changes, with a large `reach` the whole clip is shuffled, and every pair that a
    smaller one puts into the wrong order a larger one does too.
    """
    arrival = np.arange(len(clip)) + reach * random.uniform(0, 1, len(clip))
    return clip[np.argsort(arrival, kind="stable")]


def jittered(clip: np.ndarray, reach: float, random: np.random.Generator) -> np.ndarray:
    """Time stumbles: each frame is replaced by one up to `reach` frames before or after it."""
    jumps = np.rint(reach * random.uniform(-1, 1, len(clip))).astype(int)
    return clip[np.clip(np.arange(len(clip)) + jumps, 0, len(clip) - 1)]


def reversed_in_time(clip: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """This share of the videos runs backwards; the same ones, and more, at a larger share."""
    return clip[::-1] if random.uniform(0, 1) < share else clip


def slowed(clip: np.ndarray, factor: float, random: np.random.Generator) -> np.ndarray:
    """Time runs `factor` times slower: frames are repeated, and the end is not reached."""
    return clip[(np.arange(len(clip)) / factor).astype(int)]


@dataclass(frozen=True)
class Distortion:
    """A function of a clip, and the meaning of its strength."""

    distort: Distort
    domain: Literal["space", "time"]
    strength: str  # says what the strength is, with its unit
    none: float = 0.0  # strength at which nothing changes
    skips: bool = False  # frame k is frame k · strength of the original


DISTORTIONS: Mapping[str, Distortion] = {
    "blur": Distortion(blur, "space", "σ, pixels"),
    "noise": Distortion(noise, "space", "σ, grey levels"),
    "jpeg": Distortion(jpeg, "space", "100 − quality"),
    "swapped patches": Distortion(swapped_patches, "space", "share of 64 patches"),
    "wrong colours": Distortion(wrong_colours, "space", "share of the exchange"),
    "shaken": Distortion(shaken, "time", "shift of a frame, pixels"),
    "frozen": Distortion(frozen, "time", "share of the clip"),
    "shuffled": Distortion(shuffled, "time", "share of the frames"),
    "disordered": Distortion(disordered, "time", "reach, frames"),
    "jittered": Distortion(jittered, "time", "reach, frames"),
    "reversed": Distortion(reversed_in_time, "time", "share of the videos"),
    "slowed": Distortion(slowed, "time", "times slower", none=1.0),
    "sped up": Distortion(lambda clip, *_: clip, "time", "times faster", none=1.0, skips=True),
}


@dataclass(frozen=True, kw_only=True)
class DerivedVideo:
    """A video made from another one as it is read."""

    video: Video
    prepared: bool = True

    @property
    def name(self) -> str:
        """The original's name."""
        return self.video.name


@dataclass(frozen=True, kw_only=True)
class DistortedVideo(DerivedVideo):
    """A video whose clips are distorted; a set of them is a stand-in generator."""

    distortion: str
    strength: float

    def probe(self) -> VideoInfo:
        """Length and size: those of the original, but a faster one is over sooner."""
        info = self.video.probe()
        if not DISTORTIONS[self.distortion].skips:
            return info
        last = int((info.num_frames - 1) / self.strength)
        return replace(info, num_frames=last + 1)

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """The distorted frames; the random stream depends on the video's name alone."""
        random = np.random.default_rng(hash64(f"{self.distortion}\0{self.name}"))
        clip = self.video.read(self._source(frames))
        return DISTORTIONS[self.distortion].distort(clip, self.strength, random)

    def digest(self, frames: Sequence[int]) -> str:
        """Hash over the original's content and the distortion."""
        made_of = [self.video.digest(self._source(frames)), self.distortion, self.strength]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    def _source(self, frames: Sequence[int]) -> Sequence[int]:
        """The original's frames behind these."""
        if not DISTORTIONS[self.distortion].skips:
            return frames
        return [int(frame * self.strength) for frame in frames]


@dataclass(frozen=True, kw_only=True)
class PaddedVideo(DerivedVideo):
    """A video whose edge pixels are repeated around it: large frames without any files.

    The centre of its frames is the original, so that crop and resize have work to do.
    """

    margin: int  # pixels left and right
    above: int = 0  # pixels above and below

    def probe(self) -> VideoInfo:
        """Length and padded size."""
        info = self.video.probe()
        height, width = info.height + 2 * self.above, info.width + 2 * self.margin
        return replace(info, height=height, width=width)

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """uint8 (T, above + H + above, margin + W + margin, 3)."""
        sides = ((0, 0), (self.above, self.above), (self.margin, self.margin), (0, 0))
        return np.pad(self.video.read(frames), sides, mode="edge")

    def digest(self, frames: Sequence[int]) -> str:
        """The original's with the margins."""
        above = f", {self.above}" if self.above else ""
        return f"{self.margin}{above}|{self.video.digest(frames)}"


@dataclass(frozen=True)
class Generator:
    """A stand-in for a generator: other real videos, with one distortion at most."""

    label: str
    family: str
    distortion: str | None = None
    strength: float = 0.0

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


def _to_uint8(clip: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(clip), 0, 255).astype(np.uint8)
