"""The official checkpoints of Latte (Vchitect/Latte b27c24a), class-conditional or not."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latte.config import PRESETS, LatteConfig
from latte.data.errors import InputError, some_of
from latte.data.files import read_bytes
from latte.data.tensor_files import check_finite, check_same, read_any, tensors_in
from latte.model.embeddings import frame_positions, patch_positions
from latte.model.transformer import Latte

logger = logging.getLogger(__name__)

_DECISIVE = (
    "pos_embed",
    "temp_embed",
    "x_embedder.proj.weight",
    "blocks.0.mlp.fc1.weight",
    "final_layer.linear.weight",
)
_TABLES = ("pos_embed", "temp_embed")  # fixed, so that some files leave them out
_OFFICIAL_SIDE, _OFFICIAL_FRAMES = 32, 16  # of the latents that the official files are made for
# Where a checkpoint has its state dict; averages are taken first.
_INSIDE = ("ema", "ema_state_dict", "model", "state_dict", "model_state_dict")
# Added by DistributedDataParallel, torch.compile and modules that hold the network.
_PREFIXES = ("module.", "_orig_mod.", "model.")
_TEXT_PROJECTION = "text_embedding_projection."  # present, but of no use, in a model without text


def read_weights(
    source: Path | str | Mapping[str, Any],
) -> tuple[dict[str, Tensor], dict[str, str], str]:
    """The state dict of a file, names without the prefixes of wrappers, as float32.

    Args:
        source: a file of `torch.save` or safetensors, or what it holds: a state dict, or a
            checkpoint that holds one under "ema" (taken first), "model", "state_dict" and the like.

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
        if any(file.exists() and b"Latte" in read_bytes(file, "JSON") for file in descriptions):
            raise InputError(_text_to_video(where))
        content, metadata = read_any(path, 'what is under "ema" (or the state dict)')
    stored = tensors_in(content, where, _INSIDE)
    names = list(stored)
    while prefix := next((p for p in _PREFIXES if all(n.startswith(p) for n in names)), None):
        names = [name.removeprefix(prefix) for name in names]
    tensors = {
        name: tensor.detach().float() for name, tensor in zip(names, stored.values(), strict=True)
    }
    check_finite(tensors, where)
    return tensors, metadata, where


def load_official(
    source: Path | str | Mapping[str, Any], num_heads: int | None = None
) -> tuple[LatteConfig, dict[str, Tensor]]:
    """Configuration and weights, float32 on the CPU, from an official file.

    Args:
        source: a file of `torch.save` or safetensors, or what it holds: {"ema": …} (taken first),
            {"model": …}, {"state_dict": …} or a flat state dict, with or without the prefixes that
            DistributedDataParallel and torch.compile put before the names. Tables of positions may
            be missing: they are computed, for 16 frames of 32×32 latents where nothing says more.
        num_heads: heads of the attention, which leave no trace in the shapes; without it, those of
            the preset with that hidden size.

    Raises:
        InputError: the file cannot be read safely, is not of such a network, or the heads are
            neither known nor given.
    """
    state, _, where = read_weights(source)
    return read_official(state, where, num_heads)


def read_official(
    state: Mapping[str, Tensor],
    where: str,
    num_heads: int | None = None,
    *,
    default_heads: int | None = None,
) -> tuple[LatteConfig, dict[str, Tensor]]:
    """`load_official` for a flat state dict.

    Args:
        where: what messages call it.
        default_heads: taken where no preset has this hidden size.
    """
    state = {name: value for name, value in state.items() if not name.startswith(_TEXT_PROJECTION)}
    state |= _missing_tables(state, where)
    _refuse_others(state, where)
    try:
        config = _read_config(state, num_heads, default_heads)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    with torch.device("meta"):
        expected = Latte(config).state_dict()
    check_same(state, expected, where, "an official file of Latte")
    return config, {name: state[name] for name in expected}


def is_dit(state: Mapping[str, Any]) -> bool:
    """Whether these names are those of a DiT: a Latte's without the positions in time."""
    return all((name in state) == (name != "temp_embed") for name in _DECISIVE)


def _missing_tables(state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """The tables of positions that a Latte's file leaves out."""
    weight = state.get("x_embedder.proj.weight")
    missing = [name for name in _TABLES if name not in state]
    # A DiT has no temp_embed; of what has other shapes, the faults are named later.
    if missing in ([], ["temp_embed"]) or weight is None or weight.ndim != 4:
        return {}
    width, _, patch, _ = weight.shape
    if width % 4 or not 0 < patch <= _OFFICIAL_SIDE:
        return {}
    sizes = {
        "pos_embed": f"latents of {_OFFICIAL_SIDE}×{_OFFICIAL_SIDE}",
        "temp_embed": f"{_OFFICIAL_FRAMES} frames",
    }
    logger.warning(
        "%s: has no %s, so positions are computed for %s, as in the official files",
        where, " and no ".join(missing), " and ".join(sizes[name] for name in missing),
    )  # fmt: skip
    tables = {
        "pos_embed": patch_positions(width, _OFFICIAL_SIDE // patch),
        "temp_embed": frame_positions(width, _OFFICIAL_FRAMES),
    }
    return {name: tables[name] for name in missing}


def _refuse_others(state: Mapping[str, Tensor], where: str) -> None:
    if any(
        name.startswith(("transformer_blocks.", "temporal_transformer_blocks.")) for name in state
    ):
        raise InputError(_text_to_video(where))
    if is_dit(state):
        raise InputError(
            f"{where}: is a DiT, an image model (it has no temp_embed): it can initialise the "
            "training of a Latte, but makes no videos itself"
        )
    missing = [f"{name} is missing" for name in _DECISIVE if name not in state]
    if missing:
        unknown = [f"it has {name}" for name in state if name not in _DECISIVE][:2]
        raise InputError(f"{where}: is not an official file of Latte: {some_of(missing + unknown)}")


def _read_config(
    state: Mapping[str, Tensor], num_heads: int | None, default_heads: int | None
) -> LatteConfig:
    """Sizes from shapes.

    Raises:
        InputError: shapes that no Latte has.
    """
    for name, axes in zip(_DECISIVE, (3, 3, 4, 2, 2), strict=True):
        if state[name].ndim != axes or not state[name].numel():
            raise InputError(f"{name} is {tuple(state[name].shape)}, which no Latte has")
    hidden_size, in_channels, patch_size, _ = state["x_embedder.proj.weight"].shape
    side = math.isqrt(state["pos_embed"].shape[1])
    if side**2 != state["pos_embed"].shape[1]:
        raise InputError(f"pos_embed is for {state['pos_embed'].shape[1]} patches, not a square")
    outputs, noise = len(state["final_layer.linear.weight"]), patch_size**2 * in_channels
    if outputs not in (noise, 2 * noise):
        raise InputError(
            f"final_layer.linear.weight has {outputs} rows, which is neither {noise} (noise) nor "
            f"{2 * noise} (noise and variance)"
        )
    labels = state.get("y_embedder.embedding_table.weight")
    blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    return LatteConfig(
        input_size=side * patch_size,
        patch_size=patch_size,
        in_channels=in_channels,
        hidden_size=hidden_size,
        depth=len(blocks),
        num_heads=num_heads or _known_heads(hidden_size, default_heads),
        num_frames=state["temp_embed"].shape[1],
        num_classes=None if labels is None else len(labels) - 1,
        learn_sigma=outputs == 2 * noise,
        mlp_ratio=len(state["blocks.0.mlp.fc1.weight"]) / hidden_size,
    )


def _known_heads(hidden_size: int, default: int | None) -> int:
    for config in PRESETS.values():
        if config.hidden_size == hidden_size:
            return config.num_heads
    if default is not None:
        return default
    raise InputError(
        f"no preset has hidden size {hidden_size}, and the number of heads is not in the file: "
        "give it (num_heads, --num-heads)"
    )


def _text_to_video(where: str) -> str:
    return (
        f"{where}: is in the layout of diffusers, as the text-to-video models (Latte-1) are, which "
        "is another network: give a class-conditional or unconditional Latte, such as ffs.pt or "
        "ucf101.pt"
    )
