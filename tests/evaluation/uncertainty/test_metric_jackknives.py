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
from evaluation.uncertainty import grouped_jackknife
from evaluation.uncertainty.kernel_jackknife import jackknife_mmd
from evaluation.uncertainty.neighbours_jackknife import (
    jackknife_density_coverage,
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
    quick = jackknife_mmd(x, y, KID, value=value, rows_per_draw=rows_per_draw, seed=5)
    slow = grouped_jackknife(polynomial_mmd, x, y, rows_per_draw=rows_per_draw, seed=5)
    assert (quick.low, quick.high) == pytest.approx((slow.low, slow.high), rel=1e-9)


def test_the_biased_distance_is_scaled_with_its_interval(tables):
    x, y = tables
    value = jedi_distance(x, y)
    quick = jackknife_mmd(x, y, JEDI, value=value, unbiased=False, scale=100, seed=1)
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
        assert (interval.low, interval.high) == pytest.approx((slow.low, slow.high), rel=1e-9)


def test_large_sets_are_represented_by_a_part_at_their_own_size(tables, monkeypatch):
    x, y = tables
    from evaluation.uncertainty import kernel_jackknife

    value = polynomial_mmd(x, y)
    whole = jackknife_mmd(x, y, KID, value=value)
    monkeypatch.setattr(kernel_jackknife, "MOST_ROWS", 60)
    part = jackknife_mmd(x, y, KID, value=value)
    assert part != whole
    assert part.high - part.low == pytest.approx(whole.high - whole.low, rel=0.5)
    assert (part.low + part.high) / 2 == pytest.approx(value)
