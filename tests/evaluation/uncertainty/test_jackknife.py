import numpy as np
import pytest
from scipy.special import stdtrit

from evaluation.metrics import frechet_distance_from_features, inception_score
from evaluation.uncertainty import FeaturePair, grouped_jackknife, jackknife_frechet
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
    with pytest.raises(InputError, match="at least 2 groups of clips, not 1"):
        jackknife_frechet(FeaturePair(x, x), groups=1)
    with pytest.raises(InputError, match="at least 2 groups"):
        grouped_jackknife(lambda rows: rows.mean(), x[:1])
    with pytest.raises(InputError, match="not finite"):
        grouped_jackknife(lambda rows: rows.mean(), x * np.nan)
    with pytest.raises(ValueError, match="no groups of 4"):
        grouped_jackknife(lambda rows: rows.mean(), x, rows_per_draw=4)
