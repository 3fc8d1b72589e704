import numpy as np
import pytest
import torch

from evaluation import uncertainty
from evaluation.metrics import frechet_distance_from_features, inception_score
from evaluation.uncertainty import bootstrap_frechet, bootstrap_inception_score
from latte.data.errors import InputError


def features(rows, columns, seed, shift=0.0):
    random = np.random.default_rng(seed)
    return random.standard_normal((rows, columns)) * np.linspace(1, 0.3, columns) + shift


def draws_of(x, y, seed, ddof=0):
    return uncertainty._Draws.of(x, y, seed=seed, ddof=ddof, rows_per_draw=1)


def resampled_naively(x, y, index, seed):
    """The rows themselves, repeated as they were drawn."""
    random = np.random.default_rng((seed, index))
    return (
        x[random.integers(0, len(x), len(x))],
        y[random.integers(0, len(y), len(y))],
    )


@pytest.mark.parametrize(
    ("rows1", "rows2", "columns"),
    [(200, 150, 8), (30, 40, 64), (100, 20, 64), (20, 100, 64), (70, 80, 64), (90, 90, 64)],
)
@pytest.mark.parametrize("ddof", [0, 1])
def test_resamples_agree_with_a_loop_over_repeated_rows(rows1, rows2, columns, ddof):
    x, y = features(rows1, columns, 0, shift=3.0), features(rows2, columns, 1, shift=3.2)
    draws = draws_of(x, y, 5, ddof)
    for index in range(4):
        expected = frechet_distance_from_features(*resampled_naively(x, y, index, 5), ddof=ddof)
        assert draws.distance(index) == pytest.approx(expected, rel=1e-9)


def test_mixed_resamples_are_both_resamples_as_one_set():
    x, y = features(60, 8, 0), features(50, 8, 1, shift=0.2)
    (x1, y1), (x2, y2) = (resampled_naively(x, y, index, 0) for index in (6, 7))
    expected = frechet_distance_from_features(np.concatenate([x1, x2]), np.concatenate([y1, y2]))
    assert draws_of(x, y, 0).mixed_distance(3) == pytest.approx(expected, rel=1e-9)


def test_features_that_are_constant_or_repeated_do_no_harm():
    x, y = features(300, 8, 0), features(300, 8, 1, shift=0.1)
    x[:, 3] = y[:, 3] = 0
    x[:, 5], y[:, 5] = x[:, 4], y[:, 4]
    for index in range(4):
        expected = frechet_distance_from_features(*resampled_naively(x, y, index, 0))
        assert draws_of(x, y, 0).distance(index) == pytest.approx(expected, rel=1e-9)


def test_features_far_from_zero_have_the_same_interval():
    x, y = features(200, 8, 0), features(200, 8, 1, shift=0.2)
    near = bootstrap_frechet(x, y, resamples=40)
    far = bootstrap_frechet(x + 1e4, y + 1e4, resamples=40)
    assert (far.low, far.high) == pytest.approx((near.low, near.high), rel=1e-6)


def test_the_interval_is_around_the_value_and_narrows_with_more_samples():
    widths = []
    for rows in (100, 1600):
        x, y = features(rows, 4, 0), features(rows, 4, 1, shift=0.5)
        interval = bootstrap_frechet(x, y, resamples=200)
        value = frechet_distance_from_features(x, y)
        assert interval.low < value < interval.high
        widths.append(interval.high - interval.low)
    assert 2.5 < widths[0] / widths[1] < 6  # four, but for chance


def test_a_higher_level_gives_a_wider_interval():
    x, y = features(100, 4, 0), features(100, 4, 1, shift=0.5)
    narrow, wide = (bootstrap_frechet(x, y, resamples=200, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.level == 0.99


def test_a_value_that_is_known_moves_the_centre_alone():
    x, y = features(100, 4, 0), features(100, 4, 1, shift=0.5)
    value = frechet_distance_from_features(x, y)
    own, moved = (bootstrap_frechet(x, y, resamples=40, value=v) for v in (None, value + 1))
    assert (moved.low, moved.high) == pytest.approx((own.low + 1, own.high + 1), rel=1e-12)


def test_the_seed_decides_and_threads_do_not():
    x, y = features(80, 16, 0), features(80, 16, 1)
    threads = torch.get_num_threads()
    first = bootstrap_frechet(x, y, resamples=40, seed=3)
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        assert bootstrap_frechet(x, y, resamples=40, seed=3) == first
    finally:
        torch.set_num_threads(threads)
    assert bootstrap_frechet(x, y, resamples=40, seed=4) != first
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("rows1", "rows2"), [(2, 2), (3, 50), (20, 20)])
def test_fewer_samples_than_features_have_an_interval(rows1, rows2):
    x, y = features(rows1, 32, 0), features(rows2, 32, 1)
    interval = bootstrap_frechet(x, y, resamples=40)
    assert 0 <= interval.low <= interval.high < np.inf


def test_identical_sets_start_at_zero():
    x = features(50, 4, 0)
    interval = bootstrap_frechet(x, x, resamples=40)
    assert interval.low == 0 < interval.high


def test_progress_counts_every_resample():
    steps = []
    bootstrap_frechet(features(20, 2, 0), features(20, 2, 1), resamples=17, progress=steps.append)
    assert steps == [1] * 17


def test_the_quadratic_part_is_found_in_a_quadratic_function_and_not_in_a_linear_one():
    random = np.random.default_rng(0)
    noise = random.standard_normal((4000, 3))
    mixed = noise.reshape(2000, 2, 3).mean(axis=1)
    linear, quadratic = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.5, 2.0])
    exact = 2 * (quadratic**2).sum()  # variance of Σ qᵢ zᵢ²
    for slope in (0.0, 1.0):

        def function(z, slope=slope):
            return slope * z @ linear + z**2 @ quadratic

        found = uncertainty._quadratic_variance(function(noise), function(mixed))
        assert found == pytest.approx(exact, rel=0.15)
    assert uncertainty._quadratic_variance(noise @ linear, mixed @ linear) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_the_interval_covers_the_expected_value_at_that_number_of_samples(shift):
    rows, columns, repetitions = 256, 8, 150
    random = np.random.default_rng(0)

    def draw():
        scales = np.linspace(1, 0.3, columns)
        x, y = random.standard_normal((2, rows, columns)) * scales
        return x, y * 1.1 + shift / np.sqrt(columns)

    expected = np.mean([frechet_distance_from_features(*draw()) for _ in range(1000)])
    covered = 0
    for seed in range(repetitions):
        interval = bootstrap_frechet(*draw(), resamples=200, seed=seed)
        covered += interval.low <= expected <= interval.high
    # 95 % is meant; 150 repetitions have a standard error of 1.8 %.
    assert 0.92 <= covered / repetitions <= 0.99


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


def test_what_cannot_be_resampled_is_refused():
    x = features(10, 3, 0)
    with pytest.raises(InputError, match="at least 4 resamples"):
        bootstrap_frechet(x, x, resamples=3)
    with pytest.raises(InputError, match="x have 3 features but y 2"):
        bootstrap_frechet(x, x[:, :2])
    with pytest.raises(InputError, match="not finite"):
        bootstrap_frechet(x, x * np.nan)
    with pytest.raises(InputError, match="at least one resample"):
        bootstrap_inception_score(probabilities(10, 3), resamples=0)


def test_rows_that_are_not_independent_are_drawn_together():
    random = np.random.default_rng(0)
    clips = random.standard_normal((2, 60, 3))
    frames = np.repeat(clips, 8, axis=1)  # eight equal frames of each clip say nothing new
    by_clip = bootstrap_frechet(*clips, resamples=100)
    together = bootstrap_frechet(*frames, resamples=100, rows_per_draw=8)
    alone = bootstrap_frechet(*frames, resamples=100)
    assert together.low == pytest.approx(by_clip.low)
    assert together.high == pytest.approx(by_clip.high)
    assert alone.high - alone.low < 0.6 * (by_clip.high - by_clip.low)
