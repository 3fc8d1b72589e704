import numpy as np
import pytest

from evaluation.metrics import (
    GroupDistance,
    frechet_by_group,
    frechet_by_position,
    frechet_distance_from_features,
)
from latte.data.errors import InputError


def features(*shape, seed=0, shift=0.0):
    return np.random.default_rng(seed).standard_normal(shape) + shift


@pytest.mark.parametrize("ddof", [0, 1])
def test_each_group_has_the_distance_of_its_own_rows(ddof):
    real, fake = features(12, 3), features(9, 3, seed=1, shift=0.5)
    real_groups = np.array(["run", "jump", "swim"])[np.arange(12) % 3]
    fake_groups = np.array(["swim", "run", "jump"])[np.arange(9) % 3]
    distances = frechet_by_group(real, fake, real_groups, fake_groups, ddof=ddof)
    assert list(distances) == ["jump", "run", "swim"]
    for group, distance in distances.items():
        expected = frechet_distance_from_features(
            real[real_groups == group], fake[fake_groups == group], ddof=ddof
        )
        assert distance == GroupDistance(value=expected, num_real=4, num_fake=3)


def test_a_group_that_moved_is_found():
    real, fake = features(40, 2), features(40, 2)
    groups = np.arange(40) // 10
    fake[groups == 2] += 3
    values = [
        distance.value for distance in frechet_by_group(real, fake, groups, groups, ddof=0).values()
    ]
    assert values == pytest.approx([0, 0, 18, 0], abs=1e-12)


def test_groups_with_too_few_clips_have_counts_but_no_value():
    real_groups = ["a", "a", "b", "b", "c", "d", "d"]
    fake_groups = ["a", "a", "b", "c", "e", "e"]
    distances = frechet_by_group(features(7, 2), features(6, 2), real_groups, fake_groups, ddof=0)
    assert {group: distance.value is None for group, distance in distances.items()} == {
        "a": False,
        "b": True,
        "c": True,
        "d": True,
        "e": True,
    }
    assert distances["b"] == GroupDistance(value=None, num_real=2, num_fake=1)
    assert distances["e"] == GroupDistance(value=None, num_real=0, num_fake=2)


def test_one_group_is_the_whole_set():
    real, fake = features(9, 3), features(8, 3, seed=1)
    distances = frechet_by_group(real, fake, ["all"] * 9, ["all"] * 8, ddof=1)
    assert distances["all"].value == frechet_distance_from_features(real, fake, ddof=1)


def test_the_order_of_the_rows_moves_nothing_but_rounding():
    real, fake = features(30, 3), features(30, 3, seed=1)
    groups = np.arange(30) % 4
    order = np.random.default_rng(2).permutation(30)
    one = frechet_by_group(real, fake, groups, groups, ddof=0)
    other = frechet_by_group(real[order], fake, groups[order], groups, ddof=0)
    for group, distance in one.items():
        assert distance.value == pytest.approx(other[group].value, rel=1e-10)


@pytest.mark.parametrize(
    ("real_groups", "fake_groups", "message"),
    [
        (["a"] * 3, ["a"] * 4, r"\breal .*\b4 rows.*\b3 groups"),
        (["a"] * 4, ["a"] * 5, r"\bfake .*\b4 rows.*\b5 groups"),
        (["a", "b", None, "a"], ["a"] * 4, "groups .*NoneType and str"),
        ([None] * 4, [None] * 4, "groups .*NoneType$"),
        (["a"] * 4, ["a", 0.5, "a", "a"], "groups .*float and str"),
        (["a"] * 4, [0] * 4, "groups .*int and str"),
    ],
)
def test_groups_that_do_not_fit_are_refused(real_groups, fake_groups, message):
    with pytest.raises(InputError, match=message):
        frechet_by_group(features(4, 2), features(4, 2), real_groups, fake_groups, ddof=0)


def test_bad_features_of_a_group_are_refused_by_row():
    broken = features(4, 2)
    broken[3] = np.nan
    with pytest.raises(InputError, match=r"\bfake .*not finite.*\b1 of 4 rows.*\brow 3\b"):
        frechet_by_group(features(4, 2), broken, ["a"] * 4, ["a"] * 4, ddof=0)


@pytest.mark.parametrize("ddof", [0, 1])
def test_each_position_has_the_distance_of_its_own_frames(ddof):
    real, fake = features(12, 5, 3), features(9, 5, 3, seed=1)
    distances = frechet_by_position(real, fake, ddof=ddof)
    assert distances.shape == (5,)
    for t in range(5):
        assert distances[t] == frechet_distance_from_features(real[:, t], fake[:, t], ddof=ddof)


def test_frames_that_drift_away_cost_more_and_more():
    real = features(20, 6, 4).astype(np.float32)
    fake = real + np.arange(6, dtype=np.float32)[:, None]
    # A shift of t in each of 4 features.
    assert frechet_by_position(real, fake, ddof=0) == pytest.approx(
        4 * np.arange(6) ** 2, rel=1e-6, abs=1e-10
    )


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        ((4, 3), (4, 5, 3), r"\breal .*\(4, 3\)"),
        ((4, 5, 3), (4, 0, 3), r"\bfake .*\(4, 0, 3\)"),
        ((4, 5, 3), (4, 6, 3), r"\breal .*\b5 frames.*\bfake .*\b6\b"),
        ((4, 5, 3), (4, 5, 2), r"\breal .*\bframe 0\b.*\b3 features.*\bfake .*\b2\b"),
        ((4, 5, 3), (1, 5, 3), r"\bfake .*\bframe 0\b.*\b1 rows"),
    ],
)
def test_clips_that_do_not_fit_are_refused(real, fake, message):
    with pytest.raises(InputError, match=message):
        frechet_by_position(features(*real), features(*fake), ddof=1)


def test_bad_features_of_a_frame_are_refused_by_position_and_row():
    broken = features(4, 5, 3)
    broken[2, 3] = np.inf
    with pytest.raises(InputError, match=r"\breal .*\bframe 3\b.*not finite.*\brow 2\b"):
        frechet_by_position(broken, features(4, 5, 3), ddof=0)
