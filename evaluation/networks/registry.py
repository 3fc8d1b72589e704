"""Feature networks by name. Each is described, and opened, in the module of its own."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch

from evaluation.networks import c3d, i3d, inception, shapes, videomae
from evaluation.networks.extractor import Extractor
from evaluation.networks.spec import NetworkSpec
from evaluation.networks.weights import locate_weights
from latte.data.errors import InputError, nearest

MODULES = (i3d, videomae, c3d, inception, shapes)
NETWORKS: Mapping[str, NetworkSpec] = MappingProxyType(
    {spec.name: spec for module in MODULES for spec in module.SPECS}
)


def network(name: str) -> NetworkSpec:
    """The spec of a network.

    Raises:
        InputError: no network has this name; the nearest ones are named.
    """
    if name not in NETWORKS:
        raise InputError(f"unknown network {name!r}: {nearest(name, list(NETWORKS))}")
    return NETWORKS[name]


def build(
    name: str,
    weights: Path | str | None = None,
    device: str | torch.device = "cpu",
    *,
    batch_size: int = 8,
    output: str | None = None,
    resize: str | None = None,
) -> Extractor:
    """A network, ready to be used: uint8 (N, T, H, W, 3) → float32 (N, D).

    Args:
        name: one of `NETWORKS`.
        weights: a file; by default the bundled one, `$LATTE_WEIGHTS`, the cache, or a download.
        device: "cpu", "cuda", "cuda:1", …
        batch_size: clips that a GPU sees at once; without effect on a CPU.
        output: the layer whose output are the features; by default the spec's first.
        resize: how frames come to the network's own size; by default the spec's first.

    Raises:
        InputError: an unknown name, output or resizing, a device that is missing, or weights that
            cannot be found or do not fit.
    """
    spec = network(name).choose(output, resize)
    place = _device(device)
    located = locate_weights(spec, None if weights is None else Path(weights))
    assert spec.open is not None
    return Extractor(
        spec=spec,
        weights=located,
        device=place,
        run=spec.open(spec, located.path, place),
        batch_size=batch_size,
    )


def _device(device: str | torch.device) -> torch.device:
    try:
        place = torch.device(device)
        torch.empty(0, device=place)  # a driver that is missing shows now
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {device!s} cannot be used here ({str(error).splitlines()[0]}): use cpu"
        ) from None
    return place
