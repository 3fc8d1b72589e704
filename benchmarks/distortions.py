"""Real videos made worse in one known way: generators that need no training.

Each distortion takes uint8 (T, H, W, 3), a strength and a random stream of its own video, and gives
uint8 of the same shape. A stronger one is never nearer to the original.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from latte.data.sources import Video
from latte.data.video import VideoInfo

Distortion = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def blur(clip: np.ndarray, sigma: float, random: np.random.Generator) -> np.ndarray:
    """Gaussian blur of each frame; `sigma` in pixels."""
    blurred = gaussian_filter(clip.astype(np.float32), (0, sigma, sigma, 0), mode="nearest")
    return _to_uint8(blurred)


def noise(clip: np.ndarray, sigma: float, random: np.random.Generator) -> np.ndarray:
    """Independent Gaussian noise; `sigma` in grey levels of 255."""
    return _to_uint8(clip + sigma * random.standard_normal(clip.shape))


def wrong_colours(clip: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Red, green and blue trade places; `share` 1 is the full exchange, 0 none."""
    exchanged = clip[..., [1, 2, 0]].astype(np.float64)
    return _to_uint8((1 - share) * clip + share * exchanged)


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


def slowed(clip: np.ndarray, factor: float, random: np.random.Generator) -> np.ndarray:
    """Time runs `factor` times slower: frames are repeated, and the end is not reached."""
    return clip[(np.arange(len(clip)) / factor).astype(int)]


DISTORTIONS: Mapping[str, Distortion] = {
    "blur": blur,
    "noise": noise,
    "wrong colours": wrong_colours,
    "frozen": frozen,
    "shuffled": shuffled,
    "slowed": slowed,
}


@dataclass(frozen=True, kw_only=True)
class DistortedVideo:
    """A video whose clips are distorted as they are read; a set of them is a stand-in generator."""

    video: Video
    distortion: str
    strength: float
    prepared: bool = True

    @property
    def name(self) -> str:
        return self.video.name

    def probe(self) -> VideoInfo:
        """Length and size of the original."""
        return self.video.probe()

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """The distorted frames; the random stream depends on the video's name alone."""
        seed = hashlib.sha256(f"{self.distortion}\0{self.name}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(seed[:8], "big"))
        return DISTORTIONS[self.distortion](self.video.read(frames), self.strength, random)

    def digest(self, frames: Sequence[int]) -> str:
        """Hash over the original's content and what is done to it."""
        made_of = [self.video.digest(frames), self.distortion, self.strength]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class EnlargedVideo:
    """A video with its pixels repeated: the traffic of large frames without any files."""

    video: Video
    factor: int = 8
    prepared: bool = True

    @property
    def name(self) -> str:
        return self.video.name

    def probe(self) -> VideoInfo:
        """Length and enlarged size."""
        info = self.video.probe()
        return VideoInfo(
            num_frames=info.num_frames,
            height=info.height * self.factor,
            width=info.width * self.factor,
        )

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """uint8 (T, H · factor, W · factor, 3)."""
        return self.video.read(frames).repeat(self.factor, axis=1).repeat(self.factor, axis=2)

    def digest(self, frames: Sequence[int]) -> str:
        """The original's: the enlarged pixels hold no more."""
        return f"{self.factor}×{self.video.digest(frames)}"


def _to_uint8(clip: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(clip), 0, 255).astype(np.uint8)
