"""Weights from foreign files. Nothing in a file is executed while it is read."""

import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from latte.data.errors import InputError, first_line

COUNTER = "num_batches_tracked"  # of a batch norm: never used in inference, often left out


def is_torchscript(path: Path) -> bool:
    """Whether the file is a TorchScript archive: code and constants beside the tensors."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False
    return any(name.endswith("/constants.pkl") for name in names)


def open_torchscript(path: Path, device: torch.device) -> Any:
    """The scripted module, in evaluation mode.

    Raises:
        InputError: the file cannot be read, or holds weights that are not finite.
    """
    try:
        module = torch.jit.load(str(path), map_location=device).eval()
    except Exception as error:  # a foreign file can fail in any way
        raise InputError(
            f"{path}: cannot be opened as TorchScript ({first_line(error)}): fetch it again"
        ) from None
    check_finite(module.state_dict(), path)
    return module


def read_state_dict(
    path: Path, *, inside: Sequence[str] = (), mapped: bool = False
) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a `torch.save`d state dict, on the CPU.

    Args:
        path: the file.
        inside: keys under which a checkpoint may hold its state dict; the first one present counts.
        mapped: leave the tensors on the disk until they are used, where the format allows it.

    Raises:
        InputError: not such a file, damaged, a pickle that holds more than tensors, or values that
            are not finite.
    """
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            with warnings.catch_warnings(action="ignore"):  # about pickles, which are refused
                content = torch.load(
                    path,
                    map_location="cpu",
                    weights_only=True,
                    mmap=mapped and zipfile.is_zipfile(path),
                )
    except SafetensorError as error:
        raise InputError(
            f"{path}: cannot be read as safetensors ({first_line(error)}): fetch it again"
        ) from None
    except Exception as error:  # a foreign file can fail in any way
        raise InputError(_unreadable(path, error, inside)) from None
    if isinstance(content, dict):
        content = next((content[key] for key in inside if key in content), content)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: holds a {type(content).__name__}, not a state dict of tensors")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise InputError(
                f"{path}: holds a {type(tensor).__name__} called {name!r}: save the network's "
                "state_dict() by itself"
            )
    check_finite(content, path)
    return content


def fill(
    model: nn.Module, tensors: Mapping[str, Tensor], path: Path, *, in_place: bool = False
) -> None:
    """Copy the tensors into the model; their names may share a prefix, such as "module.".

    `in_place` makes the tensors themselves the model's, which saves the memory of a copy; the
    model may then be on the meta device.

    Raises:
        InputError: names or shapes differ; the first ones are named.
    """
    wanted = _without_counters(model.state_dict())
    prefix = common_prefix(tensors, wanted)
    given = _without_counters(
        {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    )
    differences = [f"{name} is missing" for name in wanted if name not in given]
    differences += [f"{name} is not known" for name in given if name not in wanted]
    differences += [
        f"{name} is {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    if differences:
        more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
        raise InputError(
            f"{path}: is not a file of weights for {type(model).__name__}: "
            f"{'; '.join(differences[:3])}{more}"
        )
    # Not strict, because of the counters alone.
    model.load_state_dict(
        {name: given[name].float() for name in wanted}, strict=False, assign=in_place
    )


def fill_if_same(model: nn.Module, tensors: Mapping[str, Tensor]) -> bool:
    """Fill the model if all its names and shapes are there, up to a prefix, among any others."""
    wanted = _without_counters(model.state_dict())
    prefix = common_prefix(tensors, wanted)
    matching = {
        name: tensors[prefix + name].float()
        for name in wanted
        if prefix + name in tensors and tensors[prefix + name].shape == wanted[name].shape
    }
    if len(matching) < len(wanted):
        return False
    model.load_state_dict(matching, strict=False)
    return True


def common_prefix(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What precedes the wanted names in the given ones; "" where they do not match at all."""
    counts: dict[str, int] = {"": 0}
    for name in given:
        # Every ending of the name that begins after a dot may be a wanted one.
        starts = [0, *(place + 1 for place, sign in enumerate(name) if sign == ".")]
        for start in starts:
            if name[start:] in wanted:
                counts[name[:start]] = counts.get(name[:start], 0) + 1
    return max(counts, key=lambda prefix: counts[prefix])


def check_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse NaN and infinity in weights.

    Raises:
        InputError: naming the first such tensor.
    """
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: {name} holds values that are not finite: fetch it again")


def _without_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(COUNTER)}


def _unreadable(path: Path, error: Exception, inside: Sequence[str]) -> str:
    with path.open("rb") as file:
        head = file.read(2)
    # Tensors alone are pickled by protocol 2; a newer one was written by something else.
    if "GLOBAL" in str(error) or b"\x80\x02" < head <= b"\x80\x0f":
        what = f"what is under {' or '.join(map(repr, inside))}" if inside else "its state_dict()"
        return (
            f"{path}: is a pickle that holds more than tensors, which could run any code, and is "
            "not opened: where you trust it, load it with torch.load(…, weights_only=False), save "
            f"{what} with torch.save, and give that file"
        )
    return (
        f"{path}: is not a file of weights, or a damaged one: give a TorchScript file, a saved "
        "state dict or a .safetensors file"
    )
