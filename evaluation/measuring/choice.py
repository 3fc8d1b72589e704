"""Which protocol, network and videos a request means: what is left out follows from what is given.

A protocol says how clips are chosen and prepared, and names the network of its own metric. Another
metric under the same protocol sees the same clips through the network that its reference takes,
which goes into the fields, so that the fingerprint of every number names it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.catalogue.entry import Metric
from evaluation.catalogue.registry import metric
from evaluation.networks.registry import network as find_network
from evaluation.protocol.fields import Protocol, override
from evaluation.protocol.presets import for_dataset, load_protocol
from evaluation.statistics.file import is_statistics_file, stated_split
from latte.data.datasets import default_data_root, open_dataset
from latte.data.errors import InputError
from latte.data.sources import VideoSet, open_video_set

EMBEDDED = "-shapes"  # suffix of metrics by networks that are bundled


def choose_protocol(
    protocol: str | Protocol | None = None,
    *,
    settings: Sequence[str] | None = None,
    dataset: str | None = None,
    network: str | None = None,
    num_videos: int | None = None,
    num_frames: int | None = None,
    seed: int | None = None,
    real: Path | None = None,
) -> Protocol:
    """The protocol that a request means; what is None follows from the rest.

    Args:
        protocol: a preset's name, a .toml file, or a protocol that is taken as it is.
        settings: FIELD=VALUE.
        dataset: the data set of the real videos.
        network: a feature network in place of the protocol's; another one at its first output and
            resizing.
        num_videos: clips of each set.
        num_frames, seed: fields of the protocol.
        real: the real videos, if they are not taken from a data set.

    Raises:
        InputError: an unknown protocol, data set or network, or an impossible field.
    """
    if not isinstance(protocol, Protocol):
        embedded = dataset == "shapes" or (network or "").startswith("shapes")
        preset = load_protocol(protocol or ("shapes" if embedded else "stylegan-v"))
        protocol = for_dataset(preset, dataset)
    if network not in (None, protocol.network):
        spec = find_network(network)
        fields: dict[str, Any] = {"output": spec.output, "resize": spec.resize}
        protocol = replace(protocol, **fields)
    counts = {"num_real": num_videos, "num_fake": num_videos, "num_frames": num_frames}
    options: dict[str, Any] = {**counts, "network": network, "seed": seed}
    if real is not None:
        options["split"] = stated_split(real) or "given"  # statistics may say their split
    changes = {key: value for key, value in options.items() if value is not None}
    return replace(override(protocol, settings or ()), **changes)


def for_metric(protocol: Protocol, metric: Metric) -> Protocol:
    """The protocol with the network that a metric takes under it.

    The protocol's own network, if it sees what the metric looks at. Otherwise I3D for clips, the
    FID Inception with clean-fid's resizing and covariance for frames, C3D for classes; under a
    protocol of the embedded networks, those.
    """
    own = find_network(protocol.network)
    embedded = own.metric_suffix == EMBEDDED
    if metric.input_kind == "classes":
        if embedded:
            return _with(protocol, "shapes")
        return protocol if protocol.output == "probabilities" else _with(protocol, "c3d")
    unit = "clip" if metric.input_kind == "clips" else "frame"
    if own.unit == unit:
        return protocol
    if unit == "clip":
        return _with(protocol, "shapes" if embedded else "i3d")
    if embedded:
        return _with(protocol, "shapes-frame")
    return replace(_with(protocol, "inception"), covariance="n-1")


def _with(protocol: Protocol, name: str) -> Protocol:
    """The protocol with another network, its output and resizing kept where that one has them."""
    spec = find_network(name)
    spec = spec.choose(
        protocol.output if protocol.output in spec.outputs else None,
        protocol.resize if protocol.resize in spec.resizes else None,
    )
    fields: dict[str, Any] = {"output": spec.output, "resize": spec.resize}
    return replace(protocol, network=name, weights=spec.default_weights, **fields)


def default_network(metrics: Sequence[str], protocol: Protocol, named: str | None) -> str:
    """The network that a file of weights without a network's name belongs to.

    Args:
        metrics: names of metrics.
        protocol: how they are measured.
        named: the network that the caller named.

    Raises:
        InputError: a single metric does not look at what the named network looks at.
    """
    if len(metrics) != 1:
        return protocol.network
    only = metric(metrics[0])
    if named is not None:
        unit = find_network(named).unit
        if (only.input_kind == "frames") != (unit == "frame"):
            raise InputError(
                f"network {named} looks at {unit}s, which {only.name} does not: give another "
                "network (--network, see `latte-eval networks`)"
            )
    return for_metric(protocol, only).network


def dataset_videos(name: str, protocol: Protocol, data_root: Path | None = None) -> VideoSet:
    """The videos of the split that the protocol names."""
    split = None if protocol.split == "published" else protocol.split
    return open_dataset(name, data_root=data_root or default_data_root(), split=split)


def videos_at(path: Path) -> VideoSet | Path:
    """The videos at a path; the path itself if it is that of a statistics file."""
    return path if is_statistics_file(path) else open_video_set(path)
