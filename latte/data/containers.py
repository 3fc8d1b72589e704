"""Metadata of a video file's container: number and size of frames, whether it is complete.

Nothing is decoded here: the packets are only listed, which takes milliseconds.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av

from latte.data.errors import SKIP, BrokenVideoError

# Containers whose packets carry true presentation times. AVI and MPEG streams do not: with
# B-frames, the times that FFmpeg makes up for them lead to wrong frames after a jump.
_TIMED_CONTAINERS = frozenset({"mov", "mp4", "matroska", "webm"})


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The first video stream of a file."""

    codec: str  # name of FFmpeg's decoder
    num_packets: int
    num_frames: int  # packets that are shown: an edit list may leave out the first or the last
    height: int
    width: int
    times: tuple[int, ...]  # presentation time of each frame, ascending, if there are entries
    # Frames where decoding may begin and gives the same frames as from the start. Empty where that
    # is not sure: then decoding has to begin at the first frame.
    entries: tuple[int, ...]


def scan(path: Path) -> Stream:
    """List the packets of a video file.

    Raises:
        BrokenVideoError: unreadable, no video in it, cut short, or far fewer frames than claimed.
    """
    try:
        if shortfall := _missing_bytes(path):
            raise BrokenVideoError(
                f"{path}: the file is cut short ({shortfall} bytes are missing at its end)",
                "copy or download it again",
            )
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BrokenVideoError(f"{path}: the file holds no video stream", "remove it")
            if container.format.name == "image2" or container.format.name.endswith("_pipe"):
                raise BrokenVideoError(f"{path}: the file is a picture, not a video", "remove it")
            stream = container.streams.video[0]
            packets = [
                (packet.pts, packet.is_keyframe, packet.is_discard)
                for packet in container.demux(stream)
                if packet.size
            ]
            claimed = stream.frames
            context = stream.codec_context
            codec, height, width = context.name, context.height, context.width
            timed = bool(_TIMED_CONTAINERS & set(container.format.name.split(",")))
    except (OSError, ValueError, RuntimeError) as error:
        raise unreadable(path, error) from error
    shown = [(pts, is_key) for pts, is_key, is_discarded in packets if not is_discarded]
    if not shown or height < 1 or width < 1:
        raise BrokenVideoError(f"{path}: no frame can be found in the file", "copy it again")
    if not nearly_all(len(packets), claimed):
        raise BrokenVideoError(
            f"{path}: the file says {claimed} frames but holds {len(packets)}, so it is damaged",
            "copy or download it again",
        )
    can_jump = timed and len(shown) == len(packets) and _groups_are_closed(shown)
    entries = (place for place, (_, is_key) in enumerate(shown) if is_key)
    return Stream(
        codec=codec,
        num_packets=len(packets),
        num_frames=len(shown),
        height=height,
        width=width,
        times=tuple(sorted(pts for pts, _ in shown)) if can_jump else (),
        entries=tuple(entries) if can_jump else (),
    )


def nearly_all(found: int, claimed: int) -> bool:
    """Whether a file holds the frames it claims.

    Writers of AVI files miscount by one or two, so that 2 frames or 2 % may be missing.
    """
    return found >= claimed - max(2, claimed // 50)


def unreadable(path: Path, error: Exception) -> BrokenVideoError:
    """The sentence for a file that FFmpeg refuses."""
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        reason, advice = (error.strerror or str(error)).lower(), "check it"
        if path.is_symlink() and not path.exists():
            reason = f"a link to {path.readlink()}, which does not exist"
            advice = "put the file there"
        return BrokenVideoError(f"{path}: {reason}", f"{advice}, or {SKIP}")
    if path.stat().st_size == 0:
        return BrokenVideoError(f"{path}: the file is empty", "copy or download it again")
    return BrokenVideoError(
        f"{path}: not a video that can be decoded ({decoder_message(error)})",
        f"replace it, or {SKIP}",
    )


def decoder_message(error: Exception) -> str:
    """A decoder's message without its error number, time stamp, file and source position."""
    lines = (getattr(error, "strerror", None) or str(error)).strip().splitlines()
    line = lines[0] if lines else type(error).__name__
    line = line.rpartition(".cc:")[2].lstrip("0123456789: ") or line
    line = re.sub(r"^Check failed: .* vs\. \S+\) *(ERROR )?", "", line) or line
    return line[:1].lower() + line[1:]


def _groups_are_closed(packets: list[tuple[int | None, bool]]) -> bool:
    """Whether each key frame parts the video: all before it are shown before, all after it after.

    Where it is not so (open groups of pictures), a decoder that starts at the key frame counts
    frames from the wrong place: decord returns wrong frames, without an error.
    """
    times = [pts for pts, _ in packets if pts is not None]
    if len(times) < len(packets) or len(set(times)) < len(times) or not packets[0][1]:
        return False
    latest = group_begins = times[0]
    for time, (_, is_key) in zip(times, packets, strict=True):
        if time < (latest if is_key else group_begins):
            return False
        group_begins = time if is_key else group_begins
        latest = max(latest, time)
    return True


def _missing_bytes(path: Path) -> int:
    """Bytes that the container's outermost boxes promise beyond the end of the file."""
    size = path.stat().st_size
    end = 0
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            end = 8 + int.from_bytes(head[4:8], "little")
        elif head[:4] == b"\x1a\x45\xdf\xa3":
            end = _end_of_matroska(file, size)
        elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            end = _end_of_boxes(file, size)
    # A RIFF size that is off by its padding byte is common and harmless.
    return end - size if end > size + 1 else 0


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """End of the top-level boxes of an MP4 or QuickTime file (ISO/IEC 14496-12, 4.2)."""
    end = 0
    while end + 8 <= size:
        file.seek(end)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: to the end of the file
            break
        end += length
    return end


def _end_of_matroska(file: BinaryIO, size: int) -> int:
    """End of the top-level elements of a Matroska or WebM file (RFC 8794)."""
    end = 0
    while end < size:
        file.seek(end)
        head = file.read(12)
        id_length = _vint_length(head[0])
        if len(head) <= id_length or not id_length:
            break
        length = _vint_length(head[id_length])
        data = head[id_length : id_length + length]
        if not length or len(data) < length:
            break
        unknown = (1 << 7 * length) - 1  # a live recording, which ends where it ends
        value = int.from_bytes(data, "big") & unknown
        if value == unknown:
            break
        end += id_length + length + value
    return end


def _vint_length(byte: int) -> int:
    """Length of a variable-size integer from its first byte; 0 if there is none."""
    return 9 - byte.bit_length() if byte else 0
