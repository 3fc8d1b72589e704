"""`latte-eval similarity`: how alike frames are, inside a model or in videos alone."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evaluation.cli.metrics import breakdown, chosen_metrics, one_object
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
    chosen_protocol,
    device_or_default,
    fake_videos,
    real_videos,
    weights_by_network,
    workers_or_default,
)
from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.measuring.run import MeasureRequest
    from evaluation.protocol.fields import Protocol
    from evaluation.similarity.run import ModelRequest

PIXELS = "pixels"  # as `evaluation.similarity.pixels`, which is too heavy to import here
TIMESTEPS = (100, 500, 900)
NUM_CLIPS = 64  # shown to a model
AS_TRAINED = "as trained"  # the protocol of clips that are taken as the checkpoint's were

Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Look into this model of `latte`, shown noised real clips, not at --fake.",
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
        help="How much noise, by the step of the diffusion; repeatable. [default: 100, 500, 900]",
    ),
]
AutoencoderOption = Annotated[
    str | None,
    typer.Option(
        "--autoencoder", metavar="NAME|PATH", help="As of `latte sample`. [default: the model's]"
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
        help=f"Clips of each set. [default: the protocol's; {NUM_CLIPS} with --checkpoint]",
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
    """Measure what the command is called after."""
    _check_options(
        checkpoint,
        of_model={"--block": block, "--timestep": timestep, "--autoencoder": autoencoder},
        of_videos={
            "--fake": fake,
            "--features": features,
            "--weights": weights,
            "--num-frames": num_frames,
        },
    )
    if features == PIXELS and weights is not None:
        raise InputError("--weights is about a network, and pixels take none: leave it out")
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.features.store import default_store

    options = ExtractionOptions(
        store=store or default_store(),
        device=device_or_default(device),
        batch_size=batch_size,
        workers=workers_or_default(workers),
        timeout=timeout,
        skip_broken=skip_broken,
        progress=not quiet,
    )
    if checkpoint is not None:
        from evaluation.similarity.generated import open_model
        from evaluation.similarity.run import ModelRequest
        from latte.data.sources import VideoSet

        opened = open_model(checkpoint, autoencoder=autoencoder, device=options.device)
        shown = _shown_clips(opened.trained_on, protocol, settings, dataset, num_videos, seed, real)
        real_set = real_videos(dataset, real, data_root, shown)
        if not isinstance(real_set, VideoSet):
            raise InputError(f"{real_set} is a statistics file: a model is shown the videos")
        _look_into(
            ModelRequest(
                opened=opened,
                videos=real_set,
                protocol=shown,
                intervals=bool(resamples),
                blocks=None if not block else tuple(map(_block, block)),
                timesteps=tuple(timestep or TIMESTEPS),
                at_least=num_videos or 1,
                dataset=dataset,
                model=name or checkpoint.stem,
                out=out,
            ),
            options,
            plots,
            as_json=as_json,
        )
        return
    from evaluation.measuring.run import MeasureRequest

    network = None if features == PIXELS else features
    chosen = chosen_protocol(
        protocol, settings, dataset, network, num_videos, num_frames, seed, real
    )
    real_set = real_videos(dataset, real, data_root, chosen)
    metrics, default = chosen_metrics("similarity", chosen, network)
    fake_set = fake_videos(dataset, fake)
    _compare(
        MeasureRequest(
            metrics=metrics,
            real=real_set,
            fake=fake_set,
            protocol=chosen,
            weights=weights_by_network(weights, default),
            at_least=num_videos or 1,
            dataset=dataset,
            model=name or (fake_set.stem if isinstance(fake_set, Path) else fake_set.name),
            resamples=resamples,
            out=out,
        ),
        options,
        plots,
        pixels=features == PIXELS,
        as_json=as_json,
    )


def _shown_clips(
    trained_on: Mapping[str, object],
    name: str | None,
    settings: list[str] | None,
    dataset: str | None,
    num_clips: int | None,
    seed: int | None,
    real: Path | None,
) -> "Protocol":
    """How real clips are taken for a model: as it was trained, unless the command line says how."""
    from dataclasses import replace

    from evaluation.measuring.results import say
    from evaluation.protocol.deviations import differences

    given = settings or []
    number = [f"num_real={NUM_CLIPS}"] if num_clips is None else []
    base = name or (None if dataset == "shapes" else "latte")

    def protocol(more: list[str]) -> "Protocol":
        every = [*number, *more, *given]
        return chosen_protocol(base, every, dataset, None, num_clips, None, seed, real)

    plain = protocol([])
    taken = {} if name is not None else _not_given(trained_on, given, dataset)
    chosen = protocol([f"{key}={value}" for key, value in taken.items()])
    changed = differences(chosen.moving_fields(), plain.moving_fields())
    if not changed:
        return plain
    say(
        f"clips are taken as the checkpoint was trained: {'; '.join(map(str, changed))}; "
        "--protocol or --set takes others"
    )
    return replace(chosen, name=AS_TRAINED)


def _not_given(
    trained_on: Mapping[str, object], settings: list[str], dataset: str | None
) -> dict[str, object]:
    """Fields from the checkpoint: none that the command line sets, nor how frames are prepared
    where it sets one of those or none is: the embedded data set is drawn at its size."""
    given = {each.partition("=")[0].strip() for each in settings}
    preparing = {"recipe", "filter", "storage"}
    drop = given | (preparing if given & preparing or dataset == "shapes" else set())
    return {key: value for key, value in trained_on.items() if key not in drop}


def _look_into(
    request: "ModelRequest", options: "ExtractionOptions", plots: Path | None, *, as_json: bool
) -> None:
    """Inside a model."""
    from evaluation.similarity.run import run_model
    from evaluation.similarity.tables import model_table

    _check_folder(plots)
    result, found = run_model(request, options)
    if plots is not None:
        from evaluation.similarity.plots import model_figures, write_figures

        write_figures(model_figures(found), plots)
    if as_json:
        typer.echo(result.to_json())
        return
    typer.echo(
        f"{result.model}: {result.details['checkpoint']['title']}, "
        f"{result.num_real} clips × {result.num_frames} frames, {result.protocol}"
    )
    typer.echo(model_table(result.details), nl=False)
    _say_where(plots)


def _compare(
    request: "MeasureRequest",
    options: "ExtractionOptions",
    plots: Path | None,
    *,
    pixels: bool,
    as_json: bool,
) -> None:
    """Two sets of videos."""
    from evaluation.similarity.run import run_videos

    _check_folder(plots)
    results = list(run_videos(request, options, pixels=pixels))
    if plots is not None:
        from evaluation.similarity.plots import video_figures, write_figures
        from evaluation.similarity.record import read_summary

        sets = results[0].details["sets"]
        names = {"real": "real", "generated": "fake"}
        summaries = {name: read_summary(sets[side]) for name, side in names.items()}
        write_figures(video_figures(summaries), plots)
    if as_json:
        typer.echo(one_object(results))
        return
    for result in results:
        typer.echo(str(result))
    for result in results:
        typer.echo(breakdown(result), nl=False)
    _say_where(plots)


def _check_folder(plots: Path | None) -> None:
    """Make the folder of figures, or refuse it, before the work and not after."""
    if plots is None:
        return
    if plots.exists() and not plots.is_dir():
        raise InputError(f"{plots} is a file: --plots takes a folder")
    try:
        plots.mkdir(parents=True, exist_ok=True)
        writable = os.access(plots, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise InputError(f"{plots} cannot be written: choose another folder with --plots")


def _say_where(plots: Path | None) -> None:
    if plots is not None:
        typer.echo(f"figures: {plots}")


def _check_options(
    checkpoint: Path | None, *, of_model: Mapping[str, object], of_videos: Mapping[str, object]
) -> None:
    """Refuse options of the one use beside those of the other."""
    for name, value in (of_videos if checkpoint is not None else of_model).items():
        if value is None:
            continue
        if checkpoint is None:
            raise InputError(f"{name} is about a model: give one with --checkpoint FILE")
        raise InputError(f"{name} is about videos alone: leave it out, or leave --checkpoint out")


def _block(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isdecimal() else text
