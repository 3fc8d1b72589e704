"""Reading and writing files of tensors. Nothing in a file is executed while it is read."""

import hashlib
import json
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from latte.data.errors import InputError, outside, some_of
from latte.data.files import atomic_path

# Types that can be written, as safetensors' header calls them.
_HEADER_DTYPES: Mapping[torch.dtype, str] = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
}
FETCH_AGAIN = "fetch it again"
CHECKSUM = "sha256"  # in the metadata: of the rest of the metadata and of all tensors
_LONGEST_HEADER = 100_000_001  # safetensors' own limit, in bytes


def is_safetensors(path: Path, advice: str = "") -> bool:
    """Whether the file begins as a safetensors file does, whatever its name.

    Args:
        advice: what to do about another file, for the message.

    Raises:
        InputError: there is no such file, or it is none that could hold tensors; says what it is.
    """
    if not path.exists() and not path.is_symlink():
        raise InputError(f"{path}: there is no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder: give the file of weights itself")
    with outside(path, "a file of weights", advice or FETCH_AGAIN), path.open("rb") as file:
        head = file.read(512)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _LONGEST_HEADER:
        return True
    if head.startswith((b"PK\x03\x04", b"\x80")):  # a zip archive, or a bare pickle
        return False
    problem, usual_advice = _what_else(head)
    raise InputError(f"{path}: {problem}: {advice or usual_advice}")


def read_any(
    path: Path, wanted: str = "its state_dict()", advice: str = ""
) -> tuple[Any, dict[str, str]]:
    """Content of a file of weights in either format, and the metadata of a safetensors file.

    Args:
        wanted: what to save of a pickle that is refused, for the message.
        advice: what to do about a file that is damaged or holds something else, for the message.

    Raises:
        InputError: it cannot be read safely; says what it is.
    """
    if is_safetensors(path, advice):
        return read_safetensors(path, advice or FETCH_AGAIN)
    return _read_saved(path, wanted, advice or FETCH_AGAIN), {}


def read_safetensors(
    path: Path, advice: str = FETCH_AGAIN
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file, on the CPU, and its metadata.

    Raises:
        InputError: the file is damaged, or not as `write_safetensors` wrote it.
    """
    with outside(path, "safetensors", advice), safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata: dict[str, str] = file.metadata() or {}
        checksum = metadata.pop(CHECKSUM, None)
        if checksum is not None and checksum != _checksum(tensors, metadata):
            raise ValueError("its content is not that of its checksum")
        return tensors, metadata


def write_safetensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Write tensors, on the CPU, as safetensors does, but the same bytes each time, atomically.

    safetensors' own writer puts metadata in an order that changes from run to run, makes files that
    their owner alone can read, and hides the system's error when a disk is full. The metadata get a
    checksum, by which `read_safetensors` notices damage.
    """
    # The widest first, so that each begins at a multiple of its size.
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    checksum = {CHECKSUM: _checksum(tensors, metadata)}
    header: dict[str, Any] = {"__metadata__": dict(metadata) | checksum}
    end = 0
    for name in names:
        tensor, start = tensors[name], end
        end += tensor.nbytes
        header[name] = {
            "dtype": _HEADER_DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as partial, partial.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            file.write(_bytes(tensors[name]))


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 (hex) of metadata, and of the name, type, shape and bytes of each tensor."""
    digest = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    content: memoryview = tensor.contiguous().flatten().view(torch.uint8).numpy().data
    return content


def _read_saved(path: Path, wanted: str, advice: str) -> Any:
    """Content of a file of `torch.save`, on the CPU: tensors and plain containers only."""
    with outside(path, "a file of torch.save", advice):
        archive = zipfile.is_zipfile(path)
        if archive:
            _check_archive(path)
        try:
            with warnings.catch_warnings(action="ignore"):  # torch warns before it refuses
                # Mapped: tensors stay on the disk until they are used.
                return torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
        except Exception as error:
            if isinstance(error, pickle.UnpicklingError) and (archive or _holds_more(path, error)):
                raise InputError(
                    f"{path}: is a pickle that holds more than tensors, which could run any code, "
                    "and is not opened: elsewhere, on a machine where you trust it, load it with "
                    f"torch.load(…, weights_only=False), save {wanted} with torch.save, and give "
                    "that file"
                ) from None
            raise ValueError("it is cut short or damaged") from error


def _check_archive(path: Path) -> None:
    """Hold a zip archive against its checksums, of which PyTorch looks at none.

    Raises:
        ValueError: a part of it is damaged, or compressed, as PyTorch writes none.
    """
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("its parts are compressed, as torch.save writes none")
        if any(PurePath(name).name == "constants.pkl" for name in archive.namelist()):
            raise ValueError("it is TorchScript, which is code")
        if damaged := archive.testzip():
            raise ValueError(f"its part {damaged} is not that of its checksum")


def tensors_in(content: Any, where: str, inside: Sequence[str] = ()) -> dict[str, Tensor]:
    """The state dict in what a file held.

    Args:
        content: a state dict, or a checkpoint that holds one.
        where: what the messages call it.
        inside: keys under which a checkpoint may hold it; the first one present counts.

    Raises:
        InputError: it holds something else.
    """
    if isinstance(content, Mapping):
        content = next(
            (content[key] for key in inside if isinstance(content.get(key), Mapping)), content
        )
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{where}: holds a {type(content).__name__}, not a state dict of tensors")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise InputError(
                f"{where}: holds a {type(tensor).__name__} called {name!r}, not tensors alone: "
                "save the network's state_dict() by itself"
            )
    return dict(content)


def check_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Refuse NaN and infinity.

    Raises:
        InputError: naming the first such tensor.
    """
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{where}: {name} holds values that are not finite: fetch it again")


def check_same(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], where: str, what: str
) -> None:
    """Refuse tensors whose names or shapes are not the wanted ones.

    Raises:
        InputError: naming the first three that differ.
    """
    differences = [f"{name} is missing" for name in wanted if name not in tensors]
    differences += [f"{name} is not known" for name in tensors if name not in wanted]
    differences += [
        f"{name} is {tuple(tensors[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if differences:
        raise InputError(f"{where}: is not {what}: {some_of(differences)}")


def _what_else(head: bytes) -> tuple[str, str]:
    if not head:
        return "is empty", FETCH_AGAIN
    other_file = "give a .safetensors or a .pt file"
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page, not a file of weights", "fetch the file itself"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the weights", "fetch them with `git lfs pull`"
    if b"\0" not in head:
        try:
            head[:-4].decode("utf-8")  # the end may cut a character
            return "is a text file, not a file of weights", other_file
        except UnicodeDecodeError:
            pass
    return "is not a file of weights, or a damaged one", other_file


def _holds_more(path: Path, error: Exception) -> bool:
    """Whether a bare pickle is refused for what it holds, not because it is cut short."""
    with path.open("rb") as file:
        head = file.read(2)
    # Tensors alone are pickled by protocol 2; a newer one was written by something else.
    return "GLOBAL" in str(error) or b"\x80\x02" < head <= b"\x80\x0f"
