"""`latte convert`: a checkpoint into a file of ours, with what sampling needs."""

from pathlib import Path
from typing import Annotated

import typer

from latte.cli.options import NumHeads, Target


def convert(
    source: Annotated[
        Path, typer.Argument(help="Official checkpoint (ffs.pt, ucf101.pt, …), or ours.")
    ],
    target: Target,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Training data, by its name in `latte-eval datasets`."),
    ] = None,
    num_heads: NumHeads = None,
    dtype: Annotated[
        str, typer.Option(metavar="NAME", help="float32, float16 or bfloat16.")
    ] = "float32",
    vae: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="Stable Diffusion's autoencoder for `latte sample`: a folder, or its name on the "
            "Hugging Face hub.",
        ),
    ] = None,
) -> None:
    """Turn an official checkpoint into a .safetensors file that `latte sample` reads by itself.

    latte convert ucf101.pt ucf101.safetensors --dataset ucf101
    """
    from latte.data.errors import InputError
    from latte.model.checkpoints import FLOAT_DTYPES, load_checkpoint, save_checkpoint
    from latte.model.cost import cost
    from latte.sampling.official import official_settings

    if dtype not in FLOAT_DTYPES:
        raise InputError(f"dtype {dtype}: choose {', '.join(FLOAT_DTYPES)}")
    checkpoint = load_checkpoint(source, num_heads)
    config, settings = checkpoint.config, checkpoint.settings
    if settings and (dataset or vae):
        raise InputError(f"{source}: has settings of its own: leave out --dataset and --vae")
    settings = settings or official_settings(config, dataset, vae)
    save_checkpoint(target, config, checkpoint.state_dict, settings, dtype=FLOAT_DTYPES[dtype])
    size = f"{config.input_size}×{config.input_size}×{config.in_channels}"
    classes = f"{config.num_classes} classes" if config.num_classes else "unconditional"
    typer.echo(
        f"{cost(config).parameters / 1e6:.2f} M parameters, {config.num_frames} frames of {size}, "
        f"{classes}, {dtype}: {target}"
    )
