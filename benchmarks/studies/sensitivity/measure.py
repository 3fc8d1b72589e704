"""Distorted real videos by every metric: one row for each number."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from benchmarks.shapes.distortions import distorted
from evaluation import metrics as functions
from evaluation.catalogue.entry import Metric
from evaluation.catalogue.registry import METRICS as CATALOGUE
from evaluation.catalogue.registry import metric
from evaluation.measuring.measurer import Measurer
from evaluation.metrics.inputs import Array
from evaluation.uncertainty import grouped_jackknife
from latte.data.errors import BrokenVideoError, InputError
from latte.data.sources import VideoSet

Statistic = Callable[..., float]
Strengths = Mapping[str, tuple[float, ...]]  # distortion → ascending strengths
LEVEL = 0.95
GROUPS = 10  # jackknife groups
UNDISTORTED = "none"  # the distortion of the undistorted draws

STRENGTHS: Strengths = {
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


@dataclass(frozen=True)
class FollowedMetric:
    """A number that is followed, with the metric of the catalogue that it belongs to."""

    name: str  # lacks the network's suffix
    metric: str  # decides the network
    statistic: Statistic  # takes rows of real and generated videos, or class probabilities
    interval: bool = True


# Options that keep the study fast.
OPTIONS: Mapping[str, Mapping[str, int]] = {"kid": {"num_subsets": 10}}
WITHOUT_INTERVAL = ("kid",)  # each group that is left out would cost as much as the value


def _statistic(entry: Metric, part: int) -> Statistic:
    """The function of rows behind one of a metric's numbers."""
    function = getattr(functions, str(entry.function))

    def statistic(*tables: Array) -> float:
        return float(np.ravel(function(*tables, **OPTIONS.get(entry.name, {})))[part])

    return statistic


METRICS = tuple(
    FollowedMetric(
        name=number.plain,
        metric=entry.name,
        statistic=_statistic(entry, part),
        interval=entry.name not in WITHOUT_INTERVAL,
    )
    for entry in CATALOGUE.values()
    if entry.function is not None
    for part, number in enumerate(entry.numbers)
)


def chosen_metrics(names: Sequence[str]) -> tuple[FollowedMetric, ...]:
    """The numbers of these metrics of the catalogue; all of them without names.

    Raises:
        InputError: an unknown metric, or one that is not followed here.
    """
    if not names:
        return METRICS
    known = dict.fromkeys(followed.metric for followed in METRICS)
    for name in names:
        if metric(name).name not in known:
            raise InputError(f"metric {name} is not followed here: choose {', '.join(known)}")
    return tuple(followed for followed in METRICS if followed.metric in names)


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


def measure_sensitivity(bench: SensitivityBench) -> tuple[pd.DataFrame, dict[str, str]]:
    """Every metric of every distorted set: one row for each number, tidy.

    Columns: distortion, strength, metric, value, low, high, relative, effect. Undistorted draws
    are there as the distortion "none", their number as the strength. `relative` is the value over
    that of the same videos undistorted; see `effects`.

    Returns:
        The frame, and why a distortion cannot be made of these videos, by name.
    """
    real = _features(bench, bench.real)
    rows: list[dict[str, object]] = []

    def add(videos: VideoSet, distortion: str, strength: float) -> None:
        values = _values(bench, real, _features(bench, videos))
        rows.extend({"distortion": distortion, "strength": strength, **row} for row in values)

    for number, draw in enumerate(bench.draws):
        add(draw, UNDISTORTED, number)
    impossible: dict[str, str] = {}
    for name, strengths in bench.strengths.items():
        for strength in strengths:
            videos = replace(distorted(bench.draws[0], name, strength), name=f"{name} {strength:g}")
            try:
                add(videos, name, strength)
            except BrokenVideoError as error:
                impossible[name] = f"Not at {strength:g}: {error}"
                break
    frame = pd.DataFrame(rows).assign(relative=math.nan, effect=math.nan)
    for followed in bench.metrics:
        own = frame.metric == bench.title(followed)
        undistorted = frame[own & (frame.distortion == UNDISTORTED)].value
        same_videos = float(undistorted.iloc[0])
        if same_videos > 0:  # an unbiased kernel distance of like sets may be below 0
            frame.loc[own, "relative"] = frame[own].value / same_videos
        more_is_worse = not metric(followed.metric).number(followed.name).higher_is_better
        frame.loc[own, "effect"] = effects(
            list(undistorted), frame[own].value.to_numpy(), more_is_worse=more_is_worse
        )
    return frame, impossible


def effects(undistorted: Sequence[float], values: Array, *, more_is_worse: bool) -> Array:
    """How far values lie from those of undistorted videos; above 1 is noticed as worse.

    Below −1 is noticed as better. The unit is half the width of the range in which 95 % of other
    draws would lie, mean ± t · s · √(1 + 1/K).
    """
    count = len(undistorted)
    spread = float(np.std(undistorted, ddof=1)) * math.sqrt(1 + 1 / count)
    half_width = float(stdtrit(count - 1, (1 + LEVEL) / 2)) * spread
    away = (values - np.mean(undistorted)) * (1 if more_is_worse else -1)
    if half_width > 0:
        return away / half_width
    return np.where(away == 0, 0.0, np.copysign(math.inf, away))


def _values(
    bench: SensitivityBench, real: Mapping[str, Array], fake: Mapping[str, Array]
) -> Iterator[dict[str, object]]:
    for followed in bench.metrics:
        name, kind = followed.metric, metric(followed.metric).input_kind
        tables = [fake[name]] if kind == "classes" else [real[name], fake[name]]
        value, low, high = followed.statistic(*tables), math.nan, math.nan
        if followed.interval:
            interval = grouped_jackknife(
                followed.statistic,
                *tables,
                groups=GROUPS,
                rows_per_draw=bench.measurer.protocol.num_frames if kind == "frames" else 1,
                value=value,
            )
            low, high = interval.low, interval.high
        yield {"metric": bench.title(followed), "value": value, "low": low, "high": high}


def _features(bench: SensitivityBench, videos: VideoSet) -> dict[str, Array]:
    """Rows of a set by metric: features, or probabilities of classes for an Inception Score."""
    measurer, rows = bench.measurer, dict[str, Array]()
    measured = measurer.extract(videos, "real")
    for name in dict.fromkeys(followed.metric for followed in bench.metrics):
        rows[name] = measurer.features(measured, name)
        if metric(name).input_kind == "classes":
            rows[name] = np.asarray(measurer.network(name).extractor.probabilities(rows[name]))
    return rows
