"""`latte-eval similarity`: how alike frames are, in videos or inside a model."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from evaluation.cli.hidden_states import DEFAULT_CLIPS, ModelOptions, hidden_states
from evaluation.cli.options import (
    ComputeOptions,
    ProtocolOptions,
    Resamples,
    SetOptions,
    Weights,
    weights_by_network,
    with_bundles,
)
from evaluation.cli.similarity_output import SimilarityOutput
from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.features.extraction import ExtractionOptions


@dataclass(frozen=True, kw_only=True)
class SimilarityProtocolOptions(ProtocolOptions):
    """The protocol; pixels may stand for a network, and clips may be shown to a model."""

    network: Annotated[
        str | None,
        typer.Option(
            "--features",
            "--network",
            metavar="pixels|NAME",
            help="What frames of videos are compared by. [default: the protocol's network of "
            "frames]",
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
        _refuse(advice, block=model.block, timestep=model.timestep, autoencoder=model.autoencoder)
    else:
        advice = "is about videos alone: leave it out, or leave --checkpoint out"
        _refuse(
            advice,
            fake=sets.fake,
            features=protocol.network,
            weights=weights,
            num_frames=protocol.num_frames,
        )
    from evaluation.similarity.videos.pixels import PIXELS

    pixels = protocol.network == PIXELS
    if pixels and weights is not None:
        raise InputError("--weights is about a network, and pixels take none: leave it out")
    output.check()
    if pixels:
        protocol = replace(protocol, network=None)
    options = run.extraction()
    if model.checkpoint is not None:
        hidden_states(model, sets, protocol, options, output, intervals=bool(resamples))
        return
    _similar_videos(
        sets, protocol, options, output, pixels=pixels, weights=weights, resamples=resamples
    )


def _refuse(advice: str, **given: object) -> None:
    """Refuse options that belong to the other use of the command."""
    for name, value in given.items():
        if value is not None:
            raise InputError(f"--{name.replace('_', '-')} {advice}")


def _similar_videos(
    sets: SetOptions,
    asked: ProtocolOptions,
    options: "ExtractionOptions",
    output: SimilarityOutput,
    *,
    pixels: bool,
    weights: list[str] | None,
    resamples: int,
) -> None:
    """Measure both sets, record the results and show them."""
    from evaluation.cli.metrics import breakdown
    from evaluation.measuring.choice import default_network
    from evaluation.measuring.measurer import Measurer
    from evaluation.measuring.networks import Networks, PixelNetworks
    from evaluation.similarity.plots import video_figures
    from evaluation.similarity.record import read_summary

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
