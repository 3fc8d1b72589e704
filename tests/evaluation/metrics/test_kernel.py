from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics import (
    JEDI,
    KID,
    KVD,
    Kernel,
    jedi_distance,
    kernel,
    kernel_distance,
    kernel_distances,
    polynomial_mmd,
)
from latte.data.errors import InputError


def features(rows, columns, seed, shift=0.0):
    return np.random.default_rng(seed).standard_normal((rows, columns)) * 2 + 0.5 + shift


def mmd_by_loops(x, y, degree, coef0, unbiased):
    """The definition, pair by pair."""

    def k(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + coef0) ** degree

    def within(rows):
        values = [
            k(a, b)
            for i, a in enumerate(rows)
            for j, b in enumerate(rows)
            if i != j or not unbiased
        ]
        return sum(values) / len(values)

    between = sum(k(a, b) for a in x for b in y) / (len(x) * len(y))
    return within(x) + within(y) - 2 * between


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize(("degree", "coef0"), [(3, 1.0), (2, 0.0), (1, 0.0), (4, 2.5)])
def test_agrees_with_the_definition(degree, coef0, unbiased):
    x, y = features(7, 3, 0), features(5, 3, 1)
    value = polynomial_mmd(x, y, Kernel(degree=degree, coef0=coef0), unbiased=unbiased)
    expected = mmd_by_loops(x, y, degree, coef0, unbiased)
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("unbiased", [True, False])
def test_two_points_cost_the_square_of_their_distance_in_the_kernel(unbiased):
    a, b = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    x, y = np.tile(a, (4, 1)), np.tile(b, (6, 1))
    # k = (a·b / 2 + 1)³: a·a = 5, b·b = 10, a·b = 1.
    expected = 3.5**3 + 6**3 - 2 * 1.5**3
    assert polynomial_mmd(x, y, unbiased=unbiased) == pytest.approx(expected, rel=1e-14)


def test_degree_one_costs_the_squared_difference_of_the_means():
    x, y = features(40, 6, 0), features(30, 6, 1, shift=1)
    linear = Kernel(degree=1, coef0=0.0)
    shift = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    biased = polynomial_mmd(x, y, linear, unbiased=False)
    assert biased == pytest.approx(shift / 6, rel=1e-12)
    # Without the diagonal, the expectation of the noise of both means is taken off.
    noise = x.var(axis=0, ddof=1).sum() / 40 + y.var(axis=0, ddof=1).sum() / 30
    unbiased = polynomial_mmd(x, y, linear)
    assert unbiased == pytest.approx((shift - noise) / 6, rel=1e-12)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_one_feature_costs_the_differences_of_its_moments(degree):
    # (x y + 1)^d = Σ binom(d, j) x^j y^j
    x, y = features(20, 1, 0), features(25, 1, 1)
    expected = sum(
        comb(degree, j) * ((x**j).mean() - (y**j).mean()) ** 2 for j in range(degree + 1)
    )
    value = polynomial_mmd(x, y, Kernel(degree=degree, coef0=1.0), unbiased=False)
    assert value == pytest.approx(expected, rel=1e-10)


def test_the_unbiased_value_is_the_mean_over_all_subsets():
    x, y = features(5, 2, 0), features(4, 2, 1)
    subsets = [
        polynomial_mmd(x[list(i)], y[list(j)])
        for i in combinations(range(5), 3)
        for j in combinations(range(4), 2)
    ]
    assert np.mean(subsets) == pytest.approx(polynomial_mmd(x, y), rel=1e-12)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("rows_at_once", [1, 7, 64])
def test_the_blocks_move_nothing(monkeypatch, rows_at_once, unbiased):
    x, y = features(50, 5, 0), features(33, 5, 1)
    whole = polynomial_mmd(x, y, unbiased=unbiased), jedi_distance(x, y)
    monkeypatch.setattr(kernel, "ROWS_AT_ONCE", rows_at_once)
    parts = polynomial_mmd(x, y, unbiased=unbiased), jedi_distance(x, y)
    assert parts == pytest.approx(whole, rel=1e-12)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    columns=st.integers(1, 8),
    rows_x=st.integers(2, 20),
    rows_y=st.integers(2, 20),
    unbiased=st.booleans(),
)
def test_symmetric_and_the_same_in_every_order_and_rotation(
    seed, columns, rows_x, rows_y, unbiased
):
    random = np.random.default_rng(seed)
    x, y = features(rows_x, columns, seed), features(rows_y, columns, seed + 1)
    rotation = np.linalg.qr(random.standard_normal((columns, columns)))[0]
    value = polynomial_mmd(x, y, unbiased=unbiased)
    others = [
        polynomial_mmd(y, x, unbiased=unbiased),
        polynomial_mmd(random.permutation(x), random.permutation(y), unbiased=unbiased),
        polynomial_mmd(x @ rotation, y @ rotation, unbiased=unbiased),
    ]
    scale = KVD(x, x).mean() + KVD(y, y).mean()
    assert others == pytest.approx([value] * 3, abs=1e-12 * scale)
    assert jedi_distance(y, x) == jedi_distance(x, y)
    assert jedi_distance(x @ rotation, y @ rotation) == pytest.approx(
        jedi_distance(x, y), rel=1e-9, abs=1e-9
    )


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, 30), columns=st.integers(1, 8))
def test_equal_sets_are_at_zero_if_biased_and_not_above_it_if_unbiased(seed, rows, columns):
    x = features(rows, columns, seed)
    reordered = np.random.default_rng(seed).permutation(x)
    scale = KVD(x, x).mean()
    assert 0 <= polynomial_mmd(x, reordered, unbiased=False) <= 1e-13 * scale
    assert polynomial_mmd(x, reordered) <= 1e-13 * scale
    assert jedi_distance(x, x) == 0
    assert jedi_distance(x, reordered) <= 1e-25 * scale**2


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), shift=st.floats(0.1, 5), more=st.floats(1.1, 3))
def test_a_larger_shift_costs_more(seed, shift, more):
    x = features(20, 4, seed) - 0.5
    x -= x.mean(axis=0)
    near, far = x + shift, x + shift * more
    for distance in (polynomial_mmd, jedi_distance):
        assert distance(x, near) < distance(x, far)


def test_the_unbiased_value_of_one_distribution_is_around_zero():
    values = [
        polynomial_mmd(features(20, 3, 2 * i), features(15, 3, 2 * i + 1)) for i in range(300)
    ]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_jedi_is_a_hundred_times_the_biased_value_of_its_kernel():
    x, y = features(40, 6, 0), features(30, 6, 1, shift=0.3)
    expected = 100 * polynomial_mmd(x, y, JEDI, unbiased=False)
    assert jedi_distance(x, y) == pytest.approx(expected, rel=1e-11)
    assert Kernel(degree=2, coef0=0) == JEDI


def test_jedi_compares_second_moments_and_nothing_else():
    x = features(50, 4, 0)
    assert jedi_distance(x, -x) == 0
    assert polynomial_mmd(x, -x, unbiased=False) > 0.1


def test_jedi_of_small_tables_has_the_value_in_videojedi():
    # The example at the end of oooolga/JEDi, videojedi/mmd_polynomial.py.
    x = np.arange(1, 10).reshape(3, 3)
    y = np.array([[7, 6, 5], [4, 3, 2], [1, 1, 8], [0, 2, 5]])
    assert jedi_distance(x, y) / 100 == pytest.approx(270.7, abs=0.05)
    scaled = polynomial_mmd(x, y, JEDI, unbiased=False)
    assert scaled * 3**2 == pytest.approx(2436.5, abs=0.05)


def test_subsets_that_are_the_whole_sets_are_computed_once():
    x, y = features(30, 4, 0), features(30, 4, 1)
    values = kernel_distances(x, y, num_subsets=5)
    assert values.shape == (5,)
    assert set(values) == {polynomial_mmd(x, y)}


def test_subsets_larger_than_the_smaller_set_are_as_large_as_that():
    x, y = features(40, 4, 0), features(12, 4, 1)
    whole = kernel_distances(x, y, num_subsets=4, subset_size=1000)
    assert np.array_equal(whole, kernel_distances(x, y, num_subsets=4, subset_size=12))
    assert np.ptp(whole) > 0


def test_a_subset_depends_on_the_seed_and_its_number_alone():
    x, y = features(50, 4, 0), features(60, 4, 1)
    few = kernel_distances(x, y, num_subsets=3, subset_size=20, seed=7)
    many = kernel_distances(x, y, num_subsets=9, subset_size=20, seed=7)
    other = kernel_distances(x, y, num_subsets=3, subset_size=20, seed=8)
    assert np.array_equal(few, many[:3])
    assert not np.intersect1d(few, other).size


def test_a_subset_is_drawn_without_replacement_from_both_sets():
    x, y = features(9, 2, 0), features(8, 2, 1)
    for index, value in enumerate(kernel_distances(x, y, num_subsets=3, subset_size=5, seed=4)):
        random = np.random.default_rng((4, index))
        rows, columns = (random.choice(n, 5, replace=False) for n in (9, 8))
        assert value == polynomial_mmd(x[rows], y[columns])


def test_the_mean_of_many_subsets_is_near_the_value_of_the_whole_sets():
    x, y = features(60, 3, 0), features(60, 3, 1, shift=0.4)
    values = kernel_distances(x, y, num_subsets=400, subset_size=20)
    assert kernel_distance(x, y, num_subsets=400, subset_size=20) == values.mean()
    assert abs(values.mean() - polynomial_mmd(x, y)) < 4 * values.std() / np.sqrt(400)


def test_the_published_kernels():
    assert KID == KVD == Kernel(degree=3, coef0=1)
    assert KID(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])) == pytest.approx((11 / 2 + 1) ** 3)


def test_single_precision_features_are_computed_in_double():
    x, y = features(20, 3, 0).astype(np.float32), features(20, 3, 1).astype(np.float32)
    assert polynomial_mmd(x, y) == polynomial_mmd(x.astype(np.float64), y.astype(np.float64))


@pytest.mark.parametrize("distance", [polynomial_mmd, kernel_distance, jedi_distance])
def test_bad_features_are_refused(distance):
    x = features(10, 3, 0)
    broken = x.copy()
    broken[4, 1] = np.nan
    with pytest.raises(InputError, match=r"^y .*not finite.*\b1 of 10 rows.*\brow 4\b"):
        distance(x, broken)
    with pytest.raises(InputError, match=r"^x .*\b3 features.*\by .*\b2\b"):
        distance(x, x[:, :2])
    with pytest.raises(InputError, match=r"^y .*\(0, 3\)"):
        distance(x, x[:0])


@pytest.mark.parametrize(
    ("rows_x", "rows_y", "options", "message"),
    [
        (1, 5, {}, r"unbiased.*\b1 and 5 rows"),
        (5, 1, {}, r"unbiased.*\b5 and 1 rows"),
        (5, 5, {"subset_size": 1}, "subsets of 1 rows"),
        (5, 5, {"num_subsets": 0}, r"\b0 subsets"),
    ],
)
def test_what_has_no_value_is_refused(rows_x, rows_y, options, message):
    with pytest.raises(InputError, match=message):
        kernel_distances(features(rows_x, 2, 0), features(rows_y, 2, 1), **options)


def test_one_row_has_a_biased_value_alone():
    x, y = np.array([[1.0, 0.0]]), np.array([[0.0, 0.0]])
    assert polynomial_mmd(x, y, unbiased=False) == pytest.approx(1.5**3 + 1 - 2)
    with pytest.raises(InputError, match=r"unbiased.*\b1 and 1 rows"):
        polynomial_mmd(x, y)
