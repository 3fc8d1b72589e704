import numpy as np
import pytest

from evaluation.metrics import frechet_distance_from_features
from evaluation.uncertainty import FeaturePair, bias_share, extrapolate_frechet
from latte.data.errors import InputError


def limit_of(x, y, *, rows_per_draw=1, **options):
    return extrapolate_frechet(FeaturePair(x, y, rows_per_draw=rows_per_draw), **options)


def two_sets(rows, others, columns, seed, scale=1.0, shift=0.0):
    """Gaussian sets and the distance of their distributions."""
    random = np.random.default_rng(seed)
    deviations = np.linspace(1, 0.2, columns)
    x = random.standard_normal((rows, columns)) * deviations
    y = random.standard_normal((others, columns)) * deviations * scale + shift / np.sqrt(columns)
    return x, y, float(((deviations * (scale - 1)) ** 2).sum() + shift**2)


@pytest.mark.parametrize(
    ("rows", "others", "columns", "scale", "shift"),
    [
        (512, 512, 64, 1.0, 0.0),
        (512, 512, 64, 1.1, 1.0),
        (512, 200, 32, 1.0, 0.5),
        pytest.param(512, 512, 400, 1.05, 1.0, marks=pytest.mark.slow),
    ],
)
def test_the_limit_is_nearer_to_the_truth_than_the_distance(rows, others, columns, scale, shift):
    x, y, truth = two_sets(rows, others, columns, 0, scale, shift)
    found = limit_of(x, y)
    assert found.measured == frechet_distance_from_features(x, y)
    assert abs(found.value - truth) < 0.15 * abs(found.measured - truth)
    assert found.reliable
    assert found.interval.low <= found.value <= found.interval.high


@pytest.mark.slow
def test_the_interval_of_the_limit_covers_the_truth():
    covered, repetitions = 0, 100
    for seed in range(repetitions):
        x, y, truth = two_sets(128, 128, 6, seed, 1.0, 0.7)
        interval = limit_of(x, y, seed=seed).interval
        covered += interval.low <= truth <= interval.high
    assert 0.9 <= covered / repetitions <= 0.99


def test_sizes_fall_and_distances_rise_on_a_line():
    x, y, _ = two_sets(600, 300, 10, 0, 1.0, 0.5)
    found = limit_of(x, y)
    assert found.sizes == ((600, 300), (480, 240), (400, 200), (343, 171), (300, 150))
    assert found.distances[0] == found.measured
    assert found.distances[0] == min(found.distances)
    assert found.distances[-1] > found.distances[1]
    line = np.polyfit([600 / n for n, _ in found.sizes], found.distances, 1)
    assert line[1] == pytest.approx(found.value, rel=0.1)


def test_parts_keep_more_rows_than_features_where_that_is_possible():
    x, y, truth = two_sets(96, 96, 64, 0, 1.0, 1.0)
    found = limit_of(x, y)
    assert found.reliable
    assert found.sizes[-1] == (65, 65)
    assert abs(found.value - truth) < 0.3 * abs(found.measured - truth)


@pytest.mark.parametrize("rows", [16, 32, 35])
def test_fewer_rows_than_features_are_said_to_be_too_few(rows):
    x, y, _ = two_sets(rows, 200, 32, 0)
    found = limit_of(x, y)
    assert not found.reliable
    assert np.isfinite([found.value, found.interval.low, found.interval.high]).all()


def test_frames_of_a_clip_stay_together():
    x, y, _ = two_sets(40, 40, 3, 0, 1.0, 1.0)
    clips = limit_of(x, y)
    frames = limit_of(x.repeat(4, axis=0), y.repeat(4, axis=0), rows_per_draw=4)
    assert frames.value == pytest.approx(clips.value)
    assert frames.interval.high == pytest.approx(clips.interval.high)
    assert frames.sizes[0] == (160, 160)


def test_the_seed_decides_the_parts():
    x, y, _ = two_sets(60, 60, 4, 0)
    assert limit_of(x, y, seed=1) == limit_of(x, y, seed=1)
    assert limit_of(x, y, seed=1) != limit_of(x, y, seed=2)


def test_the_share_of_the_bias_is_all_where_sets_are_alike_and_little_where_they_are_far():
    x, y, _ = two_sets(100, 100, 8, 1)
    assert bias_share(limit_of(x, y)) > 0.6
    assert bias_share(limit_of(x, y + 100)) < 0.01
    assert bias_share(limit_of(x, x)) == 0  # nothing was measured


def test_rows_that_never_differ_have_no_bias():
    found = limit_of(np.ones((8, 2)), np.full((8, 2), 2.0))
    assert found.value == found.measured == pytest.approx(2)
    assert found.interval.low == pytest.approx(2)
    assert found.interval.high == pytest.approx(2)


def test_fewer_cuts_give_nearly_the_same_limit():
    x, y, _ = two_sets(300, 300, 10, 0, 1.0, 1.0)
    few, many = (limit_of(x, y, cuts=cuts) for cuts in (25, 100))
    assert "25 cuts" in few.interval.method
    assert few.value == pytest.approx(many.value, rel=0.03)


def test_three_clips_are_too_few():
    with pytest.raises(InputError, match=r"\b4 clips.*\bx\b.*\b3\b"):
        limit_of(np.eye(3), np.eye(3))
