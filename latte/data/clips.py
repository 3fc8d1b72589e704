"""The choice of clips: which frames of which videos, from a seed, before anything is decoded.

Every choice is a hash of the seed and the video's name. So it is the same on every machine and in
every version of every library; one more video in a folder changes only the choices about that
video; and it does not depend on the order in which videos are looked at.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, islice, tee
from typing import Literal

from latte.data.errors import SKIP, BrokenVideoError, InputError
from latte.data.hashing import hash64
from latte.data.sources import Video, VideoSet
from latte.data.video import VideoInfo

Order = Literal["sorted", "random", "clips"]
Offset = Literal["first", "random", "every"]
Window = Literal["kept", "strides"]
ShortVideos = Literal["discard", "error"]
Probed = tuple[Video, VideoInfo | BrokenVideoError]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How clips are chosen from a set of videos."""

    num_videos: int  # clips at most (frames, where offset is "every"); 0 for as many as there are
    num_frames: int  # kept in each clip
    stride: int  # source frames per kept frame
    # The first videos by name, or of a seeded shuffle; or a seeded choice among all clips of all
    # videos (their random offsets), in which long videos are likelier.
    order: Order
    # Start of a clip: frame 0, or anywhere it fits. "every" takes clip after clip from frame 0, the
    # last one shorter, so that each frame at this stride is taken once.
    offset: Offset
    short_videos: ShortVideos  # leave out what is too short, as an official tool does, or refuse
    seed: int
    window: Window = "kept"  # span that must fit: up to the last kept frame, or whole strides
    clips_per_video: int = 1  # maximum; a second clip of a video comes after one of each video
    mirror: bool = False  # each clip once more, flipped left to right, after all the others

    @property
    def min_frames(self) -> int:
        """The shortest video that is used.

        A protocol that discards short videos asks for whole strides (num_frames · stride, as
        StyleGAN-V does) whatever its window; otherwise what has to fit is the window.
        """
        if self.offset == "every":
            return 1
        if self.short_videos == "discard":
            return self.num_frames * self.stride
        return self.span

    @property
    def span(self) -> int:
        """Source frames that a clip needs from where it begins."""
        if self.window == "strides":
            return self.num_frames * self.stride
        return (self.num_frames - 1) * self.stride + 1


@dataclass(frozen=True, kw_only=True)
class Clip:
    """The frames (indices into the video) that make one clip."""

    video: Video
    info: VideoInfo
    frames: tuple[int, ...]
    mirrored: bool = False  # flipped left to right once it is loaded


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """The clips of one set, and the videos that were skipped."""

    root: str  # source of the set's videos, for messages
    clips: tuple[Clip, ...]
    num_listed: int  # videos in the set
    too_short: tuple[str, ...] = ()  # "name (n frames)", discarded as the protocol asks
    broken: tuple[str, ...] = ()  # problems of videos skipped with the user's permission

    @property
    def num_frames(self) -> int:
        """Frames of all clips together."""
        return sum(len(clip.frames) for clip in self.clips)


def candidates(videos: Sequence[Video], *, order: Order, seed: int) -> list[Video]:
    """The videos in the order in which they are considered."""
    if order == "random":
        return sorted(videos, key=lambda video: (_draw(seed, "order", video.name), video.name))
    return sorted(videos, key=lambda video: video.name)


def clip_frames(
    selection: Selection, name: str, num_frames: int, number: int = 0
) -> tuple[int, ...]:
    """Indices of the kept frames of one clip of a video that is `num_frames` long.

    A random offset is uniform over every place where the window fits, the first and the last
    included: 0 … num_frames − (n − 1)·stride − 1 for the kept frames (StyleGAN-V),
    0 … num_frames − n·stride for whole strides (cd-fvd on frame folders). Each `number` of a clip
    in its video has a draw of its own, so two clips may overlap or be the same.

    Where clips begin at frame 0, the clip of a higher number begins whole strides after the one
    before, and there may be no room for it: no frames. With the offset "every" the last clip of a
    video may be shorter.

    Raises:
        ValueError: the video holds no first clip.
    """
    length, stride = selection.num_frames, selection.stride
    places = num_frames - selection.span + 1
    start = number * length * stride
    if selection.offset == "every":
        return tuple(range(start, min(start + length * stride, num_frames), stride))
    if places < 1:
        raise ValueError(f"{name}: {num_frames} frames hold no clip of {selection}")
    if selection.offset == "random":
        purpose = "offset" if number == 0 else f"offset {number}"
        start = _draw(selection.seed, purpose, name) % places
    elif start >= places:
        return ()
    return tuple(range(start, start + length * stride, stride))


def plan_clips(
    videos: VideoSet,
    selection: Selection,
    probe: Callable[[Iterable[Video]], Iterable[Probed]],
    *,
    skip_broken: bool = False,
    known_broken: Sequence[tuple[str, str]] = (),
) -> ClipPlan:
    """Choose the clips of a set.

    First one clip of each video, in order; if that is not enough, a second of each, and so on up
    to `clips_per_video`; then, if `mirror`, the same clips flipped: StyleGAN-V's data set puts
    flipped items after all others too, and counts both. `probe` gives the size of each video in
    turn, lazily: once enough clips are found no further video is opened. `known_broken` holds
    (name, sentence) of videos already found to be unusable: the next in the order take their
    places.

    Raises:
        BrokenVideoError: a video cannot be read, or is too short where that is not allowed.
        InputError: no clip at all is left.
    """
    left_out = dict(known_broken)
    order = candidates(videos.videos, order=selection.order, seed=selection.seed)
    too_short: list[str] = []
    broken = list(left_out.values())

    def usable() -> Iterator[tuple[Video, VideoInfo]]:
        for video, info in probe(video for video in order if video.name not in left_out):
            if isinstance(info, BrokenVideoError):
                error = info
            elif info.num_frames >= selection.min_frames:
                yield video, info
                continue
            elif selection.short_videos == "discard":
                too_short.append(f"{video.name} ({info.num_frames} frames)")
                continue
            else:
                error = _too_short(videos, video, info, selection)
            if not skip_broken:
                raise error
            broken.append(error.problem)

    in_order = _among_all if selection.order == "clips" else _in_rounds
    clips = _take(in_order(usable(), selection), selection)
    if not clips:
        raise InputError(_nothing_left(videos, selection, too_short, broken))
    return ClipPlan(
        root=videos.root,
        clips=tuple(clips),
        num_listed=len(videos.videos),
        too_short=tuple(too_short),
        broken=tuple(broken),
    )


def _in_rounds(usable: Iterable[tuple[Video, VideoInfo]], selection: Selection) -> Iterator[Clip]:
    """One clip of each video, then another of each; where every frame is taken, all at once."""

    def clips(video: Video, info: VideoInfo, numbers: Iterable[int]) -> Iterator[Clip]:
        for number in numbers:
            frames = clip_frames(selection, video.name, info.num_frames, number)
            if not frames:
                return
            yield Clip(video=video, info=info, frames=frames)

    if selection.offset == "every":
        for video, info in usable:
            yield from clips(video, info, count())
        return
    videos = []
    for video, info in usable:
        videos.append((video, info))
        yield from clips(video, info, [0])
    for number in range(1, selection.clips_per_video):
        more = [clip for video, info in videos for clip in clips(video, info, [number])]
        yield from more
        if not more:
            return


def _among_all(usable: Iterable[tuple[Video, VideoInfo]], selection: Selection) -> Iterator[Clip]:
    """A seeded choice among all clips of all videos, each at most once."""
    videos = list(usable)
    num_clips = selection.num_videos or sum(info.num_frames for _, info in videos)

    def draws() -> Iterator[tuple[int, int, int]]:
        for place, (video, info) in enumerate(videos):
            of_video = (
                (_draw(selection.seed, "clip", f"{video.name}\0{start}"), place, start)
                for start in range(info.num_frames - selection.span + 1)
            )
            yield from heapq.nsmallest(min(selection.clips_per_video, num_clips), of_video)

    length = selection.num_frames * selection.stride
    for _, place, start in heapq.nsmallest(num_clips, draws()):
        video, info = videos[place]
        frames = tuple(range(start, start + length, selection.stride))
        yield Clip(video=video, info=info, frames=frames)


def _take(clips: Iterator[Clip], selection: Selection) -> list[Clip]:
    """The first clips, as many as are wanted; with every frame wanted, the last clip is cut."""
    if selection.mirror:
        clips, again = tee(clips)
        clips = chain(clips, (replace(clip, mirrored=True) for clip in again))
    if selection.offset != "every" or not selection.num_videos:
        return list(islice(clips, selection.num_videos or None))
    taken: list[Clip] = []
    left = selection.num_videos
    for clip in clips:
        taken.append(replace(clip, frames=clip.frames[:left]))
        left -= len(taken[-1].frames)
        if left == 0:
            break
    return taken


def _draw(seed: int, what: str, name: str) -> int:
    """64 bits that depend on the seed, the purpose and the name alone."""
    return hash64(f"{seed}\0{what}\0{name}")


def _too_short(
    videos: VideoSet, video: Video, info: VideoInfo, selection: Selection
) -> BrokenVideoError:
    return BrokenVideoError(
        f"{videos.root}: {video.name} has {info.num_frames} frames, but {selection.num_frames} "
        f"frames at stride {selection.stride} need {selection.min_frames}",
        f"give longer videos or a smaller num_frames (--num-frames), or {SKIP}",
    )


def _nothing_left(
    videos: VideoSet, selection: Selection, too_short: Sequence[str], broken: Sequence[str]
) -> str:
    sets_aside = (too_short, f"shorter than {selection.min_frames} frames"), (broken, "broken")
    reasons = [
        f"{len(names)} {what} ({names[0]}{', …' if names[1:] else ''})"
        for names, what in sets_aside
        if names
    ]
    return (
        f"{videos.root}: none of its {len(videos.videos)} videos can be used: "
        f"{' and '.join(reasons) or 'it has no videos'}, so give videos of at least "
        f"{selection.min_frames} frames"
    )
