"""Two measured sets → one number with its interval, its protocol and its provenance."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from evaluation.catalogue.registry import Metric, for_metric, metric, title
from evaluation.catalogue.values import Sets, Value, values
from evaluation.features.extraction import StoredNetwork
from evaluation.features.sets import MeasuredSet, some_of
from evaluation.measuring.arrays import MemoryVideo
from evaluation.networks.registry import NETWORKS, Extractor, network
from evaluation.protocol.content import content_key
from evaluation.protocol.deviations import Deviation, differences
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import PRESETS, published_protocol
from evaluation.results.provenance import provenance
from evaluation.results.record import Result
from evaluation.statistics.file import Side
from evaluation.statistics.origin import deviations_of_statistics, follows_protocol
from reports.numbers import format_value

OF_REAL_VIDEOS = (
    "split",
    "num_real",
    "real_stride",
    "real_order",
    "real_offset",
    "real_clips",
    "short_real",
)
NETWORK_FIELDS = ("output", "resize", "weights")  # what a choice of the network decides as well
WORTH_SAYING = 0.1  # part of a value that comes from too few clips


def effective_protocol(
    protocol: Protocol, extractor: Extractor, *, num_real: int, num_fake: int
) -> Protocol:
    """The protocol as it was carried out: the clips there were, the weights that were used."""
    spec = extractor.spec
    fields: dict[str, Any] = {"output": spec.output, "resize": spec.resize}
    return replace(
        protocol,
        num_real=num_real,
        num_fake=num_fake,
        network=spec.name,
        weights=extractor.weights.label,
        **fields,
    )


def deviations(
    carried_out: Protocol,
    asked_for: Protocol,
    chosen: Metric,
    dataset: str | None,
    measured: Mapping[Side, MeasuredSet],
) -> tuple[Deviation, ...]:
    """What is not as was asked for, nor as the preset of that name asks on this data set."""
    references = [asked_for]
    if carried_out.name in PRESETS:
        preset = published_protocol(dataset, PRESETS[carried_out.name])
        references.insert(0, for_metric(preset, chosen))
    fields = _fields(carried_out, chosen)
    if dataset is None:
        fields.pop("split", None)  # videos of no known data set are of no split
    if carried_out.network not in NETWORKS:  # a function of clips, which brings its own
        fields = {key: value for key, value in fields.items() if key not in NETWORK_FIELDS}
    found: dict[str, Deviation] = {}  # by field: the preset's wish counts before the caller's
    for reference in references:
        wanted = {key: value for key, value in reference.moving_fields().items() if key in fields}
        for deviation in differences(fields, wanted):
            found.setdefault(deviation.field, deviation)
    of_sets = (_deviations_of_set(carried_out, each, side) for side, each in measured.items())
    return (*found.values(), *chain.from_iterable(of_sets))


def _deviations_of_set(
    protocol: Protocol, measured: MeasuredSet, side: Side
) -> Iterator[Deviation]:
    record = measured.record
    if measured.given is not None:
        yield from deviations_of_statistics(measured.given, protocol, side)
        if record.num_clips is None:
            yield Deviation(field="number of clips", value="not known", subject=record.path)
        if measured.given.origin is None or measured.given.origin.record is None:
            return
        record = replace(measured.given.origin.record, path=record.path)
    if any(isinstance(clip.video, MemoryVideo) for clip in measured.clips):
        yield Deviation(field="clips", value="given in memory", subject=record.path)
    square = (protocol.size, protocol.size)
    if protocol.recipe != "none" and (record.height, record.width) != square:
        yield Deviation(
            field="frame size",
            value=f"{record.width}×{record.height}",
            wanted=f"{protocol.size}×{protocol.size}",
            subject=record.path,
        )
    kept = {"jpeg-75": ("jpeg-75", "jpg"), "lossless": ("lossless", "png", "array")}
    if record.storage not in kept.get(protocol.storage, (protocol.storage,)):
        yield Deviation(
            field="storage", value=record.storage, wanted=protocol.storage, subject=record.path
        )
    if record.recipe not in (None, protocol.recipe):
        yield Deviation(
            field="recipe", value=record.recipe, wanted=protocol.recipe, subject=record.path
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a result says beside its number: who was measured, by which protocol, since when."""

    protocol: Protocol
    dataset: str | None
    model: str
    resamples: int  # of the bootstrap interval; 0 for none
    started: float  # time.monotonic() when the work began


def results_of(
    chosen: Metric,
    real: MeasuredSet | None,
    fake: MeasuredSet,
    stored: StoredNetwork,
    comparison: Comparison,
) -> list[Result]:
    """The numbers of a metric with their intervals, protocol and provenance.

    Raises:
        InputError: sets that this metric cannot be computed from.
    """
    real = real if chosen.needs_real else None
    sets = Sets(
        real=real,
        fake=fake,
        network=stored,
        protocol=comparison.protocol,
        parameters=chosen.parameters,
        resamples=comparison.resamples,
    )
    return [_result(chosen, value, sets, comparison) for value in values(chosen, sets)]


def frechet_result(
    real: MeasuredSet, fake: MeasuredSet, stored: StoredNetwork, comparison: Comparison
) -> Result:
    """The Fréchet distance of two measured sets: FVD, or FID with a network of frames."""
    name = "fvd" if stored.extractor.spec.unit == "clip" else "fid"
    return results_of(metric(name), real, fake, stored, comparison)[0]


def inception_result(fake: MeasuredSet, stored: StoredNetwork, comparison: Comparison) -> Result:
    """The Inception Score of a measured set by the network's own classifier; higher is better."""
    return results_of(metric("is"), None, fake, stored, comparison)[0]


def _result(chosen: Metric, value: Value, sets: Sets, comparison: Comparison) -> Result:
    extractor = sets.network.extractor
    real, fake = sets.real, sets.fake
    num_real, num_fake = real.record.num_clips if real else 0, fake.record.num_clips
    effective = effective_protocol(
        comparison.protocol,
        extractor,
        num_real=_counted(real, comparison.protocol.real_offset) or comparison.protocol.num_real,
        num_fake=_counted(fake, comparison.protocol.fake_offset) or comparison.protocol.num_fake,
    )
    measured: dict[Side, MeasuredSet] = {"real": real} if real else {}
    measured["fake"] = fake
    interval = value.interval
    fields, parameters = _fields(effective, chosen), {**chosen.parameters, **value.parameters}
    return Result(
        metric=title(value.title, extractor.spec),
        value=value.value,
        interval=(interval.low, interval.high) if interval else None,
        level=interval.level if interval else 0.95,
        higher_is_better=chosen.direction(value.title),
        num_real=num_real,
        num_fake=num_fake,
        num_frames=comparison.protocol.num_frames,
        network=extractor.spec.name,
        weights_sha256=extractor.weights.sha256,
        weights_published=extractor.weights.published,
        fingerprint=_fingerprint(effective, parameters, chosen, measured),
        protocol=comparison.protocol.name,
        protocol_fields=fields,
        parameters=parameters,
        deviations=deviations(effective, comparison.protocol, chosen, comparison.dataset, measured),
        dataset=comparison.dataset,
        model=comparison.model,
        real=real.record if real else None,
        fake=fake.record,
        seconds=round(time.monotonic() - comparison.started, 3),
        details={
            "interval": interval.method if interval else None,
            "network_run": extractor.path_taken,
            "probe_difference": extractor.probe_difference,
            "decoded_clips": sum(each.decoded for each in measured.values()),
            "space": sets.network.store.space,
            **value.details,
        },
        **provenance(str(extractor.device)),
    )


def _counted(measured: MeasuredSet | None, offset: str) -> int | None:
    """Clips of a set, or its frames where every one was to be taken; None where nothing says."""
    if measured is None or offset != "every":
        return measured.record.num_clips if measured else None
    if measured.given is not None:
        return measured.given.statistics.count or None
    return sum(len(clip.frames) for clip in measured.clips)


def notes_on_sets(sets: Sequence[MeasuredSet]) -> Iterator[str]:
    """What was left out of the sets that were measured, a sentence each."""
    for measured in sets:
        record = measured.record
        if measured.given is not None:
            yield f"{record.path} is a statistics file, without rows to draw again: no interval"
            continue
        if record.too_short:
            yield f"{_count(record.too_short)} too short and left out: {some_of(record.too_short)}"
        if record.broken:
            yield f"{_count(record.broken)} broken and left out: {some_of(record.broken)}"
        videos = len({clip.video.name for clip in measured.clips})
        if videos < len(measured.clips):
            yield (
                f"{len(measured.clips)} clips of {videos} videos of {record.path} count as "
                "independent: intervals are too narrow"
            )
    if len(sets) == 2 and sets[0].record.digest == sets[1].record.digest:
        yield "the two sets are the same clips"


def notes(result: Result, chosen: Metric, *, num_features: int) -> Iterator[str]:
    """What a careful reader would want to know before quoting the number, a sentence each."""
    if result.deviations:
        yield f"not as {result.protocol} asks: {'; '.join(map(str, result.deviations))}"
    if "no_interval" in result.details:
        yield f"{result.metric} has no interval: {result.details['no_interval']}"
    left_out = [
        f"{name} ({part['reason']})"
        for name, part in result.details.get("classes", {}).items()
        if part["value"] is None
    ]
    if left_out:
        yield f"the mean is over the other classes than {some_of(left_out)}"
    if chosen.name == "is":
        each = (result.num_fake or 0) / result.details["splits"]
        classes = result.details["num_classes"]
        if each < 2 * classes:
            yield (
                f"{each:g} clips in each split are few for {classes} classes: the score is below "
                "its limit for many"
            )
    if chosen.name in ("fvd", "fid"):
        yield from _notes_on_size(result, num_features)


def _notes_on_size(result: Result, num_features: int) -> Iterator[str]:
    """Too few clips for so many features, with what that is about to cost."""
    for side, label in (("real", "real"), ("fake", "generated")):
        count = result.protocol_fields[f"num_{side}"]
        each = result.protocol_fields[f"{side}_offset"] == "every"  # frames are counted then
        rows = count * (result.num_frames if _unit(result) == "frame" and not each else 1)
        if 0 < rows <= num_features:
            yield (
                f"{rows} {label} {_unit(result)}s are few for {num_features} features: the "
                "covariance is singular and the value far above its limit for many"
            )
    limit = result.details.get("infinite")
    if not limit or result.value <= 0:
        return
    shown = format_value(limit["value"], (limit["interval"][0], limit["interval"][1]))
    if not limit["reliable"]:
        yield (
            f"how much of {result.metric} is due to the number of clips cannot be told from so "
            f"few (extrapolated: {shown})"
        )
    elif limit["share"] > WORTH_SAYING:
        yield (
            f"about {limit['share']:.0%} of {result.metric} is due to the number of clips, if they "
            "are independent draws (less of it if they are balanced by class): extrapolated to "
            f"infinitely many it is {shown}"
        )


def _unit(result: Result) -> str:
    """What one row of features describes: "clip" or "frame"."""
    return network(result.network).unit


def say(message: str) -> None:
    """A note beside the result: on stderr, so that stdout holds the result alone."""
    print(f"note: {message}", file=sys.stderr)


def _fields(protocol: Protocol, chosen: Metric) -> dict[str, Any]:
    """What made a number: of a metric without real videos, nothing about them."""
    return {
        key: value
        for key, value in protocol.moving_fields().items()
        if chosen.needs_real or key not in OF_REAL_VIDEOS
    }


def _fingerprint(
    protocol: Protocol,
    parameters: Mapping[str, Any],
    chosen: Metric,
    measured: Mapping[Side, MeasuredSet],
) -> str:
    """See `fingerprint_of`. Statistics that follow the protocol are as good as its clips."""
    given = [
        each.record.digest
        for side, each in measured.items()
        if each.given is not None and not follows_protocol(each.given, protocol, side)
    ]
    return fingerprint_of(_fields(protocol, chosen), chosen.name, parameters, given)


def fingerprint_of(
    moving: Mapping[str, Any], name: str, parameters: Mapping[str, Any], given: Sequence[str]
) -> str:
    """The protocol's; with a metric's parameters or given statistics, of those as well.

    Args:
        moving: the fields of the protocol that move the number.
        name: of the metric.
        given: digests of statistics of which the protocol does not know how they were made.
    """
    of_fields = content_key(moving).hex()[:16]
    if not given and not parameters:
        return of_fields
    made_of: dict[str, Any] = {"protocol": of_fields, "given": list(given)}
    if parameters:
        made_of |= {"metric": name, "parameters": dict(parameters)}
    return content_key(made_of).hex()[:16]


def _count(names: Sequence[str]) -> str:
    return "1 video is" if len(names) == 1 else f"{len(names)} videos are"
