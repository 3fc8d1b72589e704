import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics import density_coverage, neighbours
from latte.data.errors import InputError


def features(rows, columns, seed, shift=0.0):
    return np.random.default_rng(seed).standard_normal((rows, columns)) + shift


def by_loops(real, fake, k):
    """The definition, ball by ball."""
    inside, covered = 0, 0
    for i, centre in enumerate(real):
        others = np.delete(real, i, axis=0)
        radius = sorted(np.linalg.norm(centre - row) for row in others)[k - 1]
        within = sum(np.linalg.norm(centre - row) < radius for row in fake)
        inside += within
        covered += within > 0
    return inside / (k * len(fake)), covered / len(real)


@pytest.mark.parametrize(("rows_real", "rows_fake"), [(20, 20), (12, 30), (30, 12)])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_agrees_with_the_definition(rows_real, rows_fake, k):
    real, fake = features(rows_real, 4, 0), features(rows_fake, 4, 1, shift=1.5)
    value = density_coverage(real, fake, k)
    assert value == pytest.approx(by_loops(real, fake, k), rel=1e-14)
    assert 0 < value.coverage < 1


def test_a_line_of_samples_matches_the_closed_form():
    real = np.array([[0.0], [1.0], [2.0], [10.0]])
    fake = np.array([[0.5], [1.0], [2.5]])
    # k = 1: radii 1, 1, 1, 8. 0.5 lies in two balls, 1 in one (0 and 2 have it on the edge),
    # 2.5 in two (around 2 and 10). All four balls have a fake.
    assert density_coverage(real, fake, k=1) == (5 / 3, 1)


def test_the_edge_of_a_ball_does_not_belong_to_it():
    real, fake = np.array([[0.0], [1.0]]), np.array([[2.0], [5.0]])
    assert density_coverage(real, fake, k=1) == (0, 0)


def test_an_outlier_among_the_real_samples_raises_density_little():
    # In one ball around the outlier lie all fakes: precision would be 1.
    real = np.concatenate([features(100, 2, 0), [[500.0, 500.0]]])
    fake = features(50, 2, 1, shift=10)
    assert density_coverage(real, fake, k=5) == (pytest.approx(1 / 5), pytest.approx(1 / 101))


def test_samples_where_the_real_ones_are_dense_have_a_density_above_one():
    real = features(300, 10, 0)
    value = density_coverage(real, 0.1 * features(300, 10, 1))
    assert value.density > 4
    assert value.coverage < 0.3


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), rows=st.integers(6, 25), columns=st.integers(1, 6))
def test_identical_sets_have_one_of_both_and_disjoint_ones_nothing(seed, rows, columns):
    real = features(rows, columns, seed)
    # Each ball holds its centre and the k − 1 rows nearer than the k-th.
    reordered = np.random.default_rng(seed).permutation(real)
    assert density_coverage(real, reordered) == (pytest.approx(1, rel=1e-14), 1)
    assert density_coverage(real, real + 1000) == (0, 0)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    rows_real=st.integers(5, 25),
    rows_fake=st.integers(5, 25),
    columns=st.integers(1, 6),
    k=st.integers(1, 4),
)
def test_the_same_in_every_order_rotation_shift_and_scale(seed, rows_real, rows_fake, columns, k):
    real, fake = features(rows_real, columns, seed), features(rows_fake, columns, seed + 1, 0.5)
    random = np.random.default_rng(seed)
    value = density_coverage(real, fake, k)
    assert density_coverage(random.permutation(real), random.permutation(fake), k) == value
    rotation = np.linalg.qr(random.standard_normal((columns, columns)))[0]
    moved = [3 * rows @ rotation + 1 for rows in (real, fake)]
    assert density_coverage(*moved, k) == value


@pytest.mark.parametrize(("n", "m", "k"), [(20, 20, 5), (15, 30, 3)])
def test_sets_of_one_distribution_have_the_expected_values(n, m, k):
    values = np.array(
        [density_coverage(features(n, 2, 2 * i), features(m, 2, 2 * i + 1), k) for i in range(400)]
    )
    j = np.arange(k)
    expected = [1, 1 - np.prod((n - 1 - j) / (n + m - 1 - j))]
    errors = values.std(axis=0) / np.sqrt(len(values))
    assert (np.abs(values.mean(axis=0) - expected) < 3 * errors).all()


@pytest.mark.parametrize("values_at_once", [1, 50, 173])
def test_the_blocks_move_nothing(monkeypatch, values_at_once):
    real, fake = features(40, 30, 0), features(50, 30, 1, shift=0.1)
    value = density_coverage(real, fake)
    monkeypatch.setattr(neighbours, "VALUES_AT_ONCE", values_at_once)
    assert density_coverage(real, fake) == value


@pytest.mark.parametrize(
    ("rows_real", "rows_fake", "k", "message"),
    [
        (5, 9, 5, "real features have 5 rows: a row has its k = 5 nearest others only among 6"),
        (9, 4, 5, "fake features have 4 rows"),
        (9, 9, -1, "k = -1 neighbours"),
    ],
)
def test_too_few_rows_for_the_neighbours_are_refused(rows_real, rows_fake, k, message):
    with pytest.raises(InputError, match=message):
        density_coverage(features(rows_real, 2, 0), features(rows_fake, 2, 1), k)


def test_bad_features_are_refused():
    real = features(10, 3, 0)
    broken = real.copy()
    broken[6] = np.nan
    with pytest.raises(InputError, match="real features are not finite in 1 of 10 rows, first in"):
        density_coverage(broken, real)
