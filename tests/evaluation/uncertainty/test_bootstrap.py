import numpy as np
import pytest

from evaluation.metrics import frechet_distance_from_features, inception_score
from evaluation.uncertainty import FeaturePair, bootstrap_frechet, bootstrap_inception_score
from evaluation.uncertainty.bootstrap import quadratic_variance
from latte.data.errors import InputError


def test_the_interval_narrows_with_more_samples(features):
    widths = []
    for rows in (100, 1600):
        x, y = features(rows, 4, 0), features(rows, 4, 1, shift=0.5)
        interval = bootstrap_frechet(FeaturePair(x, y), resamples=200)
        widths.append(interval.high - interval.low)
    assert 2.5 < widths[0] / widths[1] < 6  # four, but for chance


def test_the_quadratic_part_is_found_in_a_quadratic_function_and_not_in_a_linear_one():
    random = np.random.default_rng(0)
    noise = random.standard_normal((4000, 3))
    mixed = noise.reshape(2000, 2, 3).mean(axis=1)
    linear, quadratic = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.5, 2.0])
    exact = 2 * (quadratic**2).sum()  # variance of Σ qᵢ zᵢ²
    for slope in (0.0, 1.0):

        def function(z, slope=slope):
            return slope * z @ linear + z**2 @ quadratic

        assert quadratic_variance(function(noise), function(mixed)) == pytest.approx(
            exact, rel=0.15
        )
    assert quadratic_variance(noise @ linear, mixed @ linear) < 1e-12


def test_identical_sets_start_at_zero(features):
    x = features(50, 4, 0)
    interval = bootstrap_frechet(FeaturePair(x, x), resamples=40)
    assert interval.low == 0 < interval.high


def probabilities(rows, classes, seed=0):
    logits = np.random.default_rng(seed).standard_normal((rows, classes)) * 2
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_the_interval_of_an_inception_score_is_around_it_and_covers_another_sample():
    p = probabilities(1000, 5)
    value, _ = inception_score(p)
    interval = bootstrap_inception_score(p, resamples=200)
    assert interval.low < value < interval.high
    another, _ = inception_score(probabilities(1000, 5, seed=1))
    half = (interval.high - interval.low) / 2
    assert abs(another - value) < 2 * half
    assert bootstrap_inception_score(p, resamples=200) == interval


def test_certain_classes_have_no_spread_beyond_their_counts():
    interval = bootstrap_inception_score(np.tile([[1.0, 0.0]], (20, 1)), splits=2, resamples=10)
    assert (interval.low, interval.high) == (1, 1)


def test_what_cannot_be_resampled_is_refused(features):
    x = features(10, 3, 0)
    with pytest.raises(InputError, match="at least 4 resamples"):
        bootstrap_frechet(FeaturePair(x, x), resamples=3)
    with pytest.raises(InputError, match="at least one resample"):
        bootstrap_inception_score(probabilities(10, 3), resamples=0)


def test_a_value_of_other_rows_is_where_the_interval_is(features):
    x, y = features(100, 4, 0), features(100, 4, 1, shift=0.5)
    value = frechet_distance_from_features(x, y)
    pair = FeaturePair(x, y)
    own, moved = (bootstrap_frechet(pair, resamples=40, value=v) for v in (None, value + 1))
    assert (moved.low, moved.high) == pytest.approx((own.low + 1, own.high + 1), rel=1e-12)
