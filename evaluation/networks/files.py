"""Weights from foreign files. Only TorchScript is executed: `locate_weights` guards it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latte.data.errors import outside
from latte.data.tensor_files import FETCH_AGAIN, check_finite, check_same, read_any, tensors_in

COUNTER = "num_batches_tracked"  # a batch norm never uses it in inference; files often lack it


def open_torchscript(path: Path, device: torch.device) -> Any:
    """The scripted module, in evaluation mode.

    Raises:
        InputError: the file cannot be read, or holds weights that are not finite.
    """
    with outside(path, "TorchScript", FETCH_AGAIN):
        module = torch.jit.load(str(path), map_location=device).eval()
    check_finite(module.state_dict(), str(path))
    return module


def read_state_dict(path: Path, *, inside: Sequence[str] = ()) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a `torch.save`d state dict, on the CPU.

    Args:
        inside: keys under which a checkpoint may hold its state dict; the first one present counts.

    Raises:
        InputError: not such a file, damaged, a pickle that holds more than tensors, or values that
            are not finite.
    """
    saved = f"what is under {' or '.join(map(repr, inside))}" if inside else "its state_dict()"
    tensors = tensors_in(read_any(path, saved)[0], str(path), inside)
    check_finite(tensors, str(path))
    return tensors


def fill(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Copy the tensors into the model; their names may share a prefix, such as "module.".

    A model on the meta device takes the tensors themselves, which saves the memory of a copy.

    Raises:
        InputError: names or shapes differ; the first ones are named.
    """
    expected, aligned = _aligned(model, tensors)
    check_same(aligned, expected, str(path), f"a file of weights for {type(model).__name__}")
    _load(model, {name: aligned[name] for name in expected})


def fill_if_same(model: nn.Module, tensors: Mapping[str, Tensor]) -> bool:
    """Fill the model if all its names and shapes are there, up to a prefix, among any others."""
    expected, aligned = _aligned(model, tensors)
    same = all(name in aligned and aligned[name].shape == expected[name].shape for name in expected)
    if same:
        _load(model, {name: aligned[name] for name in expected})
    return same


def _aligned(
    model: nn.Module, tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The model's own tensors, and the given ones without what precedes the model's names."""
    expected = {name: t for name, t in model.state_dict().items() if not name.endswith(COUNTER)}
    prefix = common_prefix(tensors, expected)
    aligned = {name.removeprefix(prefix): t for name, t in tensors.items()}
    return expected, {name: t for name, t in aligned.items() if not name.endswith(COUNTER)}


def _load(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    floats = {name: tensor.float() for name, tensor in tensors.items()}
    meta = any(parameter.is_meta for parameter in model.parameters())
    model.load_state_dict(floats, strict=False, assign=meta)  # not strict: counters are missing


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
