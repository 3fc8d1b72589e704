"""How far a metric would move with another draw of the same number of samples."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.frechet import (
    distance_of_factors,
    frechet_distance_from_features,
    rows_factor,
)
from evaluation.metrics.inception_score import as_probabilities, inception_score, score_of_split
from evaluation.metrics.inputs import Array, as_feature_pair
from latte.data.errors import InputError

Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where the value would lie for other samples of the same size."""

    low: float
    high: float
    level: float = 0.95
    method: str = "bootstrap"


def bootstrap_frechet(
    x: ArrayLike,
    y: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
    ddof: int = 0,
    level: float = 0.95,
    value: float | None = None,
    progress: Progress | None = None,
) -> Interval:
    """Interval of a Fréchet distance: rows of both sets are drawn again with replacement.

    A Fréchet distance of few samples is too large, and that of a resample, which holds fewer
    distinct rows, larger still. So the spread is taken from the resamples and the centre is the
    measured value: the interval says where the value at this number of samples lies, not where the
    limit for many samples is.

    Args:
        x, y: features, (N, D) and (M, D).
        resamples: how many times both sets are drawn again.
        seed: of the draws; the same seed gives the same interval.
        ddof: as of the value.
        level: the part of the resamples inside.
        value: the measured distance, if it is known already.
        progress: called with 1 after each resample.

    Raises:
        InputError: features that no Fréchet distance takes, or fewer than two resamples.
    """
    first, second = as_feature_pair(x, y, ddof=ddof)
    if value is None:
        value = frechet_distance_from_features(first, second, ddof=ddof)
    random = np.random.default_rng(seed)
    distances = np.empty(_checked(resamples))
    for index in range(resamples):
        mean1, factor1 = _resampled(first, draw_counts(random, len(first)), ddof)
        mean2, factor2 = _resampled(second, draw_counts(random, len(second)), ddof)
        distances[index] = distance_of_factors(mean1, factor1, mean2, factor2)
        if progress is not None:
            progress(1)
    low, high = _percentiles(distances, level)
    centre = float(distances.mean())
    return Interval(
        low=max(0.0, value + low - centre),
        high=value + high - centre,
        level=level,
        method=f"bootstrap of both sets, {resamples} resamples, centred on the value",
    )


def bootstrap_inception_score(
    probabilities: ArrayLike,
    *,
    splits: int = 10,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    shuffle_seed: int | None = 42,
    progress: Progress | None = None,
) -> Interval:
    """Interval of a mean Inception Score: rows are drawn again, split as the metric splits them.

    Centred on the measured value, for the reason given at `bootstrap_frechet`.

    Raises:
        InputError: as `inception_score`, or fewer than two resamples.
    """
    rows = as_probabilities(probabilities)
    value, _ = inception_score(rows, splits, shuffle_seed=shuffle_seed)
    random = np.random.default_rng(seed)
    bounds = [i * len(rows) // splits for i in range(splits + 1)]
    scores = np.empty(_checked(resamples))
    for index in range(resamples):
        # A draw is in random order already: nothing is left to shuffle.
        drawn = rows[random.integers(0, len(rows), len(rows))]
        parts = [score_of_split(drawn[start:stop]) for start, stop in pairwise(bounds)]
        scores[index] = np.mean(parts)
        if progress is not None:
            progress(1)
    low, high = _percentiles(scores, level)
    centre = float(scores.mean())
    return Interval(
        low=value + low - centre,
        high=value + high - centre,
        level=level,
        method=f"bootstrap, {resamples} resamples, centred on the value",
    )


def draw_counts(random: np.random.Generator, count: int) -> Array:
    """How often each of `count` rows is drawn in `count` draws with replacement, (count,)."""
    return np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)


def _resampled(rows: Array, counts: Array, ddof: int) -> tuple[Array, Array]:
    """Mean and factor of the rows, each taken as often as it was drawn.

    A row that was drawn k times counts as one that is √k times as far from the mean, so a third of
    the work, the repeated rows, is never done.
    """
    drawn = counts > 0
    weights = counts[drawn]
    mean = weights @ rows[drawn] / len(rows)
    centred = rows[drawn] - mean
    centred *= np.sqrt(weights)[:, None]
    return mean, rows_factor(centred, len(rows) - ddof)


def _percentiles(samples: Array, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def _checked(resamples: int) -> int:
    if resamples < 2:
        raise InputError(f"a bootstrap needs at least 2 resamples, not {resamples}")
    return resamples
