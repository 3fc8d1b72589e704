"""How far a metric would move with another draw of the same number of samples."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from evaluation.metrics.frechet import frechet_distance_from_features
from evaluation.metrics.inception_score import as_probabilities, inception_score, score_of_split
from evaluation.metrics.inputs import Array, as_feature_pair
from latte.data.errors import InputError

Progress = Callable[[int], None]
SINGULAR = 1e-10  # smallest pivot of a Cholesky factor, relative to the largest, that is trusted


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
    # Moved near zero together, so that the sums below lose nothing; no distance changes.
    centre = first.mean(axis=0)
    # Clones, because the bits of a product may depend on where in memory its factors begin.
    rows1, rows2 = (torch.from_numpy(rows - centre).clone() for rows in (first, second))

    def distance(index: int) -> float:
        random = np.random.default_rng((seed, index))
        return _distance(
            _resampled(rows1, draw_counts(random, len(rows1)), ddof),
            _resampled(rows2, draw_counts(random, len(rows2)), ddof),
        )

    distances = np.array(list(_each(distance, _checked(resamples), progress)))
    low, high = _percentiles(distances, level)
    bias = float(distances.mean()) - value
    return Interval(
        low=max(0.0, low - bias),
        high=high - bias,
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
    bounds = [i * len(rows) // splits for i in range(splits + 1)]

    def score(index: int) -> float:
        # A draw is in random order already: nothing is left to shuffle.
        random = np.random.default_rng((seed, index))
        drawn = rows[random.integers(0, len(rows), len(rows))]
        return float(np.mean([score_of_split(drawn[i:j]) for i, j in pairwise(bounds)]))

    scores = np.array(list(_each(score, _checked(resamples), progress)))
    low, high = _percentiles(scores, level)
    bias = float(scores.mean()) - value
    return Interval(
        low=low - bias,
        high=high - bias,
        level=level,
        method=f"bootstrap, {resamples} resamples, centred on the value",
    )


def draw_counts(random: np.random.Generator, count: int) -> Tensor:
    """How often each of `count` rows is drawn in `count` draws with replacement, (count,)."""
    drawn = random.integers(0, count, count)
    return torch.from_numpy(np.bincount(drawn, minlength=count).astype(np.float64))


def _resampled(rows: Tensor, counts: Tensor, ddof: int) -> tuple[Tensor, Tensor]:
    """Mean (D,) and factor F, FᵀF the covariance, of rows taken as often as they were drawn.

    A row that was drawn k times counts as one that is √k times as long, so the repeated rows, a
    third of the work, are never made.
    """
    drawn = counts.nonzero().squeeze(1)
    roots = counts[drawn].sqrt().unsqueeze(1)
    mean = counts @ rows / len(rows)
    weighted = rows[drawn] * roots
    factor = None
    if len(drawn) > len(mean):
        factor = _cholesky(weighted.T @ weighted - len(rows) * torch.outer(mean, mean))
    if factor is None:
        factor = weighted - roots * mean
        if len(drawn) > len(mean):
            factor = torch.linalg.qr(factor, mode="r").R  # slower, and exact where singular
    return mean, factor / (len(rows) - ddof) ** 0.5


def _cholesky(scatter: Tensor) -> Tensor | None:
    """F (D, D) with FᵀF = scatter; None where the matrix is too near to singular for it."""
    factor, fault = torch.linalg.cholesky_ex(scatter, upper=True)
    pivots = factor.diagonal() ** 2
    return None if fault or pivots.min() <= SINGULAR * pivots.max() else factor


def _distance(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> float:
    """Fréchet distance from means and factors, as in `evaluation.metrics.frechet`."""
    (mean1, factor1), (mean2, factor2) = first, second
    cross = torch.linalg.svdvals(factor1 @ factor2.T).sum()
    squares = (mean1 - mean2).square().sum() + factor1.square().sum() + factor2.square().sum()
    return max(0.0, float(squares - 2 * cross))


def _each(
    function: Callable[[int], float], count: int, progress: Progress | None
) -> Iterator[float]:
    """function(0), …, function(count − 1), side by side on all cores.

    Each call keeps to one core: matrices of this size gain little from several, lose much where
    others use them too, and the bits stay the same on every number of cores.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for value in pool.map(function, range(count)):
                if progress is not None:
                    progress(1)
                yield value
    finally:
        torch.set_num_threads(threads)  # threads to come inherit the last setting of any thread


def _percentiles(samples: Array, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def _checked(resamples: int) -> int:
    if resamples < 2:
        raise InputError(f"a bootstrap needs at least 2 resamples, not {resamples}")
    return resamples
