"""`latte patches`: fit the linear autoencoder to a data set."""

from pathlib import Path
from typing import Annotated

import typer

from latte.cli.options import DataRoot, Target


def patches(
    target: Target,
    dataset: Annotated[
        str, typer.Option(metavar="NAME|DIR", help="Data set, or folder of videos.")
    ] = "shapes",
    data_root: DataRoot = Path("data"),
    size: Annotated[
        int, typer.Option(metavar="N", min=1, help="Side of the square frames, in pixels.")
    ] = 32,
    patch_size: Annotated[
        int, typer.Option(metavar="N", min=1, help="Side of a patch, in pixels.")
    ] = 8,
    channels: Annotated[int, typer.Option(metavar="N", min=1, help="Components to keep.")] = 24,
    num_clips: Annotated[
        int, typer.Option(metavar="N", min=1, help="Clips of 16 frames to fit.")
    ] = 1000,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the choice of clips.")] = 0,
) -> None:
    """Fit a linear autoencoder: the principal components of patches.

    latte patches patches.safetensors --dataset my_videos/ --size 64
    """
    from latte.autoencoder.patches import fit_patches, save_patches
    from latte.training.config import DataTable
    from latte.training.data import open_training_set

    table = DataTable(dataset=dataset, size=size, stride=1, flip=False)
    training_set = open_training_set(
        table, seed=seed, data_root=data_root, workers=0, class_conditional=False
    )
    samples = training_set.samples(range(num_clips), workers=0)
    clips = (sample.frames for sample in samples if sample.frames is not None)
    fitted = fit_patches(clips, patch_size=patch_size, channels=channels)
    made_from = f"{num_clips} clips of {dataset}, {size}×{size}, seed {seed}"
    save_patches(target, fitted, made_from)
    typer.echo(f"{channels} of {3 * patch_size**2} components of {made_from}: {target}")
