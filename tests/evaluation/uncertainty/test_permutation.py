from itertools import product

import numpy as np
import pytest

from evaluation.metrics import frechet_distance_from_features
from evaluation.uncertainty import FeaturePair, permutation_test
from latte.data.errors import InputError


def permuted(real, a, b, *, ddof=0, rows_per_draw=1, **options):
    models = FeaturePair(a, b, ddof=ddof, rows_per_draw=rows_per_draw, labels=("a", "b"))
    return permutation_test(real, models, **options)


pairing = pytest.mark.parametrize("paired", [True, False])


def difference(real, a, b, ddof=0):
    return frechet_distance_from_features(a, real, ddof=ddof) - frechet_distance_from_features(
        b, real, ddof=ddof
    )


@pairing
@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize(("rows", "columns"), [(50, 6), (12, 30)])
def test_the_difference_is_that_of_both_distances(features, paired, ddof, rows, columns):
    real, a, b = (
        features(rows + 10, columns, 0),
        features(rows, columns, 1, 0.3),
        features(rows, columns, 2),
    )
    found = permuted(real, a, b, paired=paired, permutations=5, ddof=ddof)
    assert found.difference == pytest.approx(difference(real, a, b, ddof), rel=1e-9)
    assert (found.paired, found.permutations, found.exact) == (paired, 5, False)


def test_few_pairs_are_enumerated(features):
    real, a, b = features(20, 2, 0), features(6, 2, 1, 0.8), features(6, 2, 2)
    measured = difference(real, a, b)
    extreme = 0
    for swaps in product((False, True), repeat=6):
        mask = np.array(swaps)[:, None]
        there = difference(real, np.where(mask, b, a), np.where(mask, a, b))
        extreme += abs(there) >= abs(measured) - 1e-9
    found = permuted(real, a, b, paired=True, permutations=64)
    assert found.exact
    assert found.permutations == 64
    assert found.p_value == extreme / 64
    assert not permuted(real, a, b, paired=True, permutations=63).exact


def test_few_samples_are_enumerated(features):
    real, a, b = features(20, 2, 0), features(4, 2, 1, 5.0), features(4, 2, 2)
    found = permuted(real, a, b, paired=False)
    assert found.exact
    assert found.permutations == 70
    assert found.p_value == 2 / 70  # the sets as they are, and exchanged


def test_another_order_of_the_models_changes_the_sign_alone(features):
    real, a, b = features(60, 4, 0), features(40, 4, 1, 0.2), features(40, 4, 2)
    one = permuted(real, a, b, paired=True, permutations=99)
    other = permuted(real, b, a, paired=True, permutations=99)
    assert other.difference == pytest.approx(-one.difference, rel=1e-9)
    assert other.p_value == one.p_value


@pairing
def test_a_clear_difference_has_the_smallest_p_there_is(features, paired):
    real, a, b = features(200, 4, 0), features(100, 4, 1), features(100, 4, 2, shift=1.0)
    found = permuted(real, a, b, paired=paired, permutations=199)
    assert found.difference < 0
    assert found.p_value == 1 / 200


@pairing
def test_the_same_samples_twice_are_no_difference(features, paired):
    real, a = features(30, 3, 0), features(30, 3, 1)
    found = permuted(real, a, a, paired=paired, permutations=50)
    assert found.difference == pytest.approx(0, abs=1e-12)
    assert found.p_value == 1


@pairing
def test_p_is_uniform_where_there_is_no_difference(paired):
    random = np.random.default_rng(0)
    values = []
    for seed in range(80):
        real, a, b = random.standard_normal((3, 30, 3))
        common = random.standard_normal((30, 3)) if paired else 0.0  # the prompt
        found = permuted(real, a + common, b + common, paired=paired, permutations=29, seed=seed)
        values.append(found.p_value)
    # Kolmogorov & Smirnov's distance, at 1 % for 80 values
    steps = np.arange(1, 81) / 80
    assert np.abs(np.sort(values) - steps).max() < 1.63 / np.sqrt(80) + 1 / 30


def test_pairs_show_what_is_hidden_by_the_prompts():
    random = np.random.default_rng(0)
    prompts = random.standard_normal((60, 3)) * 3
    real = random.standard_normal((60, 3)) * 3
    a = prompts + 0.1 * random.standard_normal((60, 3))
    b = prompts + 0.1 * random.standard_normal((60, 3)) + 0.5
    paired = permuted(real, a, b, paired=True, permutations=199)
    unpaired = permuted(real, a, b, paired=False, permutations=199)
    assert paired.p_value < 0.02 < unpaired.p_value


def test_models_with_different_numbers_of_samples_do_not_differ_by_their_bias():
    random = np.random.default_rng(1)
    values = [
        permuted(
            random.standard_normal((60, 6)),
            random.standard_normal((20, 6)),
            random.standard_normal((60, 6)),
            paired=False,
            permutations=29,
        ).p_value
        for _ in range(40)
    ]
    assert 0.35 < np.mean(values) < 0.65


@pairing
def test_the_seed_decides(features, paired):
    real, a, b = features(40, 3, 0), features(30, 3, 1, 0.1), features(30, 3, 2)
    one, same, other = (
        permuted(real, a, b, paired=paired, permutations=150, seed=seed) for seed in (1, 1, 2)
    )
    assert one == same
    assert one.p_value != other.p_value


def test_frames_move_with_their_clip(features):
    real, a, b = features(30, 2, 0), features(5, 2, 1, 0.5), features(5, 2, 2)
    clips = permuted(real, a, b, paired=True)
    frames = permuted(
        *(rows.repeat(3, axis=0) for rows in (real, a, b)), paired=True, rows_per_draw=3
    )
    assert frames.permutations == clips.permutations == 32
    assert frames.p_value == clips.p_value


def test_progress_counts_every_permutation(features):
    steps = []
    x = features(20, 2, 0)
    permuted(x, x, x + 1, paired=True, permutations=7, progress=steps.append)
    assert steps == [1] * 7


def test_what_cannot_be_compared_is_refused(features):
    x = features(10, 3, 0)
    with pytest.raises(InputError, match=r"\ba .*\b10 rows.*\bb .*\b9\b.*paired"):
        permuted(x, x, x[:9], paired=True)
    with pytest.raises(InputError, match=r"^a .*\b3 features.*\bb .*\b2\b"):
        permuted(x, x, x[:, :2], paired=False)
    with pytest.raises(InputError, match=r"^real .*\b2 features.*\ba .*\b3\b"):
        permuted(x[:, :2], x, x, paired=False)
    with pytest.raises(InputError, match="at least one permutation"):
        permuted(x, x, x, paired=True, permutations=0)
