"""Bootstrap intervals: both sets are drawn again with replacement."""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.inception_score import as_probabilities, inception_score, score_of_split
from evaluation.metrics.inputs import Array
from evaluation.uncertainty.cores import on_all_cores
from evaluation.uncertainty.interval import Interval, percentiles
from evaluation.uncertainty.resampling import FeaturePair, FeatureTable
from latte.data.errors import InputError

MIN_RESAMPLES = 4  # two mixtures of two, as a variance needs
MAX_MIXTURES = 250  # pairs of resamples from which the quadratic part is estimated


def bootstrap_frechet(
    pair: FeaturePair,
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    value: float | None = None,
) -> Interval:
    """Interval of a Fréchet distance: rows of both sets are drawn again with replacement.

    It says where the value at this number of samples lies, not where the limit for many samples
    is. A resample holds fewer distinct rows, so its distance is larger still than the biased value:
    the resamples give the spread and the measured value the centre. Where two sets are alike a
    resample has the noise of the sample in it besides its own: its variance is that of the linear
    part and three times that of the quadratic one, which is measured (see `quadratic_variance`)
    and taken off once. `half_sample_frechet` is nearer to 95 % and needs fewer distances
    (docs/uncertainty.md).

    Args:
        pair, seed, level, value: as for `half_sample_frechet`.
        resamples: how many times both sets are drawn again.

    Raises:
        InputError: fewer than four resamples.
    """
    if resamples < MIN_RESAMPLES:
        raise InputError(
            f"a bootstrap of this distance needs at least {MIN_RESAMPLES} resamples: {resamples}"
        )
    value = pair.value if value is None else value
    pair.prepare()
    distances = on_all_cores(lambda index: pair.distance(*row_counts(pair, seed, index)), resamples)
    num_mixtures = min(resamples // 2, MAX_MIXTURES)
    mixtures = on_all_cores(lambda two: mixed_distance(pair, seed, two), num_mixtures)
    variance, shrink = float(distances.var()), 1.0
    if variance > 0:  # resamples spread less than samples, by 1/√3 to 1
        target_variance = variance - quadratic_variance(distances, mixtures)
        shrink = float(np.sqrt(np.clip(target_variance / variance, 1 / 3, 1)))
    low, high = percentiles(distances - distances.mean(), level)
    return Interval(
        low=max(0.0, value + shrink * min(low, 0.0)),
        high=value + shrink * max(high, 0.0),
        level=level,
        method=(
            f"bootstrap of both sets, {resamples} resamples, centred on the value, "
            f"spread × {shrink:.3f} for the quadratic part"
        ),
    )


def bootstrap_inception_score(
    probabilities: ArrayLike,
    *,
    splits: int = 10,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    shuffle_seed: int | None = 42,
) -> Interval:
    """Interval of a mean Inception Score: rows are drawn again, split as the metric splits them.

    Centred on the measured value: that of resamples is biased, as in `bootstrap_frechet`.

    Raises:
        InputError: as `inception_score`, or no resamples.
    """
    if resamples < 1:
        raise InputError(f"a bootstrap needs at least one resample, not {resamples}")
    rows = as_probabilities(probabilities)
    value, _ = inception_score(rows, splits, shuffle_seed=shuffle_seed)
    bounds = [i * len(rows) // splits for i in range(splits + 1)]

    def score(index: int) -> float:
        # A draw is in random order already: nothing is left to shuffle.
        random = np.random.default_rng((seed, index))
        drawn = rows[random.integers(0, len(rows), len(rows))]
        return float(np.mean([score_of_split(drawn[i:j]) for i, j in pairwise(bounds)]))

    scores = on_all_cores(score, resamples)
    low, high = percentiles(scores, level)
    bias = float(scores.mean()) - value
    return Interval(
        low=max(1.0, low - bias),  # the score is at least 1
        high=high - bias,
        level=level,
        method=f"bootstrap, {resamples} resamples, centred on the value",
    )


def row_counts(pair: FeaturePair, seed: int, index: int) -> tuple[Array, Array]:
    """How often each row of both is in resample `index`; each has a random stream of its own."""
    random = np.random.default_rng((seed, index))

    def drawn(table: FeatureTable) -> Array:
        count = table.num_draws
        times = np.bincount(random.integers(0, count, count), minlength=count)
        return table.spread(times.astype(np.float64))

    first, second = map(drawn, pair.tables)
    return first, second


def mixed_distance(pair: FeaturePair, seed: int, two: int) -> float:
    """The distance of resamples 2 · two and 2 · two + 1 merged, at half weight each."""
    both = zip(row_counts(pair, seed, 2 * two), row_counts(pair, seed, 2 * two + 1), strict=True)
    return pair.distance(*((one + other) / 2 for one, other in both))


def quadratic_variance(distances: Array, mixtures: Array) -> float:
    """Variance of the part of the distance that is quadratic in the noise of a resample.

    For resamples with noise a and b, and their mixture with (a + b)/2, linear parts cancel in
    (T(a) + T(b))/2 − T((a + b)/2) = Q((a − b)/2), which is distributed as Q(a)/2.
    """
    count = len(mixtures)
    means = distances[: 2 * count].reshape(count, 2).mean(axis=1)
    return 4 * float((means - mixtures).var())
