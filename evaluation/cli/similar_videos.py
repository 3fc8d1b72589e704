"""`latte-eval similarity` without a checkpoint: real and generated videos compared."""

from typing import TYPE_CHECKING

from evaluation.cli.options import SetOptions, weights_by_network
from evaluation.cli.similarity_output import SimilarityOutput

if TYPE_CHECKING:
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.measuring.choice import ProtocolChoice

METRIC = "similarity"


def similar_videos(
    sets: SetOptions,
    choice: "ProtocolChoice",
    options: "ExtractionOptions",
    output: SimilarityOutput,
    *,
    pixels: bool,
    weights: list[str] | None,
    resamples: int,
) -> None:
    """Measure both sets, record the results and show them."""
    from evaluation.cli.metrics import breakdown
    from evaluation.measuring.api import recorded
    from evaluation.measuring.choice import default_network
    from evaluation.measuring.measurer import Measurer
    from evaluation.measuring.networks import Networks, PixelNetworks
    from evaluation.similarity.plots import video_figures
    from evaluation.similarity.record import read_summary

    protocol = choice.protocol_for(sets.real)
    real = sets.real_videos(protocol)
    network = default_network((METRIC,), protocol, choice.network)
    fake = sets.fake_videos()
    files = weights_by_network(weights, network)
    measurer = Measurer(
        protocol,
        (METRIC,),
        PixelNetworks(options) if pixels else Networks(options, files),
        dataset=choice.dataset,
        resamples=resamples,
        at_least=choice.num_videos or 1,
    )
    results = list(recorded(measurer.results(real, fake, model=output.name), output.out))
    measured = results[0].details["sets"]
    output.show(
        results,
        [*map(str, results), *filter(None, map(breakdown, results))],
        lambda: video_figures(
            {"real": read_summary(measured["real"]), "generated": read_summary(measured["fake"])}
        ),
    )
