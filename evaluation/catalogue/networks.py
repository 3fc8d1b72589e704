"""Which network a metric takes under a protocol.

A protocol says how clips are chosen and prepared, and names the network of its own metric. Another
metric under the same protocol sees the same clips through the network that its reference takes,
which goes into the fields, so that the fingerprint of every number names it.
"""

from dataclasses import replace
from typing import Any

from evaluation.catalogue.entry import Metric
from evaluation.networks.registry import network
from evaluation.protocol.fields import Protocol

EMBEDDED = "-shapes"


def for_metric(protocol: Protocol, metric: Metric) -> Protocol:
    """The protocol with the network that a metric takes under it.

    The protocol's own network, if it sees what the metric looks at. Otherwise I3D for clips, the
    FID Inception with clean-fid's resizing and covariance for frames, C3D for classes; under a
    protocol of the embedded networks, those.
    """
    own = network(protocol.network)
    embedded = own.metric_suffix == EMBEDDED
    if metric.looks == "classes":
        if embedded:
            return _with(protocol, "shapes")
        return protocol if protocol.output == "probabilities" else _with(protocol, "c3d")
    unit = "clip" if metric.looks == "clips" else "frame"
    if own.unit == unit:
        return protocol
    if unit == "clip":
        return _with(protocol, "shapes" if embedded else "i3d")
    if embedded:
        return _with(protocol, "shapes-frame")
    return replace(_with(protocol, "inception"), covariance="n-1")


def _with(protocol: Protocol, name: str) -> Protocol:
    """The protocol with another network, its output and resizing kept where that one has them."""
    spec = network(name)
    spec = spec.choose(
        protocol.output if protocol.output in spec.outputs else None,
        protocol.resize if protocol.resize in spec.resizes else None,
    )
    fields: dict[str, Any] = {"output": spec.output, "resize": spec.resize}
    return replace(protocol, network=name, weights=spec.default_weights, **fields)
