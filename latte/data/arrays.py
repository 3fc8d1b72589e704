"""Videos as the rows of one array file, uint8 (N, T, H, W, 3)."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import safe_open

from latte.data.errors import InputError, check_frames, outside
from latte.data.limits import MAX_FRAMES, MAX_VIDEOS, check_clip_size
from latte.data.npy import check_npz, npz_names, open_npy, open_npz
from latte.data.video import VideoInfo

ARRAY_SUFFIXES = frozenset({".npy", ".npz", ".safetensors"})
_SHAPE = "uint8 (N, T, H, W, 3)"
_SAFETENSORS_DTYPES = {"U8": "uint8", "F32": "float32", "F16": "float16", "I64": "int64"}
_LIKELY_KEYS = ("videos", "arr_0")
_FEATURES = "feats"  # clean-fid's name of features
_KIND = "an array of videos"


@dataclass(frozen=True, kw_only=True)
class ArrayVideo:
    """One row of an array file."""

    name: str
    path: Path
    row: int
    prepared: bool = True

    def probe(self) -> VideoInfo:
        num_frames, height, width = self._array().shape[1:4]
        return VideoInfo(num_frames=num_frames, height=height, width=width)

    def read(self, frames: Sequence[int]) -> np.ndarray:
        array = self._array()
        check_frames(frames, array.shape[1], f"{self.path}: row {self.row}")
        height, width = array.shape[2:4]
        check_clip_size(len(frames), height, width, f"{self.path}: row {self.row}")
        with outside(self.path, _KIND):
            if array.start is None:
                return np.ascontiguousarray(array.source[self.row][list(frames)])
            return _read_frames(self.path, array, self.row, frames)

    def digest(self, frames: Sequence[int]) -> str:
        """Hash of these frames' pixels and shape: each byte is hashed at most once a clip."""
        return clip_digest(self.read(frames))

    def _array(self) -> "_Rows":
        return _open_rows(self.path, *_version(self.path))


def clip_digest(clip: np.ndarray) -> str:
    """SHA-256 (hex) of the shape and the pixels of a clip, which lie one after another."""
    digest = hashlib.sha256(repr(clip.shape).encode())
    digest.update(clip.data)
    return digest.hexdigest()


def open_array(path: Path) -> list[ArrayVideo]:
    """The rows of an array file as videos; row 7 of 100 is called "07".

    `.npy`, `.safetensors` and uncompressed `.npz` are read row by row; a compressed `.npz` is
    unpacked into memory, once in each process. A file with several arrays needs one that is called
    "videos" or "arr_0".

    Raises:
        InputError: damaged, pickled, of another type or shape, or without rows.
    """
    rows = _open_rows(path, *_version(path))
    if path.suffix.lower() == ".npz":
        with outside(path, _KIND):
            check_npz(path, _pick(path, npz_names(path)))
    count = rows.shape[0]
    digits = len(str(count - 1))
    return [ArrayVideo(name=f"{row:0{digits}d}", path=path, row=row) for row in range(count)]


class _Rows(NamedTuple):
    """An array, or a part of a file that is read frame by frame."""

    source: Any
    shape: tuple[int, ...]
    start: int | None = None  # the byte of the file at which it begins; None for what is unpacked


def _read_frames(path: Path, array: _Rows, row: int, frames: Sequence[int]) -> np.ndarray:
    """Frames of a row, by reading: whoever maps a file dies when another process shortens it."""
    assert array.start is not None
    clip = np.empty((len(frames), *array.shape[2:]), np.uint8)
    size = math.prod(array.shape[2:])
    with path.open("rb") as file:
        for place, frame in enumerate(frames):
            file.seek(array.start + (row * array.shape[1] + frame) * size)
            if file.readinto(clip[place].reshape(-1).data) < size:
                raise ValueError("it has become shorter")
    return clip


def _version(path: Path) -> tuple[int, int]:
    with outside(path, _KIND):
        status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=4)
def _open_rows(path: Path, size: int, modified: int) -> _Rows:
    """Size and time of change are part of the key: a file that was replaced is opened anew."""
    del size, modified
    openers = {".npy": open_npy, ".npz": _open_npz, ".safetensors": _open_safetensors}
    source: Any
    start = None
    with outside(path, _KIND):
        source = openers[path.suffix.lower()](path)
    if isinstance(source, np.ndarray):
        dtype, shape = str(source.dtype), source.shape
        if isinstance(source, np.memmap) and source.flags.c_contiguous:
            start = source.offset
    else:
        source, start = source
        shape = tuple(source.get_shape())
        dtype = _SAFETENSORS_DTYPES.get(source.get_dtype(), source.get_dtype())
    if dtype != "uint8" or len(shape) != 5 or shape[-1] != 3 or 0 in shape:
        raise InputError(f"{path}: holds {dtype} {shape}, not {_SHAPE}: {_fix(dtype, shape)}")
    if shape[0] > MAX_VIDEOS or shape[1] > MAX_FRAMES:
        raise InputError(
            f"{path}: holds {shape[0]} videos of {shape[1]} frames, more than {MAX_VIDEOS} of "
            f"{MAX_FRAMES}: part them into several files"
        )
    return _Rows(source, shape, start)


def _open_npz(path: Path) -> np.ndarray:
    return open_npz(path, _pick(path, npz_names(path)))


def _open_safetensors(path: Path) -> tuple[Any, int]:
    """The slice of a file that has been checked, and the byte at which its tensor begins."""
    file = safe_open(str(path), framework="numpy")
    key = _pick(path, list(file.keys()))
    with path.open("rb") as header:
        length = int.from_bytes(header.read(8), "little")
        start = json.loads(header.read(length))[key]["data_offsets"][0]
    return file.get_slice(key), 8 + length + start


def _pick(path: Path, keys: list[str]) -> str:
    if keys == [_FEATURES]:
        raise InputError(_no_videos(path))
    if len(keys) == 1:
        return keys[0]
    for key in _LIKELY_KEYS:
        if key in keys:
            return key
    if _FEATURES in keys:
        raise InputError(_no_videos(path))
    names = ", ".join(sorted(keys)[:5]) or "none"
    raise InputError(
        f"{path}: has {len(keys)} arrays ({names}), none called {' or '.join(_LIKELY_KEYS)}: save "
        "the videos as `videos`"
    )


def _no_videos(path: Path) -> str:
    return (
        f"{path}: holds features ({_FEATURES}), no videos: make statistics of them with "
        "`latte-eval stats import`, and give those"
    )


def _fix(dtype: str, shape: tuple[int, ...]) -> str:
    if 0 in shape:
        return "it is empty: write it again"
    if len(shape) == 4 and shape[-1] == 3:
        return "a single video needs array[None], N pictures need array[:, None] (one frame each)"
    if len(shape) == 5 and shape[-1] != 3 and shape[2] == 3:
        return "the channels come last: array.transpose(0, 1, 3, 4, 2)"
    if len(shape) == 5 and shape[-1] != 3 and shape[1] == 3:
        return "the channels come last: array.transpose(0, 2, 3, 4, 1)"
    if dtype != "uint8" and dtype.startswith(("float", "F", "BF")):
        return "scale to 0 … 255, round and convert to uint8"
    if dtype != "uint8":
        return "convert to uint8, 0 … 255"
    return "videos are RGB frames, channels last"
