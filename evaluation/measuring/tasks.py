"""A metric with its protocol and network, and whether it can be measured."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from evaluation.catalogue.entry import NO_INTERVAL, Metric
from evaluation.catalogue.networks import for_metric
from evaluation.features.extraction import StoredNetwork
from evaluation.features.sets import MeasuredSet, PlannedSet, check_lengths
from evaluation.measuring.networks import Networks
from evaluation.networks.registry import network
from evaluation.networks.spec import NetworkSpec
from evaluation.protocol.fields import Protocol
from evaluation.results.record import Result
from evaluation.statistics.origin import check_network
from latte.data.errors import InputError


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
                f"{side.videos.root}: {self.metric.titles[0]} needs at least {needed} clips of "
                f"each set, this one has {len(clips)}: give more videos"
            )
        check_lengths(clips, self.spec)

    def caveats(self, result: Result) -> Iterator[str]:
        """What a careful reader must know before quoting the number."""
        if result.deviations:
            yield f"not as {result.protocol} asks: {'; '.join(map(str, result.deviations))}"
        if "no_interval" in result.details:
            why = result.details["no_interval"]
            yield f"{result.metric} has no interval: {NO_INTERVAL[why['reason']].format(**why)}"
        yield from self.metric.caveats(result, self.spec)


@dataclass(frozen=True, kw_only=True)
class MetricFailure:
    """A metric that could not be measured, and why."""

    metric: str
    error: InputError


class FailedMetricsError(InputError):
    """Some metrics could not be measured; `results` holds those of the others."""

    def __init__(
        self, failures: Sequence[MetricFailure], results: Sequence[Result], num_metrics: int
    ) -> None:
        self.failures, self.results = tuple(failures), tuple(results)
        reasons = "; ".join(f"{failure.metric}: {failure.error}" for failure in failures)
        number = f"{len(failures)} of {num_metrics} metrics" if results else "the metrics"
        super().__init__(f"{number} could not be measured ({reasons})")


def open_task(metric: Metric, protocol: Protocol, networks: Networks) -> MetricTask:
    """A metric with its network ready to be used.

    Raises:
        InputError: the network cannot do what the metric and the protocol ask of it, or it cannot
            be had.
    """
    protocol = for_metric(protocol, metric)
    spec = network(protocol.network).choose(protocol.output, protocol.resize)
    unit = "frame" if metric.looks == "frames" else "clip"
    if spec.unit != unit:
        raise InputError(
            f"network {spec.name} looks at {spec.unit}s, but {metric.titles[0]} is of {unit}s: "
            f"give another network (--network, see `latte-eval networks`)"
        )
    if metric.looks != "classes" and spec.output == "probabilities":
        raise InputError(
            f"network {spec.name} gives class probabilities, from which {metric.titles[0]} is not "
            "made: give another network (--network, see `latte-eval networks`)"
        )
    if "every" not in (protocol.real_offset, protocol.fake_offset):
        spec.check_length(protocol.num_frames)
    return MetricTask(metric=metric, protocol=protocol, network=networks.open(protocol))


def networks_of(tasks: Iterable[MetricTask]) -> list[StoredNetwork]:
    """The networks of these tasks, each once."""
    return list({id(task.network): task.network for task in tasks}.values())
