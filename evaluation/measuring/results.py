"""Two measured sets → one number with its interval, its protocol and its provenance."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from evaluation.catalogue.entry import Metric, Value
from evaluation.catalogue.inputs import MetricInput
from evaluation.catalogue.networks import for_metric
from evaluation.features.sets import MeasuredSet, effective_protocol
from evaluation.measuring.arrays import MemoryVideo
from evaluation.measuring.tasks import Task
from evaluation.networks.registry import NETWORKS
from evaluation.protocol.content import fingerprint_of
from evaluation.protocol.deviations import Deviation, differences
from evaluation.protocol.fields import REAL_FIELDS, Protocol
from evaluation.protocol.presets import PRESETS, published_protocol
from evaluation.results.provenance import provenance
from evaluation.results.record import Result, SetRecord
from evaluation.statistics.file import Side
from evaluation.statistics.origin import deviations_of_statistics, follows_protocol

NETWORK_FIELDS = ("output", "resize", "weights")  # what a choice of the network decides as well
# How frames may be stored, by what a protocol asks for: videos that came prepared count as well.
STORAGES: Mapping[str, tuple[str, ...]] = {
    "jpeg-75": ("jpeg-75", "jpg"),
    "lossless": ("lossless", "png", "array"),
}


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a result says beside its number: whose it is, and since when it was worked on."""

    dataset: str | None
    model: str
    resamples: int  # bootstrap resamples of an interval; 0 for none
    started: float  # time.monotonic() when the work began


def results_of(
    task: Task, real: MeasuredSet | None, fake: MeasuredSet, context: Context
) -> list[Result]:
    """The numbers of a metric with their intervals, protocol and provenance.

    Raises:
        InputError: sets that this metric cannot be computed from.
    """
    given = MetricInput(
        real=real if task.metric.needs_real else None,
        fake=fake,
        network=task.network,
        protocol=task.protocol,
        parameters=task.metric.parameters,
        resamples=context.resamples,
    )
    return [_result(task.metric, value, given, context) for value in task.metric.compute(given)]


def _result(metric: Metric, value: Value, given: MetricInput, context: Context) -> Result:
    extractor, requested = given.network.extractor, given.protocol
    real, fake = given.real, given.fake
    effective = effective_protocol(
        requested,
        extractor,
        num_real=_count(real, requested.real_offset) or requested.num_real,
        num_fake=_count(fake, requested.fake_offset) or requested.num_fake,
    )
    sides: dict[Side, MeasuredSet] = {"real": real} if real else {}
    sides["fake"] = fake
    interval, fields = value.interval, affecting_fields(effective, metric)
    parameters = {**metric.parameters, **value.parameters}
    return Result(
        name=metric.name,
        metric=value.number.called(extractor.spec),
        value=value.value,
        interval=(interval.low, interval.high) if interval else None,
        level=interval.level if interval else 0.95,
        higher_is_better=value.number.higher_is_better,
        num_real=real.record.num_clips if real else 0,
        num_fake=fake.record.num_clips,
        num_frames=requested.num_frames,
        network=extractor.spec.name,
        weights_sha256=extractor.weights.sha256,
        weights_published=extractor.weights.published,
        fingerprint=fingerprint_of(
            fields, metric.name, parameters, _foreign_statistics(effective, sides)
        ),
        protocol=requested.name,
        protocol_fields=fields,
        parameters=parameters,
        deviations=deviations(effective, requested, metric, context.dataset, sides),
        dataset=context.dataset,
        model=context.model,
        real=real.record if real else None,
        fake=fake.record,
        seconds=round(time.monotonic() - context.started, 3),
        details={
            "interval": interval.method if interval else None,
            "network_run": extractor.path_taken,
            "probe_difference": extractor.probe_difference,
            "decoded_clips": sum(measured.decoded for measured in sides.values()),
            "space": given.network.store.space,
            **value.details,
        },
        **provenance(str(extractor.device)),
    )


def _count(measured: MeasuredSet | None, offset: str) -> int | None:
    """Clips of a set, or its frames where every one was to be taken; None where nothing says."""
    if measured is None or offset != "every":
        return measured.record.num_clips if measured else None
    if measured.given is not None:
        return measured.given.statistics.count or None
    return sum(len(clip.frames) for clip in measured.clips)


def affecting_fields(protocol: Protocol, metric: Metric) -> dict[str, Any]:
    """The fields that affect a number: none about real videos if it needs none."""
    return {
        key: value
        for key, value in protocol.affecting_fields().items()
        if metric.needs_real or key not in REAL_FIELDS
    }


def _foreign_statistics(protocol: Protocol, sides: Mapping[Side, MeasuredSet]) -> list[str]:
    """Digests of given statistics that do not follow the protocol; others are as good as clips."""
    return [
        measured.record.digest
        for side, measured in sides.items()
        if measured.given is not None and not follows_protocol(measured.given, protocol, side)
    ]


def deviations(
    carried_out: Protocol,
    requested: Protocol,
    metric: Metric,
    dataset: str | None,
    sides: Mapping[Side, MeasuredSet],
) -> tuple[Deviation, ...]:
    """Differences from the preset of that name on this data set, and from the request."""
    references = [requested]
    if carried_out.name in PRESETS:
        preset = published_protocol(dataset, PRESETS[carried_out.name])
        references.insert(0, for_metric(preset, metric))
    fields = affecting_fields(carried_out, metric)
    if dataset is None:
        fields.pop("split", None)  # videos of no known data set are of no split
    if carried_out.network not in NETWORKS:  # a function of clips, which brings its own
        fields = {key: value for key, value in fields.items() if key not in NETWORK_FIELDS}
    by_field: dict[str, Deviation] = {}
    for reference in references:
        wanted = {
            key: value for key, value in reference.affecting_fields().items() if key in fields
        }
        for deviation in differences(fields, wanted):
            by_field.setdefault(deviation.field, deviation)
    of_sets = (_deviations_of_set(carried_out, measured, side) for side, measured in sides.items())
    return (*by_field.values(), *chain.from_iterable(of_sets))


def _deviations_of_set(
    protocol: Protocol, measured: MeasuredSet, side: Side
) -> Iterator[Deviation]:
    record, subject = measured.record, measured.record.path
    if measured.given is not None:
        yield from deviations_of_statistics(measured.given, protocol, side)
        if record.num_clips is None:
            yield Deviation(field="number of clips", value="not known", subject=subject)
        if measured.given.origin is None or measured.given.origin.record is None:
            return
        record = replace(measured.given.origin.record, path=subject)
    if any(isinstance(clip.video, MemoryVideo) for clip in measured.clips):
        yield Deviation(field="clips", value="given in memory", subject=subject)
    yield from _deviations_of_frames(protocol, record)


def _deviations_of_frames(protocol: Protocol, record: SetRecord) -> Iterator[Deviation]:
    path = record.path
    size, wanted = (f"{w}×{h}" for w, h in ((record.width, record.height), (protocol.size,) * 2))
    if protocol.recipe != "none" and size != wanted:
        yield Deviation(field="frame size", value=size, wanted=wanted, subject=path)
    storage = protocol.storage
    if record.storage not in STORAGES.get(storage, (storage,)):
        yield Deviation(field="storage", value=record.storage, wanted=storage, subject=path)
    if record.recipe not in (None, protocol.recipe):
        yield Deviation(field="recipe", value=record.recipe, wanted=protocol.recipe, subject=path)
