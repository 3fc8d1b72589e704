"""The distance that infinitely many samples would have: FVD∞, FID∞ (Chong & Forsyth, 2020).

A Fréchet distance of N samples is too large by c/N, and c differs from model to model. So the
distance is measured on random parts of both sets, the same part of each, and the straight line
over 1/N is followed to 0. For n of the N rows, u = N/n − 1, T(n) − T(N) = (c/N) u. The
variance that the choice of a part adds is proportional to u, too, and best fitted by

    c/N = Σ (T(n) − T(N)) / Σ u        over all parts.

The law holds as long as even the smallest part has more rows than features, and breaks below, where
covariances are singular and T(n) flattens. The line takes off a bias that hardly varies, so the
interval is the half-sample interval of the value, moved by c/N, widened by what the fit adds.
"""

import math
from dataclasses import dataclass

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.uncertainty.cores import on_all_cores
from evaluation.uncertainty.halves import HalfSamples, half_samples
from evaluation.uncertainty.interval import Interval, two_sided_quantile
from evaluation.uncertainty.resampling import FeaturePair, indicator

CUTS = 100  # cuts into halves
PARTS = 16  # random parts for each other size
STEPS = (0.25, 0.5, 0.75, 1.0)  # u of the parts, as shares of the largest u
MIN_STEP = 1 / 8  # the largest u must reach this: the slope of smaller ones is lost in noise


@dataclass(frozen=True, kw_only=True)
class Extrapolation:
    """A Fréchet distance at 1/N → 0."""

    value: float  # at least 0
    interval: Interval  # covers the distance of the distributions
    measured: float  # value for all rows
    sizes: tuple[tuple[int, int], ...]  # rows of both sets, all first, then ever smaller parts
    distances: tuple[float, ...]  # mean at each of the sizes
    reliable: bool  # whether the linear law holds: parts have more rows than features


def extrapolate_frechet(
    pair: FeaturePair, *, seed: int = 0, level: float = 0.95, cuts: int = CUTS
) -> Extrapolation:
    """Fréchet distance that infinitely many samples of both sets would have; lower is better.

    Args:
        pair: features of both sets, whose numbers of rows may differ.
        seed: random seed of the parts.
        level: confidence level of the interval.
        cuts: how often both sets are halved; 25 do where each distance takes seconds (D = 2048).

    Returns:
        The limit with its interval; not reliable where parts have fewer rows than features.

    Raises:
        InputError: too few rows for halves.
    """
    value = pair.value
    samples = half_samples(pair, value, cuts=cuts, seed=seed)
    smallest, num_features = min(len(pair.x), len(pair.y)), pair.x.shape[1]
    largest = min(1.0, smallest / (num_features + 1) - 1)
    reliable = largest >= MIN_STEP
    excess = _excess(pair, samples, largest if reliable else 1.0, seed)
    total = sum(u * len(e) for u, e in excess.items())
    slope = sum(float(e.sum()) for e in excess.values()) / total
    # The variance that the choice of the parts gives to the slope. Both halves of a cut err
    # together: only the quadratic part of their noise is left in the sum.
    variance = sum(
        2 * len(e) * samples.quadratic if u == 1 else len(e) * float(e.var(ddof=1))
        for u, e in excess.items()
    )
    return Extrapolation(
        value=max(0.0, value - slope),
        interval=_interval(samples, slope, variance / total**2, level),
        measured=value,
        sizes=tuple(
            (round(len(pair.x) / (1 + u)), round(len(pair.y) / (1 + u))) for u in (0.0, *excess)
        ),
        distances=(value, *(value + float(e.mean()) for e in excess.values())),
        reliable=reliable,
    )


def bias_share(extrapolation: Extrapolation) -> float:
    """The part of the measured value that is due to the number of samples, 0 to 1."""
    if extrapolation.measured <= 0:
        return 0.0
    return 1 - min(1.0, extrapolation.value / extrapolation.measured)


def _excess(
    pair: FeaturePair, samples: HalfSamples, largest: float, seed: int
) -> dict[float, Array]:
    """u → T(n) − T(N) of the parts with that u; halves, u = 1, are known already."""

    def distances(u: float, number: int) -> Array:
        def one(index: int) -> float:
            random, weights = np.random.default_rng((seed, number, index)), []
            for table in pair.tables:
                count = table.num_draws
                part = random.permutation(count)[: round(count / (1 + u))]
                weights.append(table.spread(indicator(part, count)))
            return pair.distance(*weights)

        return on_all_cores(one, PARTS)

    excess = {}
    for number, share in enumerate(STEPS):
        u = share * largest
        known = np.concatenate([samples.first, samples.second]) if u == 1 else distances(u, number)
        excess[u] = known - samples.value
    return excess


def _interval(samples: HalfSamples, slope: float, variance: float, level: float) -> Interval:
    low, high = samples.interval(level)
    t = two_sided_quantile(level, samples.num_draws - 1)
    below, above = (math.hypot(end - samples.value, t * math.sqrt(variance)) for end in (low, high))
    limit = samples.value - slope
    return Interval(
        low=max(0.0, limit - below),
        high=max(0.0, limit + above),
        level=level,
        method=(
            f"half samples of both sets, {len(samples.first)} cuts, "
            "moved to the limit of a line over 1/N"
        ),
    )
