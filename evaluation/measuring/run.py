"""From two sets of videos to lines in the results file: every metric asked for, in one pass."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.catalogue.registry import Metric, for_metric, metric
from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import (
    MeasuredSet,
    PlannedSet,
    check_lengths,
    measure_set,
    plan_set,
    statistics_set,
)
from evaluation.measuring.results import Comparison, notes, notes_on_sets, results_of, say
from evaluation.networks.registry import network
from evaluation.networks.spec import NetworkKey, NetworkSpec
from evaluation.protocol.fields import Protocol
from evaluation.results.record import Result
from evaluation.results.writing import append_result, check_writable
from evaluation.statistics.origin import check_network
from latte.data.errors import InputError
from latte.data.sources import VideoSet

FEWEST_RESAMPLES = 40  # intervals from fewer cover less than they say


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


def run_metrics(request: MeasureRequest, options: ExtractionOptions) -> Iterator[Result]:
    """Measure, write each result as it is made, and say on stderr what is not as asked for.

    Each clip is decoded once and seen once by each network. What can fail early fails early: the
    results file, the weights of every metric and both plans are looked at before the first clip
    is decoded.
    """
    started = time.monotonic()
    check_writable(request.out)
    if 0 < request.resamples < FEWEST_RESAMPLES:
        raise InputError(
            f"--resamples {request.resamples}: an interval needs at least {FEWEST_RESAMPLES}, or 0 "
            "for none"
        )
    tasks, failed = open_tasks(request, options)
    tasks, unfit, real, fake = measured_sets(request, tasks, options)
    failed += unfit
    for note in notes_on_sets([each for each in (real, fake) if each]):
        say(note)
    said: set[str] = set()  # several metrics deviate alike
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
            if len(request.metrics) == 1:
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
            f"{len(failed)} of {len(request.metrics)} metrics could not be measured "
            f"({'; '.join(failed)}); the others are in {request.out}"
        )


def open_tasks(request: MeasureRequest, options: ExtractionOptions) -> tuple[list[Task], list[str]]:
    """Every metric with its network ready to be used, and why others cannot be measured.

    Each network is opened once. One that cannot be had costs its metrics alone, which is said at
    once, unless there are no others.
    """
    opened: dict[NetworkKey, StoredNetwork] = {}
    tasks: list[Task] = []
    failed: list[str] = []
    for name in request.metrics:
        chosen = metric(name)
        protocol = for_metric(request.protocol, chosen)
        key = NetworkKey(protocol.network, protocol.output, protocol.resize)
        try:
            _check_fits(chosen, protocol, network(key.network).choose(key.output, key.resize))
            if key not in opened:
                opened[key] = _open(key, request, options)
        except InputError as error:
            if len(request.metrics) == 1:
                raise
            failed.append(f"{name}: {error}")
            continue
        tasks.append(Task(metric=chosen, protocol=protocol, network=opened[key]))
    _say_what_is_left_out(tasks, failed)
    return tasks, failed


def _open(key: NetworkKey, request: MeasureRequest, options: ExtractionOptions) -> StoredNetwork:
    opened = StoredNetwork.build(key, request.weights.get(key.network), options)
    extractor = opened.extractor
    if extractor.probe_difference is not None:
        say(
            f"{key.network} runs as {extractor.path_taken}; probe clips differ by "
            f"{extractor.probe_difference:.1e} of the largest feature between the two ways"
        )
    return opened


def measured_sets(
    request: MeasureRequest, tasks: Sequence[Task], options: ExtractionOptions
) -> tuple[list[Task], list[str], MeasuredSet | None, MeasuredSet]:
    """Both sets through all networks; the real ones only through those that need them.

    Returns:
        The metrics that these sets serve, why others cannot be measured, and the sets.
    """
    needs_real = [task for task in tasks if task.metric.needs_real]
    if needs_real and request.real is None:
        raise InputError("no real videos: give --dataset NAME or --real PATH")
    # Both plans first: what is wrong with either set shows before hours of work on the other.
    real = _planned(request, request.real, options, "real") if needs_real else None
    fake = _planned(request, request.fake, options, "fake")
    fit: list[Task] = []
    unfit: list[str] = []
    for task in tasks:
        try:
            if real is not None and task.metric.needs_real:
                _check_set(real, task)
            _check_set(fake, task)
            fit.append(task)
        except InputError as error:
            if len(request.metrics) == 1:
                raise
            unfit.append(f"{task.metric.name}: {error}")
    _say_what_is_left_out(fit, unfit)
    needs_real = [task for task in fit if task.metric.needs_real]
    return (
        fit,
        unfit,
        _extracted(real, needs_real, options, request.at_least) if real and needs_real else None,
        _extracted(fake, fit, options, request.at_least),
    )


def _say_what_is_left_out(tasks: Sequence[Task], failed: Sequence[str]) -> None:
    """At once, before hours of work on the others; an error where there are no others."""
    if not tasks:
        raise InputError(f"none of the metrics can be measured: {'; '.join(failed)}")
    for reason in failed:
        say(f"not measured is {reason}")


def _planned(
    request: MeasureRequest, videos: VideoSet | Path | None, options: ExtractionOptions, label: str
) -> PlannedSet | MeasuredSet:
    assert videos is not None
    if isinstance(videos, Path):
        return statistics_set(videos, request.at_least)
    protocol = request.protocol
    return plan_set(
        videos,
        protocol.real_selection() if label == "real" else protocol.fake_selection(),
        protocol.preparation(),
        options,
        label=label,
        at_least=request.at_least,
    )


def _check_set(chosen: PlannedSet | MeasuredSet, task: Task) -> None:
    """A set serves a metric: its clips, or the statistics that were given instead."""
    if isinstance(chosen, PlannedSet):
        _check_clips(chosen, task)
    elif chosen.given is not None:
        extractor = task.network.extractor
        check_network(chosen.given, extractor.spec, extractor.weights.sha256)


def _check_clips(chosen: PlannedSet, task: Task) -> None:
    """There are enough clips, and each is as long as the network needs."""
    clips, spec = chosen.plan.clips, task.network.extractor.spec
    if len(clips) < 2 and task.metric.needs_real and spec.unit == "clip":
        raise InputError(
            f"{chosen.videos.root}: a {task.metric.titles[0]} needs at least 2 clips of each set, "
            "this one has 1: give more videos"
        )
    splits = task.metric.parameters.get("splits", 1)
    if len(clips) < splits:
        raise InputError(
            f"{chosen.videos.root}: an {task.metric.titles[0]} of {splits} splits needs at least "
            f"{splits} clips, this set has {len(clips)}: give more videos"
        )
    check_lengths(clips, spec)


def _extracted(
    chosen: PlannedSet | MeasuredSet,
    tasks: Sequence[Task],
    options: ExtractionOptions,
    at_least: int,
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
    if chosen.looks != "classes" and spec.output == "probabilities":
        raise InputError(
            f"network {spec.name} gives class probabilities, from which {chosen.titles[0]} is not "
            "made: give another --network (see `latte-eval networks`)"
        )
    if "every" not in (protocol.real_offset, protocol.fake_offset):
        spec.check_length(protocol.num_frames)
