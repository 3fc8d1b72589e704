"""A statistics file from a set of videos."""

from pathlib import Path

from evaluation.features.extraction import StoredNetwork
from evaluation.features.sets import MeasuredSet, check_lengths, measure_set, plan_set
from evaluation.measuring.networks import Networks
from evaluation.measuring.results import carried_out
from evaluation.protocol.fields import Protocol, Side
from evaluation.results.provenance import provenance
from evaluation.statistics.file import Origin, StatisticsFile, check_target, write_statistics_file
from evaluation.uncertainty.cores import one_core
from latte.data.errors import InputError
from latte.data.sources import VideoSet


def export_statistics(
    videos: VideoSet,
    out: Path,
    protocol: Protocol,
    networks: Networks,
    *,
    side: Side = "real",
    at_least: int = 1,
    dataset: str | None = None,
) -> StatisticsFile:
    """Measure a set and write its mean and covariance with how they were made.

    Args:
        side: whose clips the protocol describes.
        at_least: clips that the set must have.
        dataset: the data set it is of.

    Raises:
        InputError: what `latte-eval fvd` refuses of a set, or a file that cannot be written.
    """
    check_target(out)
    stored = networks.open(protocol)
    extractor = stored.extractor
    planned = plan_set(videos, protocol, side, networks.options, at_least)
    check_lengths(planned.plan.clips, extractor.spec)
    measured = measure_set(planned, [stored], networks.options)

    def written() -> StatisticsFile:
        return _written(out, measured, stored, protocol, side, dataset)

    return networks.options.processes.first("statistics", written)


def _written(
    out: Path,
    measured: MeasuredSet,
    stored: StoredNetwork,
    protocol: Protocol,
    side: Side,
    dataset: str | None,
) -> StatisticsFile:
    extractor = stored.extractor
    with one_core():  # as metrics are computed
        statistics = measured.statistics(stored, protocol.covariance)
    if statistics.count < 2:
        raise InputError(f"{measured.record.path}: statistics of one clip say nothing: add videos")
    run = provenance(str(extractor.device))
    origin = Origin(
        protocol=protocol.name,
        protocol_fields=carried_out(protocol, stored, {side: measured}).affecting_fields(),
        side=side,
        network=extractor.spec.name,
        network_version=extractor.spec.version,
        weights_sha256=extractor.weights.sha256,
        num_clips=len(measured.clips),
        dataset=dataset,
        record=measured.record,
        command=run["command"],
        versions=run["versions"],
    )
    return write_statistics_file(out, statistics, origin)
