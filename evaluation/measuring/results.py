"""A value becomes a result: with its protocol as carried out, what differs, and provenance."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from evaluation.catalogue.entry import Metric, Number, Value
from evaluation.catalogue.inputs import MetricInput
from evaluation.features.extraction import StoredNetwork
from evaluation.features.sets import MeasuredSet
from evaluation.measuring.arrays import MemoryVideo
from evaluation.measuring.choice import for_metric
from evaluation.networks.registry import NETWORKS
from evaluation.protocol.content import fingerprint_of
from evaluation.protocol.deviations import Deviation, differences
from evaluation.protocol.fields import REAL_FIELDS, Protocol, Side
from evaluation.protocol.presets import PRESETS, published_protocol
from evaluation.results.provenance import provenance
from evaluation.results.record import Result, frames_stored_as
from evaluation.statistics.origin import deviations_of_statistics, follows_protocol

NETWORK_FIELDS = ("output", "resize", "weights")  # choosing a network decides these too


def result_of(
    metric: Metric,
    number: Number,
    value: Value,
    given: MetricInput,
    *,
    dataset: str | None,
    model: str,
    started: float,
) -> Result:
    """One of a metric's numbers with all that made it; `started`: time.monotonic() at the start."""
    extractor, requested = given.network.extractor, given.protocol
    real, fake = given.real, given.fake
    sides: dict[Side, MeasuredSet] = {"real": real} if real else {}
    sides["fake"] = fake
    effective = carried_out(requested, given.network, sides)
    interval, fields = value.interval, affecting_fields(effective, metric)
    parameters = {**metric.parameters, **value.parameters}
    # Statistics that follow the protocol are as good as clips; others count by their digests.
    foreign = [
        measured.record.digest
        for side, measured in sides.items()
        if measured.given is not None and not follows_protocol(measured.given, effective, side)
    ]
    return Result(
        name=metric.name,
        metric=number.called(extractor.spec),
        value=value.value,
        interval=(interval.low, interval.high) if interval else None,
        level=interval.level if interval else 0.95,
        higher_is_better=number.higher_is_better,
        num_real=real.record.num_clips if real else 0,
        num_fake=fake.record.num_clips,
        num_frames=requested.num_frames,
        network=extractor.spec.name,
        weights_sha256=extractor.weights.sha256,
        weights_published=extractor.weights.published,
        fingerprint=fingerprint_of(fields, metric.name, parameters, foreign),
        protocol=requested.name,
        protocol_fields=fields,
        parameters=parameters,
        deviations=_deviations(effective, requested, metric, dataset, sides),
        dataset=dataset,
        model=model,
        real=real.record if real else None,
        fake=fake.record,
        seconds=round(time.monotonic() - started, 3),
        details={
            "interval": interval.method if interval else None,
            "network_run": extractor.implementation,
            "probe_difference": extractor.probe_difference,
            "decoded_clips": sum(measured.decoded for measured in sides.values()),
            "space": given.network.store.space,
            **value.details,
        },
        **provenance(str(extractor.device)),
    )


def carried_out(
    protocol: Protocol, network: StoredNetwork, sides: Mapping[Side, MeasuredSet]
) -> Protocol:
    """The protocol as it was carried out: the clips there were, the weights that were used."""
    spec = network.extractor.spec
    fields: dict[str, Any] = {"output": spec.output, "resize": spec.resize}
    for side, measured in sides.items():
        count = measured.record.num_clips
        if getattr(protocol, f"{side}_offset") == "every":  # its frames are what is counted
            count = sum(len(clip.frames) for clip in measured.clips)
            count = measured.given.statistics.count if measured.given else count
        fields[f"num_{side}"] = count or getattr(protocol, f"num_{side}")
    weights = network.extractor.weights.label
    return replace(protocol, network=spec.name, weights=weights, **fields)


def affecting_fields(protocol: Protocol, metric: Metric) -> dict[str, Any]:
    """The fields that affect a number: none about real videos if it needs none."""
    return {
        key: value
        for key, value in protocol.affecting_fields().items()
        if metric.needs_real or key not in REAL_FIELDS
    }


def _deviations(
    effective: Protocol,
    requested: Protocol,
    metric: Metric,
    dataset: str | None,
    sides: Mapping[Side, MeasuredSet],
) -> tuple[Deviation, ...]:
    """Differences from the preset of that name on this data set, and from the request."""
    references = [requested]
    if effective.name in PRESETS:
        preset = published_protocol(dataset, PRESETS[effective.name])
        references.insert(0, for_metric(preset, metric))
    fields = affecting_fields(effective, metric)
    if dataset is None:
        fields.pop("split", None)  # videos of no known data set are of no split
    if effective.network not in NETWORKS:  # a function of clips, which brings its own
        fields = {key: value for key, value in fields.items() if key not in NETWORK_FIELDS}
    by_field: dict[str, Deviation] = {}
    for reference in references:
        expected = {
            key: value for key, value in reference.affecting_fields().items() if key in fields
        }
        for deviation in differences(fields, expected):
            by_field.setdefault(deviation.field, deviation)
    of_sets = (_deviations_of_set(effective, measured, side) for side, measured in sides.items())
    return (*by_field.values(), *chain.from_iterable(of_sets))


def _deviations_of_set(
    protocol: Protocol, measured: MeasuredSet, side: Side
) -> Iterator[Deviation]:
    record, subject = measured.record, measured.record.path
    if measured.given is not None:
        yield from deviations_of_statistics(measured.given, protocol, side)
        if record.num_clips is None:
            yield Deviation(field="number of clips", value="unknown", subject=subject)
        if measured.given.origin is None or measured.given.origin.record is None:
            return
        record = measured.given.origin.record
    if any(isinstance(clip.video, MemoryVideo) for clip in measured.clips):
        yield Deviation(field="clips", value="in_memory", subject=subject)
    size, wanted = (f"{w}×{h}" for w, h in ((record.width, record.height), (protocol.size,) * 2))
    if protocol.recipe != "none" and size != wanted:
        yield Deviation(field="frame size", value=size, wanted=wanted, subject=subject)
    storage = protocol.storage
    if frames_stored_as(record.storage) != frames_stored_as(storage):
        yield Deviation(field="storage", value=record.storage, wanted=storage, subject=subject)
    if record.recipe not in (None, protocol.recipe):
        yield Deviation(
            field="recipe", value=record.recipe, wanted=protocol.recipe, subject=subject
        )
