"""The base protocol's distance, and what each choice makes of it."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.studies.protocols.choices import Choice, choices
from evaluation.features.extraction import StoredNetwork
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

MIN_CLIPS = 2  # smaller sets have no covariance


@dataclass(frozen=True, kw_only=True)
class ChoiceResult:
    """The number under a choice, or why the choice cannot be made."""

    choice: Choice
    result: Result | None = None
    change: Interval | None = None  # interval of value − base value
    error: InputError | None = None


@dataclass(frozen=True, kw_only=True)
class ProtocolStudy:
    """The number under the base protocol, and under each choice."""

    base: Protocol
    result: Result
    choices: Sequence[ChoiceResult]

    @property
    def measured(self) -> list[tuple[ChoiceResult, Result]]:
        """The choices that could be made, with their results."""
        return [(choice, choice.result) for choice in self.choices if choice.result]


@dataclass(frozen=True, kw_only=True)
class ProtocolBench:
    """Two sets, the base protocol, and how both are measured."""

    real: VideoSet
    fake: VideoSet
    base: Protocol
    networks: Networks
    dataset: str | None = None
    resamples: int = 400


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Both sets under one protocol."""

    sets: tuple[MeasuredSet, MeasuredSet]
    network: StoredNetwork
    result: Result

    @property
    def videos(self) -> list[list[tuple[str, bool]]]:
        """The videos that the clips come from, and whether they are mirrored."""
        return [[(clip.video.name, clip.mirrored) for clip in x.clips] for x in self.sets]

    def features(self) -> list[np.ndarray]:
        """Features of the real and of the generated set, (rows, D) each."""
        return [self.network.features(x.keys).astype(np.float64) for x in self.sets]

    def distance(self, x: np.ndarray, y: np.ndarray) -> float:
        """The distance of features by this protocol's covariance."""
        ddof = DDOF[str(self.result.protocol_fields["covariance"])]
        return frechet_distance_from_features(x, y, ddof=ddof)


def measure_protocols(bench: ProtocolBench) -> ProtocolStudy:
    """The base protocol's number, and what each choice makes of it.

    Raises:
        InputError: the base protocol itself cannot be measured.
    """
    alternatives = choices(bench.base, network(bench.base.network))
    bench.networks.open(bench.base)  # an error of the base protocol's network ends the study
    # Every network sees the base protocol's clips in the one pass in which they are decoded.
    also = []
    for choice in alternatives:
        if choice.family == "network":
            with suppress(InputError):  # the choice itself gives the reason
                also.append(bench.networks.open(replace(bench.base, **choice.changes)))
    base = _measure(bench, Choice("", "clips", {}), also)
    results = []
    for choice in alternatives:
        change = None
        try:
            changed = _measure(bench, choice)
            if bench.resamples:
                change = change_interval(base, changed, seed=bench.base.seed)
            results.append(ChoiceResult(choice=choice, result=changed.result, change=change))
        except InputError as error:
            results.append(ChoiceResult(choice=choice, error=error))
    return ProtocolStudy(base=bench.base, result=base.result, choices=results)


def _measure(
    bench: ProtocolBench, choice: Choice, also: Sequence[StoredNetwork] = ()
) -> Measurement:
    """Both sets under the base protocol with a choice, and through other networks as well."""
    protocol = replace(bench.base, **choice.changes)
    # The Fréchet distance of what the network sees.
    metric = "fvd" if network(protocol.network).unit == "clip" else "fid"
    measurer = Measurer(
        protocol,
        (metric,),
        bench.networks,
        dataset=bench.dataset,
        resamples=bench.resamples,
        at_least=MIN_CLIPS,
        notes=False,
    )

    def extracted(videos: VideoSet, side: Side) -> MeasuredSet:
        if choice.videos is not None:
            order = protocol.real_order if side == "real" else protocol.fake_order
            first = candidates(
                videos.videos, order="sorted" if order == "sorted" else "random", seed=protocol.seed
            )
            videos = replace(videos, videos=tuple(first[: choice.videos]))
        return measurer.extract(videos, side, also=also)

    real, fake = extracted(bench.real, "real"), extracted(bench.fake, "fake")
    (result,) = measurer.measure(real, fake, model=bench.fake.name)
    return Measurement(sets=(real, fake), network=measurer.network(metric), result=result)


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
            later = changed.distance(x[:, split:], y[:, split:])
            return later - base.distance(x[:, :split], y[:, :split])

        real, fake = (np.concatenate(both, axis=1) for both in zip(before, after, strict=True))
        rows_per_clip = len(real) // len(base.sets[0].keys)  # the frames of a network of frames
        return grouped_jackknife(
            statistic, real, fake, seed=seed, value=difference, rows_per_draw=rows_per_clip
        )
    (low, high), (base_low, base_high) = changed.result.ends, base.result.ends
    return Interval(
        low=difference - math.hypot(changed.result.value - low, base_high - base.result.value),
        high=difference + math.hypot(high - changed.result.value, base.result.value - base_low),
        level=changed.result.level,
        method="of two values as if they were independent",
    )
