"""Whether statistics from a file are what a protocol asks of a set, and what differs if not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evaluation.networks.spec import NetworkSpec
from evaluation.protocol.deviations import Deviation, differences
from evaluation.protocol.fields import DDOF, Covariance, Protocol, Side
from evaluation.results.record import SetRecord
from evaluation.statistics.file import StatisticsFile
from evaluation.statistics.running import Statistics
from latte.data.errors import InputError

ONLY_REAL = ("short_real",)
# taken from the file itself, or converted
FROM_THE_FILE = ("num_real", "num_fake", "split", "covariance")


def check_network(file: StatisticsFile, spec: NetworkSpec, weights_sha256: str) -> None:
    """Refuse statistics of features of another kind than this network's with these weights.

    Raises:
        InputError: another width, network, version of it, layer, or other weights.
    """
    origin, name = file.origin, spec.name
    problem = None
    if origin is not None:
        output = origin.protocol_fields.get("output", spec.output)
        if origin.network != name:
            problem = (
                f"made with the network {origin.network}, not {name}: give network "
                f"{origin.network} (--network)"
            )
        elif output != spec.output:
            problem = (
                f"made of the {output} of {name}, not of its {spec.output}: set output={output} "
                "(--set)"
            )
        elif origin.network_version != spec.version:
            problem = (
                f"made with version {origin.network_version} of {name}, this is version "
                f"{spec.version}: export the statistics again"
            )
        elif origin.weights_sha256 not in (None, weights_sha256):
            problem = (
                f"made with other weights of {name} ({str(origin.weights_sha256)[:12]}…, these are "
                f"{weights_sha256[:12]}…): give theirs with weights (--weights), or export the "
                "statistics again"
            )
    width = len(file.statistics.mean)
    if problem is None and width != spec.num_features:
        problem = (
            f"holds statistics of {width} features, the network has {spec.num_features}: give the "
            "network that they were made with (--network)"
        )
    if problem:
        raise InputError(f"{file.path}: {problem}")


def deviations_of_statistics(
    file: StatisticsFile, protocol: Protocol, side: Side
) -> tuple[Deviation, ...]:
    """What is not as `protocol` asks of its real or generated (`side`) set, if any.

    Made with other choices, not known how, or known only from whoever imported the file. The
    number of clips, the split and the covariance are not among them: a result takes the first two
    from the file, and `statistics_over` converts the third.
    """
    origin, subject = file.origin, f"statistics {file.path}"
    if origin is None:
        return (Deviation(field="origin", value="unknown", subject=subject),)
    theirs = _of_side(origin.protocol_fields, origin.side, side)
    ours = _of_side(protocol.affecting_fields(), side, side)
    if origin.side != side:
        theirs, ours = (
            {key: value for key, value in fields.items() if key not in ONLY_REAL}
            for fields in (theirs, ours)
        )
    if "seed" not in theirs.keys() & ours.keys():  # one of them chooses nothing at random
        theirs.pop("seed", None)
        ours.pop("seed", None)
    deviations = differences(theirs, ours, subject)
    if origin.stated:
        deviations.append(Deviation(field="origin", value="stated", subject=subject))
    return tuple(deviations)


def follows_protocol(file: StatisticsFile, protocol: Protocol, side: Side) -> bool:
    """Whether the file states that it was made as `protocol` makes this set.

    A result may then carry the protocol's own fingerprint.
    """
    deviations = deviations_of_statistics(file, protocol, side)
    return file.origin is not None and {deviation.field for deviation in deviations} <= {"origin"}


def statistics_over(file: StatisticsFile, covariance: Covariance) -> Statistics:
    """The statistics with the covariance over n or n − 1, as asked for.

    A file that does not state its count or its divisor is taken as it is.
    """
    statistics = file.statistics
    if file.origin is None or not statistics.count:
        return statistics
    have, want = (
        statistics.count - DDOF[divisor]
        for divisor in (file.origin.protocol_fields["covariance"], covariance)
    )
    if have == want:
        return statistics
    return replace(statistics, covariance=statistics.covariance * (have / want))


def record_of_statistics(file: StatisticsFile) -> SetRecord:
    """What a result says of a set that is known by its statistics alone."""
    origin = file.origin
    if origin is None or origin.record is None:
        clips = origin.num_clips if origin else file.statistics.count or None
        return SetRecord(
            path=str(file.path),
            digest=file.digest,
            num_listed=clips,
            num_clips=clips,
            height=0,
            width=0,
            storage="statistics",
        )
    return replace(origin.record, path=str(file.path), storage="statistics")


def _of_side(fields: Mapping[str, Any], side: Side, called: Side) -> dict[str, Any]:
    """The fields that bear on one side's features, those of `side` under the names of `called`.

    The seed bears on them only where something is chosen at random.
    """
    other = {"real": "fake", "fake": "real"}[side]
    drawn = "random" in (fields.get(f"{side}_offset"), fields.get(f"{side}_order"))
    drawn = drawn or fields.get(f"{side}_order") == "clips"
    side_fields = {}
    for key, value in fields.items():
        if key in FROM_THE_FILE or key.startswith(f"{other}_") or (key == "seed" and not drawn):
            continue
        if key == "mirror":
            side_fields[key] = "yes" if value in (side, "both") else "no"
        elif key.startswith(f"{side}_"):
            side_fields[called + key.removeprefix(side)] = value
        else:
            side_fields[key] = value
    return side_fields
