"""`latte info`: what a network is, what it costs, and what its file says."""

from typing import Annotated, Any

import typer

from latte.cli.options import NumHeads

# How the settings of our files are labelled for a person.
_LABELS = {"dataset": "data set", "frame_size": "frame size", "training": "trained with"}


def info(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL_OR_FILE]",
            help="Preset (Latte-XL/2) or checkpoint. [default: all sizes and variants]",
        ),
    ] = None,
    variant: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Variant of the preset: 1, 2, 3 or 4, with about equal parameters."
        ),
    ] = None,
    patch_embedding: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Patch embedding of the preset: uniform or compression."),
    ] = None,
    conditioning: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Conditioning of the preset: s-adaln or all-tokens."),
    ] = None,
    temporal_position: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Temporal positions of the preset: absolute or rotary."),
    ] = None,
    num_classes: Annotated[
        int | None,
        typer.Option(metavar="N", help="Classes of the preset. [default: unconditional]"),
    ] = None,
    num_heads: NumHeads = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Parameters and FLOPs of the sizes and variants, or of one preset or checkpoint.

    latte info Latte-XL/2 --variant 3
    """
    import json

    from latte.data.errors import InputError
    from latte.model.summary import describe, overview

    options = {
        "variant": variant,
        "patch_embedding": patch_embedding,
        "conditioning": conditioning,
        "temporal_position": temporal_position,
        "num_classes": num_classes,
    }
    changes = {name: value for name, value in options.items() if value is not None}
    if model is None and changes:
        option = next(iter(changes)).replace("_", "-")
        raise InputError(f"--{option} changes one model: name it, for example Latte-XL/2")
    record = overview() if model is None else describe(model, changes, num_heads)
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False))
    else:
        typer.echo(_overview_text(record) if model is None else _description_text(record))


def _overview_text(record: dict[str, Any]) -> str:
    from tabulate import tabulate

    headers = ["model", "blocks", "hidden", "heads", "parameters (M)", "paper"]
    headers += ["GFLOP", "official form", "paper (G)"]
    lines = [
        [
            *(row[name] for name in ("model", "blocks", "hidden_size", "heads")),
            row["parameters"] / 1e6,
            row["paper_parameters_m"],
            row["flops"] / 1e9,
            row["official_flops"] and row["official_flops"] / 1e9,
            row["paper_flops_g"],
        ]
        for row in [*record["sizes"], *record["variants"]]
    ]
    digits = (*["g"] * 4, ".4f", *[".2f"] * 4)
    table = tabulate(lines, headers, floatfmt=digits, missingval="–", numalign="right")
    notes = "\n".join(f"- {note}" for note in record["notes"])
    return (
        f"16 frames of 32×32×4 latents, unconditional; paper: {record['paper']}\n\n{table}\n\n"
        f"{notes}"
    )


def _description_text(record: dict[str, Any]) -> str:
    from tabulate import tabulate

    config, official = record["config"], record["official_flops"]
    size, patch = config["input_size"], config["patch_size"]
    tubes = f"{config['tube_size']}×" if config["patch_embedding"] == "compression" else ""
    classes = config["num_classes"]
    also = "" if official is None else f"; {official / 1e9:.2f} in the official form"
    rows = {
        "network": f"variant {config['variant']}, {config['depth']} blocks, hidden size "
        f"{config['hidden_size']}, {config['num_heads']} heads",
        "design": f"{config['patch_embedding']} patches, {config['conditioning']}, "
        f"{config['temporal_position']} positions in time",
        "input": f"{config['num_frames']} frames of {size}×{size}×{config['in_channels']}, patches "
        f"of {tubes}{patch}×{patch}",
        "output": "noise and variance" if config["learn_sigma"] else "noise",
        "condition": "unconditional" if classes is None else f"{classes} classes",
        "parameters": f"{record['parameters']:,}, and {record['fixed']:,} numbers in fixed "
        "position tables",
        "GFLOP": f"{record['flops'] / 1e9:.2f} for one forward pass over one clip{also}",
    }
    rows |= {_LABELS.get(name, name): _readable(part) for name, part in record["settings"].items()}
    table = tabulate(
        rows.items(), tablefmt="plain", disable_numparse=True, preserve_whitespace=True
    )
    return f"{record['model']}\n\n{table}"


def _readable(value: Any) -> str:
    """A setting in words: "name value, name value" for what has parts."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_readable(part)}" for name, part in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(map(_readable, value)) or "–"
    return "–" if value is None else str(value)
