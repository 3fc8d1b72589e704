"""Limits of memory for what is read from outside, so that no file can take a machine's.

They are parts of one amount, `$LATTE_MEMORY_LIMIT` (8 GiB by default), which raises all of them.
"""

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from latte.data.errors import BrokenVideoError, InputError

VARIABLE = "LATTE_MEMORY_LIMIT"
GIB = 2**30
DEFAULT_LIMIT = 8 * GIB
MIN_WORKER_LIMIT = GIB // 4  # libraries take part of it
MAX_TEXT_BYTES = GIB // 4  # of a configuration, a results file or another text
MAX_FRAMES = 10_000_000  # of one video: 46 hours at 60 frames per second
MAX_VIDEOS = 10_000_000  # of one set
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def memory_limit() -> int:
    """Bytes that reading may take in one process: `$LATTE_MEMORY_LIMIT` ("16G"), else 8 GiB.

    Raises:
        InputError: the variable is no amount of memory.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return DEFAULT_LIMIT
    amount = re.fullmatch(r"([0-9]{1,15})\s*([kmgt]?)(?:i?b)?", text.lower())
    if not amount or not int(amount[1]):
        raise InputError(f"{VARIABLE}={text}: is no amount of memory: set it to one such as 16G")
    return int(amount[1]) * _UNITS[amount[2]]


def max_pixels() -> int:
    """Pixels of one frame: 8192×8192 by default."""
    return memory_limit() // 128


def max_clip_bytes() -> int:
    """Bytes of the frames of one clip, or of an array that has to be unpacked: 2 GiB by default."""
    return memory_limit() // 4


def check_frame_size(height: int, width: int, where: str) -> None:
    """Refuse a frame of too many pixels, before it is decoded.

    Raises:
        BrokenVideoError: naming the limit.
    """
    if height * width > max_pixels():
        raise BrokenVideoError(
            f"{where}: its frames of {width}×{height} have more than {max_pixels() / 1e6:.0f} "
            "million pixels",
            f"make them smaller, or raise {VARIABLE}",
        )


def check_clip_size(num_frames: int, height: int, width: int, where: str) -> None:
    """Refuse a clip, uint8 (T, H, W, 3), that would take too much memory, before it is decoded.

    Raises:
        BrokenVideoError: naming the limit.
    """
    check_frame_size(height, width, where)
    if num_frames * height * width * 3 > max_clip_bytes():
        raise BrokenVideoError(
            f"{where}: {num_frames} frames of {width}×{height} take more than "
            f"{max_clip_bytes() / GIB:.3g} GiB",
            f"make them fewer or smaller, or raise {VARIABLE}",
        )


def check_worker_limit() -> None:
    """Refuse a limit under which no process can decode.

    Raises:
        InputError: the variable is no amount of memory, or too small a one.
    """
    if memory_limit() < MIN_WORKER_LIMIT:
        raise InputError(
            f"{VARIABLE}={os.environ[VARIABLE]}: is too little for processes that decode: give at "
            f"least {MIN_WORKER_LIMIT >> 20}M"
        )


def limit_memory() -> None:
    """Let this process take no more than the limit beyond what it has: then MemoryError is raised.

    For workers, which decode. Address space is what Linux can limit; elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    import resource

    with suppress(OSError, ValueError):  # a limit of the system's that is lower stays
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = pages * resource.getpagesize() + memory_limit()
        if soft == resource.RLIM_INFINITY or limit < soft:
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
