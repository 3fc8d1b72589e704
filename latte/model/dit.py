"""A Latte from an image model: initialisation from DiT (the paper's section 3.3.4)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.model.official import is_dit, read_weights
from latte.model.transformer import Latte

BlockMap = Literal["name", "spatial", "both"]

LABELS = "y_embedder.embedding_table.weight"


def _keys(*layers: str) -> tuple[str, ...]:
    return tuple(f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias"))


_BLOCK_KEYS = _keys("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2", "adaLN_modulation.1")
_OUTER_KEYS = (
    "pos_embed",
    *_keys("x_embedder.proj", "t_embedder.mlp.0", "t_embedder.mlp.2"),
    *_keys("final_layer.linear", "final_layer.adaLN_modulation.1"),
)


def initialise_from_dit(
    model: Latte, source: Path | str | Mapping[str, Any], *, blocks: BlockMap = "name"
) -> list[str]:
    """Fill a Latte with what a DiT has; the rest keeps the initialisation it had.

    As in the paper, the position table serves every frame, and the label table is dropped and
    zero-initialised. The number of heads leaves no trace in a file: the model's should be the
    DiT's (16 for DiT-XL/2).

    Args:
        model: changed in place, once everything is checked.
        source: a DiT file, such as DiT-XL-2-256x256.pt, or its state dict.
        blocks: "name" puts DiT's block i into block i, spatial or temporal, as the official loader
            does; "spatial" fills the spatial blocks in order; "both" fills spatial block i and
            the temporal block that belongs to it with DiT's block i. In variants 3 and 4 block i
            takes DiT's block i, its attention over space with all three, and its attention over
            time as well with "both".

    Returns:
        Notes on what was used from the DiT and what was not.

    Raises:
        InputError: the file is not a DiT, or sizes differ; names the first key and both shapes.
    """
    if blocks not in ("name", "spatial", "both"):
        raise InputError(f'blocks "{blocks}": choose name, spatial or both')
    state, _, where = read_weights(source)
    depth = _check_dit(state, where)
    targets = dict(model.state_dict())
    numbers = [
        (ours, theirs) for ours, theirs in _block_numbers(model.config, blocks) if theirs < depth
    ]
    pairs = [(key, key) for key in _OUTER_KEYS]
    for ours, theirs in numbers:
        for key in _BLOCK_KEYS:
            pairs.append((f"blocks.{ours}.{key}", f"blocks.{theirs}.{key}"))
            if blocks == "both" and key.startswith("attn."):  # variants 3 and 4 have the name
                over_time = key.replace("attn.", "attn_temporal.")
                pairs.append((f"blocks.{ours}.{over_time}", f"blocks.{theirs}.{key}"))
    pairs = [(name, key) for name, key in pairs if name in targets]
    for name, key in pairs:
        if targets[name].shape != state[key].shape:
            raise InputError(
                f"{where}: {key} is {tuple(state[key].shape)}, but the model's is "
                f"{tuple(targets[name].shape)}: give a DiT of the model's sizes"
            )
    with torch.no_grad():
        for name, key in pairs:
            targets[name].copy_(state[key])  # the state dict shares the model's memory
        if LABELS in targets:
            targets[LABELS].zero_()
    notes = [
        f"{len(pairs)} tensors were taken from the DiT: patch and timestep embeddings, positions, "
        f"final layer, and {len({theirs for _, theirs in numbers})} of its {depth} blocks for "
        f"{len(numbers)} of the model's {model.config.depth}."
    ]
    return notes + list(_left_out(model.config, depth, numbers, blocks))


def _check_dit(state: Mapping[str, Tensor], where: str) -> int:
    """The number of blocks of the DiT."""
    if "temp_embed" in state:
        raise InputError(f"{where}: is a Latte, not a DiT (it has temp_embed)")
    depth = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    expected = [*_OUTER_KEYS, *(f"blocks.{i}.{key}" for i in range(depth) for key in _BLOCK_KEYS)]
    missing = [name for name in expected if name not in state]
    if not is_dit(state) or missing:
        raise InputError(f"{where}: is not a DiT: {(missing or ['blocks.0'])[0]} is missing")
    return depth


def _block_numbers(config: LatteConfig, blocks: BlockMap) -> list[tuple[int, int]]:
    """(block of the model, block of the DiT)."""
    depth, half = config.depth, config.depth // 2
    if blocks == "name" or config.variant in (3, 4):
        return [(i, i) for i in range(depth)]
    spatial = range(0, depth, 2) if config.variant == 1 else range(half)
    temporal = range(1, depth, 2) if config.variant == 1 else range(half, depth)
    pairs = [(block, i) for i, block in enumerate(spatial)]
    if blocks == "both":
        pairs += [(block, i) for i, block in enumerate(temporal)]
    return pairs


def _left_out(
    config: LatteConfig, depth: int, numbers: Sequence[tuple[int, int]], blocks: BlockMap
) -> Iterator[str]:
    taken, used = {ours for ours, _ in numbers}, {theirs for _, theirs in numbers}
    if left_out := [str(i) for i in range(depth) if i not in used]:
        yield f"DiT's blocks {', '.join(left_out)} are not used."
    if untouched := [str(i) for i in range(config.depth) if i not in taken]:
        yield f"The model's blocks {', '.join(untouched)} keep their initialisation."
    if config.variant in (3, 4) and blocks != "both":
        yield "The attention over time keeps its initialisation in each block."
    if config.variant == 4:
        yield "Each half has half of the heads, twice as wide: two heads of the DiT act as one."
    if config.conditioning == "all-tokens":
        yield "DiT's modulations are not used: this model takes its condition as tokens."
    yield (
        "DiT's label table was dropped, and the model's is zero at first."
        if config.num_classes is not None
        else "DiT's label table was dropped: the model has no classes."
    )
