"""Half-sample intervals: both sets are cut into halves, which are independent samples.

Distances of the two halves of one cut, T(h) and T(h′), come from samples of N/2 rows that share
nothing. So (T(h) − T(h′))²/2, on average over many cuts, is the variance of the distance at N/2
rows, without any bias and for any functional. Two steps lead from N/2 to N (docs/uncertainty.md).

With noise a and b in the halves the sample has (a + b)/2. For T = θ∞ + L(a) + Q(a), linear and
quadratic in the noise, linear parts cancel in

    (T(h) + T(h′))/2 − T = Q((a − b)/2),

which has the mean and the variance V₂ that Q has at N rows: the bias of a finite sample, and the
quadratic part of its variance. And, V₁ being the linear part at N rows,

    var T(N/2) = 2 V₁ + 4 V₂,  so  V = V₁ + V₂ = var T(N/2) / 2 − V₂.

V grows with the distance, so the interval is Wilson's: those θ that the measured T would not
refute, (T − θ)² ≤ t² V(θ), with V(θ) = s θ − V₂ ≥ V₂, s = var T(N/2) / (2 T).
"""

import math
from dataclasses import dataclass

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.uncertainty.cores import on_all_cores
from evaluation.uncertainty.interval import Interval, two_sided_quantile
from evaluation.uncertainty.resampling import FeaturePair, halves
from latte.data.errors import InputError

MIN_CUTS = 2  # a variance needs two
MIN_DRAWS = 4  # each half needs two


@dataclass(frozen=True)
class HalfSamples:
    """A distance, and the distances of the halves of many cuts."""

    value: float  # T of all rows
    first: Array  # (cuts,), T of one half of both sets
    second: Array  # (cuts,), T of the other
    num_draws: int  # independent draws in the smaller set

    @property
    def bias(self) -> float:
        """How much too large the value is for its number of samples, by one step of 1/N."""
        return float(self._means.mean()) - self.value

    @property
    def quadratic(self) -> float:
        """V₂: the variance, at N rows, of the part that is quadratic in the noise."""
        return float(self._means.var(ddof=1))

    @property
    def conservative(self) -> float:
        """V₁ + 2 V₂: half the variance at N/2 rows; never too small, on average."""
        return float(((self.first - self.second) ** 2).mean()) / 4

    @property
    def linear(self) -> float:
        """V₁: the variance, at N rows, of the part that is linear in the noise; at least 0."""
        return max(0.0, self.conservative - 2 * self.quadratic)

    @property
    def variance(self) -> float:
        """V₁ + V₂: the variance of the value."""
        return self.linear + self.quadratic

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Ends of the interval for the expected value at this number of samples; may be below 0."""
        t = two_sided_quantile(level, self.num_draws - 1)
        steps = self.conservative
        # A value below its own bias is one by chance, and no measure of the slope.
        size = max(self.value, self.bias)
        slope = steps / size if size > 0 else 0.0
        root = math.sqrt(max(0.0, slope * self.value - self.quadratic + (t * slope / 2) ** 2))
        centre, least = self.value + t * t * slope / 2, t * math.sqrt(self.quadratic)
        low = min(self.value - least, centre - t * root)
        return low, max(self.value + least, centre + t * root)

    @property
    def _means(self) -> Array:
        return (self.first + self.second) / 2


def half_sample_frechet(
    pair: FeaturePair,
    *,
    resamples: int = 400,
    seed: int = 0,
    level: float = 0.95,
    value: float | None = None,
) -> Interval:
    """Interval of a Fréchet distance from random halves of both sets.

    It says where the value at this number of samples lies, not where the limit for many samples
    is. Simulated 95 % intervals cover the expected value 93 to 98.5 times of 100
    (docs/uncertainty.md).

    Args:
        pair: features of both sets, of at least four draws each.
        resamples: how many halves are compared, two for each cut.
        seed: random seed of the cuts; the same seed gives the same interval.
        level: how often the interval shall cover the expected value.
        value: the measured distance, if it is known already.

    Raises:
        InputError: too few rows or resamples.
    """
    cuts = resamples // 2
    samples = half_samples(pair, pair.value if value is None else value, cuts=cuts, seed=seed)
    low, high = samples.interval(level)
    return Interval(
        low=max(0.0, low),
        high=high,
        level=level,
        method=f"half samples of both sets, {cuts} cuts, variance as of the distance",
    )


def half_samples(pair: FeaturePair, value: float, *, cuts: int, seed: int = 0) -> HalfSamples:
    """Distances of the halves of `cuts` random cuts; cut k of seed s has the stream (s, k).

    Raises:
        InputError: fewer than two cuts, or fewer than four draws in a set.
    """
    if cuts < MIN_CUTS:
        raise InputError(
            f"an interval from halves needs at least {2 * MIN_CUTS} resamples, two for each cut"
        )
    for table, label in zip(pair.tables, ("x", "y"), strict=True):
        if table.num_draws < MIN_DRAWS:
            raise InputError(
                f"an interval from halves needs at least {MIN_DRAWS} clips in each set, but "
                f"{label} has {table.num_draws}: add videos or ask for no interval"
            )
    pair.prepare()

    def distances(index: int) -> tuple[float, float]:
        random = np.random.default_rng((seed, index))
        parts = []
        for table in pair.tables:
            one, other = halves(random, table.num_draws)
            parts.append((table.spread(one), table.spread(other)))
        return pair.split_distances(*parts)

    first, second = on_all_cores(distances, cuts).T
    return HalfSamples(value, first, second, pair.num_draws)
