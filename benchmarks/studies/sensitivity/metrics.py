"""The numbers that `latte-bench sensitivity` follows, and the range of each without distortion."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from evaluation.catalogue.registry import metric
from evaluation.metrics import (
    density_coverage,
    frechet_distance_from_features,
    inception_score,
    jedi_distance,
    kernel_distance,
    polynomial_mmd,
    precision_recall,
)
from latte.data.errors import InputError

Array = NDArray[np.float64]
Unit = Literal["clip", "frame", "class"]
Statistic = Callable[[Array, Array], float]
LEVEL = 0.95
KID_SUBSETS = 10


@dataclass(frozen=True, kw_only=True)
class FollowedMetric:
    """A number that is followed, with the metric of the catalogue that it belongs to."""

    name: str  # before the network's suffix
    metric: str  # decides the network
    unit: Unit  # rows of the statistic
    statistic: Statistic
    higher_is_better: bool = False
    interval: bool = True


def _part(pair: Callable[[Array, Array], tuple[float, float]], part: int) -> Statistic:
    return lambda x, y: float(pair(x, y)[part])


METRICS = (
    FollowedMetric(name="FVD", metric="fvd", unit="clip", statistic=frechet_distance_from_features),
    FollowedMetric(name="KVD", metric="kvd", unit="clip", statistic=polynomial_mmd),
    FollowedMetric(name="JEDi", metric="jedi", unit="clip", statistic=jedi_distance),
    FollowedMetric(
        name="FID", metric="fid", unit="frame", statistic=frechet_distance_from_features
    ),
    FollowedMetric(
        name="KID",
        metric="kid",
        unit="frame",
        statistic=lambda x, y: kernel_distance(x, y, num_subsets=KID_SUBSETS),
        interval=False,  # each left-out group would cost as much as the value
    ),
    FollowedMetric(
        name="IS",
        metric="is",
        unit="class",
        statistic=lambda _, fake: inception_score(fake)[0],
        higher_is_better=True,
    ),
    *(
        FollowedMetric(
            name=name,
            metric=metric_name,
            unit="clip",
            statistic=_part(pair, part),
            higher_is_better=True,
        )
        for metric_name, pair, names in (
            ("precision-recall", precision_recall, ("precision", "recall")),
            ("density-coverage", density_coverage, ("density", "coverage")),
        )
        for part, name in enumerate(names)
    ),
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
class Baseline:
    """The range of a metric over undistorted videos."""

    mean: float
    half_width: float  # prediction interval: 95 % of other draws lie within it

    @classmethod
    def of(cls, values: Sequence[float]) -> "Baseline":
        """From several draws: mean ± t · s · √(1 + 1/K)."""
        count = len(values)
        quantile = float(stdtrit(count - 1, (1 + LEVEL) / 2))
        spread = float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / count)
        return cls(mean=float(np.mean(values)), half_width=quantile * spread)

    def effect(self, value: float, *, higher_is_better: bool) -> float:
        """How far outside, in half-widths: above 1 is noticed as worse, below −1 as better."""
        away = (self.mean - value) if higher_is_better else (value - self.mean)
        if self.half_width > 0:
            return away / self.half_width
        return 0.0 if away == 0 else math.copysign(math.inf, away)
