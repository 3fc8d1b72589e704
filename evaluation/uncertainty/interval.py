"""A confidence interval, and the quantiles that intervals are made from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from evaluation.metrics.inputs import Array
from latte.data.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where the value would lie for other samples of the same size."""

    low: float
    high: float
    level: float = 0.95
    method: str = "bootstrap"


def two_sided_quantile(level: float, degrees: float = math.inf) -> float:
    """t with P(|T| ≤ t) = level, for Student's T with this number of degrees of freedom.

    Raises:
        InputError: a level outside 0 … 1.
    """
    check_level(level)
    if math.isinf(degrees):
        return NormalDist().inv_cdf((1 + level) / 2)
    from scipy.special import stdtrit  # the package takes half a second to import

    return float(stdtrit(degrees, (1 + level) / 2))


def welch_half_width(variances: Sequence[float], degrees: Sequence[int], level: float) -> float:
    """Half the interval of a sum of independent estimates, of their variances (Welch, 1947).

    The degrees of freedom are Satterthwaite's (1946), from those of each variance.
    """
    variance = sum(variances)
    weights = sum(v**2 / own for v, own in zip(variances, degrees, strict=True))
    t = two_sided_quantile(level, variance**2 / weights if weights > 0 else 1.0)
    return t * float(np.sqrt(variance))


def percentiles(samples: Array, level: float) -> tuple[float, float]:
    """Low and high end of the central part `level` of the samples."""
    check_level(level)
    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def check_level(level: float) -> None:
    """Raises InputError where a confidence level is not between 0 and 1."""
    if not 0 < level < 1:
        raise InputError(f"the level of an interval must be between 0 and 1, not {level}")
