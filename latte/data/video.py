"""Video files: probing, decoding chosen frames or all in turn, and writing.

The two decoders, decord, and PyAV where decord has no wheel, decode with one thread, so that a file
gives the same bytes on every machine; processes, not threads, make decoding fast
(latte.data.workers).
"""

import importlib.util
import io
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

from latte.data.containers import Stream, decoder_message, nearly_all, scan
from latte.data.errors import SKIP, BrokenVideoError, InputError, check_frames

# x264's assembler reads memory that nothing has written at most widths: without it, the same clip
# gives the same file.
_H264_OPTIONS = {"x264-params": "asm=0"}
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})
# decord takes the padded length of a row, divided by the width, for the number of channels: in
# narrow frames, depending on the machine, it finds four. PyAV decodes these everywhere.
_DECORD_MIN_WIDTH = 64


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
    indices = sorted(set(frames))
    check_frames(indices, stream.num_frames, str(path))
    decoded = list(_decode(path, stream, indices))
    if len(decoded) < len(indices):
        raise _undecodable(path, indices[len(decoded)], stream.num_frames)
    sizes = {(image.shape[1], image.shape[0]): None for image in decoded}
    if len(sizes) > 1:
        raise BrokenVideoError(
            f"{path}: its frames change from {' to '.join(f'{w}×{h}' for w, h in sizes)}",
            f"make them one size, or {SKIP}",
        )
    place = {index: row for row, index in enumerate(indices)}
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
    if not lossless:
        _check_even(clip, f"{path}: H.264", "crop, or write lossless .mkv")
    # Matroska otherwise gives every file a random number, and so the same clip another hash.
    with av.open(str(path), "w", options={"fflags": "bitexact"}) as container:
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
    with _open(content) as (container, video):
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video)]
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


def decoder_version() -> str:
    """Names and versions of all that decoding rests on, as a result records them.

    "decord 0.6.0, pyav 18.1.0", because PyAV lists the packets and decodes what decord gets wrong;
    or "pyav 18.1.0".
    """
    pyav = f"pyav {version('av')}"
    return f"decord {version('decord')}, {pyav}" if _chosen_decoder() == "decord" else pyav


def _decode(path: Path, stream: Stream, frames: list[int] | None) -> Iterator[np.ndarray]:
    """All frames of a file, or those asked for (ascending, without repetition): uint8 (H, W, 3).

    Fewer come where the file runs out. Errors of the decoder become one sentence.
    """
    decoder = _chosen_decoder()
    use_decord = decoder == "decord" and stream.width >= _DECORD_MIN_WIDTH
    try:
        yield from (_decode_by_decord if use_decord else _decode_by_pyav)(path, stream, frames)
    except (InputError, GeneratorExit, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        # decord and FFmpeg have exceptions of many families; all mean that this file is at fault.
        hint = ", LATTE_DECODER=pyav may read it" if decoder == "decord" else ""
        raise BrokenVideoError(
            f"{path}: {decoder} cannot decode its {stream.codec} video "
            f"({decoder_message(error)}){hint}",
            f"replace it, or {SKIP}",
        ) from error


def _undecodable(path: Path, index: int, count: int) -> BrokenVideoError:
    return BrokenVideoError(
        f"{path}: frame {index} of {count} cannot be decoded, as the file is damaged",
        f"copy it again, or {SKIP}",
    )


def _chosen_decoder() -> str:
    """`decord` where it is installed, else `pyav`; $LATTE_DECODER forces one."""
    name = os.environ.get("LATTE_DECODER", "")
    installed = importlib.util.find_spec("decord") is not None
    if not name:
        return "decord" if installed else "pyav"
    if name not in ("decord", "pyav"):
        raise InputError(
            f"LATTE_DECODER={name}: unknown decoder: set it to decord or pyav, or unset it"
        )
    if name == "decord" and not installed:
        raise InputError(
            "LATTE_DECODER=decord: decord is not installed: `pip install decord`, or unset it to "
            "decode with PyAV"
        )
    return name


def _decode_by_decord(path: Path, stream: Stream, frames: list[int] | None) -> Iterator[np.ndarray]:
    """decord finds its way by counting packets from the nearest key frame.

    This is right only where the groups of pictures are closed and the times are true. Elsewhere it
    is made to decode in order from the first frame, which is always right.
    """
    reader = _decord_reader(path)
    if len(reader) != stream.num_packets:
        raise RuntimeError(f"it counts {len(reader)} frames where there are {stream.num_packets}")
    if frames is not None and stream.entries:
        yield from reader.get_batch(frames).asnumpy()
        return
    indices = range(stream.num_frames) if frames is None else set(frames)
    for index in range(max(indices) + 1):
        try:
            frame = reader.next()
        except StopIteration:
            return
        if index in indices:
            yield frame.asnumpy()


def _decord_reader(path: Path) -> Any:
    # decord polls for a file's last frames; its own limit is too low on a machine that is busy.
    os.environ.setdefault("DECORD_EOF_RETRY_MAX", "1000000")
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        str(path).encode()
    except UnicodeEncodeError:  # decord takes UTF-8 names alone: the file is read for it
        with path.open("rb") as file:
            return decord.VideoReader(file, num_threads=1)
    return decord.VideoReader(str(path), num_threads=1)


def _decode_by_pyav(path: Path, stream: Stream, frames: list[int] | None) -> Iterator[np.ndarray]:
    """PyAV (FFmpeg) jumps to the nearest key frame where that is safe."""
    decoded = 0
    if frames is not None and stream.entries:
        for frame in _jump_and_decode(path, stream, frames):
            yield frame
            decoded += 1
        frames = frames[decoded:]
    indices = range(stream.num_frames) if frames is None else set(frames)
    if not indices:
        return
    last = max(indices)
    with _open(str(path)) as (container, video):
        for index, picture in enumerate(container.decode(video)):
            if index in indices:
                yield picture.to_ndarray(format="rgb24")
            if index >= last:
                return


def _jump_and_decode(path: Path, stream: Stream, frames: list[int]) -> Iterator[np.ndarray]:
    """The frames asked for, decoded from the key frame before them; ends at the first not found.

    A jump may land too late, because containers index by decoding time: that frame is not found.
    """
    with _open(str(path)) as (container, video):
        pictures: Iterator[Any] = iter(())
        position = -1  # index of the last decoded frame
        for index in frames:
            entry = stream.entries[bisect_right(stream.entries, index) - 1]
            if entry > position:
                container.seek(stream.times[entry], stream=video, backward=True)
                pictures = container.decode(video)
            time = stream.times[index]
            picture = next((candidate for candidate in pictures if candidate.pts >= time), None)
            if picture is None or picture.pts != time:
                return
            position = index
            yield picture.to_ndarray(format="rgb24")


@contextmanager
def _open(file: str | BinaryIO) -> Iterator[tuple[Any, Any]]:
    with av.open(file) as container:
        video = container.streams.video[0]
        video.codec_context.thread_count = 1
        yield container, video
