"""What a preset or a checkpoint is and costs, as records that `latte info` prints."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latte.config import PRESETS, LatteConfig, preset
from latte.data.errors import InputError
from latte.model.checkpoints import load_checkpoint
from latte.model.cost import PAPER_SIZES, PAPER_VARIANTS, cost

NOTES = (
    "Parameters are the trainable ones; the paper truncates to two decimals.",
    "GFLOP are those of one forward pass over one clip, two for each multiply-accumulate of matrix "
    "products and convolutions, attention included. Guidance takes two passes.",
    "Official form: the same network as the official code computes it, which repeats the condition "
    "for each frame or patch before the linear layers of the modulations.",
    "The paper's G follow another convention. Variant 1's are what a counter of module calls gives "
    "for three clips: multiply-accumulates of linear layers and patches, two for each element of a "
    "layer norm, no products of attention. How variant 4's were counted is open.",
    "The paper leaves the blocks of variants 3 and 4 open; ours are the reading closest to its "
    "parameters (docs/model.md).",
)
_WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt")


def overview() -> dict[str, Any]:
    """All sizes and variants beside the paper's figures."""
    return {
        "sizes": [_row(name, preset(name), paper) for name, paper in PAPER_SIZES.items()],
        "variants": [
            _row(f"Latte-XL/2, variant {number}", preset("Latte-XL/2", variant=number), *paper)
            for number, paper in PAPER_VARIANTS.items()
        ],
        "paper": "arXiv:2401.03048v1, Tables 3 and 4",
        "notes": NOTES,
    }


def describe(model: str, changes: Mapping[str, Any], num_heads: int | None) -> dict[str, Any]:
    """Configuration, costs and settings of a preset with changes, or of a checkpoint.

    Raises:
        InputError: it is neither, or changes are given for a file.
    """
    settings: Mapping[str, Any] = {}
    path = Path(model)
    kind = "checkpoint" if model not in PRESETS and path.exists() else "preset"
    if kind == "checkpoint":
        if changes:
            option = next(iter(changes)).replace("_", "-")
            raise InputError(f"{path}: --{option} changes a preset, but a file has its own design")
        checkpoint = load_checkpoint(path, num_heads)
        config, settings = checkpoint.config, checkpoint.settings
    elif model.endswith(_WEIGHT_SUFFIXES) or model.startswith((".", "/", "~")):
        raise InputError(f"{model}: there is no such file, and no model is called so")
    else:
        config = preset(model, **changes)
    return {
        "model": model,
        "kind": kind,
        "config": asdict(config),
        **asdict(cost(config)),
        "settings": settings,
    }


def _row(
    name: str, config: LatteConfig, parameters: float, flops: float | None = None
) -> dict[str, Any]:
    counted = cost(config)
    return {
        "model": name,
        "blocks": config.depth,
        "hidden_size": config.hidden_size,
        "heads": config.num_heads,
        "parameters": counted.parameters,
        "paper_parameters_m": parameters,
        "flops": counted.flops,
        "official_flops": counted.official_flops,
        "paper_flops_g": flops,
    }
