"""Delete-a-group jackknife: the metric without one group of rows at a time.

The rows of a set are put into G groups at random. With T₍g₎ the metric without group g, the
variance is (G − 1)/G · Σ (T₍g₎ − mean)², for two sets the sum of both (Arvesen, 1969), and the
interval Student's, the degrees of freedom being Welch's. Of a metric with linear and quadratic
noise it estimates V₁ + 2 V₂ (Efron & Stein, 1981): never too little on average, up to √2 too wide
where the metric is at its minimum. No row is ever repeated, so it holds for metrics that a
bootstrap breaks: those of nearest neighbours, and unbiased kernel estimates.

`grouped_jackknife` computes any metric again for each group. The others get all of them from
sums or distances that are computed once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.metrics.inputs import Array, as_features
from evaluation.metrics.kernel import Kernel
from evaluation.metrics.neighbours import as_neighbourhoods
from evaluation.uncertainty.cores import on_all_cores, one_core
from evaluation.uncertainty.interval import Interval, welch_half_width
from evaluation.uncertainty.resampling import FeaturePair, check_draws, distance
from latte.data.errors import InputError

MIN_GROUPS = 2
GROUPS = 20  # groups of each set
# Rows used of each set, as the memory grows with their square.
MAX_KERNEL_ROWS = 8192
MAX_NEIGHBOUR_ROWS = 4096
Sums = float | Array
Distances = tuple[Array, Array, Array]  # squared: real-real (N, N), fake-fake (M, M), (N, M)


def jackknife_frechet(
    pair: FeaturePair,
    *,
    groups: int = GROUPS,
    seed: int = 0,
    level: float = 0.95,
    value: float | None = None,
) -> Interval:
    """Interval of a Fréchet distance, from sums from which the sums of a group are subtracted.

    2 · `groups` distances in all: the cheapest interval, and a wide one where the sets are alike.

    Args:
        pair, seed, level, value: as for `half_sample_frechet`.
        groups: number of groups in each set; at most the number of its draws.

    Raises:
        InputError: fewer than two groups.
    """
    pair.prepare()
    with one_core():
        whole = [table.moments(np.ones(len(table.rows)), pair.ddof) for table in pair.tables]

    def without(number: int) -> Array:
        """The distances without each group of one set."""
        table, other = pair.tables[number], whole[1 - number]
        members = random_groups(table.num_draws, groups, seed, number)

        def left_out(group: int) -> float:
            weights = np.ones(table.num_draws)
            weights[members[group]] = 0
            moments = table.moments(table.spread(weights), pair.ddof)
            return distance(moments, other, squares=pair.squares)

        return on_all_cores(left_out, len(members))

    value = pair.value if value is None else value
    return jackknife_interval(value, [without(0), without(1)], level, floor=0.0)


def grouped_jackknife(
    statistic: Callable[..., float],
    x: ArrayLike,
    y: ArrayLike | None = None,
    *,
    groups: int = GROUPS,
    level: float = 0.95,
    rows_per_draw: int = 1,
    seed: int = 0,
    value: float | None = None,
) -> Interval:
    """Interval of any metric of one table, `statistic(x)`, or of two, `statistic(x, y)`.

    The metric must not change its scale with the number of rows, as a mean does not: a sum would.
    Rows keep their order. The statistic is called 2 · `groups` times, or `groups` times.

    Args:
        statistic: function of tables in float64, called with copies that lack some rows.
        x, y: (N, D) and (M, D); y None for a metric of one table.
        groups: number of groups in each table; at most the number of its draws.
        level: how often the interval shall cover the expected value.
        rows_per_draw: neighbouring rows that stay together: the frames of a clip.
        seed: random seed of the groups.
        value: the measured value, if it is known already.

    Raises:
        InputError: fewer than two groups, or what the statistic refuses.
    """
    tables = [as_features(x, "x")] if y is None else [as_features(x, "x"), as_features(y, "y")]
    value = float(statistic(*tables)) if value is None else value
    left_out = []
    for number, rows in enumerate(tables):
        check_draws(len(rows), rows_per_draw)
        draws = np.arange(len(rows)) // rows_per_draw
        values = []
        for group in random_groups(len(rows) // rows_per_draw, groups, seed, number):
            kept = rows[~np.isin(draws, group)]
            values.append(statistic(*tables[:number], kept, *tables[number + 1 :]))
        left_out.append(np.array(values, float))
    return jackknife_interval(value, left_out, level)


def jackknife_mmd(
    pair: FeaturePair,
    kernel: Kernel,
    *,
    value: float,
    unbiased: bool = True,
    scale: float = 1.0,
    seed: int = 0,
) -> Interval:
    """Interval of a squared MMD (KID, KVD, JEDi), centred on the measured value.

    The kernel summed over each pair of groups is all that is needed to leave any group out, so the
    kernel is computed once.

    Sets of more than 8192 rows are represented by 8192 at random, and the standard error is
    scaled to their real size as 1/√N.

    Args:
        pair: features of both sets.
        kernel, unbiased, scale: as the metric has them.
        value: the metric, in the middle of the interval.
        seed: random seed of the groups.

    Raises:
        InputError: too few draws for groups.
    """
    x, y = (
        _random_parts(rows, pair.rows_per_draw, seed, number)
        for number, rows in enumerate((pair.x, pair.y))
    )
    xx, yy = _group_sums(x, kernel, unbiased), _group_sums(y, kernel, unbiased)
    xy = np.array([[kernel(a, b).sum() for b in y] for a in x])
    n, m = (np.array([len(part) for part in parts], float) for parts in (x, y))

    def mmd(within_x: Sums, n: Sums, within_y: Sums, m: Sums, across: Array) -> Array:
        less = 1 if unbiased else 0
        value = within_x / (n * (n - less)) + within_y / (m * (m - less)) - 2 * across / (n * m)
        return np.asarray(value)

    without_x = mmd(_sums_without(xx), n.sum() - n, yy.sum(), m.sum(), xy.sum() - xy.sum(axis=1))
    without_y = mmd(xx.sum(), n.sum(), _sums_without(yy), m.sum() - m, xy.sum() - xy.sum(axis=0))
    left_out = [
        scale * np.sqrt(used.sum() / len(rows)) * estimates
        for rows, used, estimates in ((pair.x, n, without_x), (pair.y, m, without_y))
    ]
    return jackknife_interval(value, left_out, floor=-np.inf if unbiased else 0.0)


def jackknife_precision_recall(
    real: ArrayLike, fake: ArrayLike, k: int = 3, *, seed: int = 0
) -> tuple[Interval, Interval]:
    """Intervals of `evaluation.metrics.precision_recall`, centred on the measured values."""
    return _neighbour_intervals(_precision_recall, (1.0, 1.0), real, fake, k, seed)


def jackknife_density_coverage(
    real: ArrayLike, fake: ArrayLike, k: int = 5, *, seed: int = 0
) -> tuple[Interval, Interval]:
    """Intervals of `evaluation.metrics.density_coverage`, centred on the measured values."""
    return _neighbour_intervals(_density_coverage, (np.inf, 1.0), real, fake, k, seed)


def some_draws(num_draws: int, limit: int, seed: int, number: int) -> NDArray[np.int64]:
    """Places of `limit` draws at random, in order; of all draws where there are no more."""
    if num_draws <= limit:
        return np.arange(num_draws)
    return np.sort(np.random.default_rng((seed, number, limit)).permutation(num_draws)[:limit])


def random_groups(num_draws: int, groups: int, seed: int, number: int) -> list[Array]:
    """The draws of each group, at random because sets are often sorted by class."""
    groups = min(groups, num_draws)
    if groups < MIN_GROUPS:
        raise InputError(f"a jackknife needs at least {MIN_GROUPS} groups of clips, not {groups}")
    order = np.random.default_rng((seed, number)).permutation(num_draws)
    return [np.sort(part) for part in np.array_split(order, groups)]


def jackknife_interval(
    value: float,
    left_out: list[Array],
    level: float = 0.95,
    floor: float = -np.inf,
    ceiling: float = np.inf,
) -> Interval:
    """The interval around a value, from its estimates with each group of each table left out."""
    variances = [(len(t) - 1) / len(t) * float(((t - t.mean()) ** 2).sum()) for t in left_out]
    half = welch_half_width(variances, [len(t) - 1 for t in left_out], level)
    counts = " + ".join(str(len(t)) for t in left_out)
    return Interval(
        low=max(floor, value - half),
        high=min(ceiling, value + half),
        level=level,
        method=f"jackknife, {counts} groups left out in turn, Student's t",
    )


def _sums_without(sums: Array) -> Array:
    """The kernel summed over all pairs of rows, with each group left out in turn, (G,)."""
    return np.asarray(sums.sum() - 2 * sums.sum(axis=1) + np.diag(sums))


def _group_sums(parts: list[Array], kernel: Kernel, unbiased: bool) -> Array:
    """Kernel sums of pairs of groups of one set, (G, G), without the diagonal if unbiased."""
    sums = np.empty((len(parts), len(parts)))
    for i, a in enumerate(parts):
        for j, b in enumerate(parts[: i + 1]):
            sums[i, j] = sums[j, i] = kernel(a, b).sum()
        if unbiased:
            sums[i, i] -= kernel.diagonal(a).sum()
    return sums


def _random_parts(rows: Array, rows_per_draw: int, seed: int, number: int) -> list[Array]:
    """The rows in groups at random; rows that are drawn together stay together."""
    draws = rows.reshape(-1, rows_per_draw, rows.shape[1])
    draws = draws[some_draws(len(draws), MAX_KERNEL_ROWS // rows_per_draw, seed, number)]
    members = random_groups(len(draws), GROUPS, seed, number)
    return [draws[group].reshape(-1, rows.shape[1]) for group in members]


def _neighbour_intervals(
    statistic: Callable[[Distances, int], tuple[float, float]],
    ceilings: tuple[float, float],
    real: ArrayLike,
    fake: ArrayLike,
    k: int,
    seed: int,
) -> tuple[Interval, Interval]:
    """Both intervals, each group of each set left out once.

    A set of more than 4096 rows is represented by 4096 at random, and their spread is scaled to the
    set's own size as 1/√N.
    """
    from scipy.spatial.distance import cdist

    tables = as_neighbourhoods(real, fake, k)
    x, y = (
        rows[some_draws(len(rows), MAX_NEIGHBOUR_ROWS, seed, number)]
        for number, rows in enumerate(tables)
    )
    distances = (cdist(x, x, "sqeuclidean"), cdist(y, y, "sqeuclidean"), cdist(x, y, "sqeuclidean"))
    values = np.array(statistic(distances, k))
    left_out = []
    for number, rows in enumerate((x, y)):
        members = random_groups(len(rows), GROUPS, seed, number)
        if len(rows) - max(map(len, members)) <= k:
            raise InputError(
                f"{len(rows)} clips are too few for an interval with k = {k}: add videos or ask "
                "for no interval"
            )
        estimates = np.array(
            [statistic(_distances_without(distances, number, group), k) for group in members]
        )
        shrink = np.sqrt(len(rows) / len(tables[number]))
        left_out.append(values + shrink * (estimates - values))
    first, second = (
        jackknife_interval(
            float(values[i]), [table[:, i] for table in left_out], floor=0.0, ceiling=ceiling
        )
        for i, ceiling in enumerate(ceilings)
    )
    return first, second


def _distances_without(distances: Distances, number: int, group: Array) -> Distances:
    """The distances without a group of rows of set `number`."""
    xx, yy, xy = distances
    rest = np.setdiff1d(np.arange(len((xx, yy)[number])), group)
    if number == 0:
        return xx[np.ix_(rest, rest)], yy, xy[rest]
    return xx, yy[np.ix_(rest, rest)], xy[:, rest]


def _precision_recall(distances: Distances, k: int) -> tuple[float, float]:
    xx, yy, xy = distances
    precise = (xy <= _radii(xx, k)[:, None]).any(axis=0)
    recalled = (xy <= _radii(yy, k)).any(axis=1)
    return float(precise.mean()), float(recalled.mean())


def _density_coverage(distances: Distances, k: int) -> tuple[float, float]:
    xx, _, xy = distances
    within = xy < _radii(xx, k)[:, None]
    return float(within.sum() / (k * xy.shape[1])), float(within.any(axis=1).mean())


def _radii(squared: Array, k: int) -> Array:
    return np.asarray(np.partition(squared, k, axis=1)[:, k])
