"""Video files: probing, reading chosen frames or all in turn, and writing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from latte.data.containers import Stream, decoder_message, nearly_all, scan
from latte.data.decoders import chosen_decoder, decode, decoder_version
from latte.data.errors import SKIP, BrokenVideoError, InputError

__all__ = [
    "VIDEO_SUFFIXES",
    "VideoInfo",
    "decoder_version",
    "iterate_file",
    "probe_file",
    "read_file",
    "write_video",
]

# x264's assembler reads memory that nothing has written at most widths: without it, the same clip
# gives the same file.
_H264_OPTIONS = {"x264-params": "asm=0"}
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """Length (frames) and size (pixels) of a video."""

    num_frames: int
    height: int
    width: int


def probe_file(path: Path) -> VideoInfo:
    """Length and size of a video file; its packets are counted, nothing is decoded.

    Raises:
        BrokenVideoError: not a video, cut short, or damaged.
    """
    stream = scan(path)
    return VideoInfo(num_frames=stream.num_frames, height=stream.height, width=stream.width)


def read_file(path: Path, frames: Sequence[int]) -> np.ndarray:
    """Chosen frames of a video file, in the order asked for: uint8 (T, H, W, 3), RGB.

    Raises:
        BrokenVideoError: not a video, cut short, damaged, of changing size, or without one of
            these frames.
    """
    stream = scan(path)
    wanted = sorted(set(frames))
    if not wanted or wanted[0] < 0:
        raise ValueError(f"frames {list(frames)} cannot be read from {path}")
    if wanted[-1] >= stream.num_frames:
        raise BrokenVideoError(
            f"{path}: frame {wanted[-1]} is wanted but the file has {stream.num_frames} frames",
            f"give a longer video, copy it again if it is damaged, or {SKIP}",
        )
    decoded = list(_decode(path, stream, wanted))
    if len(decoded) < len(wanted):
        raise _undecodable(path, wanted[len(decoded)], stream.num_frames)
    sizes = {(image.shape[1], image.shape[0]): None for image in decoded}
    if len(sizes) > 1:
        raise BrokenVideoError(
            f"{path}: its frames change from {' to '.join(f'{w}×{h}' for w, h in sizes)}",
            f"make them one size, or {SKIP}",
        )
    place = {index: row for row, index in enumerate(wanted)}
    return np.stack([decoded[place[index]] for index in frames])


def iterate_file(path: Path) -> Iterator[np.ndarray]:
    """All frames of a video file in turn, each uint8 (H, W, 3): one at a time in memory.

    Raises:
        BrokenVideoError: not a video, cut short or damaged.
    """
    stream = scan(path)
    count = 0
    for frame in _decode(path, stream, None):
        yield frame
        count += 1
    if count == 0 or not nearly_all(count, stream.num_frames):
        raise _undecodable(path, count, stream.num_frames)


def write_video(path: Path, clip: np.ndarray, *, fps: float, lossless: bool = True) -> None:
    """Write a clip, uint8 (T, H, W, 3): FFV1 in .mkv bit for bit, or H.264 in .mp4.

    Raises:
        InputError: the array is not a clip, or H.264 cannot have its odd size.
    """
    if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[-1] != 3 or 0 in clip.shape:
        raise InputError(f"{path}: cannot write {clip.dtype} {clip.shape}: give uint8 (T, H, W, 3)")
    height, width = clip.shape[1:3]
    if not lossless and (height % 2 or width % 2):
        raise InputError(
            f"{path}: H.264 needs even sides, not {width}×{height}: crop, or write lossless .mkv"
        )
    # Matroska otherwise gives every file a random number, and so the same clip another hash.
    with av.open(str(path), "w", options={"fflags": "bitexact"}) as container:
        encode(container, clip, fps=fps, lossless=lossless)


def encode(container: Any, clip: np.ndarray, *, fps: float, lossless: bool) -> None:
    """Encode a clip into a container that is open for writing: FFV1, or H.264.

    One thread, so that the bytes are the same on every machine.
    """
    codec, pixels = ("ffv1", "bgr0") if lossless else ("libx264", "yuv420p")
    rate = Fraction(fps).limit_denominator(10_000)
    stream = container.add_stream(codec, rate=rate, options={} if lossless else _H264_OPTIONS)
    stream.height, stream.width, stream.pix_fmt = *clip.shape[1:3], pixels
    stream.codec_context.thread_count = 1
    for image in clip:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        container.mux(stream.encode(frame.reformat(format=pixels)))
    container.mux(stream.encode())


def _decode(path: Path, stream: Stream, frames: list[int] | None) -> Iterator[np.ndarray]:
    """Decode, and turn errors of the decoder into one sentence."""
    try:
        yield from decode(path, stream, frames)
    except (InputError, GeneratorExit, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        # decord and FFmpeg have exceptions of many families; all mean that this file is at fault.
        hint = ", LATTE_DECODER=pyav may read it" if chosen_decoder() == "decord" else ""
        raise BrokenVideoError(
            f"{path}: {chosen_decoder()} cannot decode its {stream.codec} video "
            f"({decoder_message(error)}){hint}",
            f"replace it, or {SKIP}",
        ) from error


def _undecodable(path: Path, index: int, count: int) -> BrokenVideoError:
    return BrokenVideoError(
        f"{path}: frame {index} of {count} cannot be decoded, as the file is damaged",
        f"copy it again, or {SKIP}",
    )
