"""Arrays in `.npy` and `.npz` files, held against the file's size before they take any memory.

numpy believes a header: one of fifty bytes makes it ask for a terabyte. Nothing is unpickled.
"""

import math
import struct
import zipfile
from pathlib import Path
from typing import IO, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy_format

from latte.data.errors import InputError
from latte.data.limits import GIB, VARIABLE, max_clip_bytes

_MAX_DEFLATE_RATIO = 1032  # zlib packs no byte into less than 1/1032 of one
_CHUNK = 1 << 20


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def open_npy(path: Path) -> np.ndarray:
    """The array of a `.npy` file, mapped: it is read where it is used.

    Raises:
        InputError: it holds Python objects.
        ValueError, OSError, …: it is damaged.
    """
    with path.open("rb") as file:
        header = _read_header(file, str(path))
        return _mapped(path, header, file.tell(), path.stat().st_size)


def npz_names(path: Path) -> list[str]:
    """Names of the arrays in a `.npz` file."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def open_npz(path: Path, name: str) -> np.ndarray:
    """One array of a `.npz` file: mapped, or unpacked into memory where it is compressed.

    Raises:
        InputError: it holds Python objects, or would take too much memory.
        ValueError, OSError, zipfile.BadZipFile, zlib.error, …: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        member = _member(archive, name)
        with archive.open(member) as file:
            header = _read_header(file, f"{path}, {name}")
            start = file.tell()
            if header.num_bytes > member.file_size - start:
                raise ValueError(f"{name} says {header.num_bytes} bytes but holds fewer")
            if member.compress_type != zipfile.ZIP_STORED:
                return _unpacked(file, member, header, f"{path}, {name}")
    offset = _data_offset(path, member)
    return _mapped(path, header, offset + start, offset + member.file_size)


def check_npz(path: Path, name: str) -> None:
    """Hold an array that is not compressed against the checksum in the archive.

    Compressed ones are, whenever they are unpacked.

    Raises:
        zipfile.BadZipFile: they differ.
    """
    with zipfile.ZipFile(path) as archive:
        member = _member(archive, name)
        if member.compress_type == zipfile.ZIP_STORED:
            with archive.open(member) as file:
                while file.read(_CHUNK):
                    pass


def _member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    names = archive.namelist()
    member = archive.getinfo(f"{name}.npy" if f"{name}.npy" in names else name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed by another method than deflate")
    if (
        member.compress_type == zipfile.ZIP_DEFLATED
        and member.file_size > member.compress_size * _MAX_DEFLATE_RATIO
    ):
        raise ValueError(f"{name} says {member.file_size} bytes but holds fewer")
    return member


def _read_header(file: IO[bytes], where: str) -> _Header:
    readers = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
    version = npy_format.read_magic(file)
    if version not in readers:
        raise ValueError(f"npy format {version[0]}.{version[1]}")
    header = _Header(*readers[version](file))
    if header.dtype.hasobject:
        raise InputError(
            f"{where}: holds pickled Python objects, which are not loaded because they can run "
            "code: save arrays of numbers alone"
        )
    if any(type(length) is not int or length < 0 for length in header.shape):
        raise ValueError(f"an array of shape {header.shape}")
    return header


def _mapped(path: Path, header: _Header, start: int, end: int) -> np.ndarray:
    if header.num_bytes > end - start:
        raise ValueError(f"it says {header.num_bytes} bytes but holds {max(end - start, 0)}")
    if header.num_bytes == 0:  # empty arrays cannot be mapped
        return np.empty(header.shape, header.dtype)
    order: Literal["F", "C"] = "F" if header.fortran_order else "C"
    return np.memmap(path, header.dtype, "r", offset=start, shape=header.shape, order=order)


def _unpacked(file: IO[bytes], member: zipfile.ZipInfo, header: _Header, where: str) -> np.ndarray:
    """The array that follows its header in a compressed member."""
    if member.file_size > max_clip_bytes():
        raise InputError(
            f"{where}: takes {member.file_size / GIB:.1f} GiB once it is unpacked, more than "
            f"{max_clip_bytes() / GIB:.3g} GiB: save it uncompressed (np.savez), which is read row "
            f"by row, or raise {VARIABLE}"
        )
    content = file.read(header.num_bytes)
    if len(content) < header.num_bytes:
        raise ValueError(f"it says {header.num_bytes} bytes but holds {len(content)}")
    while file.read(_CHUNK):  # to the end, where the checksum is compared
        pass
    array = np.frombuffer(content, header.dtype, math.prod(header.shape))
    return array.reshape(header.shape, order="F" if header.fortran_order else "C")


def _data_offset(path: Path, member: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        # The length of the local header's variable part is not in the directory.
        file.seek(member.header_offset + 26)
        return member.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))
