"""How many clips a difference needs, from the features of a few."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.frechet import frechet_distance_from_features
from evaluation.metrics.inputs import Array, as_feature_pair
from evaluation.uncertainty.halves import half_samples
from evaluation.uncertainty.interval import Progress
from evaluation.uncertainty.resampling import Pair
from latte.data.errors import InputError

CUTS = 200  # into halves
TABLE = (256, 512, 1024, 2048, 4096, 8192, 16384, 50000)  # clips


@dataclass(frozen=True, kw_only=True)
class Power:
    """What difference of two models can be seen with how many clips."""

    num_clips: int  # per set, for the wanted difference
    difference: float
    power: float
    level: float
    pilot_clips: int  # what the estimate is made from
    standard_deviation_now: float  # of one distance at that number
    visible_now: float  # the smallest difference that is seen at that number
    linear: float  # sd² = linear / N + quadratic / N²
    quadratic: float
    table: tuple[tuple[int, float], ...]  # clips per set → smallest difference that is seen
    extrapolated: bool  # whether num_clips is beyond the pilot

    def standard_deviation(self, num_clips: int) -> float:
        """Of one distance between two sets of so many clips."""
        return math.sqrt(self.linear / num_clips + self.quadratic / num_clips**2)


def clips_needed(
    x: ArrayLike,
    y: ArrayLike,
    *,
    difference: float,
    power: float = 0.8,
    level: float = 0.05,
    ddof: int = 0,
    rows_per_draw: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Power:
    """Clips per set with which a difference of two models' Fréchet distances is seen.

    Seen: a two-sided test at `level` finds it with probability `power`,

        difference = (z(1 − level/2) + z(power)) · √2 · sd(N),   sd² = a/N + b/N²,

    a the part of the noise that is linear, b the quadratic one, both from halves of the pilot (see
    `evaluation.uncertainty.halves`). The two distances are taken as independent, each with a real
    set of its own size N: on the safe side, since two models measured against one real set share
    its noise, and paired samples (`permutation_test`) more than that. Both models are taken to be
    as far from the real set, and as noisy, as the pilot is. Beyond the pilot's size the law is
    trusted, not measured.

    Args:
        x, y: features of the pilot, (N, D) and (M, D); of the larger set a random part is used.
        difference: of the two distances, above 0.
        power: how often it shall be found, between level and 1.
        level: how often a difference may be found where there is none.
        ddof: of the covariances.
        rows_per_draw: rows of each clip, for frame metrics; clips are counted, not rows.
        seed: of the cuts.
        progress: called with 1 after each of 400 halves.

    Raises:
        InputError: figures out of range, features that cannot be compared, fewer than four clips.
    """
    if not difference > 0 or not math.isfinite(difference):
        raise InputError(f"the difference to be seen must be above 0, not {difference}")
    if not 0 < level < power < 1:
        raise InputError(
            f"level and power are chances, 0 < level < power < 1, not {level} and {power}"
        )
    first, second = as_feature_pair(x, y, ddof=ddof)
    clips = min(len(first), len(second)) // rows_per_draw
    first, second = (
        _some(rows, clips, rows_per_draw, (seed, number))
        for number, rows in enumerate((first, second))
    )
    pair = Pair.of(first, second, ddof=ddof, rows_per_draw=rows_per_draw)
    value = frechet_distance_from_features(first, second, ddof=ddof)
    found = half_samples(pair, value, cuts=CUTS, seed=seed, progress=progress)
    linear, quadratic = found.linear * clips, found.quadratic * clips**2
    factor = 2 * _quantiles(level, power) ** 2  # difference² = factor · sd²

    def visible(count: int) -> float:
        return math.sqrt(factor * (linear / count + quadratic / count**2))

    # factor · (a/N + b/N²) = d²  ⇔  d² N² − factor · a N − factor · b = 0
    a, b = factor * linear / difference**2, factor * quadratic / difference**2
    wanted = max(2, math.ceil(a / 2 + math.sqrt((a / 2) ** 2 + b)))
    return Power(
        num_clips=wanted,
        difference=difference,
        power=power,
        level=level,
        pilot_clips=clips,
        standard_deviation_now=math.sqrt(found.variance),
        visible_now=visible(clips),
        linear=linear,
        quadratic=quadratic,
        table=tuple((count, visible(count)) for count in sorted({*TABLE, clips, wanted})),
        extrapolated=wanted > clips,
    )


def _quantiles(level: float, power: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(1 - level / 2) + ndtri(power))


def _some(rows: Array, clips: int, rows_per_draw: int, stream: tuple[int, int]) -> Array:
    """So many clips at random, in their order; all of them where there are no more."""
    if len(rows) % rows_per_draw:
        raise ValueError(f"{len(rows)} rows are no groups of {rows_per_draw}")
    draws = rows.reshape(-1, rows_per_draw, rows.shape[1])
    chosen = np.sort(np.random.default_rng(stream).permutation(len(draws))[:clips])
    return np.ascontiguousarray(draws[chosen].reshape(-1, rows.shape[1]))
