"""The commands of the paper's figures: ablations, sizes, and what stands in its text."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cells.scale import as_scale, refuse_of_paper_scale
from benchmarks.cli.options import Out, ScaleOption, Seeds, Workers, folder_of
from evaluation.cli.options import DataRoot
from latte.data.errors import InputError

if TYPE_CHECKING:
    from benchmarks.figures.ablations import Request

# Letter of Figure 5: another name of its command, and what it shows.
FIGURE5 = {
    "a": ("patches", "Patch embedding: uniform or compression frame."),
    "b": ("conditioning", "Timestep and class: S-AdaLN or all tokens."),
    "c": ("positions", "Positions in time: absolute or rotary."),
    "d": ("initialisation", "Weights to start from: random, or an image model's."),
    "e": ("interval", "Sampling interval of the clips."),
    "f": ("architectures", "The four variants of the architecture."),
}
Cells = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Trainings that are done: all figures share them. [default: results/trainings; at "
        "other scales than tiny results/trainings-SCALE]",
    ),
]
Device = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda or cuda:N. [default: cpu at tiny, else cuda]")
]
InitialiseFrom = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="DiT-XL-2-256x256.pt, for figure5d at paper scale."),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A trained network of that variant, in place of trainings."),
]
Vae = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|NAME", help="The networks' autoencoder, if not the one that they name."
    ),
]
TrainingVae = Annotated[
    str | None,
    typer.Option(
        "--vae",
        metavar="DIR|NAME",
        help="At paper scale: Stable Diffusion's autoencoder. [default: stabilityai/sd-vae-ft-ema]",
    ),
]
Gpus = Annotated[
    int | None,
    typer.Option(
        metavar="1|2|4|8",
        help="At paper scale: GPUs that train; fewer make the same batch in several passes. "
        "[default: 8]",
    ),
]
NumClips = Annotated[
    int | None,
    typer.Option(
        "--num-videos",
        "--num-clips",
        min=1,
        help="Clips that networks are shown. [default: 256; 64 at paper scale]",
    ),
]
OnlyAvailable = Annotated[
    bool,
    typer.Option(
        "--only-available", help="At paper scale: run what can be run, leave the rest empty."
    ),
]


def add_figures(app: typer.Typer) -> None:
    """Put them into `latte-bench`."""
    for letter, (alias, meaning) in FIGURE5.items():
        _add(app, f"figure5{letter}", alias, f"{meaning} FVD over training.", _figure5(letter))
    _add(app, "figure5", "ablations", "All six ablations of Figure 5.", _figure5(*FIGURE5))
    _add_similarity(app, "figure6", "spatial-blocks", "Frames after spatial blocks of variant 2.")
    _add(app, "figure7", "model-sizes", "Sizes S, B, L and XL: FVD over training.", _figure7)
    _add_similarity(app, "figure8", "attentions", "Frames after both attentions of variant 4.")
    meaning = "Masks of joint training, and the paper's figures of text-to-video."
    _add(app, "intext", "masks", meaning, _intext)


def _figure5(*letters: str) -> Callable[[Path, "Request"], object]:
    def run(out: Path, request: "Request") -> object:
        from benchmarks.figures import figure5 as figure5_ablations

        return figure5_ablations.run(letters, out, request)

    return run


def _figure7(out: Path, request: "Request") -> object:
    from benchmarks.figures import figure7 as figure7_sizes

    return figure7_sizes.run(out, request)


def _intext(out: Path, request: "Request") -> object:
    from benchmarks.figures import masks as intext_masks

    return intext_masks.run(out, request)


def _add(
    app: typer.Typer,
    name: str,
    alias: str,
    meaning: str,
    run: Callable[[Path, "Request"], object],
) -> None:
    """A command and its other name."""

    def command(
        scale: ScaleOption = "tiny",
        seeds: Seeds = 3,
        out: Out = None,
        cells: Cells = None,
        workers: Workers = None,
        device: Device = None,
        data_root: DataRoot = None,
        initialise_from: InitialiseFrom = None,
        vae: TrainingVae = None,
        gpus: Gpus = None,
        only_available: OnlyAvailable = False,
    ) -> None:
        chosen = as_scale(scale)
        if chosen == "paper" and workers is not None:
            raise InputError(
                "--workers: at paper scale torchrun has all GPUs for one training after the other; "
                "leave it out"
            )
        refuse_of_paper_scale(chosen, {"--vae": vae, "--gpus": gpus})
        folder = folder_of(name, chosen, out)
        from benchmarks.figures.ablations import Request
        from benchmarks.figures.paper_commands import GPUS
        from evaluation.cli.options import device_or_default, workers_or_default

        request = Request(
            scale=chosen,
            seeds=seeds,
            workers=workers_or_default(workers),
            cells=cells,
            device=device and device_or_default(device),
            data_root=data_root,
            initialise_from=initialise_from,
            vae=vae,
            gpus=GPUS if gpus is None else gpus,
            only_available=only_available,
        )
        run(folder, request)

    command.__doc__ = (
        f"{meaning}\n\nTrains what is not trained yet, and holds the paper's claims against it. "
        f"Also called {alias}.\n\nlatte-bench {name} --seeds 1"
    )
    app.command(name)(command)
    app.command(alias, hidden=True)(command)


def _add_similarity(app: typer.Typer, name: str, alias: str, meaning: str) -> None:
    """A command that looks into networks, and its other name."""

    def command(
        scale: ScaleOption = "tiny",
        seeds: Seeds = 3,
        checkpoint: Checkpoint = None,
        num_videos: NumClips = None,
        out: Out = None,
        cells: Cells = None,
        workers: Workers = None,
        device: Device = None,
        data_root: DataRoot = None,
        vae: Vae = None,
    ) -> None:
        chosen = as_scale(scale)
        folder = folder_of(name, chosen, out)
        from benchmarks.figures import figure6 as figure6_similarity
        from benchmarks.figures import figure8 as figure8_similarity
        from benchmarks.figures.frame_similarity import SimilarityRequest
        from evaluation.cli.options import device_or_default, workers_or_default

        request = SimilarityRequest(
            scale=chosen,
            seeds=seeds,
            num_clips=num_videos,
            workers=workers_or_default(workers),
            cells=cells,
            device=device and device_or_default(device),
            checkpoint=checkpoint,
            vae=vae,
            data_root=data_root,
        )
        run = figure6_similarity.run if name == "figure6" else figure8_similarity.run
        run(folder, request)

    command.__doc__ = (
        f"{meaning}\n\nHow alike they are, in networks that Figure 5f trains as well, beside what "
        f"the paper claims. Also called {alias}.\n\nlatte-bench {name} --checkpoint FILE"
    )
    app.command(name)(command)
    app.command(alias, hidden=True)(command)
