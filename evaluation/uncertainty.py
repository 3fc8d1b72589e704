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
MIN_RESAMPLES = 4  # two pairs, to measure a variance from
PAIRS = 250  # of resamples, from which the quadratic part is estimated
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
    rows_per_draw: int = 1,
    progress: Progress | None = None,
) -> Interval:
    """Interval of a Fréchet distance: rows of both sets are drawn again with replacement.

    It says where the value at this number of samples lies, not where the limit for many samples
    is. Two things are put right that a plain bootstrap of this distance gets wrong:

    A Fréchet distance of few samples is too large, and that of a resample, which holds fewer
    distinct rows, larger still. So the resamples give the spread and the measured value the centre.

    The distance is quadratic where two sets are alike. A resample then has the noise of the sample
    in it besides its own, and spreads up to √3 times too far: with T = linear + quadratic, its
    variance is V(linear) + 3 V(quadratic). V(quadratic) is measured (see `_quadratic_variance`)
    and taken off once. Simulated intervals then cover the expected value 95 to 99 times of 100,
    those of a plain bootstrap 96 to 100 times, and with it taken off twice, as would be right for
    an exactly quadratic distance, 86 to 98 times (docs/metrics.md).

    Args:
        x, y: features, (N, D) and (M, D).
        resamples: how many times both sets are drawn again.
        seed: of the draws; the same seed gives the same interval.
        ddof: as of the value.
        level: the part of the resamples inside.
        value: the measured distance, if it is known already.
        rows_per_draw: neighbouring rows that are drawn together, because they are not independent:
            the frames of a clip.
        progress: called with 1 after each resample.

    Raises:
        InputError: features that no Fréchet distance takes, or fewer than four resamples.
    """
    first, second = as_feature_pair(x, y, ddof=ddof)
    if resamples < MIN_RESAMPLES:
        raise InputError(
            f"a bootstrap of this distance needs at least {MIN_RESAMPLES} resamples: {resamples}"
        )
    if len(first) % rows_per_draw or len(second) % rows_per_draw:
        raise ValueError(f"{len(first)} and {len(second)} rows are no groups of {rows_per_draw}")
    if value is None:
        value = frechet_distance_from_features(first, second, ddof=ddof)
    draws = _Draws.of(first, second, seed=seed, ddof=ddof, rows_per_draw=rows_per_draw)
    distances = np.array(list(_each(draws.distance, resamples, progress)))
    mixtures = np.array(list(_each(draws.mixed_distance, min(resamples // 2, PAIRS), None)))
    shrink = _shrink(distances, mixtures)
    low, high = _percentiles(distances - distances.mean(), level)
    return Interval(
        low=max(0.0, value + shrink * low),
        high=value + shrink * high,
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
    progress: Progress | None = None,
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

    scores = np.array(list(_each(score, resamples, progress)))
    low, high = _percentiles(scores, level)
    bias = float(scores.mean()) - value
    return Interval(
        low=low - bias,
        high=high - bias,
        level=level,
        method=f"bootstrap, {resamples} resamples, centred on the value",
    )


@dataclass(frozen=True)
class _Draws:
    """Numbered resamples of two sets; each has a random stream of its own."""

    first: Tensor
    second: Tensor
    seed: int
    ddof: int
    rows_per_draw: int

    @classmethod
    def of(
        cls, first: Array, second: Array, *, seed: int, ddof: int, rows_per_draw: int
    ) -> "_Draws":
        # Moved near zero together, so that sums of squares lose nothing; no distance changes.
        centre = first.mean(axis=0)
        # Clones, because the bits of a product may depend on where in memory its factors begin.
        rows = [torch.from_numpy(part - centre).clone() for part in (first, second)]
        return cls(rows[0], rows[1], seed, ddof, rows_per_draw)

    def distance(self, index: int) -> float:
        """Fréchet distance of resample `index` of both sets."""
        return self._distance_of(*self._counts(index))

    def mixed_distance(self, pair: int) -> float:
        """The same of resamples 2 · pair and 2 · pair + 1 poured together, at half weight each."""
        (first1, second1), (first2, second2) = self._counts(2 * pair), self._counts(2 * pair + 1)
        return self._distance_of((first1 + first2) / 2, (second1 + second2) / 2)

    def _counts(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((self.seed, index))
        first, second = (
            _draw_counts(random, len(rows) // self.rows_per_draw).repeat_interleave(
                self.rows_per_draw
            )
            for rows in (self.first, self.second)
        )
        return first, second

    def _distance_of(self, counts1: Tensor, counts2: Tensor) -> float:
        return _distance(
            _resampled(self.first, counts1, self.ddof), _resampled(self.second, counts2, self.ddof)
        )


def _draw_counts(random: np.random.Generator, count: int) -> Tensor:
    """How often each of `count` rows is drawn in `count` draws with replacement, (count,)."""
    drawn = random.integers(0, count, count)
    return torch.from_numpy(np.bincount(drawn, minlength=count).astype(np.float64))


def _shrink(distances: Array, mixtures: Array) -> float:
    """By what to multiply the resamples' spread to get that of samples; 1/√3 to 1."""
    variance = float(distances.var())
    if variance == 0:
        return 1.0
    wanted = variance - _quadratic_variance(distances, mixtures)
    return float(np.sqrt(np.clip(wanted / variance, 1 / 3, 1)))


def _quadratic_variance(distances: Array, mixtures: Array) -> float:
    """Variance of the part of the distance that is quadratic in the noise of a resample.

    For resamples with noise a and b, and their mixture with (a + b)/2, linear parts cancel in
    (T(a) + T(b))/2 − T((a + b)/2) = Q((a − b)/2), which is distributed as Q(a)/2.
    """
    pairs = len(mixtures)
    halves = distances[: 2 * pairs].reshape(pairs, 2).mean(axis=1)
    return 4 * float((halves - mixtures).var())


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
