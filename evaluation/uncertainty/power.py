"""How many clips a difference needs, from the features of a few."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.uncertainty.halves import half_samples
from evaluation.uncertainty.resampling import FeaturePair
from latte.data.errors import InputError

CUTS = 200  # cuts into halves
TABLE = (256, 512, 1024, 2048, 4096, 8192, 16384, 50000)  # numbers of clips in the table


@dataclass(frozen=True, kw_only=True)
class Power:
    """What difference of two models can be seen with how many clips."""

    num_clips: int  # size of each set that the difference needs
    difference: float
    power: float
    level: float
    pilot_clips: int  # clips that the estimate is made from
    standard_deviation_now: float  # standard deviation of one distance at that number of clips
    visible_now: float  # the smallest difference that is seen at that number of clips
    linear: float  # sd² = linear / N + quadratic / N²
    quadratic: float
    table: tuple[tuple[int, float], ...]  # clips per set → smallest difference that is seen
    extrapolated: bool  # whether num_clips is beyond the pilot


def clips_needed(
    pair: FeaturePair, *, difference: float, power: float = 0.8, level: float = 0.05, seed: int = 0
) -> Power:
    """Clips per set with which a difference of two models' Fréchet distances is seen.

    Seen: a two-sided test at `level` finds it with probability `power`,

        difference = (z(1 − level/2) + z(power)) · √2 · sd(N),   sd² = a/N + b/N²,

    a the part of the noise that is linear, b the quadratic one, both from halves of the pilot (see
    `evaluation.uncertainty.halves`). The two distances are taken as independent, which is on the
    safe side, and both models to be as far from the real set, and as noisy, as the pilot is. Beyond
    the pilot's size the law is trusted, not measured.

    Args:
        pair: features of the pilot; of the larger set a random part is used. Clips (draws) are
            counted, not rows.
        difference: difference of the two distances, above 0.
        power: how often the difference shall be found, between level and 1.
        level: how often a difference may be found where there is none.
        seed: random seed of the cuts.

    Raises:
        InputError: numbers out of range, fewer than four clips.
    """
    if not difference > 0 or not math.isfinite(difference):
        raise InputError(f"the difference to be seen must be above 0, not {difference}")
    if not 0 < level < power < 1:
        raise InputError(
            f"level and power must satisfy 0 < level < power < 1, not {level} and {power}"
        )
    clips = pair.num_draws
    x, y = (_some(rows, pair, (seed, number)) for number, rows in enumerate((pair.x, pair.y)))
    pilot = FeaturePair(x, y, ddof=pair.ddof, rows_per_draw=pair.rows_per_draw)
    samples = half_samples(pilot, pilot.value, cuts=CUTS, seed=seed)
    linear, quadratic = samples.linear * clips, samples.quadratic * clips**2
    z = NormalDist().inv_cdf(1 - level / 2) + NormalDist().inv_cdf(power)
    factor = 2 * z**2  # difference² = factor · sd²

    def visible(count: int) -> float:
        return math.sqrt(factor * (linear / count + quadratic / count**2))

    # factor · (a/N + b/N²) = d²  ⇔  d² N² − factor · a N − factor · b = 0
    a, b = factor * linear / difference**2, factor * quadratic / difference**2
    num_clips = max(2, math.ceil(a / 2 + math.sqrt((a / 2) ** 2 + b)))
    return Power(
        num_clips=num_clips,
        difference=difference,
        power=power,
        level=level,
        pilot_clips=clips,
        standard_deviation_now=math.sqrt(samples.variance),
        visible_now=visible(clips),
        linear=linear,
        quadratic=quadratic,
        table=tuple((count, visible(count)) for count in sorted({*TABLE, clips, num_clips})),
        extrapolated=num_clips > clips,
    )


def _some(rows: Array, pair: FeaturePair, stream: tuple[int, int]) -> Array:
    """Random clips in their order, as many as the smaller set has."""
    draws = rows.reshape(-1, pair.rows_per_draw, rows.shape[1])
    indices = np.sort(np.random.default_rng(stream).permutation(len(draws))[: pair.num_draws])
    return np.ascontiguousarray(draws[indices].reshape(-1, rows.shape[1]))
