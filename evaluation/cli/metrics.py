"""`latte-eval fvd`, `fid`, …, `all`: one command for each metric, all with the same options."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import typer

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
from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.protocol.fields import Protocol
    from evaluation.results.record import Result

EVERY_METRIC = "all"
# The names of `evaluation.catalogue.registry`, which is too heavy to import for a help text.
HELP: Mapping[str, str] = MappingProxyType(
    {
        "fvd": """Measure the Fréchet video distance of generated videos from real ones.

Lower is better.

latte-eval fvd --dataset ucf101 --fake samples/ucf101

latte-eval fvd --real real/ --fake fake/ --protocol shapes""",
        "fid": """Measure the Fréchet inception distance of the frames of the clips.

Lower is better. --protocol stylegan-v-fid50k takes every frame, as fid50k_full does.""",
        "kvd": """Measure the kernel video distance: squared MMD with a polynomial kernel.

Lower is better; without the bias of FVD for few clips.""",
        "kid": """Measure the kernel inception distance of the frames of the clips.

Lower is better; the mean over 100 subsets of 1000 frames.""",
        "jedi": """Measure JEDi's distance on the features of any network of clips.

Lower is better; biased MMD with a polynomial kernel of degree 2, times 100.""",
        "is": """Measure the Inception Score of generated clips by C3D trained on UCF-101.

Higher is better. Needs no real videos.""",
        "precision-recall": """Measure which share of generated clips looks real, and the reverse.

Higher is better; nearest neighbours among features, k = 3.""",
        "density-coverage": """Measure density and coverage: precision and recall for outliers.

Higher is better; nearest neighbours among features, k = 5.""",
        "per-class": """Measure FVD of each class by itself, and its mean over the classes.

Lower is better. Classes are the folders of the videos.""",
        "per-position": """Measure FID of first frames, of second frames, …: where clips go wrong.

Lower is better.""",
        "similarity": """Measure how alike the frames of a clip are: still, jumpy, out of order.

With --checkpoint inside a model, block by block, on noised real clips (--dataset or --real);
without, of real beside generated videos: the distance of their matrices, lower is better, and the
rate of inverted relations, in which a nearer frame is less similar than a farther one.

latte-eval similarity --checkpoint model.safetensors --dataset shapes --block 0 --block 7

latte-eval similarity --real real/ --fake fake/ --features pixels --plots figures/""",
        EVERY_METRIC: """Measure every metric that the protocol names, in one pass over the videos.

Each clip is decoded once, each network sees it once. --set metrics=fvd,is names others.""",
    }
)


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
    from evaluation.measuring.run import MeasureRequest, run_metrics

    chosen = chosen_protocol(
        protocol, settings, dataset, network, num_videos, num_frames, seed, real
    )
    metrics, default = chosen_metrics(str(context.info_name), chosen, network)
    needs_none = _needs_no_real(metrics)
    real_set = None if needs_none else real_videos(dataset, real, data_root, chosen)
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
    request = MeasureRequest(
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
    )
    options = ExtractionOptions(
        store=store or default_store(),
        device=device_or_default(device),
        batch_size=batch_size,
        workers=workers_or_default(workers),
        timeout=timeout,
        skip_broken=skip_broken,
        progress=not quiet,
    )
    results: list[Result] = []
    try:
        for result in run_metrics(request, options):
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
    from evaluation.catalogue.registry import for_metric, metric
    from evaluation.networks.registry import network as network_spec

    if command == EVERY_METRIC:
        return protocol.metrics, protocol.network
    chosen = metric(command)
    if network is not None:
        unit = network_spec(network).unit
        if (chosen.looks == "frames") != (unit == "frame"):
            raise InputError(
                f"network {network} looks at {unit}s, which {command} does not: give another "
                "--network (see `latte-eval networks`)"
            )
    return (command,), for_metric(protocol, chosen).network


def _needs_no_real(metrics: tuple[str, ...]) -> bool:
    from evaluation.catalogue.registry import metric

    return not any(metric(name).needs_real for name in metrics)


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
