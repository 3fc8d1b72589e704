"""What files of Latte's weights hold, as the official code and its wrappers save them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latte.data.errors import InputError
from latte.data.tensor_files import check_finite, read_any, tensors_in

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


def read_weights(
    source: Path | str | Mapping[str, Any],
) -> tuple[dict[str, Tensor], dict[str, str], str]:
    """The state dict of a file, names without the prefixes of wrappers, as float32.

    Args:
        source: a file of `torch.save` or safetensors, or what it holds: a state dict, or a
            checkpoint that holds one under "ema" (taken first) or "model".

    Returns:
        The tensors, the metadata of a safetensors file, and what messages call the source.

    Raises:
        InputError: it cannot be read safely, holds something else, or values that are not finite.
    """
    content: Any = source
    metadata: dict[str, str] = {}
    where = "the state dict"
    if not isinstance(source, Mapping):
        path, where = Path(source), str(source)
        descriptions = [path / name for name in ("model_index.json", "config.json")]
        if any(file.exists() and b"Latte" in file.read_bytes() for file in descriptions):
            raise InputError(text_to_video(where))
        content, metadata = read_any(path, 'what is under "ema" (or the state dict)')
    given = tensors_in(content, where, _INSIDE)
    names = list(given)
    while prefix := next((p for p in _PREFIXES if all(n.startswith(p) for n in names)), None):
        names = [name.removeprefix(prefix) for name in names]
    tensors = {
        name: tensor.detach().float() for name, tensor in zip(names, given.values(), strict=True)
    }
    check_finite(tensors, where)
    return tensors, metadata, where


def text_to_video(where: str) -> str:
    """The sentence that refuses the text-to-video models."""
    return (
        f"{where}: is in the layout of diffusers, as the text-to-video models (Latte-1) are, which "
        "is another network: give a class-conditional or unconditional Latte, such as ffs.pt or "
        "ucf101.pt"
    )
