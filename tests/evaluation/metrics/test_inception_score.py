import numpy as np
import pytest

from evaluation.metrics import inception_score
from latte.data.errors import InputError


def probabilities(rows, classes, seed=0):
    logits = np.random.default_rng(seed).standard_normal((rows, classes)) * 3
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def score_by_the_definition(rows, splits):
    """Salimans et al., as loops: exp(mean KL) of each part."""
    shuffled = rows[np.random.RandomState(42).permutation(len(rows))]
    scores = []
    for i in range(splits):
        part = shuffled[i * len(rows) // splits : (i + 1) * len(rows) // splits]
        marginal = part.mean(axis=0)
        divergences = [
            sum(p * (np.log(p) - np.log(q)) for p, q in zip(row, marginal, strict=True) if p > 0)
            for row in part
        ]
        scores.append(np.exp(np.mean(divergences)))
    return np.mean(scores), np.std(scores)


@pytest.mark.parametrize(("rows", "splits"), [(50, 10), (53, 10), (7, 7), (20, 1)])
def test_agrees_with_the_definition(rows, splits):
    p = probabilities(rows, 6)
    assert inception_score(p, splits) == pytest.approx(
        score_by_the_definition(p, splits), rel=1e-12
    )


def test_samples_that_are_all_alike_score_one():
    mean, std = inception_score(np.tile(probabilities(1, 5), (30, 1)), 3)
    assert mean == pytest.approx(1, rel=1e-14)
    assert std == pytest.approx(0, abs=1e-14)


def test_certain_and_balanced_classes_score_their_number():
    # 0 log 0 counts as 0, without an epsilon.
    mean, std = inception_score(np.tile(np.eye(7), (4, 1)), 1)
    assert (mean, std) == (pytest.approx(7, rel=1e-14), 0)


def test_the_shuffle_matters_only_where_rows_are_ordered():
    ordered = np.repeat(np.eye(5), 20, axis=0)
    shuffled, _ = inception_score(ordered, 5)
    as_it_is, _ = inception_score(ordered, 5, shuffle_seed=None)
    assert as_it_is == pytest.approx(1)
    assert shuffled > 4


@pytest.mark.parametrize(
    ("rows", "splits", "message"),
    [
        (np.full((3, 2), 0.5), 4, r"\b3 samples.*\b4 splits"),
        (np.full((3, 2), 0.5), 0, r"\b3 samples.*\b0 splits"),
        (np.array([[0.5, 0.5], [2.0, -1.0]]), 1, r"\brow 1\b.*probabilities"),
        (np.array([[3.0, 4.0]]), 1, r"\brow 0\b.*probabilities"),
        (np.array([[0.5, np.nan]]), 1, r"probabilities .*not finite.*\b1 of 1 rows"),
    ],
)
def test_rows_that_are_no_probabilities_are_refused(rows, splits, message):
    with pytest.raises(InputError, match=message):
        inception_score(rows, splits)
