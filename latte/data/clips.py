"""Which frames of which videos: decided by a seed before anything is decoded.

Every choice is a hash of the seed and the video's name. So it is the same on every machine and in
every version of every library; one more video in a folder changes only the choices about that
video; and it does not depend on the order in which videos are looked at.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from latte.data.errors import BrokenVideoError, InputError
from latte.data.sources import Video, VideoSet
from latte.data.video import VideoInfo

Order = Literal["sorted", "random"]
Offset = Literal["first", "random"]
ShortVideos = Literal["discard", "error"]
Probed = tuple[Video, VideoInfo | BrokenVideoError]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How clips are chosen from a set of videos: one clip from each chosen video."""

    num_videos: int  # at most; a set with fewer gives all it has
    num_frames: int  # kept in each clip
    stride: int  # source frames per kept frame
    order: Order  # first by name, or the first of a seeded shuffle
    offset: Offset  # where in the video a clip begins: frame 0, or anywhere it fits
    short_videos: ShortVideos  # leave out what is too short, as an official tool does, or refuse
    seed: int

    @property
    def min_frames(self) -> int:
        """The shortest video that is used.

        A protocol that discards short videos asks for whole strides (num_frames · stride, as
        StyleGAN-V does); otherwise the last kept frame has to exist.
        """
        if self.short_videos == "discard":
            return self.num_frames * self.stride
        return (self.num_frames - 1) * self.stride + 1


@dataclass(frozen=True, kw_only=True)
class Clip:
    """The frames (indices into the video) that make one clip."""

    video: Video
    info: VideoInfo
    frames: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """The clips of one set, and what was left out on the way to them."""

    root: str  # where the set's videos come from, for messages
    clips: tuple[Clip, ...]
    num_listed: int  # videos in the set
    too_short: tuple[str, ...] = ()  # "name (n frames)", discarded as the protocol asks
    broken: tuple[str, ...] = ()  # one sentence each, left out because the user allowed it


def candidates(videos: Sequence[Video], *, order: Order, seed: int) -> list[Video]:
    """The videos in the order in which they are considered."""
    if order == "sorted":
        return sorted(videos, key=lambda video: video.name)
    return sorted(videos, key=lambda video: (_draw(seed, "order", video.name), video.name))


def clip_frames(selection: Selection, name: str, num_frames: int) -> tuple[int, ...]:
    """Indices of the kept frames of one video that is `num_frames` long.

    A random offset is uniform over 0 … num_frames − (n − 1)·stride − 1, both included: every place
    where the clip fits. StyleGAN-V has the same bounds.
    """
    places = num_frames - (selection.num_frames - 1) * selection.stride
    if places < 1:
        raise ValueError(f"{name}: {num_frames} frames hold no clip of {selection}")
    start = 0
    if selection.offset == "random":
        start = _draw(selection.seed, "offset", name) % places
    return tuple(range(start, start + selection.num_frames * selection.stride, selection.stride))


def plan_clips(
    videos: VideoSet,
    selection: Selection,
    probe: Callable[[Iterable[Video]], Iterable[Probed]],
    *,
    skip_broken: bool = False,
    known_broken: Sequence[tuple[str, str]] = (),
) -> ClipPlan:
    """Choose the clips of a set.

    `probe` gives the size of each video in turn, lazily: once enough clips are found no further
    video is opened. `known_broken` holds (name, sentence) of videos already found to be unusable:
    the next in the order take their places.

    Raises:
        BrokenVideoError: a video cannot be read, or is too short where that is not allowed.
        InputError: no clip at all is left.
    """
    left_out = dict(known_broken)
    order = candidates(videos.videos, order=selection.order, seed=selection.seed)
    clips: list[Clip] = []
    too_short: list[str] = []
    broken = list(left_out.values())
    usable = (video for video in order if video.name not in left_out)
    for video, info in probe(usable):
        if isinstance(info, BrokenVideoError):
            _refuse_unless(skip_broken, info)
            broken.append(str(info))
        elif info.num_frames < selection.min_frames:
            if selection.short_videos == "discard":
                too_short.append(f"{video.name} ({info.num_frames} frames)")
            else:
                error = _too_short(videos, video, info, selection)
                _refuse_unless(skip_broken, error)
                broken.append(str(error))
        else:
            frames = clip_frames(selection, video.name, info.num_frames)
            clips.append(Clip(video=video, info=info, frames=frames))
            if len(clips) == selection.num_videos:
                break
    if not clips:
        raise InputError(_nothing_left(videos, selection, too_short, broken))
    return ClipPlan(
        root=videos.root,
        clips=tuple(clips),
        num_listed=len(videos.videos),
        too_short=tuple(too_short),
        broken=tuple(broken),
    )


def _draw(seed: int, what: str, name: str) -> int:
    """64 bits that depend on the seed, the purpose and the name alone."""
    # A name on disk need not be UTF-8: Python keeps its bytes as surrogates.
    text = f"{seed}\0{what}\0{name}".encode(errors="surrogateescape")
    digest = hashlib.sha256(text).digest()
    return int.from_bytes(digest[:8], "big")


def _refuse_unless(allowed: bool, error: BrokenVideoError) -> None:
    if not allowed:
        raise error


def _too_short(
    videos: VideoSet, video: Video, info: VideoInfo, selection: Selection
) -> BrokenVideoError:
    return BrokenVideoError(
        f"{videos.root}: {video.name} has {info.num_frames} frames, but {selection.num_frames} "
        f"frames at stride {selection.stride} need {selection.min_frames}; give longer videos, "
        "a smaller --num-frames, or --skip-broken to leave it out"
    )


def _nothing_left(
    videos: VideoSet, selection: Selection, too_short: Sequence[str], broken: Sequence[str]
) -> str:
    reasons = []
    if too_short:
        reasons.append(
            f"{len(too_short)} shorter than {selection.min_frames} frames ({too_short[0]}"
            + (", …)" if len(too_short) > 1 else ")")
        )
    if broken:
        first = broken[0].partition(";")[0]  # what to do about it is to leave it out: it is
        reasons.append(f"{len(broken)} broken ({first}" + (", …)" if broken[1:] else ")"))
    return (
        f"{videos.root}: none of its {len(videos.videos)} videos can be used: "
        f"{'; '.join(reasons) or 'it has no videos'}; give videos of at least "
        f"{selection.min_frames} frames"
    )
