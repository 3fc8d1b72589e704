"""`latte-eval similarity` without a checkpoint: real and generated videos compared."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluation.cli.options import SetOptions, weights_by_network

if TYPE_CHECKING:
    from evaluation.cli.similarity_output import SimilarityOutput
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.measuring.choice import ProtocolChoice

METRIC = "similarity"


@dataclass(frozen=True, kw_only=True)
class VideoRequest:
    """Which videos are compared, and how."""

    choice: "ProtocolChoice"
    sets: SetOptions
    weights: list[str] | None
    pixels: bool  # compare frames by their pixels instead of a network's features
    resamples: int
    model: str | None


def similar_videos(
    request: VideoRequest, options: "ExtractionOptions", output: "SimilarityOutput"
) -> None:
    """Measure both sets, record the results and show them."""
    from evaluation.cli.metrics import breakdown
    from evaluation.measuring.api import recorded
    from evaluation.measuring.choice import default_network
    from evaluation.measuring.measurer import Measurer
    from evaluation.measuring.networks import Networks, PixelNetworks
    from evaluation.similarity.plots import video_figures
    from evaluation.similarity.record import read_summary

    choice = request.choice
    protocol = choice.protocol_for(request.sets.real)
    real = request.sets.real_videos(protocol)
    network = default_network((METRIC,), protocol, choice.network)
    fake = request.sets.fake_videos()
    measurer = Measurer(
        protocol,
        (METRIC,),
        PixelNetworks(options)
        if request.pixels
        else Networks(options, weights_by_network(request.weights, network)),
        dataset=choice.dataset,
        resamples=request.resamples,
        at_least=choice.num_videos or 1,
    )
    results = list(recorded(measurer.results(real, fake, model=request.model), output.out))
    sets = results[0].details["sets"]
    output.show(
        results,
        [*map(str, results), *filter(None, map(breakdown, results))],
        {}
        if output.plots is None
        else video_figures(
            {"real": read_summary(sets["real"]), "generated": read_summary(sets["fake"])}
        ),
    )
