"""`latte-eval fvd`, `fid`, …, `all`: one command for each metric, all with the same options."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evaluation.catalogue.registry import metric
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
from latte.data.errors import InputError, escaped

if TYPE_CHECKING:
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.results.record import Result

ALL_HELP = """Measure every metric that the protocol names, in one pass over the videos.

Each clip is decoded once, each network sees it once. --set metrics=fvd,is names others."""

DatasetStatistics = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Statistics that clean-fid publishes, such as cifar10_train_32, instead of real "
        "videos; fetched when first used.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class MetricOptions:
    """What only commands of metrics take."""

    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Model of `latte` to sample from first, into --fake, before measuring.",
        ),
    ] = None
    weights: Weights = None
    resamples: Resamples = 400


def metric_command(name: str | None) -> Callable[..., None]:
    """The command that measures a metric; None for all of the protocol."""

    @with_bundles
    def command(
        sets: SetOptions,
        protocol: ProtocolOptions,
        options: MetricOptions,
        output: OutputOptions,
        run: ComputeOptions,
    ) -> None:
        with run.extraction() as extraction:
            _measure(name, sets, protocol, options, output, extraction)

    return command


@with_bundles
def fid(
    *,
    dataset_statistics: DatasetStatistics = None,
    sets: SetOptions,
    protocol: ProtocolOptions,
    options: MetricOptions,
    output: OutputOptions,
    run: ComputeOptions,
) -> None:
    """Measure FID, also against the reference statistics of a data set of images."""
    with run.extraction() as extraction:
        if dataset_statistics is not None:
            with extraction.processes.ahead("published statistics"):
                sets = _with_reference(sets, protocol, dataset_statistics)
        _measure("fid", sets, protocol, options, output, extraction)


def _with_reference(sets: SetOptions, protocol: ProtocolOptions, name: str) -> SetOptions:
    """The sets with published statistics in the place of real videos."""
    from evaluation.measuring.choice import for_metric
    from evaluation.statistics.references import reference_statistics

    if sets.real is not None:
        raise InputError("--real and --dataset-statistics: give one of the two")
    asked = for_metric(protocol.protocol_for(sets), metric("fid"))
    path = reference_statistics(name, network=asked.network, resize=asked.resize)
    return replace(sets, real=path)


def _measure(
    name: str | None,
    sets: SetOptions,
    protocol: ProtocolOptions,
    options: MetricOptions,
    output: OutputOptions,
    extraction: "ExtractionOptions",
) -> None:
    from evaluation.generated import sample_first
    from evaluation.measuring.api import measure
    from evaluation.measuring.choice import default_network
    from evaluation.measuring.measurer import FailedMetricsError
    from evaluation.results.files import check_writable

    asked = protocol.protocol_for(sets)
    metrics, default = asked.metrics, asked.network
    if name is not None:
        metrics, default = (name,), default_network((name,), asked, protocol.network)
    needs_real = any(metric(entry).needs_real for entry in metrics)
    real = sets.real_videos(asked) if needs_real else None
    if options.checkpoint is not None:
        check_writable(output.out)  # fails before hours of sampling
        samples = sample_first(
            options.checkpoint, asked, out=sets.fake, dataset=sets.dataset, device=extraction.device
        )
        extraction.processes.agree("samples", None)  # each process makes its share
        sets = replace(sets, fake=samples)
    try:
        results = measure(
            real,
            sets.fake_videos(),
            metrics=metrics,
            protocol=asked,
            weights=weights_by_network(options.weights, default),
            num_videos=protocol.num_videos,
            out=output.out,
            dataset=sets.dataset,
            model=output.name,
            resamples=options.resamples,
            options=extraction,
        )
    except FailedMetricsError as error:  # a metric that fails does not cost the others
        _print(error.results, output)
        raise
    _print(results, output)


def _print(results: "Sequence[Result]", output: OutputOptions) -> None:
    if output.as_json and results:
        typer.echo(one_object(results))
    elif not output.as_json:
        for result in results:
            typer.echo(str(result))
            typer.echo(escaped(breakdown(result), keep="\n"), nl=False)


def one_object(results: "Sequence[Result]") -> str:
    """One JSON object: the result, or `results` where a command gives several."""
    if len(results) == 1:
        return results[0].to_json()
    return json.dumps({"results": [json.loads(result.to_json()) for result in results]})


def breakdown(result: "Result") -> str:
    """The parts of a number that is a mean of others: a table, or nothing."""
    if "sets" in result.details:
        from evaluation.similarity.tables import video_table

        return video_table(result.details)
    classes, positions = result.details.get("classes"), result.details.get("positions")
    if not classes and not positions:
        return ""
    from evaluation.metrics.frechet import MIN_CLIPS
    from reports.cells import Cell
    from reports.table import simple_table

    (number,) = metric(result.name).numbers
    columns = {"value": number.title}
    rows = [(str(index), [Cell(value=value)]) for index, value in enumerate(positions or ())]
    if classes:
        columns |= {"num_real": "real clips", "num_fake": "generated clips"}
        too_few = Cell(reason=f"Fewer than {MIN_CLIPS} real or generated clips.")
        for name, part in classes.items():
            value = too_few if part["value"] is None else Cell(value=part["value"])
            counts = [Cell.fixed(part[key], 0) for key in ("num_real", "num_fake")]
            rows.append((name, [value, *counts]))
    return simple_table(result.metric, columns, rows, label_heading=number.per).text()
