"""`latte-eval power`: how many clips it takes to see a difference."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from evaluation.cli.options import (
    AsJson,
    ComputeOptions,
    ProtocolOptions,
    SetOptions,
    Weights,
    weights_by_network,
    with_bundles,
)
from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.uncertainty import Power


@with_bundles
def power(
    difference: Annotated[float, typer.Option(metavar="D", help="Difference in FVD to detect.")],
    sets: SetOptions,
    protocol: ProtocolOptions,
    run: ComputeOptions,
    weights: Weights = None,
    chance: Annotated[
        float,
        typer.Option(
            "--power", metavar="P", min=0.01, max=0.999, help="Probability of detecting it."
        ),
    ] = 0.8,
    level: Annotated[
        float, typer.Option(metavar="P", min=0.001, max=0.5, help="Significance level.")
    ] = 0.05,
    as_json: AsJson = False,
) -> None:
    """Say how many clips show a difference in FVD between two models.

    Estimates FVD's sampling error from a pilot set and how it falls with more clips.

    latte-eval power --difference 10 --real real/ --fake samples/
    """
    from evaluation.measuring.measurer import Measurer
    from evaluation.measuring.networks import Networks
    from evaluation.protocol.fields import DDOF
    from evaluation.uncertainty import FeaturePair, clips_needed

    if difference <= 0:
        raise InputError(f"--difference {difference}: give a difference above 0")
    with run.extraction() as options:
        chosen = protocol.protocol_for(sets)
        networks = Networks(options, weights_by_network(weights, chosen.network))
        measurer = Measurer(chosen, ("fvd",), networks, at_least=protocol.num_videos or 1)
        real, fake = measurer.sets(sets.real_videos(chosen), sets.fake_videos())
        assert real is not None

        def result() -> "Power":
            pair = FeaturePair(
                measurer.features(real, "fvd"),
                measurer.features(fake, "fvd"),
                ddof=DDOF[chosen.covariance],
            )
            return clips_needed(
                pair, difference=difference, power=chance, level=level, seed=chosen.seed
            )

        answer = options.processes.first("power", result)
    typer.echo(json.dumps(asdict(answer)) if as_json else _text(answer))


def _text(answer: "Power") -> str:
    """What a person reads: the number, and how it changes with the difference."""
    from tabulate import tabulate

    from reports.numbers import format_value

    beyond = ", extrapolated beyond the pilot" if answer.extrapolated else ""
    shown = format_value(answer.difference)
    rows = [(clips, format_value(visible)) for clips, visible in answer.table]
    table = tabulate(rows, headers=["clips of each set", "smallest difference seen"])
    return (
        f"{answer.num_clips} clips of each set show a difference of {shown} with a power of "
        f"{answer.power:g} at level {answer.level:g}{beyond}.\n"
        f"With the pilot's {answer.pilot_clips} clips, one FVD has a standard deviation of "
        f"{format_value(answer.standard_deviation_now)}, and differences from "
        f"{format_value(answer.visible_now)} up are detectable.\n\n{table}"
    )
