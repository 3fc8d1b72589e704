"""Inception Score of class probabilities."""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.inputs import Array, as_features
from latte.data.errors import InputError


def inception_score(
    probabilities: ArrayLike, splits: int = 10, *, shuffle_seed: int | None = 42
) -> tuple[float, float]:
    """Inception Score: mean and standard deviation over the splits; higher is better.

    exp(mean over samples of KL(p(y|x) ‖ p(y))), p(y) the mean of the split      [Salimans, 2016]

    Between 1 (every sample alike, or every class as likely) and the number of classes.

    Args:
        probabilities: (N, K), rows at least 0 that sum to 1.
        splits: the number of parts, at most N. Part i is rows i·N//splits to (i+1)·N//splits.
        shuffle_seed: rows are first shuffled with `RandomState(shuffle_seed)`, 42 as StyleGAN-V's
            `isv2048_ucf` does; None leaves them in their order.

    Returns:
        Mean and standard deviation (over `splits`, not `splits` − 1) of the parts' scores. A
        probability of 0 adds nothing (0 log 0 = 0); no epsilon is added.

    Raises:
        InputError: rows that are no probabilities, or more splits than rows.
    """
    rows = as_probabilities(probabilities)
    if not 1 <= splits <= len(rows):
        raise InputError(
            f"an Inception Score of {len(rows)} samples cannot have {splits} splits: give 1 to "
            f"{len(rows)}"
        )
    if shuffle_seed is not None:
        # The legacy generator is the published one.
        rows = rows[np.random.RandomState(shuffle_seed).permutation(len(rows))]
    bounds = [i * len(rows) // splits for i in range(splits + 1)]
    scores = [score_of_split(rows[start:stop]) for start, stop in pairwise(bounds)]
    return float(np.mean(scores)), float(np.std(scores))


def score_of_split(rows: Array) -> float:
    """exp(mean KL) of one part, (n, K) → at least 1."""
    marginal = rows.mean(axis=0)
    # mean KL = H(mean p) − mean H(p); both with 0 log 0 = 0.
    return float(np.exp(_entropy(marginal) - np.mean(_entropy(rows))))


def as_probabilities(probabilities: ArrayLike) -> Array:
    """The probabilities as float64 (N, K).

    Raises:
        InputError: wrong axes, not finite, negative, or a row that does not sum to 1.
    """
    rows = as_features(probabilities, "probabilities")
    wrong = (rows < 0).any(axis=1) | (np.abs(rows.sum(axis=1) - 1) > 1e-3)
    if wrong.any():
        raise InputError(
            f"row {int(np.argmax(wrong))} of the probabilities is not at least 0 with sum 1: give "
            "the softmax of the logits"
        )
    return rows


def _entropy(rows: Array) -> Array:
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    return np.asarray(-(rows * logs).sum(axis=-1))
