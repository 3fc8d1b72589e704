"""One planned clip → the uint8 frames that a network sees, and the hash of all that made them."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass
from itertools import chain
from operator import attrgetter, methodcaller
from typing import Any, NamedTuple

import numpy as np

from latte.data.clips import Clip, Probed
from latte.data.errors import SKIP, BrokenVideoError, InputError
from latte.data.limits import VARIABLE, max_pixels, memory_limit
from latte.data.processes.pool import Pool
from latte.data.processes.workers import TASKS_AHEAD, map_in_order
from latte.data.sources import FileVideo, Video
from latte.data.transforms import apply_recipe, jpeg_round_trip
from latte.data.video import DECODING_VERSION, decoder_version, mp4_round_trip, open_video
from latte.data.video_reader import VideoReader

MAX_RUN = 32  # clips of one video that one process loads: others take the next ones meanwhile

# Compression as if frames were written to disk and read again: a clip, and its name for messages.
STORAGES: Mapping[str, Callable[[np.ndarray, str], np.ndarray]] = {
    "jpeg-75": lambda clip, name: jpeg_round_trip(clip, 75),
    "jpeg-95": lambda clip, name: jpeg_round_trip(clip, 95),
    "mp4": mp4_round_trip,
}


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How the frames of a video file are prepared before they are measured.

    Frame folders and arrays have been through their preparation when they were written: nothing is
    done to them again.
    """

    recipe: str  # "none", or a name of latte.data.transforms.RECIPES
    size: int  # side of the square frames that the recipe makes
    storage: str  # "lossless", or a name of STORAGES: as frames on disk went
    filter: str = "lanczos"  # filter of the resizing: a name of latte.data.transforms.FILTERS

    def __post_init__(self) -> None:
        if self.recipe != "none" and self.size**2 > max_pixels():
            raise InputError(
                f"size = {self.size}: its frames have more than {max_pixels() / 1e6:.0f} million "
                f"pixels: give a smaller size, or raise {VARIABLE}"
            )


def load_in_workers(
    clips: Iterable[Clip],
    preparation: Preparation,
    *,
    workers: int | Pool,
    timeout: float = 120.0,
) -> Generator[np.ndarray | BrokenVideoError, None, None]:
    """Each clip as `load_clip` gives it, or the error of a broken one, in order.

    Clips of one video file that follow one another share its open file, and decode the frames that
    two neighbours have in common once. Frames come in memory that processes share; a few clips for
    each process are loaded ahead, if they fit into an eighth of the limit of memory
    (latte.data.limits).
    """
    loader = _Loader(preparation)
    parts = _parts(iter(clips))
    first = next(parts, None)
    if first is None:
        return
    height, width = frame_size(first.clip, preparation)
    clip_bytes = len(first.clip.frames) * height * width * 3
    with closing(loader), _pool(workers) as pool:
        loaded = map_in_order(
            loader,
            chain([first], parts),
            workers=pool,
            timeout=timeout,
            label=lambda part: part.clip.video.name,
            together=attrgetter("run"),
            lookahead=min(max(memory_limit() // 8 // clip_bytes, 1), 2 * TASKS_AHEAD * pool.size),
        )
        with closing(loaded):
            yield from loaded


class _Part(NamedTuple):
    """A clip in a run of clips of one video."""

    clip: Clip
    run: int  # number of the run
    again: frozenset[int]  # frames of it that the next clip of the run has, too
    is_last: bool  # the run ends with it


def _parts(clips: Iterator[Clip]) -> Iterator[_Part]:
    """Clips in runs: neighbours of one video file, not too many for one process."""
    run, length = 0, 0
    clip = next(clips, None)
    while clip is not None:
        following = next(clips, None)
        again: frozenset[int] = frozenset()
        length += 1
        is_last = (
            following is None
            or not isinstance(clip.video, FileVideo)
            or following.video != clip.video
            or length == MAX_RUN
        )
        if following is not None and not is_last:
            again = frozenset(clip.frames) & frozenset(following.frames)
        yield _Part(clip, run, again, is_last)
        if is_last:
            run, length = run + 1, 0
        clip = following


class _Loader:
    """Loads clips in runs, with one open file for each run. Each process has one of its own."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation
        self._run = -1
        self._reader: VideoReader | None = None
        self._kept: dict[int, np.ndarray] = {}  # frames that the next clip has, too

    def __call__(self, part: _Part) -> np.ndarray:
        try:
            frames = self._read(part)
        except BaseException:
            self.close()
            raise
        if part.is_last:
            self.close()
        return _prepared(frames, part.clip, self._preparation)

    def close(self) -> None:
        """Close the file that is open."""
        self._kept.clear()
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def _read(self, part: _Part) -> np.ndarray:
        video, indices = part.clip.video, part.clip.frames
        if not isinstance(video, FileVideo):
            return video.read(indices)
        if self._reader is None or self._run != part.run:
            self.close()
            self._reader, self._run = open_video(video.path), part.run
        new = [index for index in indices if index not in self._kept]
        if not self._kept:
            frames = self._reader.read(indices)
        else:
            decoded = dict(zip(new, self._reader.read(new), strict=True)) if new else {}
            decoded |= self._kept
            if len({frame.shape for frame in decoded.values()}) > 1:
                frames = self._reader.read(indices)  # says how they change
            else:
                frames = np.stack([decoded[index] for index in indices])
        self._kept = {
            index: frame.copy()
            for index, frame in zip(indices, frames, strict=True)
            if index in part.again
        }
        return frames


def load_clip(clip: Clip, preparation: Preparation) -> np.ndarray:
    """Decode and prepare one clip: uint8 (T, H, W, 3).

    Raises:
        BrokenVideoError: a frame cannot be decoded, or has another size than the video's header
            or first frame says.
    """
    return _prepared(clip.video.read(clip.frames), clip, preparation)


def _prepared(frames: np.ndarray, clip: Clip, preparation: Preparation) -> np.ndarray:
    if not clip.video.prepared and preparation.recipe != "none":
        recipe, size, filter = preparation.recipe, preparation.size, preparation.filter
        frames = apply_recipe(frames, recipe, size, filter, name=clip.video.name)
    height, width = frame_size(clip, preparation)
    if frames.shape[1:3] != (height, width):
        raise BrokenVideoError(
            f"{clip.video.name}: its frames are {frames.shape[2]}×{frames.shape[1]}, but the video "
            f"begins as {width}×{height}",
            f"make its frames one size, or {SKIP}",
        )
    if not clip.video.prepared and preparation.storage != "lossless":
        frames = STORAGES[preparation.storage](frames, clip.video.name)
    # StyleGAN-V flips what it has read from disk: after the JPEG, before the network.
    return np.ascontiguousarray(frames[:, :, ::-1]) if clip.mirrored else frames


def clip_identity(
    clip: Clip, preparation: Preparation, digest: str | None = None
) -> dict[str, Any]:
    """Everything that decides a clip's pixels: content, frames, and preparation of video files.

    Args:
        digest: that of the video for these frames, if it is known.
    """
    identity: dict[str, Any] = {
        "content": digest or clip.video.digest(clip.frames),
        "frames": list(clip.frames),
    }
    if clip.mirrored:
        identity["mirrored"] = True
    if not clip.video.prepared:
        fields = asdict(preparation)
        # Rows stored before there were filters to choose from are found again.
        if preparation.recipe == "none" or preparation.filter == "lanczos":
            del fields["filter"]
        identity |= {
            "preparation": fields,
            "decoder": f"{decoder_version()}, decoding {DECODING_VERSION}",
        }
        if preparation.storage == "mp4":
            identity["encoder"] = decoder_version()  # it includes FFmpeg and libx264
    return identity


def frame_size(clip: Clip, preparation: Preparation) -> tuple[int, int]:
    """Height and width of the frames that `load_clip` gives."""
    if clip.video.prepared or preparation.recipe == "none":
        return clip.info.height, clip.info.width
    return preparation.size, preparation.size


def probe_in_workers(
    videos: Iterable[Video], *, workers: int | Pool, timeout: float
) -> Generator[Probed, None, None]:
    """Sizes and lengths of videos, in order; a decoder that dies costs its video alone."""
    listed = list(videos)
    # Frame folders and arrays are no danger to this process, and quicker to look at here.
    dangerous = any(not video.prepared for video in listed)
    with _pool(workers if dangerous else 0) as pool:
        infos = map_in_order(
            methodcaller("probe"),
            listed,
            workers=pool,
            timeout=timeout,
            label=attrgetter("name"),
        )
        with closing(infos):
            yield from zip(listed, infos, strict=False)


def _pool(workers: int | Pool) -> AbstractContextManager[Pool]:
    """The pool given, which stays, or one for this map alone."""
    return nullcontext(workers) if isinstance(workers, Pool) else Pool(workers, limited=True)
