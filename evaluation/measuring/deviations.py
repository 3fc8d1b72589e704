"""Where a measurement differs from its protocol."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from evaluation.catalogue.entry import Metric
from evaluation.catalogue.networks import for_metric
from evaluation.features.sets import MeasuredSet
from evaluation.measuring.arrays import MemoryVideo
from evaluation.networks.registry import NETWORKS
from evaluation.protocol.deviations import Deviation, differences
from evaluation.protocol.fields import REAL_FIELDS, Protocol, Side
from evaluation.protocol.presets import PRESETS, published_protocol
from evaluation.results.record import SetRecord
from evaluation.statistics.origin import deviations_of_statistics

NETWORK_FIELDS = ("output", "resize", "weights")  # what a choice of the network decides as well
# How frames may be stored, by what a protocol asks for: videos that came prepared count as well.
STORAGES: Mapping[str, tuple[str, ...]] = {
    "jpeg-75": ("jpeg-75", "jpg"),
    "lossless": ("lossless", "png", "array"),
}


def affecting_fields(protocol: Protocol, metric: Metric) -> dict[str, Any]:
    """The fields that affect a number: none about real videos if it needs none."""
    return {
        key: value
        for key, value in protocol.affecting_fields().items()
        if metric.needs_real or key not in REAL_FIELDS
    }


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
            yield Deviation(field="number of clips", value="unknown", subject=subject)
        if measured.given.origin is None or measured.given.origin.record is None:
            return
        record = replace(measured.given.origin.record, path=subject)
    if any(isinstance(clip.video, MemoryVideo) for clip in measured.clips):
        yield Deviation(field="clips", value="in_memory", subject=subject)
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
