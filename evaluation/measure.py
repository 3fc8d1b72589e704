"""Two measured sets → one number with its interval, its protocol and its provenance."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluation.extraction import StoredNetwork
from evaluation.metrics import (
    frechet_distance,
    frechet_distance_from_features,
    inception_score,
)
from evaluation.networks.registry import Extractor
from evaluation.presets import PRESETS, published_protocol
from evaluation.protocol import Protocol, differences
from evaluation.result import Result, SetRecord, provenance
from evaluation.sets import MeasuredSet, some_of
from evaluation.store import content_key
from evaluation.uncertainty import Interval, bootstrap_frechet, bootstrap_inception_score

DDOF = {"n": 0, "n-1": 1}


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
    carried_out: Protocol, asked_for: Protocol, dataset: str | None, records: Sequence[SetRecord]
) -> tuple[str, ...]:
    """What is not as was asked for, nor as the preset of that name asks on this data set."""
    references = [asked_for]
    if carried_out.name in PRESETS:
        references.insert(0, published_protocol(dataset, PRESETS[carried_out.name]))
    fields = carried_out.moving_fields()
    if dataset is None:
        fields.pop("split")  # videos of no known data set are of no split
    found: list[str] = []
    named: set[str] = set()
    for reference in references:
        wanted = reference.moving_fields()
        for key, value in fields.items():
            if value != wanted[key] and key not in named:
                named.add(key)
                found += differences({key: value}, {key: wanted[key]})
    for record in records:
        found += _deviations_of_frames(carried_out, record)
    return tuple(found)


def _deviations_of_frames(protocol: Protocol, record: SetRecord) -> Iterator[str]:
    if record.storage == "statistics":
        yield f"statistics of {record.path} made in a way that is not known"
        if record.num_clips is None:
            yield f"number of clips of {record.path} not known"
        return
    if record.height != protocol.size or record.width != protocol.size:
        yield (
            f"frames of {record.path} {record.width}×{record.height} instead of "
            f"{protocol.size}×{protocol.size}"
        )
    if protocol.storage == "jpeg-75" and record.storage in ("png", "array", "lossless"):
        yield f"frames of {record.path} stored as {record.storage} instead of jpeg-75"
    if record.recipe not in (None, protocol.recipe):
        yield f"frames of {record.path} prepared as {record.recipe} instead of {protocol.recipe}"


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
    """The Fréchet distance of two measured sets, with a bootstrap 95 % interval."""
    spec = network.extractor.spec
    ddof = DDOF[comparison.protocol.covariance]
    value = _distance(network, real, fake, ddof)
    interval = None
    if comparison.resamples and real.keys and fake.keys:
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
    num_real, num_fake = real.record.num_clips if real else 0, fake.record.num_clips
    effective = effective_protocol(
        comparison.protocol,
        extractor,
        num_real=num_real or comparison.protocol.num_real,
        num_fake=num_fake or comparison.protocol.num_fake,
    )
    records = [measured.record for measured in (real, fake) if measured]
    return Result(
        metric=f"{metric}{extractor.spec.metric_suffix}",
        value=value,
        interval=(interval.low, interval.high) if interval else None,
        level=interval.level if interval else 0.95,
        higher_is_better=metric == "IS",
        num_real=num_real,
        num_fake=num_fake,
        num_frames=comparison.protocol.num_frames,
        network=extractor.spec.name,
        weights_sha256=extractor.weights.sha256,
        weights_published=extractor.weights.published,
        fingerprint=_fingerprint(effective, records),
        protocol=comparison.protocol.name,
        protocol_fields=effective.moving_fields(),
        deviations=deviations(effective, comparison.protocol, comparison.dataset, records),
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
        if record.storage == "statistics":
            yield f"{record.path} is a statistics file, without rows to draw again: no interval"
            continue
        if record.too_short:
            yield f"{_count(record.too_short)} too short and left out: {some_of(record.too_short)}"
        if record.broken:
            yield f"{_count(record.broken)} broken and left out: {some_of(record.broken)}"
        if record.num_clips is not None and record.num_clips <= num_features:
            yield (
                f"{record.num_clips} {label} clips are few for {num_features} features: the "
                "covariance is singular and the value far above its limit for many clips"
            )
    if result.real and result.real.digest == result.fake.digest:
        yield "the two sets are the same clips"


def say(message: str) -> None:
    """A note beside the result: on stderr, so that stdout holds the result alone."""
    print(f"note: {message}", file=sys.stderr)


def _fingerprint(protocol: Protocol, records: Sequence[SetRecord]) -> str:
    """The protocol's, unless statistics were given: how those were made no protocol knows."""
    given = [record.digest for record in records if record.storage == "statistics"]
    if not given:
        return protocol.fingerprint
    return content_key({"protocol": protocol.fingerprint, "given": given}).hex()[:16]


def _distance(network: StoredNetwork, real: MeasuredSet, fake: MeasuredSet, ddof: int) -> float:
    """Through streamed statistics, or through the few rows themselves where that is smaller."""
    few = min(len(real.keys), len(fake.keys)) <= network.extractor.spec.num_features
    if real.keys and fake.keys and few:
        return frechet_distance_from_features(
            network.features(real.keys), network.features(fake.keys), ddof=ddof
        )
    first, second = real.statistics(network, ddof), fake.statistics(network, ddof)
    return frechet_distance(first.mean, first.covariance, second.mean, second.covariance)


def _count(names: Sequence[str]) -> str:
    return "1 video is" if len(names) == 1 else f"{len(names)} videos are"
