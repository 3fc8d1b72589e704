"""Summaries of a stream of matrices: as of all of them at once, in memory for one."""

import json
import pickle

import numpy as np
import pytest
from scipy import stats

from evaluation.similarity.matrices import frame_similarity, inverted_share, pairs
from evaluation.similarity.summary import (
    EDGES,
    FRAME_NUMBERS,
    RunningSummary,
    read_summary,
    summary_record,
)
from latte.data.errors import InputError


@pytest.fixture(scope="module")
def matrices(uniform):
    """(30, 5, 5)."""
    walks = np.cumsum(uniform("walks", (30, 5, 3, 4)), axis=1)
    return np.stack([frame_similarity(walk) for walk in walks])


def summary_of(matrices, **options):
    running = RunningSummary(matrices.shape[1], **options)
    for matrix in matrices:
        running.add(matrix)
    return running


def check_mean(estimate, samples):
    expected = stats.ttest_1samp(samples, 0).confidence_interval(0.95)
    assert (estimate.value, *estimate.interval) == pytest.approx(
        (samples.mean(), *expected), rel=1e-12
    )
    assert estimate.deviation == pytest.approx(samples.std(ddof=1))


def test_every_number_is_a_mean_over_clips_with_students_interval(matrices):
    found = summary_of(matrices).summary()
    different = np.stack([pairs(matrix) for matrix in matrices])
    neighbours = np.stack([np.diagonal(matrix, 1) for matrix in matrices])
    check_mean(found["mean"], different.mean(axis=1))
    check_mean(found["variance"], different.var(axis=1))
    check_mean(found["neighbours"], neighbours.mean(axis=1))
    check_mean(found["lowest_neighbours"], neighbours.min(axis=1))
    check_mean(found["inverted"], np.array([inverted_share(matrix) for matrix in matrices]))
    assert found.num_clips == 30


def test_matrices_distances_and_distributions_are_means_with_intervals(matrices):
    found = summary_of(matrices).summary()
    np.testing.assert_allclose(found.matrix.value, matrices.mean(axis=0), rtol=1e-13)
    expected = stats.ttest_1samp(matrices[:, 0, 3], 0).confidence_interval(0.95)
    ends = found.matrix.low[0, 3], found.matrix.high[0, 3]
    assert ends == pytest.approx(tuple(expected), rel=1e-12)
    assert found.by_distance.value[0] == pytest.approx(1)
    assert found.by_distance.value[4] == pytest.approx(matrices[:, 0, 4].mean())
    counts = np.histogram(np.concatenate([pairs(matrix) for matrix in matrices]), EDGES)[0]
    np.testing.assert_allclose(found.distribution.value, counts / counts.sum(), atol=1e-15)
    assert (found.distribution.low >= 0).all()
    assert (found.distribution.low <= found.distribution.value).all()


def test_two_states_are_compared_frame_by_frame_and_any_with_any(matrices):
    found = summary_of(matrices[:, ::-1], mutual=True).summary()
    check_mean(found["mean"], matrices.mean(axis=(1, 2)))
    check_mean(found["variance"], matrices.var(axis=(1, 2)))
    diagonals = np.stack([np.diagonal(matrix[::-1]) for matrix in matrices])
    check_mean(found["same_frame"], diagonals.mean(axis=1))


def test_memory_does_not_grow_with_the_clips(matrices):
    few, many = (len(pickle.dumps(summary_of(clips))) for clips in (matrices[:1], matrices))
    assert many == few


def test_intervals_end_where_the_values_can_and_need_four_clips():
    still = np.ones((6, 4, 4))
    found = summary_of(still).summary()
    assert found["mean"].interval == (1, 1)
    assert found["variance"].value == found["inverted"].value == 0
    without = summary_of(still, intervals=False).summary()
    assert without["mean"].interval is without.matrix.low is without.by_distance.high is None
    few = summary_of(still[:3]).summary()
    assert few["mean"].interval is None
    assert few.matrix.low is None


def test_a_record_is_read_back_but_for_rounding(matrices):
    found = summary_of(matrices).summary()
    back = read_summary(json.loads(json.dumps(summary_record(found))))
    assert back.numbers == found.numbers
    assert set(back.numbers) == set(FRAME_NUMBERS)
    for name in ("matrix", "by_distance", "distribution"):
        for end in ("value", "low", "high"):
            ours, theirs = (getattr(getattr(each, name), end) for each in (back, found))
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_damaged_record_is_refused_by_its_field(matrices):
    record = summary_record(summary_of(matrices).summary())
    record["numbers"]["mean"]["value"] = "high"
    with pytest.raises(InputError, match=r"^figure6, cell 3: .*numbers"):
        read_summary(record, "figure6, cell 3")
