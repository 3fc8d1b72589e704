"""`latte-eval similarity`: how alike frames are, in videos or inside a model."""

from collections.abc import Mapping
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
    AsJson,
    BatchSize,
    DataRoot,
    Dataset,
    Device,
    Fake,
    Name,
    NumFrames,
    Out,
    ProtocolOption,
    Quiet,
    Real,
    Resamples,
    Seed,
    Settings,
    SkipBroken,
    Store,
    Timeout,
    Weights,
    Workers,
    device_or_default,
    workers_or_default,
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


def similarity(
    checkpoint: Checkpoint = None,
    block: Block = None,
    timestep: Timestep = None,
    autoencoder: AutoencoderOption = None,
    dataset: Dataset = None,
    real: Real = None,
    fake: Fake = None,
    features: Features = None,
    weights: Weights = None,
    protocol: ProtocolOption = None,
    settings: Settings = None,
    num_videos: NumClips = None,
    num_frames: NumFrames = None,
    seed: Seed = None,
    name: Name = None,
    out: Out = Path("results.jsonl"),
    plots: Plots = None,
    as_json: AsJson = False,
    device: Device = "auto",
    batch_size: BatchSize = 8,
    workers: Workers = None,
    timeout: Timeout = 120.0,
    resamples: Resamples = 400,
    store: Store = None,
    skip_broken: SkipBroken = False,
    data_root: DataRoot = None,
    quiet: Quiet = False,
) -> None:
    """Measure how alike the frames of a clip are."""
    _refuse_options_of_the_other_use(
        checkpoint,
        of_models={"--block": block, "--timestep": timestep, "--autoencoder": autoencoder},
        of_videos={
            "--fake": fake,
            "--features": features,
            "--weights": weights,
            "--num-frames": num_frames,
        },
    )
    from evaluation.cli.similarity_output import SimilarityOutput
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.features.store import default_store
    from evaluation.measuring.choice import ProtocolChoice
    from evaluation.similarity.videos.pixels import PIXELS

    pixels = features == PIXELS
    if pixels and weights is not None:
        raise InputError("--weights is about a network, and pixels take none: leave it out")
    output = SimilarityOutput(out=out, plots=plots, as_json=as_json)
    output.check()
    options = ExtractionOptions(
        store=store or default_store(),
        device=device_or_default(device),
        batch_size=batch_size,
        workers=workers_or_default(workers),
        timeout=timeout,
        skip_broken=skip_broken,
        progress=not quiet,
    )
    choice = ProtocolChoice(
        protocol=protocol,
        settings=settings or (),
        dataset=dataset,
        network=None if pixels else features,
        num_videos=num_videos,
        num_frames=num_frames,
        seed=seed,
    )
    if checkpoint is None:
        similar_videos(
            VideoRequest(
                choice=choice,
                real=real,
                fake=fake,
                data_root=data_root,
                weights=weights,
                pixels=pixels,
                resamples=resamples,
                model=name,
            ),
            options,
            output,
        )
    else:
        hidden_states(
            CheckpointRequest(
                checkpoint=checkpoint,
                autoencoder=autoencoder,
                choice=choice,
                real=real,
                data_root=data_root,
                blocks=tuple(map(_block, block)) if block else None,
                timesteps=tuple(timestep or DEFAULT_TIMESTEPS),
                intervals=bool(resamples),
                model=name or checkpoint.stem,
            ),
            options,
            output,
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
