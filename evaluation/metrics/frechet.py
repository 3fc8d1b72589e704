"""Fréchet distance of two Gaussians, from their moments or from the features themselves.

Of whole sets, class by class, or frame position by frame position.

The only difficult term is tr (Σ1 Σ2)^½. With any factors Σi = Fi Fiᵀ it is the sum of the singular
values of F1ᵀ F2: no square root of a matrix, no complex parts, and nothing is squared that has to
be rooted again, so singular covariances cost no precision.

Singular values are slow, though: for 2048 features they take ten times as long as all the rest. So
the eigenvalues of F1ᵀ Σ2 F1 are tried first, their squares. Rounding is the same for all of these,
which spoils the roots of small ones: `_distance_of_squares` estimates by how much, and takes them
only where the distance keeps ten digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.inputs import TOLERANCE, Array, as_feature_pair, as_moments, blocks
from latte.data.errors import InputError

MIN_CLIPS = 2  # one clip has no covariance
ROWS_AT_ONCE = 4096  # bounds memory only
MIN_WIDE = 512  # features from which on importing SciPy costs less than it saves
PRECISION = 1e-10  # of a distance from squared singular values, relative to the exact one
ROUNDING = 1e-14  # of the exact distance, relative to tr(Σ1 + Σ2)
# Rounding of an eigenvalue, in units of ε · the largest one: at most 5 in trials of 3 to 250
# features with spectra of all kinds in all orders.
EIGENVALUE_ROUNDING = 16


def frechet_distance(mu1: ArrayLike, sigma1: ArrayLike, mu2: ArrayLike, sigma2: ArrayLike) -> float:
    """Squared Fréchet distance of two Gaussians; lower is better, 0 when they are equal.

    |mu1 − mu2|² + tr(Σ1 + Σ2 − 2 (Σ1 Σ2)^½)        [Dowson & Landau, 1982]

    Args:
        mu1, mu2: means, (D,).
        sigma1, sigma2: covariances, (D, D), symmetric and positive semi-definite; they may be
            singular. Over N or over N − 1 is the caller's choice, the same for both.

    Returns:
        The distance, at least 0. Rounding is about 1e-14 of tr(Σ1 + Σ2).

    Raises:
        InputError: shapes that do not fit, values that are not finite, or a matrix that is not
            symmetric and positive semi-definite.
    """
    mean1, covariance1 = as_moments(mu1, sigma1, "the first")
    mean2, covariance2 = as_moments(mu2, sigma2, "the second")
    if mean1.shape != mean2.shape:
        raise InputError(
            f"the first mean has {mean1.size} features but the second {mean2.size}: compare "
            "statistics of one network"
        )
    distance = _distance_by_cholesky(mean1, covariance1, mean2, covariance2)
    if distance is not None:
        return distance
    factor1 = _covariance_factor(covariance1, "first")
    factor2 = _covariance_factor(covariance2, "second")
    return distance_of_factors(mean1, factor1, mean2, factor2)


def frechet_distance_from_features(
    x: ArrayLike, y: ArrayLike, *, ddof: int = 0, labels: tuple[str, str] = ("x", "y")
) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of features; lower is better.

    Unless the covariances are well conditioned they are not formed: the centred rows are a factor
    already, or a triangular one stands for them. More precise there than `frechet_distance`, and
    exact where the covariances are singular.

    Args:
        x, y: (N, D) and (M, D), any floating type; computed in float64.
        ddof: 0 divides the covariances by N, 1 by N − 1. Papers differ.
        labels: what to call x and y in a message.

    Raises:
        InputError: shapes that do not fit, a row that is not finite (named by its number), or too
            few rows.
    """
    first, second = as_feature_pair(x, y, ddof=ddof, labels=labels)
    mean1, mean2 = first.mean(axis=0), second.mean(axis=0)
    rows1, rows2 = first - mean1, second - mean2
    divisor1, divisor2 = len(first) - ddof, len(second) - ddof
    if min(len(first), len(second)) > first.shape[1]:
        sigmas = rows1.T @ rows1 / divisor1, rows2.T @ rows2 / divisor2
        distance = _distance_by_cholesky(mean1, sigmas[0], mean2, sigmas[1])
        if distance is not None:
            return distance
    factors = rows_factor(rows1, divisor1), rows_factor(rows2, divisor2)
    return distance_of_factors(mean1, factors[0], mean2, factors[1])


@dataclass(frozen=True, kw_only=True)
class GroupDistance:
    """The Fréchet distance of one group."""

    value: float | None  # None where a set has fewer than `MIN_CLIPS` clips of the group
    num_real: int
    num_fake: int


def frechet_by_group(
    real: ArrayLike,
    fake: ArrayLike,
    real_groups: Sequence[str],
    fake_groups: Sequence[str],
    *,
    ddof: int,
) -> dict[str, GroupDistance]:
    """Squared Fréchet distance within each group, such as a class; lower is better.

    A group is small, and the bias of the distance grows as its clips get fewer: compare a group
    only with the same group of another model, at the same numbers, never with the whole sets.

    Args:
        real, fake: (N, D) and (M, D), as for `frechet_distance_from_features`.
        real_groups, fake_groups: the group of each row, N and M names.
        ddof: 0 divides the covariances by the group's clips, 1 by one less.

    Returns:
        Every group that one of the sets has, in order. Its value is None where a set has fewer
        than two clips of it.

    Raises:
        InputError: as `as_feature_pair`; another number of groups than of rows, or groups that
            are not all strings or all integers.
    """
    first, second = as_feature_pair(
        real, fake, ddof=ddof, labels=("real features", "fake features")
    )
    for rows, groups, which in ((first, real_groups, "real"), (second, fake_groups, "fake")):
        if len(groups) != len(rows):
            raise InputError(
                f"{which} features have {len(rows)} rows but {len(groups)} groups: give one of "
                "each row"
            )
    names = {*real_groups, *fake_groups}
    if not any(all(isinstance(name, kind) for name in names) for kind in (str, Integral)):
        kinds = sorted({type(name).__name__ for name in names})
        raise InputError(f"groups must be all strings or all integers, not {' and '.join(kinds)}")
    names_real, names_fake = np.asarray(real_groups), np.asarray(fake_groups)
    distances = {}
    for group in sorted(names):
        x, y = first[names_real == group], second[names_fake == group]
        few = min(len(x), len(y)) < MIN_CLIPS
        distances[group] = GroupDistance(
            value=None if few else frechet_distance_from_features(x, y, ddof=ddof),
            num_real=len(x),
            num_fake=len(y),
        )
    return distances


def frechet_by_position(real: ArrayLike, fake: ArrayLike, *, ddof: int) -> Array:
    """Squared Fréchet distance at each frame position of the clips, (T,); lower is better.

    Entry t compares frame t of the generated clips with frame t of the real ones: it rises where
    in the clip the frames go wrong. Each has one sample per clip, so all have the same bias.

    Args:
        real, fake: (N, T, D) and (M, T, D), features of a frame network.
        ddof: 0 divides the covariances by N, 1 by N − 1.

    Raises:
        InputError: other axes, clips of different lengths, and as `as_feature_pair` with the
            position at which it is.
    """
    first, second = np.asarray(real), np.asarray(fake)
    for array, label in ((first, "real"), (second, "fake")):
        if array.ndim != 3 or 0 in array.shape:
            raise InputError(
                f"{label} features have shape {array.shape}: give (clips, frames, features)"
            )
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"real clips have {first.shape[1]} frames but fake ones {second.shape[1]}: compare "
            "clips of one length"
        )
    distances = np.empty(first.shape[1])
    for t in range(len(distances)):
        distances[t] = frechet_distance_from_features(
            first[:, t],
            second[:, t],
            ddof=ddof,
            labels=(f"real features at frame {t}", f"fake features at frame {t}"),
        )
    return distances


def rows_factor(centred: Array, divisor: float) -> Array:
    """F (K, D), K ≤ D, with FᵀF = centredᵀ centred / divisor; K < N rows whose mean is 0."""
    num_features = centred.shape[1]
    factor = without_direction(centred, np.ones(len(centred)))
    if len(factor) > num_features:
        factor = np.empty((0, num_features))
        for rows in blocks(centred, ROWS_AT_ONCE):
            factor = np.asarray(np.linalg.qr(np.concatenate([factor, rows]), mode="r"))
    return factor / np.sqrt(divisor)


def distance_of_factors(mean1: Array, factor1: Array, mean2: Array, factor2: Array) -> float:
    """|mean1 − mean2|² + |F1|² + |F2|² − 2 Σ singular values of F1 F2ᵀ, at least 0.

    Args:
        mean1, mean2: (D,).
        factor1, factor2: (K1, D) and (K2, D) with Σi = Fiᵀ Fi.
    """
    shift = mean1 - mean2
    apart = shift @ shift + np.vdot(factor1, factor1) + np.vdot(factor2, factor2)
    return distance_of_product(float(apart), factor1 @ factor2.T)


def distance_of_product(apart: float, product: Array, *, squares: bool = True) -> float:
    """apart − 2 Σ singular values of the product, at least 0.

    Args:
        apart: |mean1 − mean2|² + tr(Σ1 + Σ2).
        product: F1 F2ᵀ, (K1, K2), of factors with Σi = Fiᵀ Fi.
        squares: whether to try the squares first; does not change the first ten digits.
    """
    if not product.size:
        return max(0.0, apart)
    distance = _distance_of_squares(apart, _squared(product)) if squares else None
    if distance is None:
        distance = apart - 2 * float(np.linalg.svd(product, compute_uv=False).sum())
    # Equal Gaussians leave a rounding error of either sign; a distance has none.
    return max(0.0, distance)


def squares_suffice(apart: float, product: Array) -> bool:
    """Whether the squares give the distance to ten digits; arguments as `distance_of_product`."""
    return bool(product.size) and _distance_of_squares(apart, _squared(product)) is not None


def without_direction(rows: Array, direction: Array) -> Array:
    """F (N − 1, D) with FᵀF = rowsᵀ rows, where directionᵀ rows = 0.

    Rows that were centred have one singular value that is 0, where none is needed. Householder's
    reflection of the direction to the first axis makes the first row 0.

    Args:
        rows: (N, D).
        direction: (N,), of any length, its first entry at least 0.
    """
    axis = direction / np.linalg.norm(direction)
    # (1 + first) v = axis + e1, so that nothing cancels; the reflection takes axis to −e1.
    rest = axis[1:] / (1 + axis[0])
    return np.asarray(rows[1:] - np.outer(rest, rows[0] + rest @ rows[1:]) * (1 + axis[0]))


def _distance_by_cholesky(mean1: Array, sigma1: Array, mean2: Array, sigma2: Array) -> float | None:
    """The distance by the eigenvalues of Lᵀ Σ2 L, where Σ1 = L Lᵀ.

    None where the matrices are not positive definite, or too near to singular for it.
    """
    try:
        factor = np.linalg.cholesky(sigma1)  # reads the lower triangle alone
    except np.linalg.LinAlgError:
        return None
    shift = mean1 - mean2
    apart = float(shift @ shift + np.trace(sigma1) + np.trace(sigma2))
    distance = _distance_of_squares(apart, _congruent(sigma2, np.asarray(factor)))
    return distance if distance is None else max(0.0, distance)


def _congruent(sigma: Array, factor: Array) -> Array:
    """Lᵀ Σ L, of which only the lower triangle is right, from that of Σ and a triangular L."""
    if len(sigma) < MIN_WIDE:
        return np.asarray(factor.T @ (np.tril(sigma) + np.tril(sigma, -1).T) @ factor)
    from scipy.linalg.lapack import dsygst  # a quarter of the operations; slow to import

    product, fault = dsygst(sigma, factor, itype=2, lower=1)
    assert not fault
    return np.asarray(product)


def _squared(product: Array) -> Array:
    thin = product if len(product) <= product.shape[1] else product.T
    return np.asarray(thin @ thin.T)


def _distance_of_squares(apart: float, squared: Array) -> float | None:
    """apart − 2 Σ √eigenvalue; None where rounding may move it by more than its tenth digit.

    An eigenvalue v is known to about ε · the largest one, its root to that over 2√v. The errors are
    independent, so their squares add up.

    Args:
        apart: |mean1 − mean2|² + tr(Σ1 + Σ2).
        squared: symmetric, of the squares of singular values; its lower triangle is read.
    """
    values = np.linalg.eigvalsh(squared)
    if not values[0] > 0:
        return None
    distance = apart - 2 * float(np.sqrt(values).sum())
    rounding = EIGENVALUE_ROUNDING * np.finfo(np.float64).eps * values[-1]
    error = rounding * float(np.sqrt((1 / values).sum()))
    return distance if error <= max(PRECISION * distance, ROUNDING * apart) else None


def _covariance_factor(sigma: Array, which: str) -> Array:
    """F (K, D) with FᵀF = sigma, without the directions that are rounding errors of zero.

    An eigenvalue below D · ε · the largest one is numerically zero. Its root is not: with N < D,
    hundreds of them would add up to 1e-6 of the trace.
    """
    values, vectors = np.linalg.eigh(sigma)  # ascending; reads the lower triangle alone
    if values[0] < -TOLERANCE * max(values[-1], -values[0]):
        raise InputError(
            f"the {which} covariance has the negative eigenvalue {values[0]:.3g}: it is not a "
            "covariance"
        )
    nonzero = values > len(values) * np.finfo(np.float64).eps * values[-1]
    return np.ascontiguousarray((vectors[:, nonzero] * np.sqrt(values[nonzero])).T)
