"""`latte-bench sensitivity`: which metric sees what.

Real videos are made worse in one known way at growing strength and measured against other real
videos. A metric notices a distortion where its value leaves the range in which other undistorted
videos would put it; everything said about a metric here is computed that way.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.shapes.distortions import DistortedVideo
from benchmarks.studies.protocols.run import with_network
from benchmarks.studies.sensitivity.measures import Measure, Usual, chosen_measures
from evaluation.catalogue.registry import for_metric, metric, title
from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import measure_set, plan_set
from evaluation.networks.spec import NetworkKey
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import load_protocol
from evaluation.uncertainty import grouped_jackknife
from latte.data.clips import candidates
from latte.data.errors import BrokenVideoError, InputError
from latte.data.shapes import shapes_video_set
from latte.data.sources import Video, VideoSet, open_video_set

Array = NDArray[np.float64]
GROUPS = 10  # of the jackknife
DEFAULT_COUNT, DRAWS = 256, 8

STRENGTHS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "blur": (0.25, 0.5, 1, 2, 4),
        "noise": (2, 4, 8, 16, 32),
        "jpeg": (25, 50, 75, 90, 99),
        "swapped patches": (0.03, 0.06, 0.12, 0.25, 1),
        "wrong colours": (0.05, 0.1, 0.25, 0.5, 1),
        "shaken": (1, 2, 4, 8),
        "frozen": (0.125, 0.25, 0.5, 0.75, 1),
        "disordered": (2, 4, 8, 16, 64),
        "jittered": (1, 2, 4, 8, 16),
        "reversed": (0.25, 0.5, 0.75, 1),
        "slowed": (1.1, 1.25, 1.5, 2, 4),
        "sped up": (1.1, 1.25, 1.5, 2, 4),
    }
)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Real videos, other draws of them, and what they are measured with."""

    real: VideoSet
    draws: tuple[VideoSet, ...]  # undistorted; the first is the one that is distorted
    protocol: Protocol
    measures: tuple[Measure, ...]
    networks: Mapping[str, StoredNetwork]  # by metric of the catalogue
    options: ExtractionOptions

    def title(self, measure: Measure) -> str:
        """What the number is called with its network."""
        return title(measure.name, self.networks[measure.of].extractor.spec)


def measure(bench: Bench) -> tuple[pd.DataFrame, dict[str, str]]:
    """Every metric of every distorted set: one row for each number, tidy.

    Columns: distortion, strength, metric, value, low, high, relative, answer. Undistorted draws
    are there as the distortion "none", their number as the strength. `relative` is the value over
    that of the same videos undistorted, `answer` is `Usual.answer`.

    Returns:
        The frame, and why a distortion cannot be made of these videos, by name.
    """
    real = _features(bench, bench.real, "real")
    rows: list[dict[str, object]] = []
    for number, draw in enumerate(bench.draws):
        values = _values(bench, real, _features(bench, draw, f"undistorted {number + 1}"))
        rows += [{"distortion": "none", "strength": number, **row} for row in values]
    impossible: dict[str, str] = {}
    for name, strengths in STRENGTHS.items():
        for strength in strengths:
            videos = _distorted(bench.draws[0], name, strength)
            try:
                features = _features(bench, videos, f"{name} {strength:g}")
            except BrokenVideoError as error:
                impossible[name] = f"Not at {strength:g}: {error}"
                break
            values = _values(bench, real, features)
            rows += [{"distortion": name, "strength": strength, **row} for row in values]
    return _with_answers(bench, pd.DataFrame(rows)), impossible


def _with_answers(bench: Bench, frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.assign(relative=math.nan, answer=math.nan)
    for each in bench.measures:
        own = frame.metric == bench.title(each)
        undistorted = frame[own & (frame.distortion == "none")].value
        usual = Usual.of(list(undistorted))
        same_videos = float(undistorted.iloc[0])
        if same_videos > 0:  # an unbiased kernel distance of like sets may be below 0
            frame.loc[own, "relative"] = frame[own].value / same_videos
        frame.loc[own, "answer"] = [
            usual.answer(value, higher_is_better=each.higher_is_better)
            for value in frame[own].value
        ]
    return frame


def _values(
    bench: Bench, real: Mapping[str, Array], fake: Mapping[str, Array]
) -> Iterator[dict[str, object]]:
    for each in bench.measures:
        x, y = (_table(bench, each, features[each.of]) for features in (real, fake))
        rows_per_draw = bench.protocol.num_frames if each.unit == "frame" else 1
        value, low, high = each.statistic(x, y), math.nan, math.nan
        if each.interval and each.unit == "class":
            interval = grouped_jackknife(
                lambda rows, of=each.statistic: of(rows, rows), y, groups=GROUPS, value=value
            )
            low, high = interval.low, interval.high
        elif each.interval:
            interval = grouped_jackknife(
                each.statistic, x, y, groups=GROUPS, rows_per_draw=rows_per_draw, value=value
            )
            low, high = interval.low, interval.high
        yield {"metric": bench.title(each), "value": value, "low": low, "high": high}


def _table(bench: Bench, measure: Measure, features: Array) -> Array:
    """What the statistic takes: features, or of an Inception Score the class probabilities."""
    if measure.unit != "class":
        return features
    return np.asarray(bench.networks[measure.of].extractor.probabilities(features))


def _features(bench: Bench, videos: VideoSet, label: str) -> dict[str, Array]:
    """Features of a set by metric, float64 (rows, D): one pass for all networks."""
    planned = plan_set(
        videos,
        bench.protocol.real_selection(),
        bench.protocol.preparation(),
        bench.options,
        label=label,
        at_least=len(videos.videos),
    )
    distinct = list({id(each): each for each in bench.networks.values()}.values())
    keys = measure_set(planned, distinct, bench.options).keys
    found = {id(each): each.features(keys).astype(np.float64) for each in distinct}
    return {name: found[id(each)] for name, each in bench.networks.items()}


def _distorted(videos: VideoSet, name: str, strength: float) -> VideoSet:
    """The set with every video distorted as it is read."""
    made: list[Video] = [
        DistortedVideo(video=video, distortion=name, strength=strength, prepared=video.prepared)
        for video in videos.videos
    ]
    return replace(videos, name=f"{name} {strength:g}", videos=tuple(made))


def split_draws(videos: VideoSet, count: int, draws: int, seed: int) -> list[VideoSet]:
    """`draws` + 1 sets of `count` videos each that share none, chosen at random by name.

    Raises:
        InputError: fewer videos than that.
    """
    needed = count * (draws + 1)
    if len(videos.videos) < needed:
        raise InputError(
            f"{videos.root}: {draws + 1} sets of {count} videos need {needed}, but it has "
            f"{len(videos.videos)}: lower --num-videos or --draws"
        )
    order = candidates(videos.videos, order="random", seed=seed)
    return [
        replace(videos, videos=tuple(order[start : start + count]))
        for start in range(0, needed, count)
    ]


def open_networks(
    protocol: Protocol,
    measures: Sequence[Measure],
    weights: Mapping[str, Path],
    options: ExtractionOptions,
) -> dict[str, StoredNetwork]:
    """The network of each metric of the catalogue under this protocol; each is opened once."""
    opened: dict[NetworkKey, StoredNetwork] = {}
    by_metric = {}
    for name in dict.fromkeys(each.of for each in measures):
        chosen = for_metric(protocol, metric(name))
        key = NetworkKey(chosen.network, chosen.output, chosen.resize)
        if key not in opened:
            opened[key] = StoredNetwork.build(key, weights.get(key.network), options)
        by_metric[name] = opened[key]
    return by_metric


def run(
    *,
    out: Path,
    real: Path | None = None,
    network: str | None = None,
    weights: Mapping[str, Path] | None = None,
    metrics: Sequence[str] = (),
    num_videos: int | None = None,
    draws: int = DRAWS,
    workers: int = 0,
    seed: int = 0,
    device: str = "cpu",
    store: Path | None = None,
) -> None:
    """Measure every distortion by every metric; write the documents into `out`, print the table.

    Raises:
        InputError: too few videos, or a network that cannot be had.
    """
    from benchmarks.studies.sensitivity.report import write_sensitivity

    started = time.monotonic()
    embedded = real is None or (network or "").startswith("shapes")
    base = load_protocol("shapes" if embedded else "stylegan-v")
    if real is None:
        count = num_videos or DEFAULT_COUNT
        videos = shapes_video_set("test", num_videos=count * (draws + 1))
    else:
        videos = open_video_set(real)
        count = num_videos or min(base.num_real, len(videos.videos) // (draws + 1))
    if count < 2 * GROUPS:
        raise InputError(
            f"{videos.root}: {count} videos in each of {draws + 1} sets are too few, {2 * GROUPS} "
            "are the least: give more videos, or lower --draws"
        )
    base = replace(base, num_real=count, num_fake=count, seed=seed, short_real="error")
    if network is not None and network != base.network:
        base = with_network(base, network)
    options = ExtractionOptions(store=store or out / "features", device=device, workers=workers)
    measures = chosen_measures(metrics)
    sets = split_draws(videos, count, draws, seed)
    bench = Bench(
        real=sets[0],
        draws=tuple(sets[1:]),
        protocol=base,
        measures=measures,
        networks=open_networks(base, measures, weights or {}, options),
        options=options,
    )
    frame, impossible = measure(bench)
    print(write_sensitivity(out, bench, frame, impossible, seconds=time.monotonic() - started))
