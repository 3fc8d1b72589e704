"""Videos as the rows of one array file, uint8 (N, T, H, W, 3)."""

import hashlib
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy_format
from safetensors import SafetensorError, safe_open

from latte.data.errors import InputError, check_frames
from latte.data.video import VideoInfo

ARRAY_SUFFIXES = frozenset({".npy", ".npz", ".safetensors"})
_SHAPE = "uint8 (N, T, H, W, 3)"
_SAFETENSORS_DTYPES = {"U8": "uint8", "F32": "float32", "F16": "float16", "I64": "int64"}
_LIKELY_KEYS = ("videos", "arr_0")


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
        return np.ascontiguousarray(np.asarray(array.source[self.row])[list(frames)])

    def digest(self, frames: Sequence[int]) -> str:
        """Hash of these frames' pixels and shape: each byte is hashed at most once a clip."""
        return clip_digest(self.read(frames))

    def _array(self) -> "_Rows":
        status = self.path.stat()
        return _open_rows(self.path, status.st_size, status.st_mtime_ns)


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
    status = path.stat()
    count = _open_rows(path, status.st_size, status.st_mtime_ns).shape[0]
    digits = len(str(count - 1))
    return [ArrayVideo(name=f"{row:0{digits}d}", path=path, row=row) for row in range(count)]


class _Rows(NamedTuple):
    """An array, or a part of a file that is read row by row."""

    source: Any
    shape: tuple[int, ...]


@lru_cache(maxsize=4)
def _open_rows(path: Path, size: int, modified: int) -> _Rows:
    """Size and time of change are part of the key: a file that was replaced is opened anew."""
    del size, modified
    openers = {".npy": _open_npy, ".npz": _open_npz, ".safetensors": _open_safetensors}
    try:
        source = openers[path.suffix.lower()](path)
    except InputError:
        raise
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, SafetensorError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{path}: {error.strerror.lower()}: check the file") from error
        raise InputError(
            f"{path}: not a readable {path.suffix} file ({error or 'it ends too early'}): write it "
            "again"
        ) from error
    if isinstance(source, np.ndarray):
        dtype, shape = str(source.dtype), source.shape
    else:
        shape = tuple(source.get_shape())
        dtype = _SAFETENSORS_DTYPES.get(source.get_dtype(), source.get_dtype())
    if dtype != "uint8" or len(shape) != 5 or shape[-1] != 3 or 0 in shape:
        raise InputError(f"{path}: holds {dtype} {shape}, not {_SHAPE}: {_fix(dtype, shape)}")
    return _Rows(source, shape)


def _open_npy(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        return _map_npy(path, _npy_header(path, file), file.tell())


def _open_npz(path: Path) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        members = {name.removesuffix(".npy"): name for name in archive.namelist()}
        member = archive.getinfo(members[_pick(path, list(members))])
        with archive.open(member) as file:
            header = _npy_header(path, file)
            start = file.tell()
        if member.compress_type != zipfile.ZIP_STORED:
            with archive.open(member) as file:
                return npy_format.read_array(file, allow_pickle=False)
    with path.open("rb") as file:
        # The length of the local header's variable part is not in the directory.
        file.seek(member.header_offset + 26)
        start += member.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))
    return _map_npy(path, header, start)


def _open_safetensors(path: Path) -> Any:
    file = safe_open(str(path), framework="numpy")
    return file.get_slice(_pick(path, list(file.keys())))


def _npy_header(path: Path, file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    read = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
    version = npy_format.read_magic(file)
    if version not in read:
        raise ValueError(f"npy format {version[0]}.{version[1]}")
    shape, fortran_order, dtype = read[version](file)
    if dtype.hasobject:
        raise InputError(
            f"{path}: holds pickled Python objects, which are not loaded because they can run "
            f"code: save one array, {_SHAPE}"
        )
    return shape, fortran_order, dtype


def _map_npy(path: Path, header: tuple[tuple[int, ...], bool, np.dtype], start: int) -> np.ndarray:
    shape, fortran_order, dtype = header
    if 0 in shape or not dtype.itemsize:  # empty arrays cannot be mapped
        return np.empty(shape, dtype)
    order: Literal["F", "C"] = "F" if fortran_order else "C"
    return np.memmap(path, dtype, mode="r", offset=start, shape=shape, order=order)


def _pick(path: Path, keys: list[str]) -> str:
    if len(keys) == 1:
        return keys[0]
    for key in _LIKELY_KEYS:
        if key in keys:
            return key
    names = ", ".join(sorted(keys)[:5]) or "none"
    raise InputError(
        f"{path}: has {len(keys)} arrays ({names}), none called {' or '.join(_LIKELY_KEYS)}: save "
        "the videos as `videos`"
    )


def _fix(dtype: str, shape: tuple[int, ...]) -> str:
    if 0 in shape:
        return "it is empty: write it again"
    if len(shape) == 4 and shape[-1] == 3:
        return "add the axis that counts videos: array[None]"
    if len(shape) == 5 and shape[-1] != 3 and shape[2] == 3:
        return "the channels come last: array.transpose(0, 1, 3, 4, 2)"
    if len(shape) == 5 and shape[-1] != 3 and shape[1] == 3:
        return "the channels come last: array.transpose(0, 2, 3, 4, 1)"
    if dtype != "uint8" and dtype.startswith(("float", "F", "BF")):
        return "scale to 0 … 255, round and convert to uint8"
    if dtype != "uint8":
        return "convert to uint8, 0 … 255"
    return "videos are RGB frames, channels last"
