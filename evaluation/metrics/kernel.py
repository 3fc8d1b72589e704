"""Squared maximum mean discrepancy (MMD) with a polynomial kernel: KID, KVD and JEDi's distance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.inputs import Array, as_feature_pair, blocks
from latte.data.errors import InputError

ROWS_AT_ONCE = 2048  # rows and columns of a kernel matrix; bounds memory only


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """k(a, b) = (a·b / D + coef0)^degree, D the number of features."""

    degree: int
    coef0: float

    def __call__(self, a: Array, b: Array) -> Array:
        """Kernel matrix of rows (n, D) and (m, D): (n, m)."""
        base = a @ b.T
        base *= 1 / a.shape[1]
        base += self.coef0
        values = base.copy()
        for _ in range(self.degree - 1):
            values *= base
        return values

    def diagonal(self, a: Array) -> Array:
        """k(row, row) of each row of (n, D): (n,)."""
        return np.asarray(
            (1 / a.shape[1] * np.einsum("nd,nd->n", a, a) + self.coef0) ** self.degree
        )


KID = Kernel(degree=3, coef0=1.0)  # Bińkowski et al., 2018
KVD = Kernel(degree=3, coef0=1.0)  # DIGAN and TATS: scikit-learn's defaults
JEDI = Kernel(degree=2, coef0=0.0)  # videojedi 1.1.0


def polynomial_mmd(
    x: ArrayLike, y: ArrayLike, kernel: Kernel = KVD, *, unbiased: bool = True
) -> float:
    """Squared MMD of two sets of features with a polynomial kernel; lower is better.

    mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y)                          [Gretton et al., 2012]

    On I3D logits and with the defaults, the KVD of sihyun-yu/digan
    (src/scripts/compute_fvd_kvd.py) and songweige/TATS (tats/fvd/fvd.py).

    Args:
        x, y: (N, D) and (M, D), any floating type; computed in float64.
        unbiased: True leaves out k of a row with itself (the U-statistic: its expectation is the
            squared MMD of the distributions, so it may be negative where they are alike). False
            keeps it (the V-statistic: never negative, 0 for equal sets, too large by about 1/N).

    Raises:
        InputError: as `as_feature_pair`; one row where it is to be unbiased.
    """
    first, second = as_feature_pair(x, y)
    if unbiased:
        _check_pairs(len(first), len(second))
    return _mmd(first, second, kernel, unbiased=unbiased)


def kernel_distance(
    x: ArrayLike,
    y: ArrayLike,
    *,
    num_subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> float:
    """Kernel distance (KID): the mean of `kernel_distances`; lower is better, about 0 when alike.

    It is unbiased, so its expectation does not depend on N, and it may be a little negative. Not
    multiplied by 1000, as some tables do.
    """
    subsets = kernel_distances(x, y, num_subsets=num_subsets, subset_size=subset_size, seed=seed)
    return float(subsets.mean())


def kernel_distances(
    x: ArrayLike,
    y: ArrayLike,
    *,
    num_subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> Array:
    """Unbiased squared MMD of random subsets of two sets of features, (num_subsets,).

    The defaults are those of KID [Bińkowski et al., 2018] in torch-fidelity, clean-fid and
    StyleGAN-V (`kid50k_full`), which draw from a generator of their own.

    Args:
        x, y: (N, D) and (M, D).
        subset_size: rows of each subset, drawn without replacement; at most the smaller set, as
            in clean-fid and StyleGAN-V.
        seed: subset i is drawn from the stream (seed, i), whatever the other subsets are.

    Raises:
        InputError: as `polynomial_mmd`; no subsets, or subsets of fewer than two rows.
    """
    first, second = as_feature_pair(x, y)
    if num_subsets < 1:
        raise InputError(f"a mean over {num_subsets} subsets has no value: give 1 or more")
    _check_pairs(len(first), len(second), subset_size)
    size = min(subset_size, len(first), len(second))
    if size == len(first) == len(second):  # each subset is the whole set
        return np.full(num_subsets, _mmd(first, second, KID, unbiased=True))
    distances = np.empty(num_subsets)
    for index in range(num_subsets):
        random = np.random.default_rng((seed, index))
        rows = random.choice(len(first), size, replace=False)
        columns = random.choice(len(second), size, replace=False)
        distances[index] = _mmd(first[rows], second[columns], KID, unbiased=True)
    return distances


def jedi_distance(x: ArrayLike, y: ArrayLike) -> float:
    """JEDi's distance on any features: 100 times the biased squared MMD; lower is better.

    100 (mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y)),  k(a, b) = (a·b / D)²   [Luo et al., 2025]

    as videojedi 1.1.0 computes it (on features of V-JEPA). (a·b)² is the inner product of a aᵀ
    and b bᵀ, so this equals 100 |E x xᵀ − E y yᵀ|² / D², the squared Frobenius norm. That form is
    computed: it is never negative, loses no digits where the sets are alike, and needs a D × D
    matrix instead of an N × N one. It also says what is compared: second moments about the origin
    and nothing else. x and −x are at distance 0.

    Args:
        x, y: (N, D) and (M, D), any floating type; computed in float64.

    Raises:
        InputError: as `as_feature_pair`.
    """
    first, second = as_feature_pair(x, y)
    difference = _second_moment(first) - _second_moment(second)
    return float(100 * np.vdot(difference, difference) / first.shape[1] ** 2)


def _mmd(x: Array, y: Array, kernel: Kernel, *, unbiased: bool) -> float:
    n, m = len(x), len(y)
    xs, ys = (list(blocks(rows, ROWS_AT_ONCE)) for rows in (x, y))
    between = math.fsum(kernel(a, b).sum() for a in xs for b in ys) / (n * m)
    pairs_x, pairs_y = _sum_of_pairs(xs, kernel), _sum_of_pairs(ys, kernel)
    if unbiased:
        return pairs_x / (n * (n - 1)) + pairs_y / (m * (m - 1)) - 2 * between
    within_x = (pairs_x + kernel.diagonal(x).sum()) / n**2
    within_y = (pairs_y + kernel.diagonal(y).sum()) / m**2
    # Equal sets leave a rounding error of either sign; a squared norm has none.
    return max(0.0, float(within_x + within_y - 2 * between))


def _sum_of_pairs(parts: Sequence[Array], kernel: Kernel) -> float:
    """Σ k(xi, xj) over i ≠ j. The diagonal is never added, so it need not be taken off again."""
    sums = []
    for i, a in enumerate(parts):
        own = kernel(a, a)
        np.fill_diagonal(own, 0)
        sums.append(own.sum())
        sums.extend(2 * kernel(a, b).sum() for b in parts[i + 1 :])
    return math.fsum(sums)


def _second_moment(x: Array) -> Array:
    """Mean of x xᵀ over the rows, (D, D)."""
    total = np.zeros((x.shape[1], x.shape[1]))
    for rows in blocks(x, ROWS_AT_ONCE):
        total += rows.T @ rows
    return total / len(x)


def _check_pairs(rows_x: int, rows_y: int, subset_size: int = 2) -> None:
    """An unbiased estimate is over pairs of two different rows."""
    if min(rows_x, rows_y) < 2:
        raise InputError(
            f"an unbiased MMD of {rows_x} and {rows_y} rows has no value: give 2 or more"
        )
    if subset_size < 2:
        raise InputError(f"an MMD of subsets of {subset_size} rows has no value: give 2 or more")
