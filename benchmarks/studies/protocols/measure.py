"""The base protocol's distance, and what each choice makes of it."""

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.studies.protocols.choices import Choice, choices
from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import MeasuredSet
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from evaluation.metrics import frechet_distance_from_features
from evaluation.networks.registry import network
from evaluation.protocol.fields import DDOF, Protocol, Side
from evaluation.results.record import Result
from evaluation.uncertainty import Interval, grouped_jackknife
from latte.data.clips import candidates
from latte.data.errors import InputError
from latte.data.sources import VideoSet

MIN_CLIPS = 2  # per set


@dataclass(frozen=True, kw_only=True)
class ChoiceResult:
    """The number under a choice, or why the choice cannot be made."""

    choice: Choice
    result: Result | None = None
    change: Interval | None = None  # interval of value − base value
    error: InputError | None = None


@dataclass(frozen=True, kw_only=True)
class ProtocolBench:
    """Two sets, the base protocol, and how both are measured."""

    real: VideoSet
    fake: VideoSet
    base: Protocol
    options: ExtractionOptions
    weights: Mapping[str, Path] = field(default_factory=dict)  # files by network
    dataset: str | None = None
    resamples: int = 400

    @property
    def metric(self) -> str:
        """The Fréchet distance of what the network sees."""
        return "fvd" if network(self.base.network).unit == "clip" else "fid"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Both sets under one protocol."""

    real: MeasuredSet
    fake: MeasuredSet
    network: StoredNetwork
    result: Result

    @property
    def ddof(self) -> int:
        """Degrees of freedom of the covariance."""
        return DDOF[str(self.result.protocol_fields["covariance"])]

    @property
    def videos(self) -> list[list[tuple[str, bool]]]:
        """The videos that the clips come from, and whether they are mirrored."""
        return [[(c.video.name, c.mirrored) for c in s.clips] for s in (self.real, self.fake)]

    def features(self) -> list[np.ndarray]:
        """Features of the real and of the generated set, (rows, D) each."""
        sets = (self.real, self.fake)
        return [self.network.features(measured.keys).astype(np.float64) for measured in sets]


def measure(bench: ProtocolBench) -> tuple[Result, list[ChoiceResult]]:
    """The base protocol's number, and what each choice makes of it.

    Raises:
        InputError: the base protocol itself cannot be measured.
    """
    networks = Networks(bench.options, bench.weights)
    alternatives = choices(bench.base, network(bench.base.network))
    networks.open(bench.base)  # an error of the base protocol's network ends the study
    # Every network sees the base protocol's clips in the one pass in which they are decoded.
    protocols = [replace(bench.base, **c.changes) for c in alternatives if c.family == "network"]
    base = _measure(bench, bench.base, None, networks, also=_opened(networks, protocols))
    return base.result, [_choice_result(bench, choice, base, networks) for choice in alternatives]


def _choice_result(
    bench: ProtocolBench, choice: Choice, base: Measurement, networks: Networks
) -> ChoiceResult:
    try:
        protocol = replace(bench.base, **choice.changes)
        changed = _measure(bench, protocol, choice.videos, networks)
        change = change_interval(base, changed, seed=bench.base.seed) if bench.resamples else None
    except InputError as error:
        return ChoiceResult(choice=choice, error=error)
    return ChoiceResult(choice=choice, result=changed.result, change=change)


def _opened(networks: Networks, protocols: Iterable[Protocol]) -> list[StoredNetwork]:
    """The networks of protocols, each once, as far as they can be had."""
    opened = []
    for protocol in protocols:
        with suppress(InputError):  # the choice itself gives the reason
            opened.append(networks.open(protocol))
    return list({id(network): network for network in opened}.values())


def _measure(
    bench: ProtocolBench,
    protocol: Protocol,
    limit: int | None,
    networks: Networks,
    also: Iterable[StoredNetwork] = (),
) -> Measurement:
    """Both sets under a protocol; `limit` videos of each at most, the first in its order."""
    measurer = Measurer(
        protocol,
        (bench.metric,),
        networks,
        dataset=bench.dataset,
        resamples=bench.resamples,
        at_least=MIN_CLIPS,
        notes=False,
    )

    def extracted(videos: VideoSet, side: Side) -> MeasuredSet:
        if limit is not None:
            order = protocol.real_order if side == "real" else protocol.fake_order
            first = candidates(
                videos.videos, order="sorted" if order == "sorted" else "random", seed=protocol.seed
            )
            videos = replace(videos, videos=tuple(first[:limit]))
        return measurer.extract(videos, side, also=list(also))

    real, fake = extracted(bench.real, "real"), extracted(bench.fake, "fake")
    (result,) = measurer.measure(real, fake, model=bench.fake.name)
    return Measurement(real=real, fake=fake, network=measurer.network(bench.metric), result=result)


def change_interval(base: Measurement, changed: Measurement, *, seed: int) -> Interval:
    """Interval of the difference of two distances.

    With the same videos: a jackknife that leaves out a video from both, so that what moves both
    alike cancels. With other videos: as of independent values, which is wide where they overlap.
    """
    difference = changed.result.value - base.result.value
    before, after = base.features(), changed.features()
    alike = [len(rows) for rows in before] == [len(rows) for rows in after]
    if alike and base.videos == changed.videos:
        split = before[0].shape[1]

        def statistic(x: np.ndarray, y: np.ndarray) -> float:
            return frechet_distance_from_features(
                x[:, split:], y[:, split:], ddof=changed.ddof
            ) - frechet_distance_from_features(x[:, :split], y[:, :split], ddof=base.ddof)

        real, fake = (np.concatenate(both, axis=1) for both in zip(before, after, strict=True))
        rows_per_clip = len(real) // len(base.real.keys)  # the frames of a network of frames
        return grouped_jackknife(
            statistic, real, fake, seed=seed, value=difference, rows_per_draw=rows_per_clip
        )
    (low, high), (base_low, base_high) = _reaches(changed.result), _reaches(base.result)
    return Interval(
        low=difference - math.hypot(low, base_high),
        high=difference + math.hypot(high, base_low),
        level=changed.result.level,
        method="of two values as if they were independent",
    )


def _reaches(result: Result) -> tuple[float, float]:
    """How far the interval reaches below and above the value."""
    low, high = result.ends
    return result.value - low, high - result.value
