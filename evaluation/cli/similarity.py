"""`latte-eval similarity`: how alike frames are, in videos or inside a model."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evaluation.cli.metrics import breakdown, one_object
from evaluation.cli.options import (
    ComputeOptions,
    OutputOptions,
    ProtocolOptions,
    Resamples,
    SetOptions,
    Weights,
    weights_by_network,
    with_bundles,
)
from latte.data.errors import InputError
from latte.data.files import can_write

if TYPE_CHECKING:
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.protocol.fields import Protocol
    from evaluation.results.record import Result
    from evaluation.similarity.plots import Drawn

logger = logging.getLogger(__name__)

DEFAULT_CLIPS = 64
AS_TRAINED = "as trained"  # name of a protocol that takes clips as the training did
PREPARING = frozenset({"recipe", "filter", "storage"})  # fields that say how frames are prepared


@dataclass(frozen=True, kw_only=True)
class SimilarityProtocolOptions(ProtocolOptions):
    """The protocol; pixels may stand for a network, and clips may be shown to a model."""

    network: Annotated[
        str | None,
        typer.Option(
            "--features",
            "--network",
            metavar="pixels|NAME",
            help="Features by which frames are compared. [default: those of the protocol's network "
            "of frames]",
        ),
    ] = None
    num_videos: Annotated[
        int | None,
        typer.Option(
            "--num-videos",
            "--num-clips",
            min=1,
            metavar="N",
            help=f"Clips of each set. [default: the protocol's; {DEFAULT_CLIPS} with --checkpoint]",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The model and its parts."""

    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Measure the hidden states of this model of `latte`, on noised real clips.",
        ),
    ] = None
    block: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N|PATH",
            help="Block of the model by number, or any part by dotted path, such as "
            "blocks.20.attn. Repeatable. [default: all blocks]",
        ),
    ] = None
    timestep: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            metavar="T",
            help="Diffusion timestep to which clips are noised. Repeatable. [default: 100, 500, "
            "900]",
        ),
    ] = None
    autoencoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH", help="Autoencoder, as for `latte sample`. [default: the model's]"
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class SimilarityOutput(OutputOptions):
    """Where results and figures go."""

    plots: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write figures there: .svg, .png, and the numbers as .csv."
        ),
    ] = None

    def check(self) -> None:
        """Make the folder of figures and refuse outputs that cannot be written, before the work.

        Raises:
            InputError: naming the file or folder.
        """
        from evaluation.results.files import check_writable

        check_writable(self.out)
        if self.plots is not None and not can_write(self.plots):
            raise InputError(f"{self.plots} cannot be written: choose another folder with --plots")

    def show(
        self,
        results: Sequence["Result"],
        lines: Sequence[str],
        figures: Callable[[], Mapping[str, "Drawn"]],
    ) -> None:
        """Write the figures, and print the results as JSON or as these lines."""
        if self.plots is not None:
            from reports.charts.svg import write_figure

            for name, (figure, data) in figures().items():
                write_figure(figure, data, self.plots, name)
        if self.as_json:
            typer.echo(one_object(results))
            return
        for line in lines:
            typer.echo(line.rstrip("\n"))
        if self.plots is not None:
            typer.echo(f"figures: {self.plots}")


@with_bundles
def similarity(
    sets: SetOptions,
    protocol: SimilarityProtocolOptions,
    output: SimilarityOutput,
    run: ComputeOptions,
    model: ModelOptions,
    weights: Weights = None,
    resamples: Resamples = 400,
) -> None:
    """Measure how alike the frames of a clip are."""
    if model.checkpoint is None:
        advice = "is about a model: give one with --checkpoint FILE"
        foreign: dict[str, object] = {
            "block": model.block,
            "timestep": model.timestep,
            "autoencoder": model.autoencoder,
        }
    else:
        advice = "is about videos alone: leave it out, or leave --checkpoint out"
        foreign = {
            "fake": sets.fake,
            "features": protocol.network,
            "weights": weights,
            "num-frames": protocol.num_frames,
        }
    for option, value in foreign.items():
        if value is not None:
            raise InputError(f"--{option} {advice}")
    output.check()
    with run.extraction() as options:
        if model.checkpoint is None:
            _similar_videos(sets, protocol, options, output, weights, resamples)
        elif options.processes.process.world > 1:
            raise InputError(
                "--checkpoint is measured by one process: leave out --gpus, or torchrun"
            )
        else:
            _hidden_states(model, sets, protocol, options, output, bool(resamples))


def _similar_videos(
    sets: SetOptions,
    asked: ProtocolOptions,
    options: "ExtractionOptions",
    output: SimilarityOutput,
    weights: list[str] | None,
    resamples: int,
) -> None:
    """Measure both sets, record the results and show them."""
    from evaluation.measuring.choice import default_network
    from evaluation.measuring.measurer import Measurer
    from evaluation.measuring.networks import Networks, PixelNetworks
    from evaluation.similarity.plots import video_figures
    from evaluation.similarity.summary import read_summary
    from evaluation.similarity.videos import PIXELS

    pixels = asked.network == PIXELS
    if pixels and weights is not None:
        raise InputError("--weights is about a network, and pixels take none: leave it out")
    if pixels:
        asked = replace(asked, network=None)
    protocol = asked.protocol_for(sets)
    real = sets.real_videos(protocol)
    network = default_network(("similarity",), protocol, asked.network)
    fake = sets.fake_videos()
    files = weights_by_network(weights, network)
    measurer = Measurer(
        protocol,
        ("similarity",),
        PixelNetworks(options) if pixels else Networks(options, files),
        dataset=sets.dataset,
        resamples=resamples,
        at_least=asked.num_videos or 1,
    )
    results = measurer.measure(real, fake, model=output.name, out=output.out)
    measured = results[0].details["sets"]
    output.show(
        results,
        [*map(str, results), *filter(None, map(breakdown, results))],
        lambda: video_figures(
            {"real": read_summary(measured["real"]), "generated": read_summary(measured["fake"])}
        ),
    )


def _hidden_states(
    model: ModelOptions,
    sets: SetOptions,
    asked: ProtocolOptions,
    options: "ExtractionOptions",
    output: SimilarityOutput,
    intervals: bool,
) -> None:
    """Measure the model, record the result and show it."""
    from evaluation.results.files import append_result
    from evaluation.similarity.hidden_states.checkpoint import open_model
    from evaluation.similarity.hidden_states.noised import TIMESTEPS
    from evaluation.similarity.hidden_states.run import ModelRequest, measure_hidden_states
    from evaluation.similarity.plots import model_figures
    from evaluation.similarity.tables import hidden_states_table
    from latte.data.sources import VideoSet

    assert model.checkpoint is not None
    opened = open_model(model.checkpoint, autoencoder=model.autoencoder, device=options.device)
    protocol = _clips_protocol(asked, sets, opened.trained_on)
    videos = sets.real_videos(protocol)
    if not isinstance(videos, VideoSet):
        raise InputError(f"{videos} is a statistics file: a model is shown the videos")
    blocks = tuple(
        int(part) if part.removeprefix("-").isdecimal() else part for part in model.block or ()
    )
    result, similarity = measure_hidden_states(
        ModelRequest(
            opened=opened,
            videos=videos,
            protocol=protocol,
            blocks=blocks or None,
            timesteps=tuple(model.timestep or TIMESTEPS),
            intervals=intervals,
            at_least=asked.num_videos or 1,
            dataset=sets.dataset,
            model=output.name or model.checkpoint.stem,
        ),
        options,
    )
    append_result(output.out, result)
    heading = (
        f"{result.model}: {opened.title}, {result.num_real} clips × {result.num_frames} frames, "
        f"{result.protocol}"
    )
    output.show(
        [result], [heading, hidden_states_table(result.details)], lambda: model_figures(similarity)
    )


def _clips_protocol(
    asked: ProtocolOptions, sets: SetOptions, trained_on: Mapping[str, object]
) -> "Protocol":
    """How real clips are taken for a model: as in its training, unless the user says how."""
    from evaluation.protocol.deviations import differences

    number = () if asked.num_videos is not None else (f"num_real={DEFAULT_CLIPS}",)
    base = asked.protocol or (None if sets.dataset == "shapes" else "latte")
    own = asked.settings or []

    def with_settings(*settings: str) -> "Protocol":
        every = [*number, *settings, *own]
        return replace(asked, protocol=base, settings=every).protocol_for(sets)

    plain = with_settings()
    if asked.protocol is not None:
        return plain
    # What the user sets stays. How frames are prepared does as well if the user sets a part of it,
    # and for the embedded data set, which is drawn at the model's size.
    kept = {setting.partition("=")[0].strip() for setting in own}
    if kept & PREPARING or sets.dataset == "shapes":
        kept |= PREPARING
    as_trained = with_settings(
        *(f"{key}={value}" for key, value in trained_on.items() if key not in kept)
    )
    changed = differences(as_trained.affecting_fields(), plain.affecting_fields())
    if not changed:
        return plain
    logger.warning(
        "clips are taken as in the checkpoint's training (%s), unless --protocol or --set is given",
        ", ".join(map(str, changed)),
    )
    return replace(as_trained, name=AS_TRAINED)
