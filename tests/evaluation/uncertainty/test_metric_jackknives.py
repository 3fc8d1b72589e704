"""Jackknives of kernel and neighbour metrics, against the generic one that recomputes them."""

import numpy as np
import pytest

from evaluation.metrics import (
    JEDI,
    KID,
    density_coverage,
    jedi_distance,
    polynomial_mmd,
    precision_recall,
)
from evaluation.uncertainty import FeaturePair, grouped_jackknife, jackknife
from evaluation.uncertainty.jackknife import (
    jackknife_density_coverage,
    jackknife_mmd,
    jackknife_precision_recall,
)


@pytest.fixture
def tables():
    random = np.random.default_rng(0)
    return random.normal(size=(90, 6)), random.normal(size=(120, 6)) + 0.4


@pytest.mark.parametrize("rows_per_draw", [1, 3])
def test_kernel_sums_give_the_interval_that_recomputing_gives(tables, rows_per_draw):
    x, y = tables
    value = polynomial_mmd(x, y)
    quick = jackknife_mmd(FeaturePair(x, y, rows_per_draw=rows_per_draw), KID, value=value, seed=5)
    slow = grouped_jackknife(polynomial_mmd, x, y, rows_per_draw=rows_per_draw, seed=5)
    assert (quick.low, quick.high) == pytest.approx((slow.low, slow.high), rel=1e-9)


def test_the_biased_distance_is_scaled_with_its_interval(tables):
    x, y = tables
    value = jedi_distance(x, y)
    quick = jackknife_mmd(FeaturePair(x, y), JEDI, value=value, unbiased=False, scale=100, seed=1)
    slow = grouped_jackknife(jedi_distance, x, y, seed=1)
    assert (quick.low, quick.high) == pytest.approx((slow.low, slow.high), rel=1e-9)


@pytest.mark.parametrize(
    ("metric", "quick"),
    [
        (precision_recall, jackknife_precision_recall),
        (density_coverage, jackknife_density_coverage),
    ],
)
def test_distances_give_the_intervals_that_recomputing_gives(tables, metric, quick):
    intervals = quick(*tables, seed=2)
    for i, interval in enumerate(intervals):
        slow = grouped_jackknife(lambda x, y, i=i: metric(x, y)[i], *tables, seed=2)
        ends = (max(0.0, slow.low), min(slow.high, interval.high))
        assert (interval.low, interval.high) == pytest.approx(ends, rel=1e-9)


def test_large_sets_are_represented_by_a_part_of_all_of_them(monkeypatch):
    """Sets are often sorted by class: their first rows are of a few classes."""
    random = np.random.default_rng(3)
    x, y = (
        random.normal(size=(240, 3)) + np.repeat(np.arange(6) / 4, 40)[:, None] for _ in range(2)
    )
    value = polynomial_mmd(x, y)
    whole = jackknife_mmd(FeaturePair(x, y), KID, value=value)
    precise, _ = jackknife_precision_recall(x, y)
    monkeypatch.setattr(jackknife, "MAX_KERNEL_ROWS", 120)
    monkeypatch.setattr(jackknife, "MAX_NEIGHBOUR_ROWS", 120)
    part = jackknife_mmd(FeaturePair(x, y), KID, value=value)
    assert part != whole
    assert part.high - part.low == pytest.approx(whole.high - whole.low, rel=0.5)
    assert (part.low + part.high) / 2 == pytest.approx(value)
    fewer, _ = jackknife_precision_recall(x, y)
    assert fewer.low < (precise.low + precise.high) / 2 < fewer.high


def test_intervals_stay_where_the_metric_can_be():
    random = np.random.default_rng(4)
    x, y = random.normal(size=(60, 2)), random.normal(size=(60, 2))
    for interval in (*jackknife_precision_recall(x, y), jackknife_density_coverage(x, y)[1]):
        assert 0 <= interval.low <= interval.high <= 1
    biased = jackknife_mmd(
        FeaturePair(x, y), JEDI, value=jedi_distance(x, y), unbiased=False, scale=100
    )
    assert biased.low >= 0
