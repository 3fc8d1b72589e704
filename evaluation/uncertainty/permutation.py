"""Is one model better than another? A permutation test of two distances to the same real set."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.frechet import squares_suffice
from evaluation.metrics.inputs import Array, as_feature_pair
from evaluation.uncertainty.cores import Progress, on_all_cores, one_core
from evaluation.uncertainty.resampling import (
    FeaturePair,
    FeatureTable,
    distance,
    indicator,
    product_of,
)
from latte.data.errors import InputError

ROUNDING = 1e-9  # differences this near, relative to the distances, are equal


@dataclass(frozen=True, kw_only=True)
class PermutationTest:
    """How often relabelled samples differ as much as the two models do."""

    difference: float  # distance of a − distance of b, both to the real set; below 0: a is better
    p_value: float  # two-sided
    permutations: int  # how many were computed
    paired: bool
    exact: bool  # whether these are all permutations there are


def permutation_test(
    real: ArrayLike,
    models: FeaturePair,
    *,
    paired: bool,
    permutations: int = 1000,
    seed: int = 0,
    progress: Progress = lambda number: None,
) -> PermutationTest:
    """Test that a and b are samples of one distribution, by FD(a, real) − FD(b, real).

    Paired, each sample of a may change places with the one of b that was made from the same prompt,
    seed or label; unpaired, all samples are shuffled. p is (k + 1)/(m + 1), k of m permutations
    being as far from zero as the measured difference (Phipson & Smyth, 2010), so it is never 0;
    where there are no more than `permutations` of them, all are taken, and p is k/m. The real set
    is held fixed: its own sampling noise is in both distances.

    Args:
        real: features of the real set, (N, D).
        models: features of a and b, of one size if paired. Unpaired sets of different size have
            different bias; p stays right, the difference then contains it.
        paired: whether row i of a and of b belong together.
        permutations: maximum number.
        seed: random seed of the permutations.
        progress: called with 1 after each permutation.

    Raises:
        InputError: features that cannot be compared, paired sets of different size, or
            no permutations.
    """
    a, b = models.x, models.y
    reference, _ = as_feature_pair(real, a, ddof=models.ddof, labels=("real", "a"))
    if paired and len(a) != len(b):
        raise InputError(
            f"a has {len(a)} rows and b {len(b)}: a paired test needs the same samples of "
            "both models in the same order"
        )
    if permutations < 1:
        raise InputError(f"a permutation test needs at least one permutation, not {permutations}")
    # The samples of both models in one table, from which either may get any.
    table, ddof = FeatureTable.of(np.concatenate([a, b]), models.rows_per_draw), models.ddof
    count, total = len(a) // models.rows_per_draw, table.num_draws
    fixed = FeatureTable.of(reference)
    with one_core():
        anchor = fixed.moments(np.ones(len(reference)), ddof)
    _ = table.outer  # computed before threads ask for it at once
    rounding = ROUNDING * float(table.squares.mean() + anchor.trace)

    def difference(members: Array) -> float:
        """FD(a, real) − FD(b, real), where a has the draws that are marked 1, b those marked 0."""
        weights = table.spread(members)
        of_a, of_b = table.split(weights, 1 - weights, ddof)
        first, second = (distance(part, anchor, squares=squares) for part in (of_a, of_b))
        return first - second

    with one_core():
        every = table.moments(np.ones(len(table.rows)), ddof)
        squares = squares_suffice(*product_of(every, anchor))
        measured = difference(indicator(np.arange(count), total))
    members, number, exact = _permutations(count, total, paired, permutations, seed)
    permuted = on_all_cores(lambda index: difference(members(index)), number, progress)
    # Sets of different size have different bias: the expected difference is then not zero.
    centre = 0.0 if len(a) == len(b) else float(np.mean([*permuted, measured]))
    extreme = int((np.abs(permuted - centre) >= abs(measured - centre) - rounding).sum())
    return PermutationTest(
        difference=measured,
        p_value=extreme / number if exact else (extreme + 1) / (number + 1),
        permutations=number,
        paired=paired,
        exact=exact,
    )


def _permutations(
    count: int, total: int, paired: bool, limit: int, seed: int
) -> tuple[Callable[[int], Array], int, bool]:
    """1 for the draws that a gets in each permutation, (total,); their number; whether all."""
    if (2**count if paired else math.comb(total, count)) <= limit:
        if paired:
            every = [_swapped(np.array(swaps)) for swaps in product((0, 1), repeat=count)]
        else:
            every = [indicator(np.array(c), total) for c in combinations(range(total), count)]
        return every.__getitem__, len(every), True

    def random(index: int) -> Array:
        stream = np.random.default_rng((seed, index))
        if paired:
            return _swapped(stream.integers(0, 2, count))
        return indicator(stream.permutation(total)[:count], total)

    return random, limit, False


def _swapped(swaps: np.ndarray) -> Array:
    """1 for the draws of a, where the pairs marked 1 have changed places, (2 · pairs,)."""
    return np.concatenate([1 - swaps, swaps]).astype(np.float64)
