import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics import density_coverage, neighbours, precision_recall
from latte.data.errors import InputError

METRICS = (precision_recall, density_coverage)


def features(rows, columns, seed, shift=0.0):
    return np.random.default_rng(seed).standard_normal((rows, columns)) + shift


def precision_recall_by_loops(real, fake, k):
    """The definition, ball by ball."""

    def balls(rows):
        return [
            sorted(np.linalg.norm(rows[i] - rows[j]) for j in range(len(rows)) if j != i)[k - 1]
            for i in range(len(rows))
        ]

    def share(rows, centres):
        radii = balls(centres)
        within = [
            any(np.linalg.norm(row - c) <= r for c, r in zip(centres, radii, strict=True))
            for row in rows
        ]
        return sum(within) / len(within)

    return share(fake, real), share(real, fake)


def density_coverage_by_loops(real, fake, k):
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
def test_agree_with_their_definitions(rows_real, rows_fake, k):
    real, fake = features(rows_real, 4, 0), features(rows_fake, 4, 1, shift=1.5)
    value = precision_recall(real, fake, k)
    assert value == precision_recall_by_loops(real, fake, k)
    assert 0 < value.precision < 1
    assert 0 < value.recall < 1
    value = density_coverage(real, fake, k)
    assert value == pytest.approx(density_coverage_by_loops(real, fake, k), rel=1e-14)
    assert 0 < value.coverage < 1


def test_precision_and_recall_of_a_line_match_the_closed_form():
    real = np.array([[0.0], [1.0], [2.0], [3.0]])
    fake = np.array([[-1.0], [0.5], [4.0], [4.5], [9.0]])
    # k = 1: real balls have radius 1, so all of −1 … 4 is precise, the edges included. The fakes'
    # radii are 1.5, 1.5, 0.5, 0.5, 4.5: the balls reach from −2.5 to 2 and from 3.5 to 13.5.
    assert precision_recall(real, fake, k=1) == (3 / 5, 3 / 4)


def test_the_edge_of_a_ball_belongs_to_it_for_precision():
    real, fake = np.array([[0.0], [1.0]]), np.array([[2.0], [5.0]])
    # Radii 1 and 3: 2 lies on the edge around 1; from 2 the ball reaches to −1.
    assert precision_recall(real, fake, k=1) == (1 / 2, 1)


def test_three_neighbours_unless_told_otherwise():
    real, fake = features(30, 3, 0), features(30, 3, 1, shift=1)
    assert precision_recall(real, fake) == precision_recall(real, fake, k=3)
    assert precision_recall(real, fake) != precision_recall(real, fake, k=1)


def test_copies_count_as_neighbours():
    # Each real row comes four times, so its ball with k = 3 is a point.
    real = np.repeat(features(5, 3, 0), 4, axis=0)
    assert precision_recall(real, real[::-1]) == (1, 1)
    assert precision_recall(real, real + 1e-9) == (0, 0)


def test_density_and_coverage_of_a_line_match_the_closed_form():
    real = np.array([[0.0], [1.0], [2.0], [10.0]])
    fake = np.array([[0.5], [1.0], [2.5]])
    # k = 1: radii 1, 1, 1, 8. 0.5 lies in two balls, 1 in one (0 and 2 have it on the edge),
    # 2.5 in two (around 2 and 10). All four balls have a fake.
    assert density_coverage(real, fake, k=1) == (5 / 3, 1)


def test_the_edge_of_a_ball_does_not_belong_to_it_for_density():
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
@given(seed=st.integers(0, 10_000), rows=st.integers(5, 25), columns=st.integers(1, 6))
def test_identical_sets_have_precision_and_recall_and_disjoint_ones_neither(seed, rows, columns):
    real = features(rows, columns, seed)
    assert precision_recall(real, np.random.default_rng(seed).permutation(real)) == (1, 1)
    assert precision_recall(real, real + 1000) == (0, 0)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), rows=st.integers(6, 25), columns=st.integers(1, 6))
def test_identical_sets_have_density_and_coverage_one_and_disjoint_ones_0(seed, rows, columns):
    real = features(rows, columns, seed)
    # Each ball holds its centre and the k − 1 rows nearer than the k-th.
    reordered = np.random.default_rng(seed).permutation(real)
    assert density_coverage(real, reordered) == (pytest.approx(1, rel=1e-14), 1)
    assert density_coverage(real, real + 1000) == (0, 0)


def test_a_subset_of_the_real_samples_is_precise_but_recalls_less():
    real = features(200, 2, 0)
    value = precision_recall(real, real[real[:, 0] > 0.5])
    assert value.precision == 1
    assert value.recall < 0.6


@pytest.mark.parametrize(("n", "m", "k"), [(20, 20, 5), (15, 30, 3)])
def test_sets_of_one_distribution_have_the_expected_values(n, m, k):
    values = np.array(
        [density_coverage(features(n, 2, 2 * i), features(m, 2, 2 * i + 1), k) for i in range(400)]
    )
    j = np.arange(k)
    expected = [1, 1 - np.prod((n - 1 - j) / (n + m - 1 - j))]
    errors = values.std(axis=0) / np.sqrt(len(values))
    assert (np.abs(values.mean(axis=0) - expected) < 3 * errors).all()


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
    reordered = random.permutation(real), random.permutation(fake)
    rotation = np.linalg.qr(random.standard_normal((columns, columns)))[0]
    moved = [3 * rows @ rotation + 1 for rows in (real, fake)]
    for metric in METRICS:
        value = metric(real, fake, k)
        assert metric(*reordered, k) == metric(*moved, k) == value
    assert precision_recall(fake, real, k) == precision_recall(real, fake, k)[::-1]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("values_at_once", [1, 50, 173])
def test_the_blocks_move_nothing(monkeypatch, metric, values_at_once):
    real, fake = features(40, 30, 0), features(50, 30, 1, shift=0.1)
    value = metric(real, fake)
    monkeypatch.setattr(neighbours, "VALUES_AT_ONCE", values_at_once)
    assert metric(real, fake) == value


def test_a_distance_does_not_depend_on_its_place_and_direction():
    # Ties between copies hold only if equal rows give equal bits wherever they stand.
    x, y = features(37, 401, 0), features(41, 401, 1)
    (_, there), (_, back) = (next(neighbours.squared_distances(a, b)) for a, b in ((x, y), (y, x)))
    assert np.array_equal(there, back.T)
    for i, j in ((0, 0), (5, 40), (36, 17)):
        _, alone = next(neighbours.squared_distances(x[i : i + 1], y[j : j + 1]))
        assert alone[0, 0] == there[i, j]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("rows_real", "rows_fake", "k", "message"),
    [
        (3, 9, 3, r"\breal .*\b3 rows.*k = 3\b.*\b4\b"),
        (9, 2, 3, r"\bfake .*\b2 rows"),
        (9, 9, 0, r"k = 0\b"),
        (9, 9, -1, r"k = -1\b"),
    ],
)
def test_too_few_rows_for_the_neighbours_are_refused(metric, rows_real, rows_fake, k, message):
    with pytest.raises(InputError, match=message):
        metric(features(rows_real, 2, 0), features(rows_fake, 2, 1), k)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_features_are_refused(metric, bad):
    real = features(10, 3, 0)
    broken = real.copy()
    broken[6] = bad
    with pytest.raises(InputError, match=r"\bfake .*not finite.*\b1 of 10 rows.*\brow 6\b"):
        metric(real, broken)
    with pytest.raises(InputError, match=r"\breal .*not finite.*\b1 of 10 rows.*\brow 6\b"):
        metric(broken, real)
    with pytest.raises(InputError, match=r"\breal .*\b3 features.*\bfake .*\b2\b"):
        metric(real, real[:, :2])
