"""Whether a file is whole, as far as its container tells without being decoded.

FFmpeg reads what there is of a file, without a word about what is missing.
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np

# Boxes that lie side by side in MP4 and QuickTime files (ISO/IEC 14496-12, QTFF). What follows
# them and is none of these is no part of the video.
_BOXES = frozenset(
    b"ftyp styp moov moof mfra mdat meta free skip wide uuid udta sidx ssix pdin prft emsg pnot "
    b"junk".split()
)
# EBML header, segment, void and checksum (RFC 8794, RFC 9559).
_ELEMENTS = frozenset({b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\xec", b"\xbf"})
_TS_SYNC, _TS_PACKET, _TS_PADDING = b"\x47", 188, 0x1FFF
_UNKNOWN_RIFF_SIZES = frozenset({0, 0xFFFFFFFF})  # written to a pipe, whose writer cannot go back


def bytes_beyond(path: Path) -> int | None:
    """Size of a file minus what its outermost boxes take: negative where its end is missing.

    None where it does not state its length: live recordings, what was written to a pipe, and
    streams without a container.

    Raises:
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    end = None
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            end = _end_of_riff(file, size)
        elif head[:4] == b"\x1a\x45\xdf\xa3":
            end = _end_of_matroska(file, size)
        elif head[4:8] in _BOXES:
            end = _end_of_boxes(file, size)
    return None if end is None else size - end


def has_gaps(path: Path) -> bool:
    """Whether packets are missing in an MPEG transport stream; False for other files.

    Packets of 188 bytes count up from 0 to 15, for each stream by itself (ISO/IEC 13818-1,
    2.4.3.3). They also begin anew where two files were joined.

    Raises:
        OSError: it cannot be read.
    """
    last: dict[int, int] = {}
    with path.open("rb") as file:
        if file.read(_TS_PACKET + 1)[::_TS_PACKET] != 2 * _TS_SYNC:
            return False
        file.seek(0)
        while content := file.read(_TS_PACKET * 50_000):
            packets = np.frombuffer(content[: len(content) // _TS_PACKET * _TS_PACKET], np.uint8)
            packets = packets.reshape(-1, _TS_PACKET)
            if len(content) % _TS_PACKET or (packets[:, 0] != _TS_SYNC[0]).any():
                return True
            streams = (packets[:, 1] & 0x1F).astype(int) * 256 + packets[:, 2]
            has_payload = packets[:, 3] & 0x10 > 0
            has_fields = (packets[:, 3] & 0x20 > 0) & (packets[:, 4] > 0)
            may_jump = has_fields & (packets[:, 5] & 0x80 > 0)
            for stream in np.unique(streams[has_payload & (streams != _TS_PADDING)]):
                mine = has_payload & (streams == stream)
                counts = (packets[mine, 3] & 15).astype(int)
                before = np.array([last.get(int(stream), counts[0]), *counts[:-1]])
                steps = (counts - before) % 16  # 0: sent twice
                if (steps[~may_jump[mine]] > 1).any():
                    return True
                last[int(stream)] = int(counts[-1])
    return False


def _end_of_riff(file: BinaryIO, size: int) -> int | None:
    """End of the chunks of an AVI file: more than one in files of over a gigabyte."""
    end = 0
    while end + 8 <= size:
        file.seek(end)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF":
            break
        if length in _UNKNOWN_RIFF_SIZES:
            return None
        end += 8 + length
    # A size that is off by its padding byte is common and harmless.
    return size if abs(end - size) == 1 else end


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """End of the top-level boxes of an MP4 or QuickTime file (ISO/IEC 14496-12, 4.2)."""
    end = 0
    while end + 8 <= size:
        file.seek(end)
        head = file.read(16)
        if head[4:8] not in _BOXES:
            break
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: to the end of the file
            return size
        end += length
    return end


def _end_of_matroska(file: BinaryIO, size: int) -> int | None:
    """End of the top-level elements of a Matroska or WebM file (RFC 8794)."""
    end = 0
    while end < size:
        file.seek(end)
        head = file.read(12)
        id_length = _vint_length(head[0])
        if head[:id_length] not in _ELEMENTS or len(head) <= id_length:
            break
        length = _vint_length(head[id_length])
        data = head[id_length : id_length + length]
        if not length or len(data) < length:
            break
        unknown = (1 << 7 * length) - 1  # a live recording, which ends where it ends
        value = int.from_bytes(data, "big") & unknown
        if value == unknown:
            return None
        end += id_length + length + value
    return end


def _vint_length(byte: int) -> int:
    """Length of a variable-size integer from its first byte; 0 if there is none."""
    return 9 - byte.bit_length() if byte else 0
