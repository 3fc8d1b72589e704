"""`latte-bench protocols`: how far each single choice of a protocol moves FVD.

One pair of sets, one base protocol, and every choice on which papers differ made in the other way,
one at a time: a table, and a chart with the farthest at the top.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.studies.protocols.choices import Choice, choices
from benchmarks.studies.protocols.videos import as_source, shapes_pair
from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import MeasuredSet, measure_set, plan_set
from evaluation.measuring.results import Comparison, frechet_result
from evaluation.metrics import frechet_distance_from_features
from evaluation.networks.registry import network
from evaluation.networks.spec import NetworkKey
from evaluation.protocol.fields import DDOF, Protocol, override
from evaluation.protocol.presets import load_protocol
from evaluation.results.record import Result
from evaluation.uncertainty import Interval, grouped_jackknife
from latte.data.clips import Selection, candidates
from latte.data.errors import InputError
from latte.data.sources import VideoSet, open_video_set

DEFAULT_COUNT = 256


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a choice makes of the number, or why it cannot be made here."""

    choice: Choice
    result: Result | None = None
    change: Interval | None = None  # of value − base value; None without intervals
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Two sets and the base protocol."""

    real: VideoSet
    fake: VideoSet
    base: Protocol
    options: ExtractionOptions
    weights: Path | None = None
    dataset: str | None = None
    resamples: int = 400
    started: float = field(default_factory=time.monotonic)


def measure(bench: Bench) -> tuple[Result, list[Measured]]:
    """The base protocol's number, and what each choice makes of it.

    Raises:
        InputError: the base protocol itself cannot be measured.
    """
    spec = network(bench.base.network)
    found = choices(bench.base, spec)
    layers = {_layer(replace(bench.base, **c.changes)) for c in found if c.family == "network"}
    opened = _open_layers(bench, [_layer(bench.base), *sorted(layers - {_layer(bench.base)})])
    base_layer = opened[_layer(bench.base)]
    if isinstance(base_layer, str):
        raise InputError(base_layer)
    usable = [each for each in opened.values() if not isinstance(each, str)]
    # Every layer sees the base protocol's clips in the one pass in which they are decoded.
    base = _measure_sets(bench, bench.base, None, usable)
    result = frechet_result(*base, base_layer, _comparison(bench, bench.base))
    measured = []
    for choice in found:
        try:
            protocol = replace(bench.base, **choice.changes)
            stored = opened[_layer(protocol)]
            if isinstance(stored, str):
                raise InputError(stored)
            sets = _measure_sets(bench, protocol, choice.videos, [stored])
            changed = frechet_result(*sets, stored, _comparison(bench, protocol))
            change = None
            if bench.resamples:
                sides = _Side(base, base_layer, result), _Side(sets, stored, changed)
                change = _change(*sides, seed=bench.base.seed)
        except (InputError, ValueError) as error:
            reason = str(error).rstrip(".") + "."
            measured.append(Measured(choice=choice, reason=reason))
            continue
        measured.append(
            Measured(
                choice=choice,
                result=changed,
                change=change,
                notes=tuple(_notes(choice, result, changed)),
            )
        )
    return result, measured


@dataclass(frozen=True)
class _Side:
    sets: tuple[MeasuredSet, MeasuredSet]
    network: StoredNetwork
    result: Result

    @property
    def ddof(self) -> int:
        return DDOF[str(self.result.protocol_fields["covariance"])]

    @property
    def videos(self) -> list[list[tuple[str, bool]]]:
        """Which videos the rows come from."""
        return [[(c.video.name, c.mirrored) for c in each.clips] for each in self.sets]

    def features(self) -> list[np.ndarray]:
        return [self.network.features(each.keys).astype(np.float64) for each in self.sets]


def _change(base: _Side, changed: _Side, *, seed: int) -> Interval:
    """Interval of the difference of two distances.

    Of the same videos: a jackknife that leaves out a video from both, so that what moves both
    alike cancels. Of other videos: as of independent values, which is wide where they overlap.
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
        rows_per_clip = len(real) // len(base.sets[0].keys)  # of a network of frames, its frames
        return grouped_jackknife(
            statistic, real, fake, seed=seed, value=difference, rows_per_draw=rows_per_clip
        )
    (low, high), (base_low, base_high) = _ends(changed.result), _ends(base.result)
    return Interval(
        low=difference - math.hypot(low, base_high),
        high=difference + math.hypot(high, base_low),
        level=changed.result.level,
        method="of two values as if they were independent",
    )


def _ends(result: Result) -> tuple[float, float]:
    """How far the interval reaches down and up from the value."""
    low, high = result.interval or (result.value, result.value)
    return result.value - low, high - result.value


def _measure_sets(
    bench: Bench, protocol: Protocol, limit: int | None, networks: Sequence[StoredNetwork]
) -> tuple[MeasuredSet, MeasuredSet]:
    """Both sets' features; `limit` videos of each at most, those that come first."""
    preparation = protocol.preparation()

    def one(videos: VideoSet, selection: Selection, label: str) -> MeasuredSet:
        if limit is not None:
            first = candidates(videos.videos, order=_order(selection), seed=selection.seed)
            videos = replace(videos, videos=tuple(first[:limit]))
        planned = plan_set(videos, selection, preparation, bench.options, label=label, at_least=2)
        return measure_set(planned, networks, bench.options, at_least=2)

    return (
        one(bench.real, protocol.real_selection(), "real"),
        one(bench.fake, protocol.fake_selection(), "fake"),
    )


def _order(selection: Selection) -> Literal["sorted", "random"]:
    return "sorted" if selection.order == "sorted" else "random"


def _open_layers(
    bench: Bench, layers: Iterable[NetworkKey]
) -> dict[NetworkKey, StoredNetwork | str]:
    """The base protocol's network with each output and resizing; a sentence where it cannot be."""
    opened: dict[NetworkKey, StoredNetwork | str] = {}
    for key in layers:
        try:
            opened[key] = StoredNetwork.build(key, bench.weights, bench.options)
        except InputError as error:
            opened[key] = str(error)
    return opened


def _layer(protocol: Protocol) -> NetworkKey:
    return NetworkKey(protocol.network, protocol.output, protocol.resize)


def _comparison(bench: Bench, protocol: Protocol) -> Comparison:
    return Comparison(
        protocol=protocol,
        dataset=bench.dataset,
        model=bench.fake.name,
        resamples=bench.resamples,
        started=bench.started,
    )


def _notes(choice: Choice, base: Result, changed: Result) -> Iterator[str]:
    """What else is not as under the base protocol."""
    if changed.interval and {"real_clips", "mirror"} & set(choice.changes):
        yield "Clips of one video count as independent here: the intervals are too narrow."
    for before, after, whose in (
        (base.real, changed.real, "real"),
        (base.fake, changed.fake, "generated"),
    ):
        assert before is not None
        assert after is not None
        more = len(after.too_short) - len(before.too_short)
        if more > 0:
            yield f"{more} more {whose} videos are too short and left out."
    if changed.value == base.value:
        yield "The same number to the last digit: this choice does nothing to these videos."


def base_protocol(
    name: str | None,
    network: str | None,
    settings: Sequence[str] = (),
    *,
    real: VideoSet,
    fake: VideoSet,
    num_videos: int | None,
    embedded: bool,
) -> Protocol:
    """The protocol that the choices start from, for as many clips as there are in both sets.

    Raises:
        InputError: an unknown preset or network, or fewer videos than were asked for.
    """
    own_data = embedded or (network or "").startswith("shapes")
    base = override(load_protocol(name or ("shapes" if own_data else "stylegan-v")), [*settings])
    there = min(len(real.videos), len(fake.videos))
    if num_videos is not None and num_videos > there:
        raise InputError(
            f"--num-videos {num_videos}: the smaller set has {there} videos; give a smaller number"
        )
    wanted = num_videos or min(base.num_real or there, base.num_fake or there, there)
    base = replace(base, num_real=wanted, num_fake=wanted)
    if network is not None and network != base.network:
        base = with_network(base, network)
    return base


def with_network(protocol: Protocol, name: str) -> Protocol:
    """The protocol with another network, at its first output and resizing.

    Raises:
        InputError: there is no network of this name.
    """
    spec = network(name)
    layer = [f"network={spec.name}", f"output={spec.output}", f"resize={spec.resize}"]
    return override(protocol, layer)


def run(
    *,
    out: Path,
    real: Path | None = None,
    fake: Path | None = None,
    base: str | None = None,
    network: str | None = None,
    weights: Path | None = None,
    num_videos: int | None = None,
    settings: Sequence[str] = (),
    workers: int = 0,
    device: str = "cpu",
    store: Path | None = None,
    resamples: int = 400,
) -> None:
    """Measure every choice; write the table and the chart into `out`, print the table.

    Raises:
        InputError: one set without the other, or a base protocol that cannot be measured.
    """
    from benchmarks.studies.protocols.report import write_protocols

    started = time.monotonic()
    if (real is None) != (fake is None):
        raise InputError("one set of videos is no pair: give both --real and --fake, or neither")
    if real is None or fake is None:
        sets = shapes_pair(num_videos or DEFAULT_COUNT)
        num_videos = num_videos or DEFAULT_COUNT
    else:
        sets = as_source(open_video_set(real)), as_source(open_video_set(fake))
    bench = Bench(
        real=sets[0],
        fake=sets[1],
        base=base_protocol(
            base,
            network,
            settings,
            real=sets[0],
            fake=sets[1],
            num_videos=num_videos,
            embedded=real is None,
        ),
        options=ExtractionOptions(store=store or out / "features", device=device, workers=workers),
        weights=weights,
        dataset="shapes" if real is None else None,
        resamples=resamples,
    )
    result, measured = measure(bench)
    seconds = time.monotonic() - started
    print(write_protocols(out, bench.base, result, measured, seconds=seconds))
