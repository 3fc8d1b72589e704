"""Delete-a-group jackknife: the metric without one group of rows at a time.

The rows of a set are put into G groups at random. With T₍g₎ the metric without group g, the
variance is (G − 1)/G · Σ (T₍g₎ − mean)², for two sets the sum of both (Arvesen, 1969), and the
interval Student's, the degrees of freedom being Welch's. Of a metric with linear and quadratic
noise it estimates V₁ + 2 V₂ (Efron & Stein, 1981): never too little on average, up to √2 too wide
where the metric is at its minimum. No row is ever repeated, so it holds for metrics that a
bootstrap breaks: those of nearest neighbours, and unbiased kernel estimates.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from evaluation.metrics.frechet import frechet_distance_from_features
from evaluation.metrics.inputs import Array, as_features
from evaluation.uncertainty.interval import Interval, each, one_core, two_sided_quantile
from evaluation.uncertainty.resampling import Pair, Table, distance
from latte.data.errors import InputError

MIN_GROUPS = 2


def jackknife_frechet(
    x: ArrayLike,
    y: ArrayLike,
    *,
    groups: int = 20,
    seed: int = 0,
    ddof: int = 0,
    level: float = 0.95,
    value: float | None = None,
    rows_per_draw: int = 1,
) -> Interval:
    """Interval of a Fréchet distance, from sums from which a group's are subtracted.

    2 · `groups` distances in all: the cheapest interval, and a wide one where the sets are alike.

    Args:
        x, y: features, (N, D) and (M, D).
        groups: of each set; as many as there are draws, if those are fewer.
        seed: of the groups.
        ddof: as of the value.
        level: how often the interval shall cover the expected value.
        value: the measured distance, if it is known already.
        rows_per_draw: neighbouring rows that stay together: the frames of a clip.

    Raises:
        InputError: features that no Fréchet distance takes, or fewer than two groups.
    """
    pair = Pair.of(x, y, ddof=ddof, rows_per_draw=rows_per_draw)
    if value is None:
        value = frechet_distance_from_features(x, y, ddof=ddof)
    pair.prepare()
    with one_core():
        every = [
            table.moments(torch.ones(len(table.rows), dtype=torch.float64), ddof)
            for table in (pair.first, pair.second)
        ]

    def without(table: Table, other: int, members: list[Array]) -> Array:
        def left(group: int) -> float:
            weights = torch.ones(table.num_draws, dtype=torch.float64)
            weights[torch.from_numpy(members[group])] = 0
            return distance(table.moments(table.spread(weights), ddof), every[other])

        return np.array(list(each(left, len(members))))

    first, second = (
        without(table, other, random_groups(table.num_draws, groups, seed, number))
        for number, (table, other) in enumerate([(pair.first, 1), (pair.second, 0)])
    )
    return jackknife_interval(value, [first, second], level, floor=0.0)


def grouped_jackknife(
    statistic: Callable[..., float],
    x: ArrayLike,
    y: ArrayLike | None = None,
    *,
    groups: int = 20,
    level: float = 0.95,
    rows_per_draw: int = 1,
    seed: int = 0,
    value: float | None = None,
) -> Interval:
    """Interval of any metric of one table, `statistic(x)`, or of two, `statistic(x, y)`.

    The metric must not change its scale with the number of rows, as a mean does not: a sum would.
    Rows keep their order. The statistic is called 2 · `groups` times, or `groups` times.

    Args:
        statistic: of tables in float64, called with copies that lack some rows.
        x, y: (N, D) and (M, D); y None for a metric of one table.
        groups: of each table; as many as there are draws, if those are fewer.
        level: how often the interval shall cover the expected value.
        rows_per_draw: neighbouring rows that stay together: the frames of a clip.
        seed: of the groups.
        value: the measured value, if it is known already.

    Raises:
        InputError: fewer than two groups, or what the statistic refuses.
    """
    tables = [as_features(x, "x")] if y is None else [as_features(x, "x"), as_features(y, "y")]
    if value is None:
        value = float(statistic(*tables))
    left_out = []
    for number, rows in enumerate(tables):
        if len(rows) % rows_per_draw:
            raise ValueError(f"{len(rows)} rows are no groups of {rows_per_draw}")
        draws = np.arange(len(rows)) // rows_per_draw
        members = random_groups(len(rows) // rows_per_draw, groups, seed, number)
        values = []
        for group in members:
            arguments = list(tables)
            arguments[number] = rows[~np.isin(draws, group)]
            values.append(float(statistic(*arguments)))
        left_out.append(np.array(values))
    return jackknife_interval(value, left_out, level)


def some_draws(num_draws: int, most: int, seed: int, number: int) -> NDArray[np.int64]:
    """Places of `most` draws at random, in order; of all of them where there are no more."""
    if num_draws <= most:
        return np.arange(num_draws)
    return np.sort(np.random.default_rng((seed, number, most)).permutation(num_draws)[:most])


def random_groups(num_draws: int, groups: int, seed: int, number: int) -> list[Array]:
    """Draws of each group, at random: sets are often sorted by class."""
    groups = min(groups, num_draws)
    if groups < MIN_GROUPS:
        raise InputError(f"a jackknife needs at least {MIN_GROUPS} groups of clips, not {groups}")
    order = np.random.default_rng((seed, number)).permutation(num_draws)
    return [np.sort(part) for part in np.array_split(order, groups)]


def jackknife_interval(
    value: float,
    left_out: list[Array],
    level: float,
    floor: float = -np.inf,
    ceiling: float = np.inf,
) -> Interval:
    """The interval around a value, from its estimates with each group of each table left out."""
    variances = [(len(t) - 1) / len(t) * float(((t - t.mean()) ** 2).sum()) for t in left_out]
    variance = sum(variances)
    # Welch (1947), Satterthwaite (1946)
    weights = sum(v**2 / (len(t) - 1) for v, t in zip(variances, left_out, strict=True))
    degrees = variance**2 / weights if weights > 0 else 1.0
    half = two_sided_quantile(level, degrees) * float(np.sqrt(variance))
    counts = " + ".join(str(len(t)) for t in left_out)
    return Interval(
        low=max(floor, value - half),
        high=min(ceiling, value + half),
        level=level,
        method=f"jackknife, {counts} groups left out in turn, Student's t",
    )
