"""`latte convert`: a checkpoint into a file of ours, with what sampling needs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from latte.config import LatteConfig

DTYPES = ("float32", "float16", "bfloat16")
VAE_CHANNELS = 4
VAE_FACTOR = 8  # pixels for each side of a latent of Stable Diffusion's autoencoder


def convert(
    source: Annotated[
        Path, typer.Argument(help="Official checkpoint: ffs.pt, ucf101.pt, …; or ours.")
    ],
    target: Annotated[Path, typer.Argument(help="File to write, ending in .safetensors.")],
    dataset: Annotated[
        str | None,
        typer.Option(help="What it was trained on, as `latte-eval datasets` calls it."),
    ] = None,
    num_heads: Annotated[
        int | None, typer.Option(min=1, help="Where no preset has the hidden size.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="float32, float16 or bfloat16.")] = "float32",
    vae: Annotated[
        str | None,
        typer.Option(
            help="Stable Diffusion's autoencoder for `latte sample`: a folder, or its name on the "
            "Hugging Face hub."
        ),
    ] = None,
) -> None:
    """Turn an official checkpoint into a .safetensors file that `latte sample` reads by itself.

    latte convert ucf101.pt ucf101.safetensors --dataset ucf101
    """
    from latte.data.errors import InputError

    if target.suffix != ".safetensors":
        raise InputError(f"{target}: give a name that ends in .safetensors")
    if target.is_dir():
        raise InputError(f"{target}: is a folder; give the name of a file")
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype}: choose {', '.join(DTYPES)}")

    import torch

    from latte.model.checkpoints import load_checkpoint, save_checkpoint
    from latte.model.cost import cost

    checkpoint = load_checkpoint(source, num_heads)
    config, settings = checkpoint.config, dict(checkpoint.settings)
    if settings and (dataset or vae):
        raise InputError(f"{source}: has settings of its own: leave out --dataset and --vae")
    settings = settings or official_settings(config, dataset, vae)
    save_checkpoint(target, config, checkpoint.state_dict, settings, dtype=getattr(torch, dtype))
    size = f"{config.input_size}×{config.input_size}×{config.in_channels}"
    classes = f"{config.num_classes} classes" if config.num_classes else "unconditional"
    typer.echo(
        f"{cost(config).parameters / 1e6:.2f} M parameters, {config.num_frames} frames of {size}, "
        f"{classes}, {dtype}: {target}"
    )


def official_settings(
    config: "LatteConfig", dataset_name: str | None, vae: str | None
) -> dict[str, Any]:
    """How the official configurations sample (Vchitect/Latte b27c24a, configs/*/*_sample.yaml).

    Raises:
        InputError: no such data set, or one whose classes are not the network's.
    """
    from dataclasses import asdict

    from latte.autoencoder import lasting_path
    from latte.data.datasets import dataset
    from latte.data.errors import InputError
    from latte.sampling.official import DIFFUSION, FPS, official_options

    settings: dict[str, Any] = {}
    if dataset_name is not None:
        known = dataset(dataset_name)
        if config.num_classes not in (None, known.num_classes):
            raise InputError(
                f"--dataset {dataset_name}: has {known.num_classes or 'no'} classes, but the "
                f"network has {config.num_classes}"
            )
        settings["dataset"] = known.name
    settings |= {"fps": FPS, "diffusion": asdict(DIFFUSION)}
    if config.in_channels == VAE_CHANNELS:
        settings["frame_size"] = config.input_size * VAE_FACTOR
        settings["autoencoder"] = {"name": "sd-vae"}
        if vae is not None:
            settings["autoencoder"]["path"] = lasting_path(vae)
    options = official_options(dataset_name, config.num_classes)
    settings["sampling"] = {
        name: getattr(options, name) for name in ("guidance_scale", "method", "steps")
    }
    return settings
