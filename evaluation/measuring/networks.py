"""Networks that are opened once each, however many metrics and protocols use them."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluation.catalogue.entry import Metric
from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import MeasuredSet, PlannedSet, check_lengths
from evaluation.measuring.choice import for_metric
from evaluation.networks.registry import build, network
from evaluation.networks.spec import NetworkSpec
from evaluation.protocol.fields import Protocol
from evaluation.results.caveats import Caveat
from evaluation.results.record import Result
from evaluation.statistics.origin import check_network
from latte.data.errors import InputError

logger = logging.getLogger(__name__)


class Networks:
    """Networks by name, output and resizing, with the place of their features.

    Args:
        options: how features are extracted, and where they are kept.
        weights: files of weights by the network's name, where they are not the usual ones.
    """

    def __init__(
        self, options: ExtractionOptions | None = None, weights: Mapping[str, Path] | None = None
    ) -> None:
        self.options = options or ExtractionOptions(workers=0, progress=False)
        self.weights = dict(weights or {})
        self._opened: dict[tuple[str, str, str], StoredNetwork] = {}

    def open(self, protocol: Protocol) -> StoredNetwork:
        """The network of a protocol.

        Raises:
            InputError: no such network, or weights that cannot be had or do not fit.
        """
        name, processes = protocol.network, self.options.processes
        key = (name, protocol.output, protocol.resize)
        if key not in self._opened:
            with processes.ahead(f"network {name}"):  # fetches the weights
                stored = self._open(protocol)
            extractor = stored.extractor
            # Rows of other weights, or of another way, do not go together.
            weights = extractor.weights.sha256[:12]
            processes.agree(f"{name} with weights {weights} as {extractor.implementation}", None)
            self._opened[key] = stored
        return self._opened[key]

    def _open(self, protocol: Protocol) -> StoredNetwork:
        name = protocol.network
        extractor = build(
            name,
            self.weights.get(name),
            self.options.device,
            batch_size=self.options.batch_size,
            output=protocol.output,
            resize=protocol.resize,
            trust_weights=self.options.trust_weights,
            exact=self.options.exact,
        )
        # A comparison of an earlier run is remembered, and each result states it.
        if not extractor.is_known and extractor.probe_difference is not None:
            logger.warning(
                "%s runs as %s, which differs from the published path by %.1e of the largest "
                "feature on the probe clips",
                *(name, extractor.implementation, extractor.probe_difference),
            )
        return StoredNetwork(extractor, self.options.store)


class PixelNetworks(Networks):
    """Pixels in the place of every network."""

    def open(self, protocol: Protocol) -> StoredNetwork:
        """The similarities of pixels in clips of the protocol's length."""
        from evaluation.similarity.videos import open_pixels  # needs torch

        return open_pixels(self.options.store, protocol.num_frames)


@dataclass(frozen=True, kw_only=True)
class MetricTask:
    """A metric, the protocol as it takes it, and its network."""

    metric: Metric
    protocol: Protocol
    network: StoredNetwork

    @property
    def spec(self) -> NetworkSpec:
        """What is known of the network."""
        return self.network.extractor.spec

    def check(self, side: PlannedSet | MeasuredSet) -> None:
        """Refuse a set from which the metric cannot be computed, before any clip is decoded.

        Raises:
            InputError: too few clips, clips of a length that the network does not take, or
                statistics of another network.
        """
        if isinstance(side, MeasuredSet):
            if side.given is not None:
                check_network(side.given, self.spec, self.network.extractor.weights.sha256)
            return
        clips, needed = side.plan.clips, self.metric.min_clips
        if len(clips) < needed:
            raise InputError(
                f"{side.videos.root}: {self.metric.titles[0]} needs at least {needed} clips, "
                f"this set has {len(clips)}: give more videos"
            )
        check_lengths(clips, self.spec)

    def caveats(self, result: Result) -> Iterator[Caveat]:
        """What a careful reader must know before quoting the number."""
        if result.deviations:
            facts = {"protocol": result.protocol, "deviations": result.deviations}
            yield Caveat("deviating", facts)
        if "no_interval" in result.details:
            yield Caveat("no_interval", {"metric": result.metric, **result.details["no_interval"]})
        yield from self.metric.caveats(result, self.spec)


def open_task(metric: Metric, protocol: Protocol, networks: Networks) -> MetricTask:
    """A metric with its network ready to be used.

    Raises:
        InputError: the network cannot do what the metric and the protocol ask of it, or it cannot
            be had.
    """
    protocol = for_metric(protocol, metric)
    spec = network(protocol.network).choose(protocol.output, protocol.resize)
    unit = "frame" if metric.input_kind == "frames" else "clip"
    if spec.unit != unit:
        raise InputError(
            f"network {spec.name} looks at {spec.unit}s, but {metric.titles[0]} is of {unit}s: "
            f"give another network (--network, see `latte-eval networks`)"
        )
    if metric.input_kind != "classes" and spec.output == "probabilities":
        raise InputError(
            f"network {spec.name} gives class probabilities, from which {metric.titles[0]} is not "
            "made: give another network (--network, see `latte-eval networks`)"
        )
    if "every" not in (protocol.real_offset, protocol.fake_offset):
        spec.check_length(protocol.num_frames)
    return MetricTask(metric=metric, protocol=protocol, network=networks.open(protocol))
