"""The distance that infinitely many samples would have: FVD∞, FID∞ (Chong & Forsyth, 2020).

A Fréchet distance of N samples is too large by c/N, and c differs from model to model. So the
distance is measured on random parts of both sets, the same part of each, and the straight line
over 1/N is followed to 0. For n of the N rows, u = N/n − 1, T(n) − T(N) = (c/N) u. The
variance that the choice of a part adds is proportional to u, too, and best fitted by

    c/N = Σ (T(n) − T(N)) / Σ u        over all parts.

The law holds as long as even the smallest part has more rows than features (in simulations to 1 %
of the bias, down to N = D) and breaks below, where covariances are singular and T(n) flattens.

The line takes off a bias that hardly varies: the variance of the limit is that of the value. So its
interval is the half-sample interval of the value, moved by c/N, widened by what the fit adds.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.frechet import frechet_distance_from_features
from evaluation.metrics.inputs import Array
from evaluation.uncertainty.halves import HalfSamples, half_samples
from evaluation.uncertainty.interval import Interval, each, two_sided_quantile
from evaluation.uncertainty.resampling import Pair, subset

CUTS = 100  # into halves
PARTS = 16  # of each of the other sizes
STEPS = (0.25, 0.5, 0.75, 1.0)  # u of the parts, as shares of the largest u
LEAST_STEP = 1 / 8  # the largest u that is wanted at least: smaller ones cannot be told from 0


@dataclass(frozen=True, kw_only=True)
class Extrapolation:
    """A Fréchet distance at 1/N → 0."""

    value: float  # at least 0
    interval: Interval  # for the distance of the distributions
    measured: float  # of all rows
    sizes: tuple[tuple[int, int], ...]  # rows of both sets, all first, then ever smaller parts
    distances: tuple[float, ...]  # mean at each of the sizes
    reliable: bool  # whether the linear law holds here
    reason: str = ""  # why not


def extrapolate_frechet(
    x: ArrayLike,
    y: ArrayLike,
    *,
    ddof: int = 0,
    seed: int = 0,
    level: float = 0.95,
    rows_per_draw: int = 1,
    cuts: int = CUTS,
) -> Extrapolation:
    """Fréchet distance that infinitely many samples of both sets would have; lower is better.

    Args:
        x, y: features, (N, D) and (M, D); N and M may differ.
        ddof: of the covariances.
        seed: of the parts.
        level: of the interval.
        rows_per_draw: neighbouring rows that stay together: the frames of a clip.
        cuts: into halves; 25 do where each distance takes seconds (D = 2048).

    Returns:
        The limit with its interval. `reliable` is False where parts have fewer rows than features.

    Raises:
        InputError: features that no Fréchet distance takes, or too few rows for halves.
    """
    pair = Pair.of(x, y, ddof=ddof, rows_per_draw=rows_per_draw)
    value = frechet_distance_from_features(x, y, ddof=ddof)
    found = half_samples(pair, value, cuts=cuts, seed=seed)
    smallest = min(len(pair.first.rows), len(pair.second.rows))
    num_features = pair.first.rows.shape[1]
    largest = min(1.0, smallest / (num_features + 1) - 1)
    reliable = largest >= LEAST_STEP
    excess = _excess(pair, found, largest if reliable else 1.0, seed)
    slope = sum(float(e.sum()) for e in excess.values()) / sum(
        u * len(e) for u, e in excess.items()
    )
    reason = (
        f"{smallest} rows of {num_features} features: half of them have a singular covariance, "
        "where the distance is not linear in 1/N"
    )
    return Extrapolation(
        value=max(0.0, value - slope),
        interval=_interval(found, slope, _slope_variance(excess, found), level),
        measured=value,
        sizes=tuple(
            (round(len(pair.first.rows) / (1 + s)), round(len(pair.second.rows) / (1 + s)))
            for s in (0.0, *excess)
        ),
        distances=(value, *(value + float(e.mean()) for e in excess.values())),
        reliable=reliable,
        reason="" if reliable else reason,
    )


def bias_share(extrapolation: Extrapolation) -> float:
    """The part of the measured value that is due to the number of samples, 0 to 1."""
    if extrapolation.measured <= 0:
        return 0.0
    return 1 - min(1.0, extrapolation.value / extrapolation.measured)


def _excess(pair: Pair, found: HalfSamples, largest: float, seed: int) -> dict[float, Array]:
    """u → T(n) − T(N) of the parts with that u; halves, u = 1, are known already."""

    def distances(u: float, number: int) -> Array:
        def one(index: int) -> float:
            random = np.random.default_rng((seed, number, index))
            weights = [
                table.spread(subset(random, table.num_draws, round(table.num_draws / (1 + u))))
                for table in (pair.first, pair.second)
            ]
            return pair.distance(*weights)

        return np.array(list(each(one, PARTS)))

    excess = {}
    for number, share in enumerate(STEPS):
        u = share * largest
        known = np.concatenate([found.first, found.second]) if u == 1 else distances(u, number)
        excess[u] = known - found.value
    return excess


def _slope_variance(excess: dict[float, Array], found: HalfSamples) -> float:
    """Variance that the choice of the parts gives to the slope."""
    total = sum(u * len(e) for u, e in excess.items())
    # Both halves of a cut err together: only the quadratic part of their noise is left in the sum.
    sums = [
        2 * len(e) * found.quadratic if u == 1 else len(e) * float(e.var(ddof=1))
        for u, e in excess.items()
    ]
    return sum(sums) / total**2


def _interval(found: HalfSamples, slope: float, variance: float, level: float) -> Interval:
    low, high = found.interval(level)
    t = two_sided_quantile(level, found.num_draws - 1)
    below, above = (math.hypot(end - found.value, t * math.sqrt(variance)) for end in (low, high))
    limit = found.value - slope
    return Interval(
        low=max(0.0, limit - below),
        high=max(0.0, limit + above),
        level=level,
        method=(
            f"half samples of both sets, {len(found.first)} cuts, "
            "moved to the limit of a line over 1/N"
        ),
    )
