import numpy as np
import pytest

from evaluation.metrics import frechet_distance_from_features
from evaluation.uncertainty import FeaturePair, clips_needed
from latte.data.errors import InputError


def needed(x, y, *, rows_per_draw=1, **options):
    return clips_needed(FeaturePair(x, y, rows_per_draw=rows_per_draw), **options)


def deviation_at(found, num_clips):
    return np.sqrt(found.linear / num_clips + found.quadratic / num_clips**2)


def two_sets(rows, seed, columns=6, shift=0.8):
    random = np.random.default_rng(seed)
    return random.standard_normal((rows, columns)), random.standard_normal((rows, columns)) + shift


def test_the_wanted_number_shows_the_wanted_difference():
    found = needed(*two_sets(100, 0), difference=0.3)
    smallest = dict(found.table)
    assert smallest[found.num_clips] <= 0.3
    deviation = deviation_at(found, found.num_clips - 1)
    assert (1.959964 + 0.841621) * np.sqrt(2) * deviation > 0.3  # one clip less is too few
    assert smallest[found.pilot_clips] == found.visible_now
    assert found.standard_deviation_now == pytest.approx(deviation_at(found, 100))


def test_more_is_needed_for_less_and_for_more_certainty():
    x, y = two_sets(100, 0)
    counts = [needed(x, y, difference=d).num_clips for d in (2.0, 0.5, 0.1)]
    assert counts == sorted(set(counts))
    usual = needed(x, y, difference=0.5).num_clips
    assert needed(x, y, difference=0.5, power=0.95).num_clips > usual
    assert needed(x, y, difference=0.5, level=0.01).num_clips > usual


def test_beyond_the_pilot_is_said():
    x, y = two_sets(100, 0)
    assert needed(x, y, difference=0.01).extrapolated
    assert not needed(x, y, difference=20.0).extrapolated


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_the_deviation_foreseen_at_four_times_the_pilot_is_right(shift):
    foreseen = [
        deviation_at(needed(*two_sets(64, seed, shift=shift), difference=1.0), 256)
        for seed in range(8)
    ]
    measured = np.std(
        [frechet_distance_from_features(*two_sets(256, 1000 + s, shift=shift)) for s in range(300)]
    )
    # Where sets are alike a small linear part that is not there weighs most far from the pilot.
    assert np.median(foreseen) == pytest.approx(measured, rel=0.15 if shift else 0.6)


def test_the_difference_is_found_with_the_wanted_power():
    # Two models of the same distance but for d, each with a real set of its own.
    difference, shift, columns = 1.5, 1.0, 4
    x, y = two_sets(400, 0, columns, shift)
    design = needed(x, y, difference=difference)
    further = np.sqrt((columns * shift**2 + difference) / columns)
    deviation = np.sqrt(2) * deviation_at(design, design.num_clips)
    found = 0
    for seed in range(300):
        near = frechet_distance_from_features(*two_sets(design.num_clips, seed, columns, shift))
        far = frechet_distance_from_features(
            *two_sets(design.num_clips, 10_000 + seed, columns, further)
        )
        found += abs(far - near) > 1.959964 * deviation
    assert 0.7 <= found / 300 <= 0.9


def test_clips_are_counted_not_frames():
    x, y = two_sets(40, 0, 3)
    clips = needed(x, y, difference=0.5)
    frames = needed(x.repeat(4, axis=0), y.repeat(4, axis=0), difference=0.5, rows_per_draw=4)
    assert frames.pilot_clips == clips.pilot_clips == 40
    assert frames.num_clips == clips.num_clips


def test_of_the_larger_set_a_part_is_used():
    x, y = two_sets(100, 0)
    assert needed(x, y[:60], difference=0.5).pilot_clips == 60


def test_the_seed_decides():
    x, y = two_sets(40, 0)
    one = needed(x, y, difference=0.5, seed=1)
    assert one == needed(x, y, difference=0.5, seed=1)
    assert one != needed(x, y, difference=0.5, seed=2)


@pytest.mark.parametrize("difference", [0.0, -1.0, np.nan, np.inf])
def test_a_difference_must_be_a_positive_number(difference):
    with pytest.raises(InputError, match=rf"difference .*{difference}"):
        needed(*two_sets(10, 0), difference=difference)


@pytest.mark.parametrize(("level", "power"), [(0.0, 0.8), (0.05, 1.0), (0.5, 0.4)])
def test_chances_must_be_chances(level, power):
    with pytest.raises(InputError, match=rf"level.*power.*{level}.*{power}"):
        needed(*two_sets(10, 0), difference=1.0, level=level, power=power)
