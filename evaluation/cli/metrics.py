"""`latte-eval fvd`, `fid`, …, `all`: one command for each metric, all with the same options."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from evaluation.catalogue.registry import METRICS, metric
from evaluation.cli.options import (
    AsJson,
    BatchSize,
    Checkpoint,
    DataRoot,
    Dataset,
    Device,
    Fake,
    Name,
    Network,
    NumFrames,
    NumVideos,
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

if TYPE_CHECKING:
    from evaluation.protocol.fields import Protocol
    from evaluation.results.record import Result

EVERY_METRIC = "all"
ALL_HELP = """Measure every metric that the protocol names, in one pass over the videos.

Each clip is decoded once, each network sees it once. --set metrics=fvd,is names others."""
HELP = {
    **{metric.name: metric.help for metric in METRICS.values()},
    EVERY_METRIC: ALL_HELP,
}


def measure(
    context: typer.Context,
    dataset: Dataset = None,
    real: Real = None,
    fake: Fake = None,
    checkpoint: Checkpoint = None,
    protocol: ProtocolOption = None,
    settings: Settings = None,
    network: Network = None,
    weights: Weights = None,
    num_videos: NumVideos = None,
    num_frames: NumFrames = None,
    seed: Seed = None,
    name: Name = None,
    out: Out = Path("results.jsonl"),
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
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.features.store import default_store
    from evaluation.measuring.api import recorded
    from evaluation.measuring.measurer import Measurer
    from evaluation.measuring.networks import Networks
    from evaluation.results.writing import check_writable

    chosen = chosen_protocol(
        protocol, settings, dataset, network, num_videos, num_frames, seed, real
    )
    metrics, default = chosen_metrics(str(context.info_name), chosen, network)
    needs_real = any(metric(each).needs_real for each in metrics)
    real_set = real_videos(dataset, real, data_root, chosen) if needs_real else None
    if checkpoint is not None:
        from evaluation.generated import sample_first

        fake = sample_first(
            checkpoint,
            num_samples=chosen.num_fake,
            out=fake,
            dataset=dataset,
            device=device,
            protocol=chosen,
        )
    fake_set = fake_videos(dataset, fake)
    check_writable(out)
    options = ExtractionOptions(
        store=store or default_store(),
        device=device_or_default(device),
        batch_size=batch_size,
        workers=workers_or_default(workers),
        timeout=timeout,
        skip_broken=skip_broken,
        progress=not quiet,
    )
    measurer = Measurer(
        chosen,
        metrics,
        Networks(options, weights_by_network(weights, default)),
        dataset=dataset,
        resamples=resamples,
        at_least=num_videos or 1,
    )
    results: list[Result] = []
    try:
        for result in recorded(measurer.results(real_set, fake_set, model=name), out):
            results.append(result)
            if not as_json:
                typer.echo(str(result))
                typer.echo(breakdown(result), nl=False)
    finally:
        if as_json and results:  # what was measured is not lost with a metric that cannot be
            typer.echo(one_object(results))


def chosen_metrics(
    command: str, protocol: "Protocol", network: str | None
) -> tuple[tuple[str, ...], str]:
    """The metrics of a command, and the network that a file of weights without a name is of.

    Raises:
        InputError: the network that was asked for by name does not see what the metric looks at.
    """
    from evaluation.measuring.choice import default_network

    if command == EVERY_METRIC:
        return protocol.metrics, protocol.network
    return (command,), default_network((command,), protocol, network)


def one_object(results: "list[Result]") -> str:
    """One JSON object: the result, or `results` where a command gives several."""
    if len(results) == 1:
        return results[0].to_json()
    return json.dumps({"results": [json.loads(result.to_json()) for result in results]})


def breakdown(result: "Result") -> str:
    """The parts of a number that is a mean of others: a table, or nothing."""
    from tabulate import tabulate

    from reports.numbers import format_value

    if "sets" in result.details:
        from evaluation.similarity.tables import video_table

        return video_table(result.details)
    classes, positions = result.details.get("classes"), result.details.get("positions")
    if classes:
        rows: list[tuple[object, ...]] = [
            (name, "–" if part["value"] is None else format_value(part["value"]), *counts)
            for name, part in classes.items()
            for counts in [(part["num_real"], part["num_fake"])]
        ]
        headers = ["class", "FVD", "real clips", "generated clips"]
    elif positions:
        rows = [(index, format_value(value)) for index, value in enumerate(positions)]
        headers = ["frame", "FID"]
    else:
        return ""
    return tabulate(rows, headers=headers, disable_numparse=True, colalign=("right",)) + "\n"
