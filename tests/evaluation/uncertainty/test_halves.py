import numpy as np
import pytest

from evaluation.metrics import frechet_distance_from_features
from evaluation.uncertainty import FeaturePair, half_sample_frechet
from evaluation.uncertainty.halves import HalfSamples, half_samples
from latte.data.errors import InputError


@pytest.mark.parametrize("shift", [0.0, 1.0, 10.0])
def test_variance_and_bias_of_a_known_functional_are_found(shift):
    # T = Σ (shift + z)² with z of variance 1/N: linear part 4 Σ shift²/N, quadratic 2 D/N².
    rows, columns = 100, 5
    random = np.random.default_rng(0)
    found = []
    for _ in range(400):
        x = shift / 10 + random.standard_normal((rows, columns))
        halves = [
            x[order].reshape(2, -1, columns) for order in map(random.permutation, [rows] * 30)
        ]
        means = np.array([[(half.mean(axis=0) ** 2).sum() for half in cut] for cut in halves])
        value = float((x.mean(axis=0) ** 2).sum())
        found.append(HalfSamples(value, means[:, 0], means[:, 1], rows))
    linear, quadratic = 4 * columns * (shift / 10) ** 2 / rows, 2 * columns / rows**2
    assert np.mean([f.bias for f in found]) == pytest.approx(columns / rows, rel=0.05)
    assert np.mean([f.quadratic for f in found]) == pytest.approx(quadratic, rel=0.1)
    # Efron & Stein: each linear noise comes with the curvature at a noisy sample
    assert np.mean([f.conservative for f in found]) == pytest.approx(
        linear + 2 * quadratic, rel=0.1
    )


def interval_of(value, variance_of_halves, quadratic, bias=0.0):
    """Two cuts with the wanted moments."""
    spread, difference = np.sqrt(quadratic / 2), np.sqrt(variance_of_halves * 2)
    means = value + bias + np.array([spread, -spread])
    halves = HalfSamples(value, means + difference / 2, means - difference / 2, 10**9)
    assert halves.quadratic == pytest.approx(quadratic)
    assert halves.conservative == pytest.approx(variance_of_halves / 2)
    return halves.interval(0.95)


def test_a_linear_distance_far_from_zero_has_a_normal_interval():
    low, high = interval_of(1000.0, variance_of_halves=2.0, quadratic=0.0)
    assert low == pytest.approx(1000 - 1.96, abs=0.01)
    assert high == pytest.approx(1000 + 1.96, abs=0.01)


def test_the_interval_holds_the_values_that_the_measured_one_does_not_refute():
    value, half, quadratic, z = 3.0, 1.6, 0.2, 1.959964
    low, high = interval_of(value, variance_of_halves=2 * half, quadratic=quadratic)
    for end in (low, high):
        assert (value - end) ** 2 == pytest.approx(
            z**2 * (half / value * end - quadratic), rel=1e-5
        )
    assert high - value > value - low  # longer upwards


def test_the_variance_is_never_below_its_quadratic_part():
    low, high = interval_of(3.0, variance_of_halves=0.1, quadratic=0.2)
    assert low <= 3 - 1.95 * np.sqrt(0.2)
    assert high >= 3 + 1.95 * np.sqrt(0.2)


@pytest.mark.parametrize(
    ("rows", "shift", "repetitions", "resamples"),
    [
        (128, 0.0, 150, 60),
        (128, 1.0, 150, 60),
        pytest.param(256, 0.2, 400, 200, marks=pytest.mark.slow),
        pytest.param(128, 0.5, 400, 200, marks=pytest.mark.slow),
    ],
)
def test_the_interval_covers_the_expected_value_92_to_98_times_of_100(
    rows, shift, repetitions, resamples
):
    columns = 8
    random = np.random.default_rng(0)
    scales = np.linspace(1, 0.3, columns)

    def draw():
        x, y = random.standard_normal((2, rows, columns)) * scales
        return x, y + shift / np.sqrt(columns)

    expected = np.mean([frechet_distance_from_features(*draw()) for _ in range(1000)])
    covered = 0
    for seed in range(repetitions):
        interval = half_sample_frechet(FeaturePair(*draw()), resamples=resamples, seed=seed)
        covered += interval.low <= expected <= interval.high
    assert 0.92 <= covered / repetitions <= 0.98


def test_each_cut_has_a_stream_of_its_own(features):
    pair = FeaturePair(features(30, 3, 0), features(30, 3, 1))
    few, many = (half_samples(pair, 1.0, cuts=cuts) for cuts in (3, 8))
    np.testing.assert_array_equal(few.first, many.first[:3])
    np.testing.assert_array_equal(few.second, many.second[:3])


def test_too_little_to_cut_is_refused(features):
    x = features(10, 3, 0)
    with pytest.raises(InputError, match=r"at least 4 resamples"):
        half_sample_frechet(FeaturePair(x, x), resamples=3)
    with pytest.raises(InputError, match=r"at least 4 clips.*\by\b.*\b3\b"):
        half_sample_frechet(FeaturePair(x, x[:3]))
