import tracemalloc

import numpy as np
import pytest

from evaluation.statistics.running import BLOCK_ROWS, RunningStatistics
from latte.data.errors import InputError


def features(rows=1000, columns=7, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def running(rows, pieces=(), columns=7):
    statistics = RunningStatistics(columns)
    for piece in np.split(rows, pieces):
        statistics.add(piece)
    return statistics


@pytest.mark.parametrize("rows", [2, 3, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3000])
@pytest.mark.parametrize("ddof", [0, 1])
def test_agrees_with_numpy(rows, ddof):
    x = features(rows) * 3 + 5
    statistics = running(x)
    wide = x.astype(np.float64)
    expected = np.atleast_2d(np.cov(wide, rowvar=False, ddof=ddof))
    np.testing.assert_allclose(statistics.mean, wide.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(statistics.covariance(ddof), expected, rtol=1e-12, atol=1e-12)
    assert statistics.count == rows


@pytest.mark.parametrize("pieces", [(1,), (255, 256, 257), range(1, 1000), (300, 300, 900)])
def test_the_same_rows_give_the_same_bits_however_they_are_split(pieces):
    x = features()
    whole, parts = running(x), running(x, list(pieces))
    assert np.array_equal(whole.mean, parts.mean)
    assert np.array_equal(whole.covariance(), parts.covariance())


def test_looking_at_the_result_in_between_changes_nothing():
    x = features()
    looked = RunningStatistics(7)
    for row in np.split(x, [100, 700]):
        looked.add(row)
        looked.covariance()
    assert np.array_equal(looked.covariance(), running(x).covariance())


def test_features_far_from_zero_lose_nothing():
    x = features(2000).astype(np.float64)
    far = running(x + 1e6)
    np.testing.assert_allclose(far.covariance(), np.cov(x, rowvar=False, ddof=0), atol=1e-9)


@pytest.mark.parametrize("cut", [0, 1, 256, 500, 1000])
def test_merged_parts_are_the_whole(cut):
    x = features()
    first, second = running(x[:cut]), running(x[cut:])
    before = None if cut == 1000 else second.mean
    first.merge(second)
    assert first.count == 1000
    np.testing.assert_allclose(
        first.covariance(1), running(x).covariance(1), rtol=1e-13, atol=1e-14
    )
    np.testing.assert_allclose(first.mean, running(x).mean, rtol=1e-13, atol=1e-15)
    if before is not None:
        assert np.array_equal(second.mean, before)


def test_merging_with_itself_counts_every_row_twice():
    statistics = running(features())
    expected = statistics.covariance()
    statistics.merge(statistics)
    assert statistics.count == 2000
    np.testing.assert_allclose(statistics.covariance(), expected, rtol=1e-12, atol=1e-14)


def test_the_covariance_is_symmetric_to_the_bit():
    covariance = running(features()).covariance()
    assert np.array_equal(covariance, covariance.T)


def test_memory_does_not_grow_with_the_number_of_rows():
    def peak(times):
        x = features(512, 50)
        statistics = RunningStatistics(50)
        tracemalloc.start()
        for _ in range(times):
            statistics.add(x)
        statistics.covariance()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(64) < 1.2 * peak(4)


def test_statistics_carry_mean_covariance_and_count():
    statistics = running(features()).statistics(ddof=1)
    assert statistics.count == 1000
    assert statistics.mean.shape == (7,)
    np.testing.assert_allclose(
        statistics.covariance, np.cov(features().astype(np.float64), rowvar=False), atol=1e-12
    )


def test_nothing_is_no_row():
    statistics = RunningStatistics(3)
    statistics.add(np.empty((0, 3)))
    assert statistics.count == 0
    with pytest.raises(InputError, match="statistics of 0 rows"):
        _ = statistics.mean


def test_what_does_not_fit_is_refused():
    statistics = RunningStatistics(3)
    with pytest.raises(InputError, match="4 columns, not 3"):
        statistics.add(np.zeros((2, 4)))
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        statistics.add(np.zeros(3))
    with pytest.raises(InputError, match="first in row 1"):
        statistics.add(np.array([[0.0, 0, 0], [0, np.nan, 0]]))
    with pytest.raises(InputError, match="2 features cannot join those of 3"):
        statistics.merge(RunningStatistics(2))
    statistics.add(np.zeros((1, 3)))
    with pytest.raises(InputError, match="at least 2 are needed"):
        statistics.covariance(ddof=1)
