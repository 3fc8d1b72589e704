import numpy as np
import pytest

from evaluation.metrics import frechet_distance_from_features
from evaluation.uncertainty.bootstrap import mixed_distance, row_counts
from evaluation.uncertainty.resampling import FeaturePair, FeatureTable, halves

SHAPES = [
    (200, 150, 8),
    (30, 40, 64),
    (100, 20, 64),
    (20, 100, 64),
    (70, 80, 64),
    (90, 90, 64),
    (600, 130, 30),  # rows fill more than one block
]


def resampled_naively(x, y, index, seed):
    """The rows themselves, repeated as they were drawn."""
    random = np.random.default_rng((seed, index))
    return (
        x[random.integers(0, len(x), len(x))],
        y[random.integers(0, len(y), len(y))],
    )


@pytest.mark.parametrize(("rows1", "rows2", "columns"), SHAPES)
@pytest.mark.parametrize("ddof", [0, 1])
def test_resamples_agree_with_repeated_rows(features, rows1, rows2, columns, ddof):
    x, y = features(rows1, columns, 0, shift=3.0), features(rows2, columns, 1, shift=3.2)
    pair = FeaturePair(x, y, ddof=ddof)
    for index in range(4):
        expected = frechet_distance_from_features(*resampled_naively(x, y, index, 5), ddof=ddof)
        found = pair.distance(*row_counts(pair, 5, index))
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("rows1", "rows2", "columns"), SHAPES)
@pytest.mark.parametrize("ddof", [0, 1])
def test_both_halves_agree_with_the_rows_themselves(features, rows1, rows2, columns, ddof):
    # Odd numbers: one row is in neither half.
    x, y = features(rows1 + 1, columns, 0, shift=3.0), features(rows2 + 1, columns, 1)
    pair = FeaturePair(x, y, ddof=ddof)
    random = np.random.default_rng(0)
    parts1, parts2 = halves(random, len(x)), halves(random, len(y))
    for found, kept1, kept2 in zip(
        pair.split_distances(parts1, parts2), parts1, parts2, strict=True
    ):
        assert int(kept1.sum()) == rows1 // 2
        expected = frechet_distance_from_features(x[kept1 == 1], y[kept2 == 1], ddof=ddof)
        assert found == pytest.approx(expected, rel=1e-9)


def test_mixed_resamples_are_both_resamples_as_one_set(features):
    x, y = features(60, 8, 0), features(50, 8, 1, shift=0.2)
    (x1, y1), (x2, y2) = (resampled_naively(x, y, index, 0) for index in (6, 7))
    expected = frechet_distance_from_features(np.concatenate([x1, x2]), np.concatenate([y1, y2]))
    assert mixed_distance(FeaturePair(x, y), 0, 3) == pytest.approx(expected, rel=1e-9)


def test_features_that_are_constant_or_repeated_do_no_harm(features):
    x, y = features(300, 8, 0), features(300, 8, 1, shift=0.1)
    x[:, 3] = y[:, 3] = 0
    x[:, 5], y[:, 5] = x[:, 4], y[:, 4]
    pair = FeaturePair(x, y)
    for index in range(4):
        expected = frechet_distance_from_features(*resampled_naively(x, y, index, 0))
        assert pair.distance(*row_counts(pair, 0, index)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("weights", [[1, 1, 1, 0, 1, 1, 2, 1], [0, 0, 0, 5, 1, 0, 2, 0]])
def test_sums_are_the_same_from_whichever_rows_are_fewer(weights):
    rows = np.random.default_rng(0).standard_normal((8, 2)) + 4
    found = FeatureTable.of(rows).moments(np.array(weights, float))
    repeated = np.repeat(rows, weights, axis=0)
    np.testing.assert_allclose(found.mean, repeated.mean(axis=0), rtol=1e-12)
    covariance = np.cov(repeated, rowvar=False, ddof=0)
    np.testing.assert_allclose(found.factor.T @ found.factor, covariance, atol=1e-12)
    assert found.trace == pytest.approx(np.trace(covariance), rel=1e-12)
