"""Distorted real videos by every metric: one row for each number."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.shapes.stand_ins import distorted
from benchmarks.studies.sensitivity.metrics import Baseline, FollowedMetric
from evaluation.catalogue.registry import metric
from evaluation.measuring.measurer import Measurer
from evaluation.uncertainty import grouped_jackknife
from latte.data.clips import candidates
from latte.data.errors import BrokenVideoError, InputError
from latte.data.sources import VideoSet

Array = NDArray[np.float64]
Strengths = Mapping[str, tuple[float, ...]]  # by distortion, ascending
GROUPS = 10  # jackknife groups
UNDISTORTED = "none"  # the distortion of the undistorted draws

STRENGTHS: Strengths = MappingProxyType(
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
class SensitivityBench:
    """Real videos, other draws of them, and what they are measured with."""

    real: VideoSet
    draws: tuple[VideoSet, ...]  # undistorted; the first is the one that is distorted
    metrics: tuple[FollowedMetric, ...]
    measurer: Measurer
    strengths: Strengths = field(default_factory=lambda: STRENGTHS)

    def title(self, followed: FollowedMetric) -> str:
        """What the number is called with its network."""
        number = metric(followed.metric).number(followed.name)
        return number.called(self.measurer.network(followed.metric).extractor.spec)


@dataclass(frozen=True, kw_only=True)
class Impossible:
    """A distortion that cannot be made of these videos, at which strength, and why."""

    strength: float
    error: InputError


def measure(bench: SensitivityBench) -> tuple[pd.DataFrame, dict[str, Impossible]]:
    """Every metric of every distorted set: one row for each number, tidy.

    Columns: distortion, strength, metric, value, low, high, relative, effect. Undistorted draws
    are there as the distortion "none", their number as the strength. `relative` is the value over
    that of the same videos undistorted, `effect` is `Baseline.effect`.

    Returns:
        The frame, and the distortions that are not in it, by name.
    """
    real = _features(bench, bench.real)
    rows: list[dict[str, object]] = []

    def add(videos: VideoSet, distortion: str, strength: float) -> None:
        values = _values(bench, real, _features(bench, videos))
        rows.extend({"distortion": distortion, "strength": strength, **row} for row in values)

    for number, draw in enumerate(bench.draws):
        add(draw, UNDISTORTED, number)
    impossible: dict[str, Impossible] = {}
    for name, strengths in bench.strengths.items():
        for strength in strengths:
            videos = replace(distorted(bench.draws[0], name, strength), name=f"{name} {strength:g}")
            try:
                add(videos, name, strength)
            except BrokenVideoError as error:
                impossible[name] = Impossible(strength=strength, error=error)
                break
    return _with_effects(bench, pd.DataFrame(rows)), impossible


def _with_effects(bench: SensitivityBench, frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.assign(relative=math.nan, effect=math.nan)
    for followed in bench.metrics:
        own = frame.metric == bench.title(followed)
        undistorted = frame[own & (frame.distortion == UNDISTORTED)].value
        baseline = Baseline.of(list(undistorted))
        same_videos = float(undistorted.iloc[0])
        if same_videos > 0:  # an unbiased kernel distance of like sets may be below 0
            frame.loc[own, "relative"] = frame[own].value / same_videos
        frame.loc[own, "effect"] = [
            baseline.effect(value, higher_is_better=followed.higher_is_better)
            for value in frame[own].value
        ]
    return frame


def _values(
    bench: SensitivityBench, real: Mapping[str, Array], fake: Mapping[str, Array]
) -> Iterator[dict[str, object]]:
    for followed in bench.metrics:
        tables = [real[followed.name], fake[followed.name]]
        statistic: Callable[..., float] = followed.statistic
        if followed.unit == "class":  # a score of the generated videos alone
            tables, statistic = tables[1:], lambda rows, of=followed.statistic: of(rows, rows)
        value, low, high = statistic(*tables), math.nan, math.nan
        if followed.interval:
            rows = bench.measurer.protocol.num_frames if followed.unit == "frame" else 1
            interval = grouped_jackknife(
                statistic, *tables, groups=GROUPS, rows_per_draw=rows, value=value
            )
            low, high = interval.low, interval.high
        yield {"metric": bench.title(followed), "value": value, "low": low, "high": high}


def _features(bench: SensitivityBench, videos: VideoSet) -> dict[str, Array]:
    """Rows of a set by followed metric: features, or class probabilities of an Inception Score."""
    measured = bench.measurer.extract(videos, "real")
    by_metric = {
        name: bench.measurer.features(measured, name)
        for name in dict.fromkeys(followed.metric for followed in bench.metrics)
    }
    rows = {}
    for followed in bench.metrics:
        features = by_metric[followed.metric]
        if followed.unit == "class":
            extractor = bench.measurer.network(followed.metric).extractor
            features = np.asarray(extractor.probabilities(features))
        rows[followed.name] = features
    return rows


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
