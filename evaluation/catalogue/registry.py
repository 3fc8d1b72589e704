"""The metrics by name: what each looks at, and which network it takes under a protocol.

A protocol says how clips are chosen and prepared, and names the network of its own metric. Another
metric under the same protocol sees the same clips through the network that its reference takes:
`for_metric` puts that into the fields, so that the fingerprint of every number tells them apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from evaluation.metrics.kernel import JEDI, KID, KVD, Kernel
from evaluation.networks.registry import NetworkSpec, network
from evaluation.protocol.fields import Protocol
from evaluation.results.record import INVERSION_RATE, UNDIRECTED
from latte.data.errors import InputError, nearest

Looks = Literal["clips", "frames", "classes"]  # at features of clips, of frames, at probabilities
EMBEDDED = "-shapes"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric: one command, one or two numbers."""

    name: str  # of the command, and in a protocol's `metrics`
    titles: tuple[str, ...]  # of its numbers in results
    meaning: str  # in one line
    looks: Looks
    needs_real: bool = True
    higher_is_better: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)  # the reference's defaults

    def direction(self, title: str) -> bool | None:
        """Whether more of one of its numbers is better; None where neither is."""
        return None if title in UNDIRECTED else self.higher_is_better


def _kernel(kernel: Kernel, **more: Any) -> dict[str, Any]:
    return {
        "degree": kernel.degree,
        "gamma": "1/D" if kernel.gamma is None else kernel.gamma,
        "coef0": kernel.coef0,
        **more,
    }


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(
                name="fvd",
                titles=("FVD",),
                meaning="Fréchet video distance of generated clips from real ones",
                looks="clips",
            ),
            Metric(
                name="fid",
                titles=("FID",),
                meaning="Fréchet inception distance of the frames of the clips",
                looks="frames",
            ),
            Metric(
                name="kvd",
                titles=("KVD",),
                meaning="kernel video distance: squared MMD of clips with a polynomial kernel",
                looks="clips",
                parameters=_kernel(KVD, unbiased=True),
            ),
            Metric(
                name="kid",
                titles=("KID",),
                meaning="kernel inception distance of the frames of the clips",
                looks="frames",
                parameters=_kernel(KID, unbiased=True, num_subsets=100, subset_size=1000),
            ),
            Metric(
                name="jedi",
                titles=("JEDi",),
                meaning="JEDi's distance (biased MMD of degree 2, times 100) on any features",
                looks="clips",
                parameters=_kernel(JEDI, unbiased=False, scale=100),
            ),
            Metric(
                name="is",
                titles=("IS",),
                meaning="Inception Score of generated clips by C3D trained on UCF-101",
                looks="classes",
                needs_real=False,
                higher_is_better=True,
                parameters={"splits": 10, "shuffle_seed": 42},
            ),
            Metric(
                name="precision-recall",
                titles=("precision", "recall"),
                meaning="share of generated clips among the real ones, and the reverse",
                looks="clips",
                higher_is_better=True,
                parameters={"k": 3},
            ),
            Metric(
                name="density-coverage",
                titles=("density", "coverage"),
                meaning="the same two questions, robust to outliers",
                looks="clips",
                higher_is_better=True,
                parameters={"k": 5},
            ),
            Metric(
                name="per-class",
                titles=("FVD per class",),
                meaning="FVD of each class by itself, and the mean over the classes",
                looks="clips",
            ),
            Metric(
                name="per-position",
                titles=("FID per position",),
                meaning="FID of the first frames, the second frames, …: where in the clip it fails",
                looks="frames",
            ),
            Metric(
                name="similarity",
                titles=("similarity-distance", INVERSION_RATE),
                meaning="cosine similarity of the frames of a clip: still, jumpy or out of order",
                looks="frames",
            ),
        )
    }
)


def metric(name: str) -> Metric:
    """A metric by name.

    Raises:
        InputError: there is none of this name; the nearest ones are named.
    """
    if name not in METRICS:
        raise InputError(f"unknown metric {name!r}: {nearest(name, list(METRICS))}")
    return METRICS[name]


def for_metric(protocol: Protocol, chosen: Metric) -> Protocol:
    """The protocol with the network that a metric takes under it.

    The protocol's own network, if it sees what the metric looks at. Otherwise I3D for clips, the
    FID Inception with clean-fid's resizing and covariance for frames, C3D for classes; under a
    protocol of the embedded networks, those.
    """
    own = network(protocol.network)
    embedded = own.metric_suffix == EMBEDDED
    if chosen.looks == "classes":
        if embedded:
            return _with(protocol, "shapes")
        return protocol if protocol.output == "probabilities" else _with(protocol, "c3d")
    unit = "clip" if chosen.looks == "clips" else "frame"
    if own.unit == unit:
        return protocol
    if unit == "clip":
        return _with(protocol, "shapes" if embedded else "i3d")
    if embedded:
        return _with(protocol, "shapes-frame")
    return replace(_with(protocol, "inception"), covariance="n-1")


def title(name: str, spec: NetworkSpec) -> str:
    """What a number is called: another network or layer makes another metric of it.

    JEDi alone is the distance on V-JEPA's features, so on any others it carries their name.
    """
    suffix = spec.metric_suffix
    if name == "JEDi" and not suffix:
        suffix = f"-{spec.name}"
    if spec.output != next(iter(spec.outputs)):
        suffix += f"-{spec.output}"
    base, per, part = name.partition(" per ")
    return f"{base}{suffix}{per}{part}"


def _with(protocol: Protocol, name: str) -> Protocol:
    """The protocol with another network, its output and resizing kept where that one has them."""
    spec = network(name)
    spec = spec.choose(
        protocol.output if protocol.output in spec.outputs else None,
        protocol.resize if protocol.resize in spec.resizes else None,
    )
    weights = spec.weight_files[0].file_name if spec.weight_files else "bundled"
    fields: dict[str, Any] = {"output": spec.output, "resize": spec.resize, "weights": weights}
    return replace(protocol, network=name, **fields)
