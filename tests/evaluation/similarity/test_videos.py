"""Sets of videos by the matrices of their clips."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from scipy import stats

from evaluation.similarity import frame_similarity, matrix_distance
from evaluation.similarity.matrices import pairs
from evaluation.similarity.summary import FRAME_NUMBERS, frame_numbers, summary_record
from evaluation.similarity.tables import video_table
from evaluation.similarity.videos import (
    GroupedMatrices,
    MatrixMoments,
    compare_videos,
    open_pixels,
    pixel_similarity,
    unbiased_square,
)
from latte.data.errors import InputError
from latte.data.shapes import shapes_clips


@pytest.fixture(scope="module")
def clips():
    return shapes_clips("test", range(24), num_frames=8, size=16)


def matrices(clips):
    return [frame_similarity(clip.reshape(len(clip), -1) / 127.5 - 1.0) for clip in clips]


def test_equal_sets_are_at_distance_0_and_others_at_that_of_their_mean_matrices(clips):
    real, fake = matrices(clips[:12]), matrices(clips[12:])
    assert compare_videos(real, real).distance == 0
    found = compare_videos(iter(real), iter(fake))
    expected = matrix_distance(np.mean(real, axis=0), np.mean(fake, axis=0))
    assert found.distance == pytest.approx(expected, rel=1e-12)
    assert 0 <= found.interval.low <= found.distance <= found.interval.high
    assert (found.real.num_clips, found.fake.num_clips) == (12, 12)


def test_still_and_shuffled_videos_differ_from_moving_ones(clips):
    real = matrices(clips[:12])
    still = compare_videos(real, matrices(np.repeat(clips[12:, :1], 8, axis=1)))
    assert still.fake["inverted"].value == 0
    assert still.fake["neighbours"].value == pytest.approx(1)
    assert still.interval.low > still.chance_distance
    order = np.random.default_rng(0).permutation(8)
    shuffled = compare_videos(real, matrices(clips[12:, order]))
    assert shuffled.fake["inverted"].interval[0] > shuffled.real["inverted"].interval[1]
    jump = np.concatenate([clips[12:, :4], clips[:12, 4:]], axis=1)
    jumping = compare_videos(real, matrices(jump)).fake
    assert jumping["lowest_neighbours"].value < 0.8 * jumping["neighbours"].value


@pytest.mark.parametrize(("few", "many"), [(8, 8), (1, 6), (2, 1)])
def test_sets_of_one_source_are_as_far_apart_as_is_said(uniform, few, many):
    """On average over many pairs of sets, in the square."""
    pool = [frame_similarity(walk) for walk in np.cumsum(uniform("w", (600, 5, 3)), axis=1)]
    random = np.random.default_rng(0)
    squares, said = [], []
    for _ in range(300):
        sets = [random.integers(0, 600, size) for size in (few, many)]
        found = compare_videos(*[[pool[i] for i in each] for each in sets], intervals=False)
        squares.append(found.distance**2)
        said.append(found.chance_distance**2)
    assert np.mean(squares) == pytest.approx(np.mean(said), rel=0.15)


@pytest.mark.parametrize(("few", "many"), [(1, 2), (4, 1), (3, 5)])
def test_what_sets_of_one_source_differ_by_is_a_mean_over_pairs_of_clips(uniform, few, many):
    """Half the mean square difference of any two clips of one set is its variance."""
    real, fake = uniform("real", (few, 5, 5)), uniform("fake", (many, 5, 5))
    squares = 0.0
    for clips in (real, fake):
        for one in clips:
            for other in clips:
                squares += matrix_distance(one, other) ** 2 / (2 * len(clips))
    expected = np.sqrt(squares / (few + many - 2) * (1 / few + 1 / many))
    found = compare_videos(real, fake, intervals=False).chance_distance
    assert found == pytest.approx(expected, rel=1e-12)


def test_two_clips_do_not_tell_how_far_sets_of_one_source_are_apart(uniform):
    pair = compare_videos(uniform("one", (1, 4, 4)), uniform("other", (1, 4, 4)))
    assert pair.distance > 0
    assert pair.chance_distance is None
    assert pair.significantly_different is None
    details = {
        "sets": {"real": summary_record(pair.real), "fake": summary_record(pair.fake)},
        "differences": {name: asdict(each) for name, each in pair.differences.items()},
        "significantly_different": None,
    }
    assert "source" not in video_table(details | {"chance_distance": None})
    assert video_table(details | {"chance_distance": 0.1}).endswith("a distance of about 0.100.\n")


def test_every_number_has_its_difference_from_the_real_one(clips):
    real, fake = matrices(clips[:9]), matrices(clips[9:, ::-1] // 2)
    found = compare_videos(real, fake)
    for name in FRAME_NUMBERS:
        one, other = ([frame_numbers(matrix)[name] for matrix in each] for each in (real, fake))
        expected = stats.ttest_ind(other, one, equal_var=False).confidence_interval(0.95)
        change = found.differences[name]
        ends = (change.value, *change.interval)
        assert ends == pytest.approx((np.mean(other) - np.mean(one), *expected), rel=1e-9)
    assert set(compare_videos(real[:3], fake).differences) == set(FRAME_NUMBERS)
    assert compare_videos(real[:3], fake).differences["mean"].interval is None


def test_the_difference_from_clips_that_are_all_alike_is_as_sure_as_the_others_are(clips):
    still = matrices(np.repeat(clips[12:, :1], 8, axis=1))
    found = compare_videos(matrices(clips[:12]), still)
    change, real = found.differences["mean"].interval, found.real["mean"].interval
    assert np.ptp(change) == pytest.approx(np.ptp(real))
    nothing = compare_videos(still, still).differences["inverted"]
    assert (nothing.value, *nothing.interval) == (0, 0, 0)


def test_sets_of_one_source_are_not_significantly_different_and_others_hold_their_distance(uniform):
    """Nine times of ten at least, whether the sources are one, alike, or far apart."""
    walks = np.cumsum(uniform("w", (600, 5, 3)), axis=1)
    pools = [np.stack([frame_similarity(walk) for walk in walks + shift]) for shift in (0, 0.2, 4)]
    random = np.random.default_rng(0)
    for pool in pools:
        distance = matrix_distance(pools[0].mean(axis=0), pool.mean(axis=0))
        held, apart = 0, 0
        for seed in range(100):
            sets = [each[random.integers(0, 600, 24)] for each in (pools[0], pool)]
            found = compare_videos(*sets, seed=seed)
            held += found.interval.low <= distance <= found.interval.high
            apart += bool(found.significantly_different)
        assert held >= 90
        assert apart == 0 or pool is not pools[0]
    assert apart == 100
    nearest = compare_videos(pools[0][:24], pools[0][24:48])
    details = {
        "sets": {side: summary_record(nearest.real) for side in ("real", "fake")},
        "differences": {name: asdict(each) for name, each in nearest.differences.items()},
        "significantly_different": nearest.significantly_different,
        "chance_distance": nearest.chance_distance,
    }
    assert video_table(details).endswith("not significantly different.\n")


@pytest.fixture(scope="module")
def wide_and_narrow():
    """Matrices of two sources with one mean, the second a tenth as far from it."""
    walks = np.cumsum(np.random.default_rng(0).uniform(-1, 1, (600, 5, 3)), axis=1)
    wide = np.stack([frame_similarity(walk) for walk in walks])
    return wide, wide.mean(axis=0) + (wide - wide.mean(axis=0)) / 10


@pytest.mark.parametrize("counts", [(6, 60), (60, 6), (20, 20)])
@pytest.mark.parametrize("shift", [0, 0.3])
def test_the_square_of_the_distance_is_not_moved_by_how_many_clips_vary_how_much(
    wide_and_narrow, counts, shift
):
    random = np.random.default_rng(1)
    found = []
    for _ in range(1000):
        sets = []
        for pool, count, more in zip(wide_and_narrow, counts, (0, shift), strict=True):
            drawn = pool[random.integers(0, 600, count)] + more
            squares = sum(np.mean(pairs(matrix) ** 2) for matrix in drawn)
            sets.append(MatrixMoments.of(drawn.sum(axis=0), squares, count))
        found.append(unbiased_square(*sets))
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(shift**2, abs=3 * error)


@pytest.mark.parametrize("counts", [(6, 60), (60, 6)])
def test_sets_of_unequal_size_and_variance_hold_the_distance_of_their_sources(
    wide_and_narrow, counts
):
    random = np.random.default_rng(2)
    held, apart = 0, 0
    for seed in range(100):
        sets = [
            pool[random.integers(0, 600, count)]
            for pool, count in zip(wide_and_narrow, counts, strict=True)
        ]
        found = compare_videos(*sets, seed=seed)
        held += found.interval.low <= 0 <= found.interval.high
        apart += bool(found.significantly_different)
    assert held >= 95
    assert apart == 100 - held


def test_without_intervals_a_distance_that_chance_explains_is_not_significantly_different(clips):
    real = matrices(clips[:12])
    near = compare_videos(real, real, intervals=False)
    assert near.significantly_different is False
    far = compare_videos(real, matrices(np.repeat(clips[12:, :1], 8, axis=1)), intervals=False)
    assert far.significantly_different is None
    assert {each.interval for each in (near, near.real["mean"], near.differences["mean"])} == {None}
    assert near.real.matrix.low is None


def test_each_group_is_left_out_in_turn(uniform):
    rows = uniform("groups", (47, 3, 3))
    groups = GroupedMatrices(3, seed=1)
    for matrix in rows:
        groups.add(matrix)
    assert sorted(groups.counts) == [2] * 13 + [3] * 7
    whole, left = groups.whole(), groups.without_each()
    assert [each.count for each in left] == list(47 - groups.counts)
    np.testing.assert_allclose(whole.mean, rows.mean(axis=0), atol=1e-14)
    without = sum(each.count * each.mean for each in left)
    np.testing.assert_allclose(without, 19 * rows.sum(axis=0), atol=1e-13)
    around = [pairs(matrix - whole.mean) ** 2 for matrix in rows]
    assert whole.deviations == pytest.approx(np.mean(around, axis=1).sum())


def test_few_clips_have_a_value_before_they_have_an_interval(clips):
    few = compare_videos(matrices(clips[:3]), matrices(clips[12:]))
    assert few.distance > 0
    assert few.interval is None
    assert compare_videos(matrices(clips[:4]), matrices(clips[12:])).interval is not None
    assert compare_videos(matrices(clips), matrices(clips), intervals=False).interval is None


def test_clips_that_have_no_common_matrix_are_refused(clips):
    real = matrices(clips[:4])
    with pytest.raises(InputError, match=r"generated .*\b8 and 6 frames"):
        compare_videos(real, matrices([clips[0], clips[1, :6]]))
    with pytest.raises(InputError, match=r"real .*\b8 frames.*generated .*\b6\b"):
        compare_videos(real, matrices(clips[:, :6]))
    with pytest.raises(InputError, match="at least 3"):
        compare_videos(matrices(clips[:, :2]), real)
    with pytest.raises(InputError, match=r"\bno generated\b"):
        compare_videos(real, [])
    broken = [*real[:2], np.full_like(real[0], np.nan)]
    with pytest.raises(InputError, match=r"generated clip 2\b"):
        compare_videos(real, broken)


def test_pixels_are_one_vector_of_a_frame(clips, tmp_path):
    expected = np.stack(matrices(clips[:3]))
    found = pixel_similarity(torch.from_numpy(clips[:3]))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-14)
    stored = open_pixels(tmp_path, 8)
    np.testing.assert_allclose(stored.extractor(clips[:3]), expected, atol=1e-7)
