"""What a video file's container says of its frames, and whether it may be believed.

The packets are only listed, which takes milliseconds.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import av

from latte.data.errors import BrokenVideoError
from latte.data.ffmpeg import DecodingError, Media, decode, opened, reading
from latte.data.truncation import bytes_beyond

# Containers whose packets carry true presentation times. AVI and MPEG streams do not: with
# B-frames, the times that FFmpeg makes up for them lead to wrong frames after a jump.
_TIMED_CONTAINERS = frozenset({"mov", "matroska"})
# Pictures that a decoder may hold back for their order (16 in H.264), and so packets that it reads
# before it shows a frame.
_MAX_REORDER = 16
_MAX_BYTES_TO_FIRST = 32 * 2**20  # of packets that are kept until the first picture is decoded


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The first video stream of a file, as its container describes it."""

    num_packets: int  # packets that are shown: an edit list may leave out the first or the last
    height: int  # as coded, before a rotation
    width: int
    begins_with_key: bool
    # Presentation time of each frame, ascending; empty where the container has none that are true.
    times: tuple[int, ...]
    # Frames where decoding may begin and gives the same frames as from the start. Empty where that
    # is not sure: then decoding has to begin at the first frame.
    entries: tuple[int, ...]
    length: int | None  # number of frames; None where they have to be decoded to be counted
    num_missing: int  # frames that the container claims, but does not hold
    damaged_from: int | None  # the frames before this one come before any damage that was seen
    has_alpha_beside: bool = False  # VP8's and VP9's alpha channel, a second stream in the packets
    num_bytes_after: int | None = None  # bytes behind the container's end; None: it states no end
    first: Any = None  # the first decoded picture, where it was asked for

    def entry(self, frame: int) -> int:
        """The frame where decoding has to begin for this one."""
        return self.entries[bisect_right(self.entries, frame) - 1] if self.entries else 0


class _Packet(NamedTuple):
    pts: int | None
    dts: int | None
    is_key: bool
    is_discarded: bool


def scan(path: Path, *, decode_first: bool = False) -> Stream:
    """List the packets of a video file.

    Args:
        decode_first: decode until the first picture is there.

    Raises:
        BrokenVideoError: unreadable, no video in it, cut short, or far fewer frames than claimed.
    """
    with reading(path):
        if path.stat().st_size == 0:
            raise BrokenVideoError(f"{path}: the file is empty", "copy or download it again")
        beyond = bytes_beyond(path)
        if beyond is not None and beyond < 0:
            raise BrokenVideoError(
                f"{path}: the file is cut short ({-beyond} bytes are missing at its end)",
                "copy or download it again",
            )
        with opened(path) as media:
            packets, num_sound, head = _list_packets(media)
            stream = _describe(path, media, packets, num_sound)
            # Pictures before the first key frame build on it and on what was cut off before it, or
            # on it alone: only the decoder can tell.
            leading = stream.begins_with_key and stream.times and stream.times[0] != packets[0].pts
            if decode_first or leading:
                stream = replace(stream, first=_first_picture(media.stream, head))
            if leading and stream.first and stream.first.pts in stream.times:
                stream = _without(stream, stream.times.index(stream.first.pts))
    return replace(stream, num_bytes_after=beyond)


def _describe(path: Path, media: Media, packets: list[_Packet], num_sound: int | None) -> Stream:
    video = media.stream
    format_name = media.container.format.name.split(",")[0]
    if format_name == "matroska" and media.complaints:
        raise DecodingError(media.complaints[0])  # FFmpeg goes on behind it, with fewer frames
    claimed = video.frames if video.frames <= path.stat().st_size else 0
    height, width = video.codec_context.height, video.codec_context.width
    shown = [packet for packet in packets if not packet.is_discarded]
    if not shown or height < 1 or width < 1:
        raise BrokenVideoError(f"{path}: no frame can be found in the file", "copy it again")
    # AVI counts the places of frames that were dropped: the next packet's time leaves them out.
    last = max((packet.dts or 0 for packet in packets), default=0)
    present = max(len(packets), last + 1) if format_name == "avi" else len(packets)
    if not nearly_all(present, claimed):
        raise BrokenVideoError(
            f"{path}: the file says {claimed} frames but holds {len(packets)}, so it is damaged",
            "copy or download it again",
        )
    times = [packet.pts for packet in shown if packet.pts is not None]
    are_times_true = format_name in _TIMED_CONTAINERS and len(set(times)) == len(shown)
    is_length_true = are_times_true or (format_name == "avi" and packets[0].is_key)
    can_jump = are_times_true and len(shown) == len(packets) and _groups_are_closed(shown)
    entries = (place for place, packet in enumerate(shown) if packet.is_key)
    return Stream(
        num_packets=len(shown),
        height=height,
        width=width,
        begins_with_key=packets[0].is_key,
        times=tuple(sorted(times)) if are_times_true else (),
        entries=tuple(entries) if can_jump else (),
        length=len(shown) if is_length_true else None,
        num_missing=max(0, claimed - len(packets)),
        damaged_from=None if num_sound is None else max(0, num_sound - _MAX_REORDER),
        has_alpha_beside=video.metadata.get("alpha_mode") == "1",
    )


def _without(stream: Stream, number: int) -> Stream:
    """The stream without its first frames."""
    damaged_from = stream.damaged_from
    return replace(
        stream,
        num_packets=stream.num_packets - number,
        times=stream.times[number:],
        length=len(stream.times) - number,
        num_missing=stream.num_missing + number,
        damaged_from=None if damaged_from is None else max(0, damaged_from - number),
    )


def _list_packets(media: Media) -> tuple[list[_Packet], int | None, list[Any]]:
    """All packets, the number of those before FFmpeg first complains, and the first ones whole."""
    packets: list[_Packet] = []
    head: list[Any] = []
    complaints = av.logging.get_last_error()[0]
    sound, num_bytes = None, 0
    prefix = _prefix_of_units(media.stream.codec_context)
    for packet in media.container.demux(media.stream):
        if sound is None and (
            packet.is_corrupt
            or av.logging.get_last_error()[0] > complaints
            or (prefix and not _units_fit(memoryview(packet), prefix))
        ):
            sound = len(packets)
        if packet.size:
            packets.append(_Packet(packet.pts, packet.dts, packet.is_keyframe, packet.is_discard))
            if num_bytes < _MAX_BYTES_TO_FIRST:
                num_bytes += packet.size
                head.append(packet)
    return packets, sound, head


def _prefix_of_units(context: Any) -> int:
    """Bytes in which the units of H.264 and HEVC packets state their lengths; 0: they do not.

    ISO/IEC 14496-15, 5.3.3.1 and 8.3.2.1.
    """
    place = {"h264": 4, "hevc": 21}.get(context.name)
    extra = context.extradata or b""
    if place is None or len(extra) <= place or extra[0] != 1:
        return 0
    return int(extra[place] & 3) + 1


def _units_fit(packet: memoryview, prefix: int) -> bool:
    """Whether the units of a packet lie end to end: cheap to see, and broken by most damage."""
    place = 0
    while place + prefix < len(packet):
        length = int.from_bytes(packet[place : place + prefix], "big")
        place += prefix
        if length and (length > len(packet) - place or packet[place] & 0x80):
            return False  # too long, or with the bit that is always 0
        place += length
    return True


def _first_picture(stream: Any, head: list[Any]) -> Any | None:
    """The first picture that these packets give, if any."""
    for packet in (*head, None):
        if pictures := decode(stream.codec_context, packet):
            return pictures[0]
    return None


def nearly_all(found: int, claimed: int) -> bool:
    """Whether a file holds the frames it claims.

    Writers of AVI files miscount by one or two, so that 2 frames or 2 % may be missing.
    """
    return found >= claimed - max(2, claimed // 50)


def _groups_are_closed(packets: list[_Packet]) -> bool:
    """Whether each key frame parts the video: all before it are shown before, all after it after.

    Where it is not so (open groups of pictures), a decoder that starts at the key frame gives other
    frames than one that starts at the first, or leaves some out.
    """
    times = [packet.pts for packet in packets if packet.pts is not None]
    if len(times) < len(packets) or not packets[0].is_key:
        return False
    latest = group_begins = times[0]
    for time, packet in zip(times, packets, strict=True):
        if time < (latest if packet.is_key else group_begins):
            return False
        group_begins = time if packet.is_key else group_begins
        latest = max(latest, time)
    return True
