"""A statistics file from a set of videos, or from the file of another package."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import check_lengths, measure_set, plan_set
from evaluation.measuring.results import effective_protocol
from evaluation.networks.registry import network
from evaluation.networks.spec import NetworkKey, NetworkSpec
from evaluation.protocol.fields import DDOF, Protocol
from evaluation.results.provenance import provenance
from evaluation.statistics.file import (
    UNREADABLE,
    Origin,
    Side,
    StatisticsFile,
    array_names,
    check_statistics_arrays,
    check_target,
    read_arrays,
    read_statistics_file,
    write_statistics_file,
)
from evaluation.statistics.running import RunningStatistics, Statistics
from latte.data.errors import InputError
from latte.data.sources import VideoSet

FEATURES = "feats"  # what clean-fid's *_kid.npz holds


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """Which set to measure, how, and where its statistics go."""

    videos: VideoSet
    side: Side
    protocol: Protocol
    out: Path
    weights: Mapping[str, Path] = field(default_factory=dict)  # files by network, where given
    at_least: int = 1
    dataset: str | None = None


def export_statistics(request: ExportRequest, options: ExtractionOptions) -> StatisticsFile:
    """Measure a set and write its mean and covariance with how they were made.

    Features that are in the store are not made again, and new ones are kept there.

    Raises:
        InputError: what `latte-eval fvd` refuses of a set, or a file that cannot be written.
    """
    check_target(request.out)
    protocol, side = request.protocol, request.side
    key = NetworkKey(protocol.network, protocol.output, protocol.resize)
    stored = StoredNetwork.build(key, request.weights.get(key.network), options)
    real = side == "real"
    planned = plan_set(
        request.videos,
        protocol.real_selection() if real else protocol.fake_selection(),
        protocol.preparation(),
        options,
        label=side,
        at_least=request.at_least,
    )
    check_lengths(planned.plan.clips, stored.extractor.spec)
    measured = measure_set(planned, [stored], options, request.at_least)
    statistics = measured.statistics(stored, protocol.covariance)
    if statistics.count < 2:
        raise InputError(f"{request.videos.root}: statistics of one clip say nothing: add videos")
    every = (protocol.real_offset if real else protocol.fake_offset) == "every"
    frames = sum(len(clip.frames) for clip in measured.clips)
    number = frames if every else len(measured.clips)  # as a protocol counts
    extractor = stored.extractor
    effective = effective_protocol(
        protocol,
        extractor,
        num_real=number if real else protocol.num_real,
        num_fake=protocol.num_fake if real else number,
    )
    made = provenance(str(extractor.device))
    origin = Origin(
        protocol=protocol.name,
        protocol_fields=effective.moving_fields(),
        side=side,
        network=extractor.spec.name,
        network_version=extractor.spec.version,
        weights_sha256=extractor.weights.sha256,
        num_clips=len(measured.clips),
        dataset=request.dataset,
        record=measured.record,
        command=made["command"],
        versions=made["versions"],
    )
    return write_statistics_file(request.out, statistics, origin)


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """A file of another package, and what the user says of it."""

    source: Path
    out: Path
    protocol: Protocol
    side: Side = "real"
    count: int | None = None  # rows: clips, or frames with a network of frames
    divisor: str = "n-1"  # of their sigma
    dataset: str | None = None


def import_statistics(request: ImportRequest) -> StatisticsFile:
    """Write what pytorch-fid or clean-fid wrote as a file of ours, with the protocol as stated.

    `mu` and `sigma` stay to the bit. The features of clean-fid's `*_kid.npz` become the mean and
    covariance that the protocol asks for; their number is then known.

    Raises:
        InputError: an unreadable file, another width than the network's, or no count.
    """
    check_target(request.out)
    if request.out.resolve() == request.source.resolve():
        raise InputError(f"--out {request.out}: is the file to import: choose another name")
    protocol = request.protocol
    spec = network(protocol.network).choose(protocol.output, protocol.resize)
    statistics, divisor = _theirs(request)
    if len(statistics.mean) != spec.num_features:
        raise InputError(
            f"{request.source}: holds statistics of {len(statistics.mean)} features, the network "
            f"{spec.name} has {spec.num_features}: give the --network that they were made with"
        )
    fields: dict[str, Any] = protocol.moving_fields() | {"covariance": divisor}
    clips = _clips(statistics.count, spec, fields, request.side)
    every = fields[f"{request.side}_offset"] == "every"  # frames are counted then
    if every or clips is not None:
        fields[f"num_{request.side}"] = statistics.count if every else clips
    made = provenance("cpu")
    origin = Origin(
        protocol=protocol.name,
        protocol_fields=fields,
        side=request.side,
        network=spec.name,
        network_version=spec.version,
        weights_sha256=None,
        num_clips=clips,
        dataset=request.dataset,
        stated=True,
        source_sha256=hashlib.sha256(request.source.read_bytes()).hexdigest(),
        command=made["command"],
        versions=made["versions"],
    )
    return write_statistics_file(request.out, statistics, origin)


def _theirs(request: ImportRequest) -> tuple[Statistics, str]:
    """Their statistics, and what their covariance is divided by."""
    path = request.source
    try:
        names = array_names(path)
        arrays = read_arrays(path, ("mu", "sigma", "count", FEATURES))
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as .npz or .safetensors ({error})") from None
    if {"mu", "sigma"} <= arrays.keys():
        file = read_statistics_file(path)
        if file.origin is not None:
            raise InputError(
                f"{path}: is a file of latte-eval, which says how it was made: use it as it is"
            )
        return _counted(file, request.count), request.divisor
    if FEATURES not in arrays:
        raise InputError(
            f"{path}: holds {', '.join(names) or 'nothing'}, neither mu and sigma nor {FEATURES}: "
            "give the .npz of pytorch-fid or clean-fid"
        )
    features = np.asarray(arrays[FEATURES])
    if features.ndim != 2:
        raise InputError(f"{path}: {FEATURES} {features.shape} are no (N, D) features")
    if request.count not in (None, len(features)):
        raise InputError(f"--count {request.count}: {path} holds {len(features)} rows")
    running = RunningStatistics(features.shape[1])
    running.add(features)
    divisor = request.protocol.covariance
    statistics = running.statistics(DDOF[divisor])
    check_statistics_arrays(path, statistics.mean, statistics.covariance)
    return statistics, divisor


def _counted(file: StatisticsFile, stated: int | None) -> Statistics:
    held = file.statistics.count
    if held and stated not in (None, held):
        raise InputError(f"--count {stated}: {file.path} says that it was made of {held}")
    count = held or stated
    if not count:
        raise InputError(
            f"{file.path}: does not say how many samples it was made of: give --count N"
        )
    return replace(file.statistics, count=count)


def _clips(count: int, spec: NetworkSpec, fields: Mapping[str, Any], side: Side) -> int | None:
    """Clips that so many rows are of; None where that cannot be told."""
    if spec.unit == "clip":
        return count
    clips, rest = divmod(count, fields["num_frames"])
    return None if rest or fields[f"{side}_offset"] == "every" else clips  # those differ in length
