"""Similarity of hand-made hidden states, and what a plain loop makes of any."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from evaluation.similarity import frame_similarity, inverted_share, matrix_distance
from evaluation.similarity.matrices import by_distance, cosines, pairs, token_directions


@pytest.fixture
def states(uniform):
    """(F, S, D) = (5, 7, 11)."""
    return uniform("states", (5, 7, 11))


def mutual_similarity(first, second):
    return cosines(token_directions(first), token_directions(second))


def cosine_by_hand(x, y):
    product_ = sum(float(a) * float(b) for a, b in zip(x, y, strict=True))
    lengths = [math.sqrt(math.fsum(float(a) ** 2 for a in each)) for each in (x, y)]
    return product_ / (lengths[0] * lengths[1])


def matrix_by_hand(first, second):
    frames, tokens = first.shape[:2]
    matrix = np.zeros((frames, frames))
    for i, j in product(range(frames), repeat=2):
        cosines = [cosine_by_hand(first[i, s], second[j, s]) for s in range(tokens)]
        matrix[i, j] = math.fsum(cosines) / tokens
    return matrix


def inverted_by_hand(matrix):
    frames, inverted, triples = len(matrix), 0, 0
    for i, j, k in product(range(frames), repeat=3):
        same_side = (j - i) * (k - i) > 0
        if same_side and abs(i - j) < abs(i - k):
            triples += 1
            inverted += matrix[i, j] < matrix[i, k]
    return inverted / triples


def test_it_is_what_a_plain_loop_makes_of_it(states, uniform):
    other = uniform("others", states.shape)
    expected = matrix_by_hand(states, states)
    np.testing.assert_allclose(frame_similarity(states), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(
        mutual_similarity(states, other), matrix_by_hand(states, other), rtol=0, atol=1e-14
    )
    single = torch.from_numpy(states).float()
    np.testing.assert_allclose(frame_similarity(single), expected, rtol=0, atol=1e-7)


def test_identical_frames_have_1_and_orthogonal_ones_0(states):
    np.testing.assert_allclose(frame_similarity(np.stack([states[0]] * 4)), 1, atol=1e-14)
    orthogonal = np.eye(12).reshape(4, 3, 12)
    np.testing.assert_array_equal(frame_similarity(orthogonal), np.eye(4))
    np.testing.assert_allclose(mutual_similarity(states, -states).diagonal(), -1, atol=1e-14)


def test_a_rotation_by_so_much_per_frame_is_its_cosine():
    angles = 0.1 * np.arange(6)[:, None] + np.array([0.0, 1.0, 2.5])  # tokens begin anywhere
    turning = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    wanted = np.cos(0.1 * np.abs(np.subtract.outer(np.arange(6), np.arange(6))))
    np.testing.assert_allclose(frame_similarity(turning), wanted, atol=1e-14)
    np.testing.assert_allclose(by_distance(wanted), np.cos(0.1 * np.arange(6)), atol=1e-14)


def test_tokens_count_alike_whatever_their_size(states):
    kept, turned = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    mixed = np.array([[kept, 1000 * kept], [kept, turned]])
    assert frame_similarity(mixed)[0, 1] == pytest.approx(0.5)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 3.0, 1e300])
def test_scale_does_not_count(states, uniform, scale):
    own = 1.5 + uniform("scales", (5, 7, 1))  # one for each token
    np.testing.assert_allclose(
        frame_similarity(states * own * scale), frame_similarity(states), atol=1e-14
    )


def test_a_token_without_a_direction_counts_as_0(states):
    blank = states.copy()
    blank[2, 0] = 0
    expected, found = frame_similarity(states[:, 1:]), frame_similarity(blank)
    assert found[2] == pytest.approx(expected[2] * 6 / 7)
    assert np.isfinite(found).all()


def test_inverted_relations_are_counted_as_they_are_defined(uniform):
    for frames in (3, 4, 9):
        for seed in range(5):
            matrix = frame_similarity(uniform("random", (frames, 2, 3), seed))
            assert inverted_share(matrix) == pytest.approx(inverted_by_hand(matrix), abs=1e-15)
    one = np.array([[1.0, 0.2, 0.5], [0.2, 1.0, 0.9], [0.5, 0.9, 1.0]])
    assert inverted_share(one) == 0.5  # frame 0 is nearer to 1 and more like 2


def test_steady_still_and_shuffled_clips():
    distances = np.abs(np.subtract.outer(np.arange(16), np.arange(16)))
    steady = np.exp(-0.1 * distances)
    assert inverted_share(steady) == 0
    still = 1 - 1e-13 * distances[::-1]  # equal but for rounding
    assert inverted_share(still) == 0
    order = np.random.default_rng(0).permutation(16)
    assert 0.3 < inverted_share(steady[np.ix_(order, order)]) < 0.7
    assert inverted_share(1 - steady) == 1


def test_inverted_relations_are_the_same_backwards_and_on_any_rising_scale(states):
    matrix = frame_similarity(states)
    assert inverted_share(matrix[::-1, ::-1]) == inverted_share(matrix)
    assert inverted_share(np.exp(matrix)) == inverted_share(matrix)


def test_the_distance_is_over_pairs_of_different_frames(states, uniform):
    one, two = frame_similarity(states), frame_similarity(uniform("others", states.shape))
    by_hand = [(one[i, j] - two[i, j]) ** 2 for i in range(5) for j in range(i + 1, 5)]
    assert matrix_distance(one, two) == pytest.approx(math.sqrt(sum(by_hand) / 10))
    assert matrix_distance(one, one) == 0
    assert len(pairs(one)) == 10


def test_lists_are_as_precise_as_arrays():
    """Frames that differ at 1e-12 of their length differ by 1e-12 where they stand."""
    clip = [[1.0, 0.0], [1.0, 1e-12], [1.0, 2e-12]]
    apart = mutual_similarity(clip, [[0.0, 1.0]] * 3)
    np.testing.assert_allclose(apart[:, 0], [0, 1e-12, 2e-12], rtol=1e-12)
    near = [[1.0, 1.0 + each] for each in (0.0, 1e-12, 3e-12)]
    assert token_directions(near).dtype == torch.float64
    assert len(set(token_directions(near)[:, 0].tolist())) == 3


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_states_and_similarities_that_are_not_finite_are_refused(wrong):
    clip = [[wrong, 1.0], [1.0, 0.0], [0.0, 1.0]]
    for given in (clip, np.array(clip), torch.tensor(clip)):
        with pytest.raises(ValueError, match="not finite"):
            frame_similarity(given)
    matrix = np.eye(3)
    matrix[0, 1] = wrong
    with pytest.raises(ValueError, match="not finite"):
        inverted_share(matrix)


def test_shapes_that_are_none_are_refused(states):
    with pytest.raises(ValueError, match=r"\(frames, tokens, width\)"):
        frame_similarity(states[None])
    with pytest.raises(ValueError, match="directions are"):
        mutual_similarity(states, states[:4])
    with pytest.raises(ValueError, match="2 frames"):
        inverted_share(np.eye(2))
