"""The two decoders, behind one interface: decord, and PyAV where decord has no wheel.

Each decodes with one thread, so that a file gives the same bytes on every machine; processes, not
threads, make decoding fast (latte.data.workers).
"""

import importlib.util
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import numpy as np

from latte.data.containers import Stream
from latte.data.errors import InputError

# All frames of a file in order, or only those asked for (ascending, without repetition); the
# frames are uint8 (H, W, 3). Fewer than asked for come where the file runs out.
Frames = Iterator[np.ndarray]
Decode = Callable[[Path, Stream, list[int] | None], Frames]

NAMES = ("decord", "pyav")
# decord takes the padded length of a row, divided by the width, for the number of channels: in
# narrow frames, depending on the machine, it finds four. PyAV decodes these everywhere.
DECORD_MIN_WIDTH = 64


def chosen_decoder() -> str:
    """`decord` where it is installed, else `pyav`; $LATTE_DECODER forces one."""
    wanted = os.environ.get("LATTE_DECODER", "")
    installed = importlib.util.find_spec("decord") is not None
    if not wanted:
        return "decord" if installed else "pyav"
    if wanted not in NAMES:
        raise InputError(
            f"LATTE_DECODER={wanted}: unknown decoder: set it to decord or pyav, or unset it"
        )
    if wanted == "decord" and not installed:
        raise InputError(
            "LATTE_DECODER=decord: decord is not installed: `pip install decord`, or unset it to "
            "decode with PyAV"
        )
    return wanted


def decoder_version() -> str:
    """Names and versions of all that decoding rests on, as a result records them.

    "decord 0.6.0, pyav 18.1.0", because PyAV lists the packets and decodes what decord gets wrong;
    or "pyav 18.1.0".
    """
    pyav = f"pyav {version('av')}"
    return f"decord {version('decord')}, {pyav}" if chosen_decoder() == "decord" else pyav


def decode(path: Path, stream: Stream, frames: list[int] | None) -> Frames:
    """Frames of a file with the decoder in use; see `Decode`."""
    decord_can = stream.width >= DECORD_MIN_WIDTH
    decoder: Decode = decode_decord if chosen_decoder() == "decord" and decord_can else decode_pyav
    return decoder(path, stream, frames)


def decode_decord(path: Path, stream: Stream, frames: list[int] | None) -> Frames:
    """Decode with decord.

    decord finds its way by counting packets from the nearest key frame, which is right only where
    the groups of pictures are closed and the times are true. Elsewhere it is made to decode in
    order from the first frame, which is always right.
    """
    reader = _decord_reader(path)
    if len(reader) != stream.num_packets:
        raise RuntimeError(f"it counts {len(reader)} frames where there are {stream.num_packets}")
    if frames is not None and stream.entries:
        yield from reader.get_batch(frames).asnumpy()
        return
    wanted = range(stream.num_frames) if frames is None else set(frames)
    last = max(wanted)
    for index in range(last + 1):
        try:
            frame = reader.next()
        except StopIteration:
            return
        if index in wanted:
            yield frame.asnumpy()


def _decord_reader(path: Path) -> Any:
    """decord takes UTF-8 names alone; a file with another name is read for it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            return _decord().VideoReader(file, num_threads=1)
    return _decord().VideoReader(str(path), num_threads=1)


def decode_pyav(path: Path, stream: Stream, frames: list[int] | None) -> Frames:
    """Decode with PyAV (FFmpeg), jumping to the nearest key frame where that is safe."""
    decoded = 0
    if frames is not None and stream.entries:
        for frame in _jump_and_decode(path, stream, frames):
            yield frame
            decoded += 1
        frames = frames[decoded:]
    wanted = range(stream.num_frames) if frames is None else set(frames)
    if not wanted:
        return
    last = max(wanted)
    with _open(path) as (container, video):
        for index, picture in enumerate(container.decode(video)):
            if index in wanted:
                yield _rgb(picture)
            if index >= last:
                return


def _jump_and_decode(path: Path, stream: Stream, frames: list[int]) -> Frames:
    """The frames asked for, decoded from the key frame before them; ends at the first not found.

    A jump may land too late, because containers index by decoding time: that frame is not found.
    """
    with _open(path) as (container, video):
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
            yield _rgb(picture)


@contextmanager
def _open(path: Path) -> Iterator[tuple[Any, Any]]:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.codec_context.thread_count = 1
        yield container, video


def _rgb(frame: Any) -> np.ndarray:
    return frame.to_ndarray(format="rgb24")


@cache
def _decord() -> Any:
    # decord polls for a file's last frames; its own limit is too low on a machine that is busy.
    os.environ.setdefault("DECORD_EOF_RETRY_MAX", "1000000")
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    return decord
