"""`latte info`: what a network is, what it costs, and what its file says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from latte.config import LatteConfig
    from latte.model.checkpoints import Checkpoint

NOTES = (
    "Parameters are the trainable ones; the paper cuts off after two decimals.",
    "GFLOP are those of one forward pass over one clip, two for each multiply-accumulate of matrix "
    "products and convolutions, attention included. Guidance takes two passes.",
    "Official form: the same network as the official code computes it, which repeats the condition "
    "for each frame or patch before the linear layers of the modulations.",
    "The paper's G follow another convention. Variant 1's are what a counter of module calls gives "
    "for three clips: multiply-accumulates of linear layers and patches, two for each element of a "
    "layer norm, no products of attention. How variant 4's were counted is open.",
    "The paper leaves the blocks of variants 3 and 4 open; ours are the reading nearest to its "
    "parameters (docs/model.md).",
)

# What the settings of our files are called for a person.
_LABELS = {"dataset": "data set", "frame_size": "frame size", "training": "trained with"}


def info(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL_OR_FILE]",
            help="A preset (Latte-XL/2), or a checkpoint, official or ours. [default: all sizes "
            "and variants]",
        ),
    ] = None,
    variant: Annotated[
        int | None, typer.Option(help="Of a preset: 1, 2, 3 or 4, with about equal parameters.")
    ] = None,
    patch_embedding: Annotated[
        str | None, typer.Option(help="Of a preset: uniform or compression.")
    ] = None,
    conditioning: Annotated[
        str | None, typer.Option(help="Of a preset: s-adaln or all-tokens.")
    ] = None,
    temporal_position: Annotated[
        str | None, typer.Option(help="Of a preset: absolute or rotary.")
    ] = None,
    num_classes: Annotated[
        int | None, typer.Option(help="Of a preset: without it, the model is unconditional.")
    ] = None,
    num_heads: Annotated[
        int | None, typer.Option(min=1, help="Of an official file whose size no preset has.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Parameters and FLOPs of the sizes and variants, or of one preset or checkpoint.

    latte info Latte-XL/2 --variant 3
    """
    import json

    given = {
        "variant": variant,
        "patch_embedding": patch_embedding,
        "conditioning": conditioning,
        "temporal_position": temporal_position,
        "num_classes": num_classes,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    record = _overview(changes) if model is None else _describe(model, changes, num_heads)
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False))
    elif model is None:
        typer.echo(_overview_text(record))
    else:
        typer.echo(_description_text(record))


def _overview(changes: dict[str, Any]) -> dict[str, Any]:
    """The rows of both tables.

    Raises:
        InputError: changes, which only one model can have.
    """
    from latte.config import preset
    from latte.data.errors import InputError
    from latte.model.cost import PAPER_SIZES, PAPER_VARIANTS

    if changes:
        option = next(iter(changes)).replace("_", "-")
        raise InputError(f"--{option} changes one model: name it, for example Latte-XL/2")
    sizes = [
        _row(name, preset(name), paper.parameters, paper.flops)
        for name, paper in PAPER_SIZES.items()
    ]
    variants = [
        _row(
            f"Latte-XL/2, variant {number}",
            preset("Latte-XL/2", variant=number),
            paper.parameters,
            paper.flops,
        )
        for number, paper in PAPER_VARIANTS.items()
    ]
    return {
        "sizes": sizes,
        "variants": variants,
        "paper": "arXiv:2401.03048v1, Tables 3 and 4",
        "notes": NOTES,
    }


def _row(
    name: str, config: "LatteConfig", paper_parameters: float, paper_flops: float | None
) -> dict[str, Any]:
    from latte.model.cost import cost

    counted = cost(config)
    return {
        "model": name,
        "blocks": config.depth,
        "hidden_size": config.hidden_size,
        "heads": config.num_heads,
        "parameters": counted.parameters,
        "paper_parameters_m": paper_parameters,
        "flops": counted.flops,
        "official_flops": counted.official_flops,
        "paper_flops_g": paper_flops,
    }


def _overview_text(record: dict[str, Any]) -> str:
    from tabulate import tabulate

    headers = ["model", "blocks", "hidden", "heads", "parameters (M)", "paper"]
    headers += ["GFLOP", "official form", "paper (G)"]
    lines = [
        [
            row["model"],
            row["blocks"],
            row["hidden_size"],
            row["heads"],
            f"{row['parameters'] / 1e6:.4f}",
            f"{row['paper_parameters_m']:.2f}",
            f"{row['flops'] / 1e9:.2f}",
            _or_dash(row["official_flops"], 1e9),
            _or_dash(row["paper_flops_g"], 1),
        ]
        for row in [*record["sizes"], *record["variants"]]
    ]
    table = tabulate(
        lines, headers, disable_numparse=True, colalign=("left", *["right"] * (len(headers) - 1))
    )
    notes = "\n".join(f"- {note}" for note in record["notes"])
    return (
        f"16 frames of 32×32×4 latents, unconditional; paper: {record['paper']}\n\n{table}\n\n"
        f"{notes}"
    )


def _or_dash(value: float | None, unit: float) -> str:
    return "–" if value is None else f"{value / unit:.2f}"


def _describe(model: str, changes: dict[str, Any], num_heads: int | None) -> dict[str, Any]:
    """What there is to say about a preset or a file."""
    from dataclasses import asdict

    from latte.config import PRESETS, preset
    from latte.data.errors import InputError
    from latte.model.cost import cost

    settings: dict[str, Any] = {}
    kind = "preset"
    if model not in PRESETS and Path(model).exists():
        checkpoint = _open(Path(model), changes, num_heads)
        config, settings = checkpoint.config, dict(checkpoint.settings)
        kind = "checkpoint"
    elif model in PRESETS or not _looks_like_a_path(model):
        config = preset(model, **changes)
    else:
        raise InputError(f"{model}: there is no such file, and no model is called so")
    counted = cost(config)
    return {
        "model": model,
        "kind": kind,
        "config": asdict(config),
        "parameters": counted.parameters,
        "fixed": counted.fixed,
        "flops": counted.flops,
        "official_flops": counted.official_flops,
        "settings": settings,
    }


def _open(path: Path, changes: dict[str, Any], num_heads: int | None) -> "Checkpoint":
    from latte.data.errors import InputError
    from latte.model.checkpoints import load_checkpoint

    if changes:
        option = next(iter(changes)).replace("_", "-")
        raise InputError(f"{path}: --{option} changes a preset, but a file has its own design")
    return load_checkpoint(path, num_heads)


def _looks_like_a_path(text: str) -> bool:
    suffixes = (".safetensors", ".pt", ".pth", ".ckpt")
    return text.endswith(suffixes) or text.startswith((".", "/", "~"))


def _description_text(record: dict[str, Any]) -> str:
    from tabulate import tabulate

    rows = [*_design_rows(record["config"]), *_cost_rows(record)]
    rows += [
        (_LABELS.get(name, name), _readable(value)) for name, value in record["settings"].items()
    ]
    table = tabulate(rows, tablefmt="plain", disable_numparse=True, preserve_whitespace=True)
    return f"{record['model']}\n\n{table}"


def _design_rows(config: dict[str, Any]) -> list[tuple[str, str]]:
    size, patch = config["input_size"], config["patch_size"]
    tubes = f"{config['tube_size']}×" if config["patch_embedding"] == "compression" else ""
    classes = config["num_classes"]
    return [
        (
            "network",
            f"variant {config['variant']}, {config['depth']} blocks, hidden size "
            f"{config['hidden_size']}, {config['num_heads']} heads",
        ),
        (
            "design",
            f"{config['patch_embedding']} patches, {config['conditioning']}, "
            f"{config['temporal_position']} positions in time",
        ),
        (
            "input",
            f"{config['num_frames']} frames of {size}×{size}×{config['in_channels']}, patches of "
            f"{tubes}{patch}×{patch}",
        ),
        ("output", "noise and variance" if config["learn_sigma"] else "noise"),
        ("condition", "unconditional" if classes is None else f"{classes} classes"),
    ]


def _cost_rows(record: dict[str, Any]) -> list[tuple[str, str]]:
    official = record["official_flops"]
    also = "" if official is None else f"; {official / 1e9:.2f} in the official form"
    return [
        (
            "parameters",
            f"{record['parameters']:,}, and {record['fixed']:,} numbers in fixed position tables",
        ),
        ("GFLOP", f"{record['flops'] / 1e9:.2f} for one forward pass over one clip{also}"),
    ]


def _readable(value: Any) -> str:
    """A setting in words: "name value, name value" for what has parts."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_readable(part)}" for name, part in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(_readable(part) for part in value) or "–"
    return "–" if value is None else str(value)
