"""From two sets of videos to lines in the results file: every metric asked for, in one pass."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.catalogue import Metric, for_metric, metric
from evaluation.extraction import RunOptions, StoredNetwork
from evaluation.measure import Comparison, notes, notes_on_sets, results_of, say
from evaluation.networks.registry import NetworkSpec, build
from evaluation.protocol import Protocol
from evaluation.result import Result, append_result, check_writable
from evaluation.sets import (
    MeasuredSet,
    PlannedSet,
    check_lengths,
    measure_set,
    plan_set,
    statistics_set,
)
from evaluation.statistics_origin import check_network
from evaluation.uncertainty import MIN_RESAMPLES
from latte.data.errors import InputError
from latte.data.sources import VideoSet

Layer = tuple[str, str, str]  # network, output and resizing: what one pass of clips goes through


@dataclass(frozen=True, kw_only=True)
class MeasureRequest:
    """What to measure, and where the results go."""

    metrics: tuple[str, ...]
    real: VideoSet | Path | None  # a path is that of a statistics file; None: not needed
    fake: VideoSet | Path
    protocol: Protocol
    weights: Mapping[str, Path] = field(default_factory=dict)  # files by network, where given
    at_least: int = 1  # clips that each set must have
    dataset: str | None = None
    model: str
    resamples: int = 400
    out: Path


@dataclass(frozen=True, kw_only=True)
class Task:
    """A metric, the protocol as it takes it, and its network."""

    metric: Metric
    protocol: Protocol
    network: StoredNetwork


def run_metrics(request: MeasureRequest, options: RunOptions) -> Iterator[Result]:
    """Measure, write each result as it is made, and say on stderr what is not as asked for.

    Each clip is decoded once and seen once by each network. What can fail early fails early: the
    results file, the weights of every metric and both plans are looked at before the first clip
    is decoded.
    """
    started = time.monotonic()
    check_writable(request.out)
    if 0 < request.resamples < MIN_RESAMPLES:
        raise InputError(
            f"--resamples {request.resamples}: an interval needs at least {MIN_RESAMPLES}, or 0 "
            "for none"
        )
    tasks = open_tasks(request, options)
    real, fake = measured_sets(request, tasks, options)
    for note in notes_on_sets([each for each in (real, fake) if each]):
        say(note)
    said: set[str] = set()  # several metrics deviate alike
    failed: list[str] = []
    for task in tasks:
        comparison = Comparison(
            protocol=task.protocol,
            dataset=request.dataset,
            model=request.model,
            resamples=request.resamples,
            started=started,
        )
        try:
            results = results_of(task.metric, real, fake, task.network, comparison)
        except InputError as error:
            if len(tasks) == 1:
                raise
            failed.append(f"{task.metric.name}: {error}")  # the others can still be had
            continue
        for result in results:
            append_result(request.out, result)
            num_features = task.network.extractor.spec.num_features
            for note in notes(result, task.metric, num_features=num_features):
                if note not in said:
                    say(note)
                said.add(note)
            yield result
    if failed:
        raise InputError(
            f"{len(failed)} of {len(tasks)} metrics could not be measured ({'; '.join(failed)}); "
            f"the others are in {request.out}"
        )


def open_tasks(request: MeasureRequest, options: RunOptions) -> list[Task]:
    """Every metric with its network ready to be used; each network is opened once."""
    opened: dict[Layer, StoredNetwork] = {}
    tasks = []
    for name in request.metrics:
        chosen = metric(name)
        protocol = for_metric(request.protocol, chosen)
        layer = (protocol.network, protocol.output, protocol.resize)
        if layer not in opened:
            opened[layer] = _open(layer, request, options)
        spec = opened[layer].extractor.spec
        _check_fits(chosen, protocol, spec)
        tasks.append(Task(metric=chosen, protocol=protocol, network=opened[layer]))
    return tasks


def _open(layer: Layer, request: MeasureRequest, options: RunOptions) -> StoredNetwork:
    name, output, resize = layer
    extractor = build(
        name,
        request.weights.get(name),
        options.device,
        batch_size=options.batch_size,
        output=output,
        resize=resize,
    )
    if extractor.probe_difference is not None:
        say(
            f"{name} runs as {extractor.path_taken}; probe clips differ by "
            f"{extractor.probe_difference:.1e} of the largest feature between the two ways"
        )
    return StoredNetwork.open(extractor, options.store)


def measured_sets(
    request: MeasureRequest, tasks: Sequence[Task], options: RunOptions
) -> tuple[MeasuredSet | None, MeasuredSet]:
    """Both sets through all networks; the real ones only through those that need them."""
    needs_real = [task for task in tasks if task.metric.needs_real]
    if needs_real and request.real is None:
        raise InputError("no real videos: give --dataset NAME or --real PATH")
    # Both plans first: what is wrong with either set shows before hours of work on the other.
    real = _planned(request, request.real, needs_real, options, "real") if needs_real else None
    fake = _planned(request, request.fake, tasks, options, "fake")
    return (
        _extracted(real, needs_real, options, request.at_least) if real else None,
        _extracted(fake, tasks, options, request.at_least),
    )


def _planned(
    request: MeasureRequest,
    videos: VideoSet | Path | None,
    tasks: Sequence[Task],
    options: RunOptions,
    label: str,
) -> PlannedSet | MeasuredSet:
    assert videos is not None
    protocol = request.protocol
    if isinstance(videos, Path):
        given = statistics_set(videos, request.at_least)
        assert given.given is not None
        for task in tasks:
            check_network(given.given, task.network.extractor)
        return given
    chosen = plan_set(
        videos,
        protocol.real_selection() if label == "real" else protocol.fake_selection(),
        protocol.preparation(),
        options,
        label=label,
        at_least=request.at_least,
    )
    for task in tasks:
        _check_clips(chosen, task)
    return chosen


def _check_clips(chosen: PlannedSet, task: Task) -> None:
    """There are enough clips, and each is as long as the network needs."""
    clips, spec = chosen.plan.clips, task.network.extractor.spec
    if len(clips) < 2 and task.metric.needs_real and spec.unit == "clip":
        raise InputError(
            f"{chosen.videos.root}: a {task.metric.titles[0]} needs at least 2 clips of each set, "
            "this one has 1: give more videos"
        )
    check_lengths(clips, spec)


def _extracted(
    chosen: PlannedSet | MeasuredSet, tasks: Sequence[Task], options: RunOptions, at_least: int
) -> MeasuredSet:
    if isinstance(chosen, MeasuredSet):
        return chosen
    networks = {id(task.network): task.network for task in tasks}
    return measure_set(chosen, list(networks.values()), options, at_least)


def _check_fits(chosen: Metric, protocol: Protocol, spec: NetworkSpec) -> None:
    """The network can do what the metric and the protocol ask of it."""
    unit = "frame" if chosen.looks == "frames" else "clip"
    if spec.unit != unit:
        raise InputError(
            f"network {spec.name} looks at {spec.unit}s, but {chosen.titles[0]} is of {unit}s: "
            f"give another --network (see `latte-eval networks`)"
        )
    if "every" not in (protocol.real_offset, protocol.fake_offset):
        spec.check_length(protocol.num_frames)
