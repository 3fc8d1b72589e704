"""What every interval of a Fréchet distance must do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics import frechet_distance_from_features
from evaluation.uncertainty import (
    FeaturePair,
    bootstrap_frechet,
    extrapolate_frechet,
    half_sample_frechet,
    jackknife_frechet,
    permutation_test,
)
from latte.data.errors import InputError


def on_pairs(method, **defaults):
    """A method of pairs of features as a function of two tables."""

    def call(x, y, *, rows_per_draw=1, **options):
        return method(FeaturePair(x, y, rows_per_draw=rows_per_draw), **defaults, **options)

    return call


METHODS = {
    "bootstrap": on_pairs(bootstrap_frechet, resamples=40),
    "half samples": on_pairs(half_sample_frechet, resamples=40),
    "jackknife": on_pairs(jackknife_frechet, groups=10),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
few_examples = settings(max_examples=15, deadline=None, derandomize=True)


@st.composite
def pairs(draw):
    """Two sets of 5 to 40 rows, more or fewer than their features, near or far."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, others = draw(st.integers(5, 40)), draw(st.integers(5, 40))
    columns = draw(st.integers(1, 20))
    shift = draw(st.sampled_from([0.0, 0.1, 3.0]))
    return random.standard_normal((rows, columns)), random.standard_normal(
        (others, columns)
    ) + shift


@every_method
@few_examples
@given(pair=pairs())
def test_the_interval_contains_the_value_and_grows_with_the_level(method, pair):
    value = frechet_distance_from_features(*pair)
    inner = (value, value)
    for level in (0.5, 0.8, 0.95, 0.99):
        interval = method(*pair, level=level)
        assert interval.level == level
        assert 0 <= interval.low <= inner[0] <= inner[1] <= interval.high < np.inf
        inner = (interval.low, interval.high)


@every_method
@few_examples
@given(pair=pairs(), seed=st.integers(0, 1000))
def test_rotations_shifts_and_units_move_nothing(method, pair, seed):
    x, y = pair
    random = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(random.standard_normal((x.shape[1], x.shape[1])))
    before = method(x, y)
    after = method(3 * x @ rotation + 7, 3 * y @ rotation + 7)
    scale = before.high + 1
    assert after.low / 9 == pytest.approx(before.low, abs=1e-6 * scale)
    assert after.high / 9 == pytest.approx(before.high, abs=1e-6 * scale)


@every_method
def test_the_seed_decides_everything(method, features):
    x, y = features(80, 6, 0), features(80, 6, 1)
    assert method(x, y, seed=3) == method(x, y, seed=3)
    assert method(x, y, seed=3) != method(x, y, seed=4)


@pytest.fixture
def other_threads():
    """As many threads for torch as it has not had so far: one or two."""
    threads = torch.get_num_threads()

    def switch():
        torch.set_num_threads(1 if threads > 1 else 2)

    yield switch
    torch.set_num_threads(threads)


@pytest.mark.parametrize("rows", [30, 120])
@pytest.mark.parametrize(
    "method",
    [
        *METHODS.values(),
        on_pairs(extrapolate_frechet),
        lambda x, y: permutation_test(
            x, FeaturePair(y, y[::-1] + 0.1), paired=True, permutations=9
        ),
    ],
    ids=[*METHODS.keys(), "limit", "permutations"],
)
def test_the_number_of_threads_decides_nothing(method, rows, features, other_threads):
    x, y = features(rows, 60, 0), features(rows, 60, 1)
    threads = torch.get_num_threads()
    before = method(x, y)
    assert torch.get_num_threads() == threads
    other_threads()
    assert method(x, y) == before


@every_method
def test_rows_that_never_differ_have_an_interval_of_no_width(method):
    x, y = np.ones((20, 3)), np.full((20, 3), 2.0)
    assert method(x, x).low == method(x, x).high == 0
    apart = method(x, y)
    assert (apart.low, apart.high) == pytest.approx((3, 3), rel=1e-12)


@every_method
def test_the_same_file_twice_is_no_fault(method, features):
    x = features(50, 4, 0)
    interval = method(x, x)
    assert interval.low == 0 <= interval.high < 1


@every_method
def test_rows_that_are_not_independent_stay_together(method):
    random = np.random.default_rng(0)
    clips = random.standard_normal((2, 60, 3))
    frames = np.repeat(clips, 8, axis=1)  # eight equal frames of each clip say nothing new
    by_clip = method(*clips)
    together = method(*frames, rows_per_draw=8)
    alone = method(*frames)
    assert together.low == pytest.approx(by_clip.low)
    assert together.high == pytest.approx(by_clip.high)
    assert alone.high - alone.low < 0.6 * (by_clip.high - by_clip.low)


@every_method
def test_features_far_from_zero_have_the_same_interval(method, features):
    x, y = features(200, 8, 0), features(200, 8, 1, shift=0.2)
    near, far = method(x, y), method(x + 1e4, y + 1e4)
    assert (far.low, far.high) == pytest.approx((near.low, near.high), rel=1e-6)


@every_method
def test_a_known_value_is_not_computed_again(method, features):
    x, y = features(60, 4, 0), features(60, 4, 1, shift=0.5)
    value = frechet_distance_from_features(x, y)
    assert method(x, y, value=value) == method(x, y)


@every_method
def test_what_no_distance_takes_is_refused(method, features):
    x = features(10, 3, 0)
    with pytest.raises(InputError, match=r"^x .*\b3 features.*\by .*\b2\b"):
        method(x, x[:, :2])
    with pytest.raises(InputError, match=r"^y .*not finite"):
        method(x, x * np.nan)
    with pytest.raises(InputError, match=r"level.*\b95\b"):
        method(x, x, level=95)
    with pytest.raises(ValueError, match=r"\b10 rows.*groups of 3\b"):
        method(x, x, rows_per_draw=3)


def test_the_limit_has_an_interval_around_it_too(features):
    x, y = features(100, 4, 0), features(100, 4, 1, shift=0.5)
    narrow, wide = (extrapolate_frechet(FeaturePair(x, y), level=level) for level in (0.5, 0.99))
    assert narrow.value == wide.value
    assert wide.interval.low < narrow.interval.low < narrow.value
    assert narrow.value < narrow.interval.high < wide.interval.high
