"""FFmpeg, through PyAV: what it may open, and decoding that hands on no damaged picture.

One thread decodes, so that a file gives the same bytes on every machine; processes, not threads,
make decoding fast (latte.data.processes.workers).
"""

import math
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer

from latte.data.errors import SKIP, BrokenVideoError, outside
from latte.data.limits import check_frame_size, max_pixels

# FFmpeg goes by a file's content, not by its name: without this list it would take a text for a
# playlist and follow it to any other file.
DEMUXERS = (
    "mov",
    "matroska",
    "avi",
    "mpegts",
    "mpeg",
    "flv",
    "asf",
    "ogg",
    # streams without a container
    "mpegvideo",
    "m4v",
    "h264",
    "hevc",
)
# Whoever meets an error stops there: a decoder does not paint over it, a demuxer does not guess.
_STRICT = {"err_detect": "explode+crccheck"}


class DecodingError(Exception):
    """What FFmpeg says of a file that it cannot decode, in half a sentence."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever reading this video raises becomes one sentence about it.

    Raises:
        BrokenVideoError: it is no regular file, or cannot be decoded.
    """
    with outside(path, "a video", f"replace it, or {SKIP}", error=BrokenVideoError):
        try:
            yield
        except av.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            raise DecodingError(_message(error)) from error


class Media(NamedTuple):
    """An open video file."""

    container: Any  # PyAV's
    stream: Any  # its video stream, ready for `decode`
    complaints: tuple[str, ...]  # errors in the container that FFmpeg met while it was opened


@contextmanager
def opened(path: Path) -> Iterator[Media]:
    """A video file, opened by FFmpeg; nothing is decoded yet.

    Raises:
        BrokenVideoError: no video in it, or frames of too many pixels.
        av.FFmpegError: another format than those of `DEMUXERS`, or damage.
    """
    limit = str(max_pixels())
    options = {
        **_STRICT,
        "format_whitelist": ",".join(DEMUXERS),
        "protocol_whitelist": "file",
        "max_pixels": limit,
    }
    with ExitStack() as stack:
        av.logging.set_level(av.logging.ERROR)
        try:
            with av.logging.Capture() as messages:
                # "file:", because FFmpeg would take what precedes a colon for a protocol.
                container = stack.enter_context(av.open(f"file:{path}", options=options))
        finally:
            av.logging.set_level(av.logging.PANIC)  # errors are counted (`decode`), not printed
        pictures = av.stream.Disposition.attached_pic
        streams = [s for s in container.streams.video if not s.disposition & pictures]
        if not streams:
            raise BrokenVideoError(f"{path}: the file holds no video stream", "remove it")
        stream = streams[0]
        if stream.codec_context is None:
            raise BrokenVideoError(
                f"{path}: the file's codec is none that FFmpeg decodes", f"convert it, or {SKIP}"
            )
        context = stream.codec_context
        check_frame_size(context.height, context.width, str(path))
        context.thread_count = 1
        context.options = {**_STRICT, "max_pixels": limit}
        name = container.format.name
        complaints = tuple(_clean(text) for _, source, text in messages if source == name)
        yield Media(container, stream, complaints)


def decode(context: Any, packet: Any) -> list[Any]:
    """The pictures that a packet completes; None for the packet gives those that are left.

    FFmpeg conceals damage within a picture. It does not hide it: the decoder fails, marks the
    picture or logs an error, and each of them counts here.

    Raises:
        DecodingError, av.FFmpegError: the decoder reports damage.
    """
    before = av.logging.get_last_error()[0]
    pictures = context.decode(packet)
    count, message = av.logging.get_last_error()
    if count > before:
        raise DecodingError(_clean(message[2]))
    if any(picture.is_corrupt for picture in pictures):
        raise DecodingError("its decoder calls a picture corrupt")
    return list(pictures)


def decode_all(media: Media, unneeded: Container[int] = ()) -> Iterator[Any]:
    """The pictures from the container's position to its end, as `decode` gives them.

    Args:
        unneeded: presentation times of pictures that may be left out. Those of H.264 are, where no
            other picture builds on them; this takes up to 40 % less time, and changes no other one.
    """
    context = media.stream.codec_context
    for packet in media.container.demux(media.stream):
        if packet.size:
            if context.name == "h264":
                context.skip_frame = "NONREF" if packet.pts in unneeded else "DEFAULT"
            yield from decode(context, packet)
    yield from decode(context, None)


def check_picture(content: bytes, codec: str) -> None:
    """Decode a PNG or JPEG strictly, to hear of damage that other decoders paint over.

    Args:
        codec: "png" or "mjpeg".

    Raises:
        DecodingError: the decoder reports damage.
    """
    av.logging.set_level(av.logging.PANIC)  # errors are counted (`decode`), not printed
    context: Any = av.CodecContext.create(codec, "r")
    context.thread_count = 1
    context.options = {**_STRICT, "max_pixels": str(max_pixels())}
    try:
        for packet in (av.Packet(content), None):
            decode(context, packet)
    except av.error.PatchWelcomeError:
        pass  # a kind that FFmpeg does not know
    except (DecodingError, av.FFmpegError) as error:
        if isinstance(error, MemoryError):
            raise
        reason = _message(error) if isinstance(error, av.FFmpegError) else str(error)
        raise DecodingError(f"FFmpeg finds damage in it: {reason}") from error


class Painter:
    """Turns decoded pictures into RGB, upright.

    It holds FFmpeg's converter, which takes longer to set up than to use.
    """

    def __init__(self) -> None:
        self._reformatter = av.video.reformatter.VideoReformatter()

    def paint(self, picture: Any) -> np.ndarray:
        """One picture as uint8 (H, W, 3), RGB: a view that is valid until its picture is not.

        Raises:
            DecodingError: something shows through it, and nothing says what.
        """
        if any(component.is_alpha for component in picture.format.components):
            rgba = picture.reformat(format="rgba").planes[0]
            levels = np.frombuffer(rgba, np.uint8).reshape(rgba.height, rgba.line_size)
            if (levels[:, 3 : 4 * rgba.width : 4] < 255).any():
                raise DecodingError("something shows through its frames")
        rgb = self._reformatter.reformat(picture, format="rgb24", threads=1)
        plane = rgb.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        pixels = rows[:, : 3 * plane.width].reshape(plane.height, plane.width, 3)
        return turned(pixels, display_matrix(picture))


def display_matrix(picture: Any) -> tuple[int, int, int, int] | None:
    """How a picture is to be turned or mirrored: (a, b, c, d); None for as it is.

    A pixel at (x, y) belongs to (a·x + c·y, b·x + d·y), up to a shift (ISO/IEC 14496-12, 6.2.2).
    Only the signs are kept: each is −1, 0 or 1.

    Raises:
        DecodingError: it is to be turned by something else than right angles.
    """
    # Not `picture.side_data`, which makes a circle of references: pictures would stay until
    # they are collected, and decoders paint on old ones. Where a damaged stream leaves pixels out,
    # those of an old picture are seen, which then depended on what was read before.
    data = SideDataContainer(picture).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    if data is None:
        return None
    a, b, _, c, d, *_ = np.frombuffer(data, np.int32).astype(float)
    if min(math.hypot(a, b), math.hypot(c, d)) == 0:
        return None  # it says nothing
    across, along = max(abs(b), abs(c)), max(abs(a), abs(d))
    if min(across, along) > 0.02 * max(across, along):  # more than a degree
        raise DecodingError("its frames are to be turned by an angle that is no right angle")
    if across > along:
        return 0, int(np.sign(b)), int(np.sign(c)), 0
    signs = int(np.sign(a)), 0, 0, int(np.sign(d))
    return None if signs == (1, 0, 0, 1) else signs


def turned(pixels: np.ndarray, matrix: tuple[int, int, int, int] | None) -> np.ndarray:
    """A frame (H, W, 3), turned as its display matrix says: a view."""
    if matrix is None:
        return pixels
    a, b, c, d = matrix
    if not a:
        pixels = pixels.transpose(1, 0, 2)
    return pixels[:: -1 if b + d < 0 else 1, :: -1 if a + c < 0 else 1]


def _message(error: av.FFmpegError) -> str:
    """FFmpeg's last word on an error, which names the cause, else the name of the error."""
    if error.log is None:
        return _clean(error.strerror or type(error).__name__)
    message = _clean(error.log[2])
    if "not on whitelist" in message:
        return "it is in none of the formats of videos that are read"
    return message


def _clean(message: str) -> str:
    lines = message.strip().splitlines()
    return lines[0].rstrip(".") if lines else "its decoder reports an error"
