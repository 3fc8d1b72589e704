"""Is one model better than another? A permutation test of two distances to the same real set."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice, product

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from evaluation.metrics.inputs import as_feature_pair
from evaluation.uncertainty.interval import Progress, each, one_core
from evaluation.uncertainty.resampling import Moments, Table, distance, indicator
from latte.data.errors import InputError

ROUNDING = 1e-9  # of the distances: differences this near are equal


@dataclass(frozen=True, kw_only=True)
class PermutationTest:
    """How often relabelled samples differ as much as the two models do."""

    difference: float  # distance of a − distance of b, both to the real set; below 0: a is better
    p_value: float  # two-sided
    permutations: int  # that were looked at
    paired: bool
    exact: bool  # whether those were all there are


def permutation_test(
    real: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    paired: bool,
    permutations: int = 1000,
    seed: int = 0,
    ddof: int = 0,
    rows_per_draw: int = 1,
    progress: Progress | None = None,
) -> PermutationTest:
    """Test that a and b are samples of one distribution, by FD(a, real) − FD(b, real).

    Paired, each sample of a may change places with the one of b that was made from the same prompt,
    seed or label; unpaired, all samples are shuffled. p is (k + 1)/(m + 1), k of m permutations
    being as far from zero as the measured difference (Phipson & Smyth, 2010), so it is never 0;
    where there are no more than `permutations` of them, all are taken, and p is k/m. The real set
    is held fixed: its own sampling noise is in both distances.

    Args:
        real, a, b: features, (N, D), (K, D) and (L, D); K = L if paired. Unpaired sets of
            different size have different bias; p stays right, the difference then contains it.
        paired: whether row i of a and of b belong together.
        permutations: at most.
        seed: of the permutations.
        ddof: of the covariances.
        rows_per_draw: neighbouring rows that stay together: the frames of a clip.
        progress: called with 1 after each permutation.

    Raises:
        InputError: features that cannot be compared, paired sets of different size, or
            no permutations.
    """
    first, second = as_feature_pair(a, b, ddof=ddof, labels=("a", "b"))
    reference, _ = as_feature_pair(real, first, ddof=ddof, labels=("real", "a"))
    if paired and len(first) != len(second):
        raise InputError(
            f"a has {len(first)} rows and b {len(second)}: a paired test needs the same samples of "
            "both models in the same order"
        )
    if permutations < 1:
        raise InputError(f"a permutation test needs at least one permutation, not {permutations}")
    table = Table.of(np.concatenate([first, second]), rows_per_draw)
    fixed = Table.of(reference)
    with one_core():
        anchor = fixed.moments(torch.ones(len(reference), dtype=torch.float64), ddof)
    _ = table.outer, table.squares  # made before threads ask for them at once
    count = len(first) // rows_per_draw

    def difference(members: Tensor) -> float:
        kept = table.spread(members)
        of_a, of_b = table.split(kept, 1 - kept, ddof)
        return _difference(of_a, of_b, anchor)

    with one_core():
        measured = difference(indicator(np.arange(count), table.num_draws))
    scale = ROUNDING * float(table.squares.mean() + anchor.trace)
    every = _all(count, table.num_draws, paired, permutations)
    if every is not None:
        found = np.array(list(each(lambda i: difference(every[i]), len(every), progress)))
    else:
        found = np.array(
            list(
                each(
                    lambda i: difference(_random(count, table.num_draws, paired, (seed, i))),
                    permutations,
                    progress,
                )
            )
        )
    # Sets of different size have different bias: what is expected then is not zero.
    centre = 0.0 if 2 * count == table.num_draws else float(np.mean([*found, measured]))
    extreme = int((np.abs(found - centre) >= abs(measured - centre) - scale).sum())
    exact = every is not None
    return PermutationTest(
        difference=measured,
        p_value=extreme / len(found) if exact else (extreme + 1) / (len(found) + 1),
        permutations=len(found),
        paired=paired,
        exact=exact,
    )


def _difference(of_a: Moments, of_b: Moments, anchor: Moments) -> float:
    return distance(of_a, anchor) - distance(of_b, anchor)


def _random(count: int, total: int, paired: bool, stream: tuple[int, int]) -> Tensor:
    """1 for the draws that are called a's in one permutation, (total,)."""
    random = np.random.default_rng(stream)
    if not paired:
        return indicator(random.permutation(total)[:count], total)
    return _swapped(random.integers(0, 2, count))


def _swapped(swaps: np.ndarray) -> Tensor:
    """The same where the pairs marked 1 have changed places, (2 · pairs,)."""
    return torch.from_numpy(np.concatenate([1 - swaps, swaps]).astype(np.float64))


def _all(count: int, total: int, paired: bool, limit: int) -> list[Tensor] | None:
    """Every permutation, if there are no more than `limit`."""
    number = 2**count if paired else math.comb(total, count)
    if number > limit:
        return None
    ways: Iterator[Tensor]
    if paired:
        ways = (_swapped(np.array(swaps)) for swaps in product((0, 1), repeat=count))
    else:
        ways = (indicator(np.array(c), total) for c in combinations(range(total), count))
    return list(islice(ways, limit))
