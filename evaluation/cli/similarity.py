"""`latte-eval similarity`: how alike frames are, in videos or inside a model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from evaluation.cli.hidden_states import (
    DEFAULT_CLIPS,
    DEFAULT_TIMESTEPS,
    CheckpointRequest,
    hidden_states,
)
from evaluation.cli.options import (
    OutputOptions,
    ProtocolOptions,
    Resamples,
    RunOptions,
    SetOptions,
    Weights,
    with_bundles,
)
from evaluation.cli.similar_videos import VideoRequest, similar_videos
from latte.data.errors import InputError

Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Measure the hidden states of this model of `latte`, on noised real clips.",
    ),
]
Block = Annotated[
    list[str] | None,
    typer.Option(
        metavar="N|PATH",
        help="Block of the model by number, or any part by dotted path, such as blocks.20.attn; "
        "repeatable. [default: all blocks]",
    ),
]
Timestep = Annotated[
    list[int] | None,
    typer.Option(
        min=0,
        metavar="T",
        help="Step of the diffusion that says how noisy the clips are; repeatable. "
        "[default: 100, 500, 900]",
    ),
]
AutoencoderOption = Annotated[
    str | None,
    typer.Option(
        "--autoencoder",
        metavar="NAME|PATH",
        help="Autoencoder, as for `latte sample`. [default: the model's]",
    ),
]
Features = Annotated[
    str | None,
    typer.Option(
        "--features",
        "--network",
        metavar="pixels|NAME",
        help="What frames of videos are compared by. [default: the protocol's network of frames]",
    ),
]
NumClips = Annotated[
    int | None,
    typer.Option(
        "--num-videos",
        "--num-clips",
        min=1,
        metavar="N",
        help=f"Clips of each set. [default: the protocol's; {DEFAULT_CLIPS} with --checkpoint]",
    ),
]
Plots = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write figures there: .svg, .png, and the numbers as .csv."),
]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The model and its parts, for hidden states."""

    checkpoint: Checkpoint = None
    block: Block = None
    timestep: Timestep = None
    autoencoder: AutoencoderOption = None


@dataclass(frozen=True, kw_only=True)
class SimilarityProtocolOptions(ProtocolOptions):
    """The protocol; pixels may stand for a network, and clips may be shown to a model."""

    network: Features = None
    num_videos: NumClips = None


@with_bundles
def similarity(
    sets: SetOptions,
    protocol: SimilarityProtocolOptions,
    output: OutputOptions,
    run: RunOptions,
    model: ModelOptions,
    weights: Weights = None,
    plots: Plots = None,
    resamples: Resamples = 400,
) -> None:
    """Measure how alike the frames of a clip are."""
    _refuse_options_of_the_other_use(
        model.checkpoint,
        of_models={
            "--block": model.block,
            "--timestep": model.timestep,
            "--autoencoder": model.autoencoder,
        },
        of_videos={
            "--fake": sets.fake,
            "--features": protocol.network,
            "--weights": weights,
            "--num-frames": protocol.num_frames,
        },
    )
    from evaluation.cli.similarity_output import SimilarityOutput
    from evaluation.similarity.videos.pixels import PIXELS

    pixels = protocol.network == PIXELS
    if pixels and weights is not None:
        raise InputError("--weights is about a network, and pixels take none: leave it out")
    outputs = SimilarityOutput(out=output.out, plots=plots, as_json=output.as_json)
    outputs.check()
    choice = (replace(protocol, network=None) if pixels else protocol).choice(sets)
    if model.checkpoint is None:
        request = VideoRequest(
            choice=choice,
            sets=sets,
            weights=weights,
            pixels=pixels,
            resamples=resamples,
            model=output.name,
        )
        similar_videos(request, run.extraction(), outputs)
        return
    hidden_states(
        CheckpointRequest(
            checkpoint=model.checkpoint,
            autoencoder=model.autoencoder,
            choice=choice,
            sets=sets,
            blocks=tuple(map(_block, model.block)) if model.block else None,
            timesteps=tuple(model.timestep or DEFAULT_TIMESTEPS),
            intervals=bool(resamples),
            model=output.name or model.checkpoint.stem,
        ),
        run.extraction(),
        outputs,
    )


def _refuse_options_of_the_other_use(
    checkpoint: Path | None, *, of_models: Mapping[str, object], of_videos: Mapping[str, object]
) -> None:
    for name, value in (of_models if checkpoint is None else of_videos).items():
        if value is None:
            continue
        if checkpoint is None:
            raise InputError(f"{name} is about a model: give one with --checkpoint FILE")
        raise InputError(f"{name} is about videos alone: leave it out, or leave --checkpoint out")


def _block(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isdecimal() else text
