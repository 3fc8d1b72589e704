import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics import frechet_distance, frechet_distance_from_features
from latte.data.errors import InputError


def features(rows, columns, seed, scale=1.0):
    """Correlated features whose covariance has a condition number of about 100."""
    random = np.random.default_rng(seed)
    mixing = np.linalg.qr(random.standard_normal((columns, columns)))[0]
    return (random.standard_normal((rows, columns)) * np.linspace(1, 10, columns)) @ mixing * scale


def moments(rows, ddof=0):
    return rows.mean(axis=0), np.cov(rows, rowvar=False, ddof=ddof)


def distance_by_matrix_square_root(x, y):
    """The textbook formula, as the reference implementations compute it."""
    (mu1, sigma1), (mu2, sigma2) = moments(x), moments(y)
    root = scipy.linalg.sqrtm(sigma1 @ sigma2).real
    return ((mu1 - mu2) ** 2).sum() + np.trace(sigma1 + sigma2 - 2 * root)


def test_shift_of_two_in_four_dimensions_costs_sixteen():
    assert frechet_distance(np.zeros(4), np.eye(4), np.full(4, 2.0), np.eye(4)) == pytest.approx(
        16, rel=1e-14
    )


def test_diagonal_covariances_cost_the_squared_difference_of_the_deviations():
    first, second = np.array([1.0, 4.0, 0.25, 1e-6]), np.array([9.0, 1.0, 0.25, 1.0])
    expected = ((np.sqrt(first) - np.sqrt(second)) ** 2).sum()
    value = frechet_distance(np.zeros(4), np.diag(first), np.zeros(4), np.diag(second))
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("second", [np.diag([0.0, 4.0]), np.zeros((2, 2)), np.diag([4.0, 0.0])])
def test_singular_covariances_match_the_closed_form(second):
    value = frechet_distance(np.zeros(2), np.diag([1.0, 0.0]), np.zeros(2), second)
    expected = ((np.sqrt(np.diag([1.0, 0.0])) - np.sqrt(second)) ** 2).sum()
    assert value == pytest.approx(expected, abs=1e-14)


def test_rank_deficient_covariances_match_the_closed_form():
    # Σ1 = U diag(a) Uᵀ and Σ2 = U diag(b) Uᵀ commute: the answer is that of the diagonals.
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((60, 60)))[0][:, :20]
    a, b = np.linspace(0.5, 2, 20), np.linspace(3, 1, 20)
    value = frechet_distance(np.zeros(60), basis * a @ basis.T, np.zeros(60), basis * b @ basis.T)
    assert value == pytest.approx(((np.sqrt(a) - np.sqrt(b)) ** 2).sum(), rel=1e-11)


def test_two_lines_at_an_angle_match_the_closed_form():
    # Σi = ui uiᵀ of rank one: tr (Σ1 Σ2)^½ = |u1 · u2|.
    u, v = np.array([3.0, 0.0, 0.0]), np.array([1.0, 2.0, 2.0])
    value = frechet_distance(np.zeros(3), np.outer(u, u), np.zeros(3), np.outer(v, v))
    assert value == pytest.approx(9 + 9 - 2 * 3, rel=1e-14)


@pytest.mark.parametrize("columns", [1, 5, 64])
def test_agrees_with_the_matrix_square_root_where_that_is_well_conditioned(columns):
    x, y = features(400, columns, 0), features(300, columns, 1, scale=1.3) + 0.5
    expected = (
        distance_by_matrix_square_root(x, y)
        if columns > 1
        else ((x.mean() - y.mean()) ** 2 + (x.std() - y.std()) ** 2)
    )
    if columns > 1:
        assert frechet_distance(*moments(x), *moments(y)) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance_from_features(x, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("rows1", "rows2"), [(20, 30), (20, 400), (400, 20), (65, 64)])
@pytest.mark.parametrize("ddof", [0, 1])
def test_fewer_samples_than_features_agree_with_the_covariances(rows1, rows2, ddof):
    x, y = features(rows1, 64, 0), features(rows2, 64, 1, scale=1.5)
    expected = frechet_distance(*moments(x, ddof), *moments(y, ddof))
    assert frechet_distance_from_features(x, y, ddof=ddof) == pytest.approx(expected, rel=1e-9)


def test_a_set_longer_than_one_block_of_rows_agrees_with_its_covariance():
    x, y = features(9000, 8, 0), features(100, 8, 1)
    expected = frechet_distance(*moments(x), *moments(y))
    assert frechet_distance_from_features(x, y) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("rows", [40, 500])
def test_identical_sets_are_at_zero(rows):
    x = features(rows, 100, 0) + 100
    trace = x.var(axis=0).sum()
    assert frechet_distance_from_features(x, x) <= 1e-12 * trace
    assert frechet_distance(*moments(x), *moments(x)) <= 1e-12 * trace


def test_the_normalisation_of_the_covariance_moves_the_value_as_it_should():
    x = np.array([[0.0], [2.0]])
    y = np.array([[0.0], [4.0]])
    # Deviations 1 and 2 over N, √2 and √8 over N − 1; means 1 and 2.
    assert frechet_distance_from_features(x, y) == pytest.approx(1 + 1, rel=1e-14)
    assert frechet_distance_from_features(x, y, ddof=1) == pytest.approx(1 + 2, rel=1e-14)


def test_single_precision_features_are_computed_in_double():
    x, y = features(50, 8, 0).astype(np.float32), features(50, 8, 1).astype(np.float32)
    assert frechet_distance_from_features(x, y) == frechet_distance_from_features(
        x.astype(np.float64), y.astype(np.float64)
    )


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    columns=st.integers(1, 12),
    rows1=st.integers(2, 40),
    rows2=st.integers(2, 40),
)
def test_symmetric_not_negative_and_the_same_in_every_rotation(seed, columns, rows1, rows2):
    x, y = features(rows1, columns, seed), features(rows2, columns, seed + 1)
    random = np.random.default_rng(seed)
    rotation = np.linalg.qr(random.standard_normal((columns, columns)))[0]
    shift = random.standard_normal(columns)
    value = frechet_distance_from_features(x, y)
    assert value >= 0
    assert frechet_distance_from_features(y, x) == pytest.approx(value, rel=1e-9)
    assert frechet_distance_from_features(
        x @ rotation + shift, y @ rotation + shift
    ) == pytest.approx(value, rel=1e-9, abs=1e-9)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), columns=st.integers(1, 12), rows=st.integers(1, 40))
def test_identical_sets_are_at_zero_in_any_order(seed, columns, rows):
    x = features(rows, columns, seed) + 10
    reordered = np.random.default_rng(seed).permutation(x)
    scale = 1 + x.var(axis=0).sum()
    assert frechet_distance_from_features(x, reordered) <= 1e-12 * scale
    if rows > 1:
        mu, sigma = x.mean(axis=0), np.cov(x, rowvar=False, ddof=0).reshape(columns, columns)
        assert frechet_distance(mu, sigma, mu, sigma) <= 1e-12 * scale


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), columns=st.integers(1, 12), singular=st.booleans())
def test_gaussians_with_common_axes_match_the_closed_form(seed, columns, singular):
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.standard_normal((columns, columns)))[0]
    deviations = random.uniform(0.1, 3, (2, columns))
    if singular:
        deviations[random.random((2, columns)) < 0.4] = 0
    means = random.standard_normal((2, columns))
    sigmas = [basis * deviation**2 @ basis.T for deviation in deviations]
    expected = ((means[0] - means[1]) ** 2).sum() + ((deviations[0] - deviations[1]) ** 2).sum()
    value = frechet_distance(means[0], sigmas[0], means[1], sigmas[1])
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), columns=st.integers(1, 8), scale=st.floats(0.01, 100))
def test_a_scale_costs_its_square_and_a_shift_its_squared_length(seed, columns, scale):
    x, y = features(20, columns, seed), features(15, columns, seed + 1)
    shift = np.random.default_rng(seed).standard_normal(columns) * scale
    value = frechet_distance_from_features(x, y)
    scaled = frechet_distance_from_features(scale * x, scale * y)
    assert scaled == pytest.approx(scale**2 * value, rel=1e-8, abs=1e-12)
    variance = x.var(axis=0).sum()
    assert frechet_distance_from_features(x, x + shift) == pytest.approx(
        shift @ shift, rel=1e-9, abs=1e-11 * variance
    )


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), columns=st.integers(1, 8))
def test_its_root_keeps_the_triangle_inequality(seed, columns):
    x, y, z = (features(20, columns, seed + i, scale=1 + i) for i in range(3))
    xy, yz, xz = (
        np.sqrt(frechet_distance_from_features(a, b)) for a, b in ((x, y), (y, z), (x, z))
    )
    assert xz <= (xy + yz) * (1 + 1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_refused_by_row(bad):
    x = features(20, 4, 0)
    broken = x.copy()
    broken[[7, 9], 2] = bad
    with pytest.raises(InputError, match=r"^y .*not finite.*\b2 of 20 rows.*\brow 7\b"):
        frechet_distance_from_features(x, broken)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((5, 3)), np.zeros((5, 4)), r"^x .*\b3 features.*\by .*\b4\b"),
        (np.zeros(5), np.zeros((5, 4)), r"^x .*\(5,\)"),
        (np.zeros((5, 4)), np.zeros((0, 4)), r"^y .*\(0, 4\)"),
        (np.zeros((5, 4)), np.zeros((2, 3, 4)), r"^y .*\(2, 3, 4\)"),
    ],
)
def test_features_of_wrong_shapes_are_refused(x, y, message):
    with pytest.raises(InputError, match=message):
        frechet_distance_from_features(x, y)


def test_one_row_has_no_covariance_over_n_minus_one():
    with pytest.raises(InputError, match=r"^y .*\b1 rows.*N − 1"):
        frechet_distance_from_features(np.ones((4, 2)), np.ones((1, 2)), ddof=1)


@pytest.mark.parametrize(
    ("mu", "sigma", "message"),
    [
        (np.zeros(2), np.eye(3), r"second mean \(2,\).*covariance \(3, 3\)"),
        (np.zeros((1, 2)), np.eye(2), r"second mean \(1, 2\)"),
        (np.zeros(3), np.eye(3), r"first mean .*\b2 features.*second .*\b3\b"),
        (np.array([0, np.nan]), np.eye(2), r"second .*not finite"),
        (np.zeros(2), np.array([[1, 0.5], [0, 1]]), r"second covariance .*symmetric"),
        (np.zeros(2), np.diag([1.0, -0.1]), r"second covariance .*eigenvalue.*-0\.1\b"),
    ],
)
def test_moments_that_are_none_are_refused(mu, sigma, message):
    with pytest.raises(InputError, match=message):
        frechet_distance(np.zeros(2), np.eye(2), mu, sigma)
