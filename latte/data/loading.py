"""One planned clip → the uint8 frames that a network sees, and the hash of all that made them."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from operator import attrgetter, methodcaller
from typing import Any

import numpy as np

from latte.data.clips import Clip, Probed
from latte.data.errors import SKIP, BrokenVideoError
from latte.data.sources import Video
from latte.data.transforms import RECIPES, jpeg_round_trip
from latte.data.video import DECODING_VERSION, decoder_version, mp4_round_trip
from latte.data.workers import map_in_order

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


def load_in_workers(
    clips: Iterable[Clip], preparation: Preparation, *, workers: int, timeout: float = 120.0
) -> Generator[np.ndarray | BrokenVideoError, None, None]:
    """Each clip as `load_clip` gives it, or the error of a broken one, in order."""
    load = partial(load_clip, preparation=preparation)
    return map_in_order(
        load, clips, workers=workers, timeout=timeout, label=lambda clip: clip.video.name
    )


def load_clip(clip: Clip, preparation: Preparation) -> np.ndarray:
    """Decode and prepare one clip: uint8 (T, H, W, 3).

    Raises:
        BrokenVideoError: a frame cannot be decoded, or has another size than the video's header
            or first frame says.
    """
    frames = clip.video.read(clip.frames)
    if not clip.video.prepared and preparation.recipe != "none":
        recipe = RECIPES[preparation.recipe]
        frames = recipe(frames, preparation.size, preparation.filter)
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


def clip_identity(clip: Clip, preparation: Preparation) -> dict[str, Any]:
    """Everything that decides a clip's pixels: content, frames, and preparation of video files."""
    identity: dict[str, Any] = {
        "content": clip.video.digest(clip.frames),
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
            identity["encoder"] = f"pyav {version('av')}"  # it includes FFmpeg and libx264
    return identity


def frame_size(clip: Clip, preparation: Preparation) -> tuple[int, int]:
    """Height and width of the frames that `load_clip` gives."""
    if clip.video.prepared or preparation.recipe == "none":
        return clip.info.height, clip.info.width
    return preparation.size, preparation.size


def probe_in_workers(videos: Iterable[Video], *, workers: int, timeout: float) -> Iterator[Probed]:
    """Sizes and lengths of videos, in order; a decoder that dies costs its video alone."""
    listed = list(videos)
    # Frame folders and arrays are no danger to this process, and quicker to look at here.
    dangerous = any(not video.prepared for video in listed)
    infos = map_in_order(
        methodcaller("probe"),
        listed,
        workers=workers if dangerous else 0,
        timeout=timeout,
        label=attrgetter("name"),
    )
    with closing(infos):
        yield from zip(listed, infos, strict=False)
