"""The embedded data set: moving shapes in ten classes, made on the fly and the same everywhere.

A class is a shape and a motion. Five shapes and five motions, each shape with two motions and each
motion with two shapes: neither alone gives the class.

Every scene is a function of (split, index), and its state a function of time: frame k is the same
however many frames are asked for, and at 64×64 the same scene is drawn finer. Scenes are drawn from
a hash and by correctly rounded arithmetic alone (see `latte.data.drawing`), so on every machine
with IEEE 754 floats every byte is the same.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from latte.data.drawing import Array, Pose, background, cosine, paint, reflect, sine, to_uint8
from latte.data.errors import InputError, check_frames
from latte.data.sources import VideoSet
from latte.data.video import VideoInfo

Split = Literal["train", "test"]
Motion = Literal["bouncing", "orbiting", "pulsing", "swinging", "spinning"]

VERSION = 1  # raised by any change of a pixel: it is part of every video's digest
CLASSES: tuple[tuple[str, Motion], ...] = (
    ("circle", "bouncing"),
    ("circle", "orbiting"),
    ("ring", "orbiting"),
    ("ring", "pulsing"),
    ("star", "pulsing"),
    ("star", "swinging"),
    ("triangle", "swinging"),
    ("triangle", "spinning"),
    ("square", "spinning"),
    ("square", "bouncing"),
)
CLASS_NAMES = tuple(f"{shape} {motion}" for shape, motion in CLASSES)
NUM_CLASSES = len(CLASSES)
SHAPES = tuple(dict.fromkeys(shape for shape, _ in CLASSES))
SPLITS: tuple[Split, ...] = get_args(Split)
NUM_VIDEOS = {"train": 10_000, "test": 2_048}  # default size of a set; any index can be drawn
FPS = 8.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Content of a video. Lengths are shares of the frame, times are frames."""

    shape: str
    motion: Motion
    night: bool  # dark blue or violet ground and bright warm shapes; else pale warm and deep cool
    radius: float
    x: float  # centre of the motion, hook of the pendulum, or start of the flight
    y: float
    reach: float  # radius of the orbit, length of the cord, or share of the radius for a pulse
    swing: float  # amplitude of the pendulum, in turns
    rate: float  # cycles per frame, negative for clockwise
    phase: float  # cycles
    velocity: tuple[float, float]  # velocity of a bounce, per frame
    tilt: float  # turns
    ground: tuple[Array, Array]  # colours (3,) of the gradient, grey levels
    ground_direction: float
    colours: tuple[Array, Array]  # the shape in the shade and in the light
    distractor: "Distractor | None"

    def pose(self, time: Array) -> Pose:
        """Where the shape is at these times (T,), in frames."""
        still = np.zeros_like(time)
        x, y, radius, turns = still + self.x, still + self.y, still + self.radius, still + self.tilt
        cycles = self.rate * time + self.phase
        if self.motion == "bouncing":
            low, high = self.radius, 1.0 - self.radius
            x = reflect(self.x + self.velocity[0] * time, low, high)
            y = reflect(self.y + self.velocity[1] * time, low, high)
        elif self.motion == "orbiting":
            x = x + self.reach * cosine(cycles)
            y = y + self.reach * sine(cycles)
        elif self.motion == "pulsing":
            radius = radius * (1.0 + self.reach * sine(cycles))
        elif self.motion == "swinging":
            turns = self.swing * sine(cycles)
            x = x + self.reach * sine(turns)
            y = y + self.reach * cosine(turns)
        else:
            turns = turns + cycles
        return Pose(x=x, y=y, radius=radius, turns=turns)


@dataclass(frozen=True, kw_only=True)
class Distractor:
    """A small second shape that crosses behind the first; it tells nothing about the class."""

    shape: str
    radius: float
    start: tuple[float, float]
    velocity: tuple[float, float]
    tilt: float
    colours: tuple[Array, Array]

    def pose(self, time: Array) -> Pose:
        """Where it is at these times (T,), in frames."""
        still = np.zeros_like(time)
        return Pose(
            x=reflect(self.start[0] + self.velocity[0] * time, -0.1, 1.1),
            y=reflect(self.start[1] + self.velocity[1] * time, -0.1, 1.1),
            radius=still + self.radius,
            turns=still + self.tilt,
        )


@dataclass(frozen=True, kw_only=True)
class ShapesVideo:
    """One video of the data set. Labels are balanced: the label is the index modulo 10."""

    index: int
    split: Split
    size: int = 32  # side of the square frames, in pixels
    num_frames: int = 64
    prepared: bool = True

    @property
    def name(self) -> str:
        """Unique in its set, and in the order of the indices."""
        return f"{self.split}/{self.index:06d}"

    @property
    def label(self) -> int:
        """The class, an index into CLASS_NAMES."""
        return self.index % NUM_CLASSES

    def probe(self) -> VideoInfo:
        return VideoInfo(num_frames=self.num_frames, height=self.size, width=self.size)

    def read(self, frames: Sequence[int]) -> Array:
        check_frames(frames, self.num_frames, f"shapes {self.name}")
        return render(draw_scene(self.split, self.index), frames, self.size)

    def digest(self, frames: Sequence[int]) -> str:
        made_of = f"latte shapes {VERSION} {self.split} {self.index} {self.size}"
        return hashlib.sha256(made_of.encode()).hexdigest()


def shapes_video_set(
    split: str = "train",
    *,
    size: int = 32,
    num_videos: int | None = None,
    num_frames: int = 64,
    start: int = 0,
) -> VideoSet:
    """The videos `start` … `start + num_videos − 1` of a split; of each split for "train+test".

    By default a train split of 10,000 and a test split of 2,048 videos.

    Raises:
        InputError: there is no such split, or a number is out of range.
    """
    parts = split.split("+")
    unknown = [part for part in parts if part not in SPLITS]
    if unknown or len(set(parts)) != len(parts):
        raise InputError(f'shapes: no split "{split}": choose train, test or train+test')
    if size < 8 or num_frames < 1 or start < 0 or (num_videos is not None and num_videos < 1):
        raise InputError(
            f"shapes: size {size}, {num_frames} frames, {num_videos} videos from {start}: "
            "the size is at least 8, the counts at least 1, the start at least 0"
        )
    videos = [
        ShapesVideo(index=index, split=part, size=size, num_frames=num_frames)
        for part in SPLITS
        if part in parts
        for index in range(start, start + (num_videos or NUM_VIDEOS[part]))
    ]
    ordered = tuple(sorted(videos, key=lambda video: video.name))
    return VideoSet(name=f"shapes-{split}", videos=ordered, root=f"shapes ({split})")


def shapes_clips(
    split: Split, indices: Sequence[int], *, num_frames: int = 16, size: int = 32
) -> Array:
    """The beginnings of these videos, uint8 (N, T, H, W, 3)."""
    scenes = (draw_scene(split, index) for index in indices)
    return np.stack([render(scene, range(num_frames), size) for scene in scenes])


def render(scene: Scene, frames: Sequence[int], size: int) -> Array:
    """The scene at these frames, uint8 (T, S, S, 3)."""
    time = np.asarray(frames, dtype=np.float64)
    ground = background(*scene.ground, scene.ground_direction, size)
    canvas = np.repeat(ground[None], len(time), axis=0)
    for thing in (scene.distractor, scene):
        if thing is not None:
            paint(canvas, thing.pose(time), thing.shape, *thing.colours)
    return to_uint8(canvas)


def draw_scene(split: Split, index: int) -> Scene:
    """The scene of a video: every number from a stream of its own, named by split and index."""
    stream = _Stream(f"latte shapes {split} {index}")
    shape, motion = CLASSES[index % NUM_CLASSES]
    night = stream.uniform(0, 1) < 0.5
    radius = stream.uniform(0.15, 0.21)
    x, y, reach, swing = stream.uniform(0.36, 0.64), stream.uniform(0.36, 0.64), 0.0, 0.0
    phase, tilt = stream.uniform(0, 1), stream.uniform(-0.03, 0.03)
    rate = stream.uniform(0.85, 1.15) * (-1.0 if stream.uniform(0, 1) < 0.5 else 1.0)
    velocity = stream.uniform(0.034, 0.046), stream.uniform(0.034, 0.046)
    if motion == "bouncing":
        there_and_back = 2 * (1 - 2 * radius)
        x = radius + stream.uniform(0, there_and_back)
        y = radius + stream.uniform(0, there_and_back)
    elif motion == "orbiting":
        x, y = stream.uniform(0.45, 0.55), stream.uniform(0.45, 0.55)
        reach, rate = stream.uniform(0.2, 0.28), rate / 20
    elif motion == "pulsing":
        radius, reach, rate = radius * 1.15, stream.uniform(0.38, 0.48), rate / 14
    elif motion == "swinging":
        x, y = stream.uniform(0.45, 0.55), stream.uniform(0.08, 0.16)
        reach, swing = stream.uniform(0.48, 0.56), stream.uniform(0.08, 0.1)
        rate = rate / 16
    else:
        radius, rate = radius * 1.3, rate / 36
    colours = _ground_colours(stream, night), _shape_colours(stream, night)
    return Scene(
        shape=shape,
        motion=motion,
        night=night,
        radius=radius,
        x=x,
        y=y,
        reach=reach,
        swing=swing,
        rate=rate,
        phase=phase,
        velocity=velocity,
        tilt=tilt,
        ground=colours[0],
        ground_direction=stream.uniform(0, 1),
        colours=colours[1],
        distractor=_draw_distractor(stream, night) if stream.uniform(0, 1) < 0.35 else None,
    )


class _Stream:
    """Uniform numbers from SHAKE-256 of a name: the same in every version of every library."""

    def __init__(self, name: str) -> None:
        digest = hashlib.shake_256(name.encode()).digest(8 * 48)
        # The upper 53 bits of each number: exact in a float64.
        self._numbers = iter((np.frombuffer(digest, dtype="<u8") >> 11).tolist())

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * (next(self._numbers) * 2.0**-53)


def _draw_distractor(stream: _Stream, night: bool) -> Distractor:
    shape = SHAPES[int(stream.uniform(0, len(SHAPES)))]
    return Distractor(
        shape=shape,
        radius=stream.uniform(0.06, 0.085),
        start=(stream.uniform(-0.1, 2.3), stream.uniform(-0.1, 2.3)),
        velocity=(stream.uniform(0.012, 0.024), stream.uniform(-0.012, 0.012)),
        tilt=stream.uniform(-0.1, 0.1),
        colours=_shape_colours(stream, night),
    )


def _ground_colours(stream: _Stream, night: bool) -> tuple[Array, Array]:
    """Two neighbouring hues: from blue to violet by night, from rose to cream by day."""
    hue = stream.uniform(0.58, 0.78) if night else stream.uniform(0.0, 0.16)
    other = hue + stream.uniform(-0.06, 0.06)
    if night:
        return (
            _colour(hue, stream.uniform(0.55, 0.75), stream.uniform(0.16, 0.26)),
            _colour(other, stream.uniform(0.45, 0.65), stream.uniform(0.36, 0.5)),
        )
    return (
        _colour(hue, stream.uniform(0.04, 0.12), stream.uniform(0.95, 1.0)),
        _colour(other, stream.uniform(0.18, 0.3), stream.uniform(0.84, 0.94)),
    )


def _shape_colours(stream: _Stream, night: bool) -> tuple[Array, Array]:
    """A shade and a light of one hue: pink to green by night, teal to crimson by day."""
    hue = stream.uniform(-0.08, 0.42) if night else stream.uniform(0.45, 0.98)
    saturation, value = stream.uniform(0.6, 0.85), stream.uniform(0.88, 1.0)
    if night:
        return _colour(hue, saturation, 0.92 * value), _colour(hue, 0.45 * saturation, value)
    return _colour(hue, saturation, 0.68 * value), _colour(hue, 0.8 * saturation, 0.95 * value)


def _colour(hue: float, saturation: float, value: float) -> Array:
    """HSV, hue in turns, to grey levels (3,)."""
    sixths = 6.0 * (hue % 1.0)
    pure = (abs(sixths - 3.0) - 1.0, 2.0 - abs(sixths - 2.0), 2.0 - abs(sixths - 4.0))
    share = np.clip(np.array(pure), 0.0, 1.0)
    return 255.0 * value * (1.0 - saturation + saturation * share)
