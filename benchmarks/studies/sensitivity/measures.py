"""The numbers that `latte-bench sensitivity` follows, and when one of them counts as moved."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
from evaluation.metrics.kernel import KVD
from latte.data.errors import InputError

Array = NDArray[np.float64]
Unit = Literal["clip", "frame", "class"]
Statistic = Callable[[Array, Array], float]
LEVEL = 0.95
KID_SUBSETS = 10


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that is followed: of which metric, from what, and which end of it is good."""

    name: str  # before the network's suffix
    of: str  # metric of the catalogue that says which network
    unit: Unit
    statistic: Statistic
    higher_is_better: bool = False
    interval: bool = True


def _kvd(x: Array, y: Array) -> float:
    return polynomial_mmd(x, y, degree=KVD.degree, gamma=KVD.gamma, coef0=KVD.coef0)


def _precision_recall(which: int, x: Array, y: Array) -> float:
    return float(precision_recall(x, y)[which])


def _density_coverage(which: int, x: Array, y: Array) -> float:
    return float(density_coverage(x, y)[which])


MEASURES = (
    Measure(name="FVD", of="fvd", unit="clip", statistic=frechet_distance_from_features),
    Measure(name="KVD", of="kvd", unit="clip", statistic=_kvd),
    Measure(name="JEDi", of="jedi", unit="clip", statistic=jedi_distance),
    Measure(name="FID", of="fid", unit="frame", statistic=frechet_distance_from_features),
    Measure(
        name="KID",
        of="kid",
        unit="frame",
        statistic=lambda x, y: kernel_distance(x, y, num_subsets=KID_SUBSETS),
        interval=False,  # each left-out group would cost as much as the value
    ),
    Measure(
        name="IS",
        of="is",
        unit="class",
        statistic=lambda _, fake: inception_score(fake)[0],
        higher_is_better=True,
    ),
    *(
        Measure(
            name=name,
            of="precision-recall",
            unit="clip",
            statistic=partial(_precision_recall, i),
            higher_is_better=True,
        )
        for i, name in enumerate(("precision", "recall"))
    ),
    *(
        Measure(
            name=name,
            of="density-coverage",
            unit="clip",
            statistic=partial(_density_coverage, i),
            higher_is_better=True,
        )
        for i, name in enumerate(("density", "coverage"))
    ),
)


def chosen_measures(names: Sequence[str]) -> tuple[Measure, ...]:
    """The measures of these metrics of the catalogue; all of them for none.

    Raises:
        InputError: a metric that there is not, or that is not followed here.
    """
    if not names:
        return MEASURES
    known = dict.fromkeys(each.of for each in MEASURES)
    for name in names:
        if metric(name).name not in known:
            raise InputError(f"metric {name} is not followed here: choose {', '.join(known)}")
    return tuple(each for each in MEASURES if each.of in names)


@dataclass(frozen=True, kw_only=True)
class Usual:
    """Where undistorted videos put a metric."""

    mean: float
    half_width: float  # of the prediction interval: another draw lies within it 19 times of 20

    @classmethod
    def of(cls, values: Sequence[float]) -> "Usual":
        """From several draws: mean ± t · s · √(1 + 1/K)."""
        count = len(values)
        quantile = float(stdtrit(count - 1, (1 + LEVEL) / 2))
        spread = float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / count)
        return cls(mean=float(np.mean(values)), half_width=quantile * spread)

    def answer(self, value: float, *, higher_is_better: bool) -> float:
        """How far outside, in half-widths: above 1 is noticed as worse, below −1 as better."""
        away = (self.mean - value) if higher_is_better else (value - self.mean)
        if self.half_width > 0:
            return away / self.half_width
        return 0.0 if away == 0 else math.copysign(math.inf, away)
