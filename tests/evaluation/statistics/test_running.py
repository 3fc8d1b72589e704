import itertools
import tracemalloc

import numpy as np
import pytest

from evaluation.statistics.running import BLOCK_ROWS, streamed_statistics
from latte.data.errors import InputError


def features(rows=1000, columns=7, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


@pytest.mark.parametrize("rows", [2, 3, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3000])
@pytest.mark.parametrize("ddof", [0, 1])
def test_agrees_with_numpy(rows, ddof):
    x = features(rows) * 3 + 5
    statistics = streamed_statistics([x], ddof=ddof)
    wide = x.astype(np.float64)
    expected = np.atleast_2d(np.cov(wide, rowvar=False, ddof=ddof))
    np.testing.assert_allclose(statistics.mean, wide.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(statistics.covariance, expected, rtol=1e-12, atol=1e-12)
    assert statistics.count == rows


@pytest.mark.parametrize("pieces", [(1,), (255, 256, 257), range(1, 1000), (300, 900)])
def test_the_same_rows_give_the_same_bits_however_they_are_split(pieces):
    x = features()
    whole, parts = streamed_statistics([x]), streamed_statistics(np.split(x, list(pieces)))
    assert np.array_equal(whole.mean, parts.mean)
    assert np.array_equal(whole.covariance, parts.covariance)
    assert whole.count == parts.count == 1000


def test_features_far_from_zero_lose_nothing():
    x = features(2000).astype(np.float64)
    far = streamed_statistics([x + 1e6]).covariance
    np.testing.assert_allclose(far, np.cov(x, rowvar=False, ddof=0), atol=1e-9)


def test_the_covariance_is_symmetric_to_the_bit():
    covariance = streamed_statistics([features()]).covariance
    assert np.array_equal(covariance, covariance.T)


def test_memory_does_not_grow_with_the_number_of_rows():
    def peak(times):
        x = features(512, 50)
        tracemalloc.start()
        streamed_statistics(itertools.repeat(x, times))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(64) < 1.2 * peak(4)


@pytest.mark.parametrize(
    ("pieces", "ddof", "message"),
    [
        ([np.zeros((2, 3)), np.zeros((2, 4))], 0, r"\b4 columns.*\b3\b"),
        ([np.zeros(3)], 0, r"shape \(3,\)"),
        ([np.array([[0.0, 0, 0], [0, np.nan, 0]])], 0, "first in row 1"),
        ([], 0, r"\b0 rows"),
        ([np.zeros((1, 3))], 1, r"at least 2\b"),
    ],
)
def test_what_has_no_statistics_is_refused(pieces, ddof, message):
    with pytest.raises(InputError, match=message):
        streamed_statistics(pieces, ddof=ddof)
