"""Two measured sets → one number with its interval, its protocol and its provenance."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.catalogue.entry import Metric, Value
from evaluation.catalogue.inputs import MetricInput
from evaluation.features.sets import MeasuredSet, effective_protocol
from evaluation.measuring.deviations import affecting_fields, deviations
from evaluation.measuring.tasks import MetricTask
from evaluation.protocol.content import fingerprint_of
from evaluation.protocol.fields import Protocol, Side
from evaluation.results.provenance import provenance
from evaluation.results.record import Result
from evaluation.statistics.origin import follows_protocol


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a result says beside its number: whose it is, and since when it was worked on."""

    dataset: str | None
    model: str
    resamples: int  # bootstrap resamples of an interval; 0 for none
    started: float  # time.monotonic() when the work began


def results_of(
    task: MetricTask, real: MeasuredSet | None, fake: MeasuredSet, context: Context
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


def _foreign_statistics(protocol: Protocol, sides: Mapping[Side, MeasuredSet]) -> list[str]:
    """Digests of given statistics that do not follow the protocol; others are as good as clips."""
    return [
        measured.record.digest
        for side, measured in sides.items()
        if measured.given is not None and not follows_protocol(measured.given, protocol, side)
    ]
