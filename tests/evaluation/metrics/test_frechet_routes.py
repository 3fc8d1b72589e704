"""The Fréchet distance by squares where that keeps ten digits, by singular values elsewhere."""

import numpy as np
import pytest

from evaluation.metrics import frechet_distance, frechet_distance_from_features
from evaluation.uncertainty import FeaturePair

ROUNDING = "evaluation.metrics.frechet.EIGENVALUE_ROUNDING"
ORDERS = ("falling", "rising", "shuffled", "rotated")


@pytest.fixture
def exact(monkeypatch):
    """A function's value by singular values, however well conditioned its matrices are."""

    def value(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(ROUNDING, np.inf)
            return function(*arguments)

    return value


@pytest.fixture
def routes(monkeypatch):
    """Which routes were taken, in order: a list that grows."""
    taken = []
    svd = np.linalg.svd

    def counted(*arguments, **options):
        taken.append("exact")
        return svd(*arguments, **options)

    monkeypatch.setattr("evaluation.metrics.frechet.np.linalg.svd", counted)
    return taken


def gaussians(dim, condition, spectrum, order, seed=0):
    """Two Gaussians whose covariances have this condition number and nearly the same axes."""
    random = np.random.default_rng(seed)
    steps = np.linspace(0, 1, dim)
    values = condition**-steps if spectrum == "even" else np.where(steps < 1, 1.0, 1 / condition)
    values = {"rising": values[::-1], "shuffled": random.permutation(values)}.get(order, values)
    axes = np.eye(dim)
    if order == "rotated":
        axes = np.linalg.qr(random.standard_normal((dim, dim)))[0]
    turned = axes @ np.linalg.qr(np.eye(dim) + 1e-3 * random.standard_normal((dim, dim)))[0]
    sigmas = [(axes * values) @ axes.T, 1.2 * (turned * values) @ turned.T]
    mean1, mean2 = random.standard_normal((2, dim)) * 0.1
    return mean1, (sigmas[0] + sigmas[0].T) / 2, mean2, (sigmas[1] + sigmas[1].T) / 2


@pytest.mark.parametrize("spectrum", ["even", "one small"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dim", [5, 60])
def test_both_routes_agree_to_ten_digits_on_both_sides_of_the_switch(
    exact, routes, dim, order, spectrum
):
    sides = []
    for exponent in np.arange(0, 9, 0.5):
        given = gaussians(dim, 10.0**exponent, spectrum, order)
        routes.clear()
        value = frechet_distance(*given)
        sides.append(bool(routes))
        assert value == pytest.approx(exact(frechet_distance, *given), rel=1e-10)
    # Fast for the well conditioned, exact for the others, with one border between them.
    assert sides == sorted(sides)
    assert (sides[0], sides[-1]) == (False, True)


@pytest.mark.parametrize("order", ORDERS)
def test_wide_covariances_agree_with_the_exact_route(exact, routes, monkeypatch, order):
    monkeypatch.setattr("evaluation.metrics.frechet.MIN_WIDE", 1)
    given = gaussians(60, 1e3, "even", order)
    value = frechet_distance(*given)
    assert routes == []
    assert value == pytest.approx(exact(frechet_distance, *given), rel=1e-10)


def test_at_the_border_itself_the_value_does_not_jump(exact, routes):
    low, high = 1.0, 1e9  # condition numbers by the fast route, and by the exact one
    while high / low > 1 + 1e-3:
        middle = np.sqrt(low * high)
        routes.clear()
        frechet_distance(*gaussians(40, middle, "even", "rotated"))
        low, high = (low, middle) if routes else (middle, high)
    for condition in (low, high):
        given = gaussians(40, condition, "even", "rotated")
        assert frechet_distance(*given) == pytest.approx(exact(frechet_distance, *given), rel=1e-10)


def test_sets_that_are_nearly_equal_keep_the_rounding_of_the_exact_route(exact):
    mean, sigma, *_ = gaussians(60, 100.0, "even", "rotated")
    other = sigma * (1 + 1e-7)
    value = frechet_distance(mean, sigma, mean, other)
    assert value == pytest.approx(np.trace(sigma) * 0.25e-14, abs=2e-14 * np.trace(sigma))
    assert frechet_distance(mean, sigma, mean, sigma) <= 2e-14 * np.trace(sigma)


@pytest.mark.parametrize(("rows1", "rows2"), [(400, 300), (20, 30), (20, 400), (60, 61), (1, 5)])
def test_features_agree_with_the_exact_route(exact, rows1, rows2):
    random = np.random.default_rng(0)
    x, y = random.standard_normal((rows1, 60)), random.standard_normal((rows2, 60)) * 1.3 + 0.2
    expected = exact(frechet_distance_from_features, x, y)
    assert frechet_distance_from_features(x, y) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("rows", [200, 40])
def test_resamples_agree_with_the_exact_route(exact, rows):
    random = np.random.default_rng(0)
    pair = FeaturePair(random.standard_normal((rows, 60)), random.standard_normal((rows, 60)) * 1.3)
    weights = np.random.default_rng(1).integers(0, 3, (2, rows)).astype(float)
    assert pair.distance(*weights) == pytest.approx(exact(pair.distance, *weights), rel=1e-10)


@pytest.mark.parametrize("columns", [40, 200])
def test_centred_rows_need_no_singular_values(routes, columns):
    """Fewer rows than features: the direction in which they have no spread is left out."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((20, columns)), random.standard_normal((30, columns)) + 0.1
    frechet_distance_from_features(x, y)
    assert routes == []


def test_a_covariance_of_which_only_the_lower_triangle_is_right_is_read_alike(exact):
    given = gaussians(20, 10.0, "even", "rotated")
    asymmetric = given[3] + np.triu(np.full((20, 20), 1e-8), 1)
    value = frechet_distance(*given[:3], asymmetric)
    assert value == pytest.approx(frechet_distance(*given), rel=1e-13)
