"""What files of Latte's weights hold, as the official code and its wrappers save them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latte.data import tensor_files
from latte.data.errors import InputError
from latte.data.tensor_files import check_finite, tensors_in

FLOAT_DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
_INSIDE = ("ema", "model")
_PREFIXES = ("module.", "_orig_mod.")  # from DistributedDataParallel and torch.compile


def dtype_by_name(name: str) -> torch.dtype:
    """float32, float16 or bfloat16.

    Raises:
        InputError: another name.
    """
    if name not in FLOAT_DTYPES:
        raise InputError(f"dtype {name}: choose {', '.join(FLOAT_DTYPES)}")
    return FLOAT_DTYPES[name]


def read_any(path: Path) -> tuple[Any, dict[str, str]]:
    """Content of a file of weights in either format, and the metadata of a safetensors file.

    Raises:
        InputError: it cannot be read safely; says what it is.
    """
    descriptions = [path / name for name in ("model_index.json", "config.json")]
    if any(file.exists() and b"Latte" in file.read_bytes() for file in descriptions):
        raise InputError(text_to_video(str(path)))
    return tensor_files.read_any(path, 'what is under "ema" (or the state dict)')


def state_dict_in(content: Any, where: str) -> dict[str, Tensor]:
    """The state dict in what a file held, names without the prefixes of wrappers, as float32.

    Args:
        content: a state dict, or a checkpoint that holds one under "ema" (taken first) or "model".
        where: what the messages call it.

    Raises:
        InputError: it holds something else, or values that are not finite.
    """
    given = tensors_in(content, where, _INSIDE)
    names = list(given)
    while prefix := next((p for p in _PREFIXES if all(n.startswith(p) for n in names)), None):
        names = [name.removeprefix(prefix) for name in names]
    tensors = {
        name: tensor.detach().float() for name, tensor in zip(names, given.values(), strict=True)
    }
    check_finite(tensors, where)
    return tensors


def text_to_video(where: str) -> str:
    """The sentence that refuses the text-to-video models."""
    return (
        f"{where}: is in the layout of diffusers, as the text-to-video models (Latte-1) are, which "
        "is another network: give a class-conditional or unconditional Latte, such as ffs.pt or "
        "ucf101.pt"
    )
