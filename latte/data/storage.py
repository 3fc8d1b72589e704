"""Compression as if frames were written to disk and read again: uint8 to uint8, in memory."""

import io
from collections.abc import Callable, Mapping
from importlib.metadata import version

import av
import numpy as np

from latte.data.errors import BrokenVideoError, InputError
from latte.data.transforms import jpeg_round_trip
from latte.data.video import encode

Storage = Callable[[np.ndarray, str], np.ndarray]  # a clip, and its name for messages
FPS = 25


def mp4_round_trip(clip: np.ndarray, name: str = "a clip") -> np.ndarray:
    """A clip, uint8 (T, H, W, 3), as it comes back from an H.264 file that `write_video` made.

    libx264 with its own defaults, 4:2:0, 25 frames per second (its rate control looks at them).
    The clip is a file of its own: its first frame is a key frame. One thread and x264's own C
    code, so that every run makes the same frames.

    Raises:
        InputError: H.264 cannot have its odd size.
        BrokenVideoError: frames were lost on the way.
    """
    height, width = clip.shape[1:3]
    if height % 2 or width % 2:
        raise InputError(
            f"{name}: storage mp4 needs even sides, not {width}×{height}, so choose another size "
            "or storage=lossless (--set storage=lossless)"
        )
    content = io.BytesIO()
    with av.open(content, "w", format="mp4", options={"fflags": "bitexact"}) as container:
        encode(container, clip, fps=FPS, lossless=False)
    content.seek(0)
    with av.open(content) as container:
        container.streams.video[0].codec_context.thread_count = 1
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    if len(frames) != len(clip):
        raise BrokenVideoError(
            f"{name}: of {len(clip)} frames {len(frames)} came back from H.264",
            "choose another storage",
        )
    return np.stack(frames)


def encoder_version() -> str:
    """Version of the encoder: PyAV includes FFmpeg and libx264."""
    return f"pyav {version('av')}"


STORAGES: Mapping[str, Storage] = {
    "jpeg-75": lambda clip, name: jpeg_round_trip(clip, 75),
    "jpeg-95": lambda clip, name: jpeg_round_trip(clip, 95),
    "mp4": mp4_round_trip,
}
