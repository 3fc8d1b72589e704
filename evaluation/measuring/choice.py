"""Which protocol and which videos a request means: what is left out follows from what is given."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.catalogue.networks import for_metric
from evaluation.catalogue.registry import metric
from evaluation.networks.registry import network
from evaluation.protocol.fields import Protocol, override
from evaluation.protocol.presets import for_dataset, load_protocol
from evaluation.statistics.file import is_statistics_file, stated_split
from latte.data.datasets import dataset, open_dataset
from latte.data.errors import InputError
from latte.data.sources import VideoSet, open_video_set


@dataclass(frozen=True, kw_only=True)
class ProtocolChoice:
    """What is stated about the protocol; what is None follows from the rest."""

    protocol: str | Protocol | None = None  # a preset's name, a .toml file, or a value taken as is
    settings: Sequence[str] = ()  # FIELD=VALUE
    dataset: str | None = None
    network: str | None = None
    num_videos: int | None = None
    num_frames: int | None = None
    seed: int | None = None

    def protocol_for(self, real: Path | None = None) -> Protocol:
        """The protocol with what changes it.

        Args:
            real: the real videos, if they are not taken from a data set.

        Raises:
            InputError: an unknown protocol, data set or network, or an impossible field.
        """
        changes: dict[str, Any] = {}
        if self.num_videos is not None:
            changes |= {"num_real": self.num_videos, "num_fake": self.num_videos}
        if self.num_frames is not None:
            changes["num_frames"] = self.num_frames
        if self.seed is not None:
            changes["seed"] = self.seed
        if real is not None:
            changes["split"] = stated_split(real) or "given"  # statistics may say their split
        if self.network is not None:
            spec = network(self.network)
            changes |= {"network": self.network, "output": spec.output, "resize": spec.resize}
        return replace(override(self._base(), list(self.settings)), **changes)

    def _base(self) -> Protocol:
        if isinstance(self.protocol, Protocol):
            return self.protocol
        embedded = self.dataset == "shapes" or (self.network or "").startswith("shapes")
        preset = load_protocol(self.protocol or ("shapes" if embedded else "stylegan-v"))
        return for_dataset(preset, self.dataset)


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
        unit = network(named).unit
        if (only.looks == "frames") != (unit == "frame"):
            raise InputError(
                f"network {named} looks at {unit}s, which {only.name} does not: give another "
                "network (--network, see `latte-eval networks`)"
            )
    return for_metric(protocol, only).network


def default_data_root() -> Path:
    """`$LATTE_DATA`, else `./data`."""
    return Path(os.environ.get("LATTE_DATA", "data"))


def dataset_videos(name: str, protocol: Protocol, data_root: Path | None = None) -> VideoSet:
    """The videos of the split that the protocol names."""
    known = dataset(name)
    split = known.fvd_split if protocol.split == "published" else protocol.split
    return open_dataset(known.name, data_root=data_root or default_data_root(), split=split)


def videos_at(path: Path) -> VideoSet | Path:
    """The videos at a path; the path itself if it is that of a statistics file."""
    return path if is_statistics_file(path) else open_video_set(path)
