"""Video files: probing, decoding chosen frames or all in turn, and writing."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

from latte.data.containers import Stream, scan
from latte.data.errors import SKIP, BrokenVideoError, InputError
from latte.data.ffmpeg import decode_all, display_matrix, opened, reading
from latte.data.truncation import has_gaps
from latte.data.video_reader import VideoReader

# x264's assembler reads memory that nothing has written at most widths: without it, the same clip
# gives the same file.
_H264_OPTIONS = {"x264-params": "asm=0"}
VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
        *(".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    }
)
# How frames are read, besides FFmpeg's version; part of the key of stored features. 2: upright,
# and damaged frames are refused.
DECODING_VERSION = 2

Note = Literal[
    "rotated",  # turned or mirrored, as its metadata say
    "not_turned",  # pictures that are read as stored, although their metadata ask to turn them
    "interlaced",  # a frame shows two moments, in turns line by line
    "alpha",  # it has an alpha channel, through which nothing shows
    "alpha_unread",  # an alpha channel beside its frames, which is not decoded: VP8 and VP9
    "grey",  # it has grey levels alone, which became RGB
    "counted",  # its frames were counted by decoding, as its container does not number them
    "fewer_frames",  # than its container claims: dropped, or cut off from what they build on
    "bytes_after_end",  # which belong to no frame
    "gaps",  # packets of its transport stream are missing, and so perhaps frames
    "end_not_stated",  # so that a cut copy looks like a whole one
    "damaged_later",  # its container is damaged after some frames that can be read
]


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """Length (frames) and upright size (pixels) of a video."""

    num_frames: int
    height: int
    width: int
    notes: tuple[Note, ...] = ()  # what a careful reader may want to know of it, sorted


def probe_file(path: Path) -> VideoInfo:
    """Length and size of a video file.

    Its packets are counted and its first frame is decoded. All are decoded where the container does
    not number its frames: in MPEG streams, for example.

    Raises:
        BrokenVideoError: not a video, cut short, or damaged.
    """
    stream = scan(path, decode_first=True)
    first, length = stream.first, stream.length
    if first is None or (stream.times and first.pts != stream.times[0]):
        raise BrokenVideoError(
            f"{path}: its first frames cannot be decoded, as the frames that they build on are "
            "missing",
            f"cut it at a key frame, or {SKIP}",
        )
    with reading(path):
        if length is None:
            with opened(path) as media:
                length = sum(1 for _ in decode_all(media))
            if length < stream.num_packets and not stream.begins_with_key:
                raise BrokenVideoError(
                    f"{path}: only {length} of its {stream.num_packets} frames can be decoded",
                    f"cut it at a key frame, or {SKIP}",
                )
        matrix = display_matrix(first)
        height, width = first.height, first.width
        if matrix and not matrix[0]:
            height, width = width, height
        return VideoInfo(
            num_frames=length,
            height=height,
            width=width,
            notes=tuple(sorted(_notes(path, stream, first))),
        )


def _notes(path: Path, stream: Stream, first: Any) -> Iterator[Note]:
    if display_matrix(first):
        yield "rotated"
    if first.interlaced_frame:
        yield "interlaced"
    if any(component.is_alpha for component in first.format.components):
        yield "alpha"
    if stream.has_alpha_beside:
        yield "alpha_unread"
    if first.format.name.startswith(("gray", "ya", "mono")):
        yield "grey"
    if stream.length is None:
        yield "counted"
        if has_gaps(path):
            yield "gaps"
    if stream.num_missing:
        yield "fewer_frames"
    if stream.num_bytes_after is None:
        yield "end_not_stated"
    elif stream.num_bytes_after:
        yield "bytes_after_end"
    if stream.damaged_from is not None:
        yield "damaged_later"


def open_video(path: Path) -> VideoReader:
    """A video file to read several times from: `with open_video(path) as video: video.read(…)`.

    Raises:
        BrokenVideoError: not a video, cut short, or damaged.
    """
    return VideoReader(path)


def read_file(path: Path, frames: Sequence[int]) -> np.ndarray:
    """Chosen frames of a video file, in the order asked for: uint8 (T, H, W, 3), RGB, upright.

    Raises:
        BrokenVideoError: not a video, cut short, damaged, of changing size, or without one of
            these frames.
    """
    with open_video(path) as video:
        return video.read(frames)


def iterate_file(path: Path) -> Iterator[np.ndarray]:
    """All frames of a video file in turn, each uint8 (H, W, 3): one at a time in memory.

    Raises:
        BrokenVideoError: not a video, cut short or damaged.
    """
    with open_video(path) as video:
        yield from video


def write_video(path: Path, clip: np.ndarray, *, fps: float, lossless: bool = True) -> None:
    """Write a clip, uint8 (T, H, W, 3): FFV1 in .mkv bit for bit, or H.264 in .mp4.

    Raises:
        InputError: the array is not a clip, or H.264 cannot have its odd size.
    """
    if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[-1] != 3 or 0 in clip.shape:
        raise InputError(f"{path}: cannot write {clip.dtype} {clip.shape}: give uint8 (T, H, W, 3)")
    if not lossless:
        _check_even(clip, f"{path}: H.264", "crop, or write lossless .mkv")
    # Matroska otherwise gives every file a random number, and so the same clip another hash.
    # "file:", because FFmpeg would take what precedes a colon in a relative path for a protocol.
    with av.open(f"file:{path}", "w", options={"fflags": "bitexact"}) as container:
        _encode(container, clip, fps=fps, lossless=lossless)


def mp4_round_trip(clip: np.ndarray, name: str = "a clip") -> np.ndarray:
    """A clip, uint8 (T, H, W, 3), as it comes back from an H.264 file that `write_video` made.

    libx264 with its own defaults, 4:2:0, 25 frames per second (its rate control looks at them).
    The clip is a file of its own: its first frame is a key frame. One thread and x264's own C
    code, so that every run makes the same frames.

    Raises:
        InputError: H.264 cannot have its odd size.
        BrokenVideoError: frames were lost on the way.
    """
    advice = "choose another size or storage=lossless (--set storage=lossless)"
    _check_even(clip, f"{name}: storage mp4", advice)
    content = io.BytesIO()
    with av.open(content, "w", format="mp4", options={"fflags": "bitexact"}) as container:
        _encode(container, clip, fps=25, lossless=False)
    content.seek(0)
    with av.open(content, format="mp4") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    if len(frames) != len(clip):
        raise BrokenVideoError(
            f"{name}: of {len(clip)} frames {len(frames)} came back from H.264",
            "choose another storage",
        )
    return np.stack(frames)


def _check_even(clip: np.ndarray, what: str, advice: str) -> None:
    height, width = clip.shape[1:3]
    if height % 2 or width % 2:
        raise InputError(f"{what} needs even sides, not {width}×{height}: {advice}")


def _encode(container: Any, clip: np.ndarray, *, fps: float, lossless: bool) -> None:
    """FFV1, or H.264, by one thread, so that the bytes are the same on every machine."""
    codec, pixels = ("ffv1", "bgr0") if lossless else ("libx264", "yuv420p")
    rate = Fraction(fps).limit_denominator(10_000)
    stream = container.add_stream(codec, rate=rate, options={} if lossless else _H264_OPTIONS)
    stream.height, stream.width, stream.pix_fmt = *clip.shape[1:3], pixels
    stream.codec_context.thread_count = 1
    for image in clip:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        container.mux(stream.encode(frame.reformat(format=pixels)))
    container.mux(stream.encode())


@cache  # finding out takes a millisecond, and each clip's identity has it
def decoder_version() -> str:
    """Name and version of what decodes, as a result records it: "pyav 18.1.0"."""
    return f"pyav {version('av')}"
