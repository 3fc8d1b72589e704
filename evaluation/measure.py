"""Two sets of videos → one number with its interval: plan, extract, summarise, compare."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluation.extraction import RunOptions, StoredNetwork, check_sizes, extract
from evaluation.metrics import (
    frechet_distance,
    frechet_distance_from_features,
    inception_score,
)
from evaluation.networks.registry import Extractor
from evaluation.presets import PRESETS, published_protocol
from evaluation.protocol import Protocol, differences
from evaluation.result import Result, SetRecord, provenance
from evaluation.store import content_key
from evaluation.uncertainty import Interval, bootstrap_frechet, bootstrap_inception_score
from latte.data.clips import ClipPlan, Probed, Selection, plan_clips
from latte.data.errors import InputError
from latte.data.frames import FrameFolder
from latte.data.loading import Preparation, probe_in_workers
from latte.data.sources import Video, VideoSet

DDOF = {"n": 0, "n-1": 1}


@dataclass(frozen=True, kw_only=True)
class PlannedSet:
    """A set of videos with its clips chosen, not yet decoded."""

    videos: VideoSet
    selection: Selection
    preparation: Preparation
    label: str  # "real" or "fake"
    plan: ClipPlan
    probed: dict[str, Probed]


@dataclass(frozen=True, kw_only=True)
class MeasuredSet:
    """A set whose features are in the store."""

    keys: tuple[bytes, ...]
    record: SetRecord
    decoded: int  # clips that were not in the store before


def plan_set(
    videos: VideoSet,
    selection: Selection,
    preparation: Preparation,
    options: RunOptions,
    *,
    label: str,
    at_least: int = 1,
) -> PlannedSet:
    """Choose a set's clips; fewer than `at_least` are an error that says where the others went."""
    planned = PlannedSet(
        videos=videos,
        selection=selection,
        preparation=preparation,
        label=label,
        plan=ClipPlan(root=videos.root, clips=(), num_listed=0),
        probed={},
    )
    planned = _choose(planned, options, known_broken=())
    _check_count(planned.plan, at_least)
    check_sizes(planned.plan.clips, preparation, videos.root)
    return planned


def measure_set(
    planned: PlannedSet, networks: Sequence[StoredNetwork], options: RunOptions, at_least: int = 1
) -> MeasuredSet:
    """Extract the features of a planned set; with `skip_broken` the next videos take the places
    of those that turn out to be unreadable."""
    known_broken: list[tuple[str, str]] = []
    decoded = 0
    while True:
        plan = planned.plan
        extraction = extract(
            plan.clips, networks, planned.preparation, options, label=planned.label
        )
        decoded += extraction.decoded
        if not extraction.broken:
            break
        known_broken += extraction.broken
        planned = _choose(planned, options, known_broken=known_broken)
        _check_count(planned.plan, at_least)
    height, width = check_sizes(plan.clips, planned.preparation, planned.videos.root)
    record = SetRecord(
        path=planned.videos.root,
        digest=content_key({"clips": sorted(key.hex() for key in extraction.keys)}).hex(),
        num_listed=plan.num_listed,
        num_clips=len(plan.clips),
        height=height,
        width=width,
        storage=_storage(plan.clips[0].video, planned.preparation),
        too_short=plan.too_short,
        broken=plan.broken,
    )
    return MeasuredSet(keys=extraction.keys, record=record, decoded=decoded)


def effective_protocol(
    protocol: Protocol, extractor: Extractor, *, num_real: int, num_fake: int
) -> Protocol:
    """The protocol as it was carried out: the clips there were, the weights that were used."""
    return replace(
        protocol,
        num_real=num_real,
        num_fake=num_fake,
        network=extractor.spec.name,
        output=extractor.spec.output,
        weights=extractor.weights.label,
    )


def deviations(
    protocol: Protocol, dataset: str | None, records: Sequence[SetRecord]
) -> tuple[str, ...]:
    """What is not as the preset of this name asks on this data set, a phrase each."""
    found: list[str] = []
    if protocol.name in PRESETS:
        published = published_protocol(dataset, PRESETS[protocol.name])
        found += differences(protocol.moving_fields(), published.moving_fields())
    for record in records:
        if record.height != protocol.size or record.width != protocol.size:
            found.append(
                f"frames of {record.path} {record.width}×{record.height} instead of "
                f"{protocol.size}×{protocol.size}"
            )
        if protocol.storage == "jpeg-75" and record.storage in ("png", "array", "lossless"):
            found.append(f"frames of {record.path} stored as {record.storage} instead of jpeg-75")
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a result says beside its number: who was measured, by which protocol, since when."""

    protocol: Protocol
    dataset: str | None
    model: str
    resamples: int  # of the bootstrap interval; 0 for none
    started: float  # time.monotonic() when the work began


def frechet_result(
    real: MeasuredSet, fake: MeasuredSet, network: StoredNetwork, comparison: Comparison
) -> Result:
    """The Fréchet distance of two measured sets, with a bootstrap 95 % interval.

    Raises:
        InputError: a set has fewer than two clips: a covariance needs two.
    """
    spec = network.extractor.spec
    for measured in (real, fake):
        if len(measured.keys) < 2:
            raise InputError(
                f"{measured.record.path}: a Fréchet distance needs at least 2 clips of each set, "
                f"this one has {len(measured.keys)}: give more videos"
            )
    ddof = DDOF[comparison.protocol.covariance]
    value = _distance(network, real.keys, fake.keys, ddof)
    interval = None
    if comparison.resamples:
        interval = bootstrap_frechet(
            network.features(real.keys),
            network.features(fake.keys),
            resamples=comparison.resamples,
            seed=comparison.protocol.seed,
            ddof=ddof,
            value=value,
            rows_per_draw=comparison.protocol.num_frames if spec.unit == "frame" else 1,
        )
    metric = "FVD" if spec.unit == "clip" else "FID"
    return _result(metric, value, interval, real, fake, network, comparison)


def inception_result(
    fake: MeasuredSet, network: StoredNetwork, comparison: Comparison, splits: int = 10
) -> Result:
    """The Inception Score of a measured set by the network's own classifier; higher is better."""
    probabilities = network.extractor.probabilities(network.features(fake.keys))
    value, deviation = inception_score(probabilities, splits)
    interval = None
    if comparison.resamples:
        interval = bootstrap_inception_score(
            probabilities,
            splits=splits,
            resamples=comparison.resamples,
            seed=comparison.protocol.seed,
        )
    details = {"splits": splits, "std_over_splits": deviation}
    return _result("IS", value, interval, None, fake, network, comparison, details)


def _result(
    metric: str,
    value: float,
    interval: Interval | None,
    real: MeasuredSet | None,
    fake: MeasuredSet,
    network: StoredNetwork,
    comparison: Comparison,
    details: Mapping[str, Any] | None = None,
) -> Result:
    extractor = network.extractor
    num_real = len(real.keys) if real else 0
    effective = effective_protocol(
        comparison.protocol,
        extractor,
        num_real=num_real or comparison.protocol.num_real,
        num_fake=len(fake.keys),
    )
    records = [measured.record for measured in (real, fake) if measured]
    return Result(
        metric=f"{metric}{extractor.spec.metric_suffix}",
        value=value,
        interval=(interval.low, interval.high) if interval else None,
        level=interval.level if interval else 0.95,
        higher_is_better=metric == "IS",
        num_real=num_real,
        num_fake=len(fake.keys),
        num_frames=comparison.protocol.num_frames,
        network=extractor.spec.name,
        weights_sha256=extractor.weights.sha256,
        weights_published=extractor.weights.published,
        fingerprint=effective.fingerprint,
        protocol=comparison.protocol.name,
        protocol_fields=effective.moving_fields(),
        deviations=deviations(effective, comparison.dataset, records),
        dataset=comparison.dataset,
        model=comparison.model,
        real=real.record if real else None,
        fake=fake.record,
        seconds=round(time.monotonic() - comparison.started, 3),
        details={
            "interval": interval.method if interval else None,
            "network_run": extractor.path_taken,
            "probe_difference": extractor.probe_difference,
            "decoded_clips": sum(measured.decoded for measured in (real, fake) if measured),
            **(details or {}),
        },
        **provenance(str(extractor.device)),
    )


def notes(result: Result, *, num_features: int) -> Iterator[str]:
    """What a careful reader would want to know before quoting the number, a sentence each."""
    if result.deviations:
        yield f"not as {result.protocol} asks: {'; '.join(result.deviations)}"
    for record, label in ((result.real, "real"), (result.fake, "generated")):
        if record is None:
            continue
        if record.too_short:
            yield f"{_count(record.too_short)} too short and left out: {_some(record.too_short)}"
        if record.broken:
            yield f"{_count(record.broken)} broken and left out: {_some(record.broken)}"
        if record.num_clips <= num_features:
            yield (
                f"{record.num_clips} {label} clips are few for {num_features} features: the "
                "covariance is singular and the value far above its limit for many clips"
            )
    if result.real and result.real.digest == result.fake.digest:
        yield "the two sets are the same clips"


def say(message: str) -> None:
    """A note beside the result: on stderr, so that stdout holds the result alone."""
    print(f"note: {message}", file=sys.stderr)


def _choose(
    planned: PlannedSet, options: RunOptions, *, known_broken: Sequence[tuple[str, str]]
) -> PlannedSet:
    def probe(videos: Iterable[Video]) -> Iterator[Probed]:
        listed = list(videos)
        known = [video for video in listed if video.name in planned.probed]
        for video in known:
            yield planned.probed[video.name]
        for probed in probe_in_workers(
            listed[len(known) :], workers=options.workers, timeout=options.timeout
        ):
            planned.probed[probed[0].name] = probed
            yield probed

    plan = plan_clips(
        planned.videos,
        planned.selection,
        probe,
        skip_broken=options.skip_broken,
        known_broken=known_broken,
    )
    return replace(planned, plan=plan)


def _check_count(plan: ClipPlan, at_least: int) -> None:
    if len(plan.clips) >= at_least:
        return
    left_out = [*plan.too_short, *plan.broken]
    where = f" (left out: {_some(left_out)})" if left_out else ""
    raise InputError(
        f"{plan.root}: {at_least} videos were asked for, but only {len(plan.clips)} can be "
        f"used{where}: add videos or lower --num-videos"
    )


def _distance(
    network: StoredNetwork, real: Sequence[bytes], fake: Sequence[bytes], ddof: int
) -> float:
    """Through streamed statistics, or through the few rows themselves where that is smaller."""
    if min(len(real), len(fake)) <= network.extractor.spec.num_features:
        return frechet_distance_from_features(
            network.features(real), network.features(fake), ddof=ddof
        )
    first, second = network.statistics(real), network.statistics(fake)
    return frechet_distance(
        first.mean, first.covariance(ddof), second.mean, second.covariance(ddof)
    )


def _storage(video: Video, preparation: Preparation) -> str:
    """What the frames went through before they were measured, as far as can be told."""
    if not video.prepared:
        return preparation.storage
    return video.image_format if isinstance(video, FrameFolder) else "array"


def _count(names: Sequence[str]) -> str:
    return "1 video is" if len(names) == 1 else f"{len(names)} videos are"


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more
