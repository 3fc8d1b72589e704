import numpy as np
import pytest
from scipy.special import stdtrit

from evaluation.metrics import (
    JEDI,
    KID,
    density_coverage,
    frechet_distance_from_features,
    inception_score,
    jedi_distance,
    polynomial_mmd,
    precision_recall,
)
from evaluation.uncertainty import FeaturePair, grouped_jackknife, jackknife, jackknife_frechet
from evaluation.uncertainty.jackknife import (
    jackknife_density_coverage,
    jackknife_mmd,
    jackknife_precision_recall,
)
from latte.data.errors import InputError


def half_width(interval):
    return (interval.high - interval.low) / 2


def test_that_of_a_mean_is_students_interval():
    x = np.random.default_rng(0).standard_normal((30, 1))
    found = grouped_jackknife(lambda rows: rows.mean(), x, groups=30)
    t = 2.045230  # 29 degrees of freedom, 95 %
    assert half_width(found) == pytest.approx(t * x.std(ddof=1) / np.sqrt(30), rel=1e-6)
    assert (found.low + found.high) / 2 == pytest.approx(x.mean())


def test_that_of_a_difference_of_means_is_welchs_interval():
    random = np.random.default_rng(0)
    x, y = random.standard_normal((40, 1)), 3 * random.standard_normal((25, 1))
    found = grouped_jackknife(lambda a, b: a.mean() - b.mean(), x, y, groups=40)
    spreads = np.array([x.var(ddof=1) / 40, y.var(ddof=1) / 25])
    degrees = spreads.sum() ** 2 / (spreads**2 / [39, 24]).sum()
    t = stdtrit(degrees, 0.975)
    assert half_width(found) == pytest.approx(t * np.sqrt(spreads.sum()), rel=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(100, 5), (20, 64), (101, 7)])
@pytest.mark.parametrize("ddof", [0, 1])
def test_sums_give_what_the_generic_one_gives_from_the_rows(features, rows, columns, ddof):
    x, y = features(rows, columns, 0), features(rows + 13, columns, 1, shift=0.4)
    fast = jackknife_frechet(FeaturePair(x, y, ddof=ddof), groups=8, seed=5)
    slow = grouped_jackknife(
        lambda a, b: frechet_distance_from_features(a, b, ddof=ddof), x, y, groups=8, seed=5
    )
    assert fast.low == pytest.approx(max(0.0, slow.low), rel=1e-7, abs=1e-9)
    assert fast.high == pytest.approx(slow.high, rel=1e-7)


def test_groups_are_made_at_random_because_sets_are_sorted():
    x = np.repeat([[0.0], [1.0]], 500, axis=0)
    found = grouped_jackknife(lambda rows: rows.mean(), x, groups=20)
    assert half_width(found) == pytest.approx(2.093 * 0.5 / np.sqrt(1000), rel=0.5)


def test_rows_keep_their_order_and_their_clip():
    seen = []

    def statistic(rows):
        seen.append(rows[:, 0])
        return rows.mean()

    grouped_jackknife(statistic, np.arange(12.0)[:, None], groups=3, rows_per_draw=2)
    assert len(seen) == 4
    for rows in seen[1:]:
        assert len(rows) == 8
        np.testing.assert_array_equal(rows, np.sort(rows))
        np.testing.assert_array_equal(rows[::2] + 1, rows[1::2])


def test_it_serves_the_inception_score():
    random = np.random.default_rng(0)
    p = random.dirichlet(np.full(5, 0.3), 600)
    found = grouped_jackknife(lambda rows: inception_score(rows)[0], p)
    value, _ = inception_score(p)
    assert found.low < value < found.high < value * 1.2


def test_more_groups_than_rows_are_as_many_as_rows(features):
    x = features(6, 2, 0)
    assert "6 + 6 groups" in jackknife_frechet(FeaturePair(x, x + 1), groups=20).method


def test_what_cannot_be_grouped_is_refused(features):
    x = features(6, 2, 0)
    with pytest.raises(InputError, match=r"at least 2 groups.*\b1\b"):
        jackknife_frechet(FeaturePair(x, x), groups=1)
    with pytest.raises(InputError, match="at least 2 groups"):
        grouped_jackknife(lambda rows: rows.mean(), x[:1])
    with pytest.raises(InputError, match="not finite"):
        grouped_jackknife(lambda rows: rows.mean(), x * np.nan)
    with pytest.raises(ValueError, match=r"\b6 rows.*groups of 4\b"):
        grouped_jackknife(lambda rows: rows.mean(), x, rows_per_draw=4)


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
