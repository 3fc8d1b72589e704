"""Statistics files of other packages, brought into our form with what the user states of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.networks.registry import network
from evaluation.protocol.fields import DDOF, Covariance, Protocol, Side
from evaluation.results.provenance import provenance
from evaluation.statistics.file import (
    Origin,
    StatisticsFile,
    array_names,
    check_target,
    is_statistics_file,
    read_arrays,
    read_statistics_file,
    write_statistics_file,
)
from evaluation.statistics.running import Statistics, streamed_statistics
from latte.data.errors import InputError
from latte.data.hashing import file_sha256

FEATURES = "feats"  # the array in clean-fid's *_kid.npz


def import_statistics(
    source: Path,
    out: Path,
    protocol: Protocol,
    *,
    side: Side = "real",
    count: int | None = None,
    covariance: Covariance = "n-1",
    dataset: str | None = None,
) -> StatisticsFile:
    """Write what pytorch-fid or clean-fid wrote as a file of ours, with the protocol as stated.

    `mu` and `sigma` stay to the bit. The features of clean-fid's `*_kid.npz` become the mean and
    covariance that the protocol asks for; their number is then known.

    Args:
        side: whose choice of clips the protocol describes.
        count: rows it was made of: clips, or frames with a network of frames.
        covariance: what their sigma is divided by.

    Raises:
        InputError: an unreadable file, another width than the network's, or no count.
    """
    check_target(out)
    if out.resolve() == source.resolve():
        raise InputError(f"--out {out}: is the file to import: choose another name")
    spec = network(protocol.network).choose(protocol.output, protocol.resize)
    if is_statistics_file(source):
        statistics = _with_count(source, count)
    else:
        covariance = protocol.covariance
        statistics = _of_features(source, count, covariance)
    if len(statistics.mean) != spec.num_features:
        raise InputError(
            f"{source}: holds statistics of {len(statistics.mean)} features, the network "
            f"{spec.name} has {spec.num_features}: give the --network that they were made with"
        )
    fields: dict[str, Any] = protocol.affecting_fields() | {"covariance": covariance}
    clips: int | None = statistics.count
    every = fields[f"{side}_offset"] == "every"  # frames are counted then
    if spec.unit == "frame":
        whole, rest = divmod(statistics.count, fields["num_frames"])
        clips = None if rest or every else whole  # clips of every frame differ in length
    if every or clips is not None:
        fields[f"num_{side}"] = statistics.count if every else clips
    run = provenance("cpu")
    origin = Origin(
        protocol=protocol.name,
        protocol_fields=fields,
        side=side,
        network=spec.name,
        network_version=spec.version,
        weights_sha256=None,
        num_clips=clips,
        dataset=dataset,
        stated=True,
        source_sha256=file_sha256(source),
        command=run["command"],
        versions=run["versions"],
    )
    return write_statistics_file(out, statistics, origin)


def _of_features(path: Path, count: int | None, covariance: Covariance) -> Statistics:
    names = array_names(path)
    rows = read_arrays(path, (FEATURES,)).get(FEATURES)
    if rows is None:
        raise InputError(
            f"{path}: holds {', '.join(names) or 'nothing'}, neither mu and sigma nor {FEATURES}: "
            "give the .npz of pytorch-fid or clean-fid"
        )
    if rows.ndim != 2:
        raise InputError(f"{path}: {FEATURES} {rows.shape} are no (N, D) features")
    if count not in (None, len(rows)):
        raise InputError(f"--count {count}: {path} holds {len(rows)} rows")
    return streamed_statistics([rows], ddof=DDOF[covariance])


def _with_count(path: Path, stated: int | None) -> Statistics:
    file = read_statistics_file(path)
    if file.origin is not None:
        raise InputError(
            f"{path}: is a file of latte-eval, which says how it was made: use it as it is"
        )
    count = file.statistics.count or stated
    if not count:
        raise InputError(f"{path}: does not say how many samples it was made of: give --count N")
    if stated not in (None, count):
        raise InputError(f"--count {stated}: {path} says that it was made of {count}")
    return replace(file.statistics, count=count)
