"""Hidden states of one clip → how alike its frames are. Pure functions, float64.

The cosine of two frames is taken token by token, at the same place in both, and averaged over the
tokens (arXiv:2401.03048v3, Figures 6 and 8).
"""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from evaluation.metrics.inputs import Array

TIE = 1e-9  # smaller differences are none: rounding must not order the frames of a still clip
MIN_FRAMES = 3  # a frame, a near one and a far one


def frame_similarity(states: ArrayLike | Tensor) -> Array:
    """Cosine similarity of all pairs of frames, (F, F): 1 for equal directions, 0 for orthogonal.

    Args:
        states: (F, S, D), or (F, D) for one token per frame; of any scale. A token that is 0 has
            no direction: its similarity counts as 0, with itself as well.

    Raises:
        ValueError: another shape, or states that are not finite.

    >>> frame_similarity([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]).round(4).tolist()
    [[1.0, 0.0, 0.7071], [0.0, 1.0, 0.7071], [0.7071, 0.7071, 1.0]]
    """
    directions = token_directions(states)
    return cosines(directions, directions)


def token_directions(states: ArrayLike | Tensor) -> Tensor:
    """Tokens of length 1/√S, one row for each frame: (F, S·D) float64, on the states' device.

    The inner product of two rows is the mean cosine of their tokens.

    Raises:
        ValueError: another shape, or states that are not finite.
    """
    # Not as_tensor(): of a list it makes float32.
    raw = states if isinstance(states, Tensor) else torch.from_numpy(np.array(states, np.float64))
    tokens = raw.double()
    if tokens.ndim == 2:
        tokens = tokens[:, None]
    if tokens.ndim != 3:
        raise ValueError(f"states are {tuple(tokens.shape)} and not (frames, tokens, width)")
    if not tokens.isfinite().all():
        raise ValueError("states that are not finite have no direction")
    # Dividing by the largest entry first keeps squares from overflowing or vanishing.
    tokens = tokens / _or_one(tokens.abs().amax(dim=2, keepdim=True))
    tokens = tokens / _or_one(tokens.norm(dim=2, keepdim=True))
    return tokens.flatten(1) / tokens.shape[1] ** 0.5


def cosines(first: Tensor, second: Tensor) -> Array:
    """Inner products of directions (F, K) with directions (F, K): (F, F) in [−1, 1].

    Of two states of one clip, the similarity of frame i of the first with frame j of the second.
    """
    if first.shape != second.shape:
        raise ValueError(f"directions are {tuple(first.shape)} and {tuple(second.shape)}")
    products = (first @ second.T).clamp(-1, 1)
    return np.asarray(products.cpu().numpy())


def pairs(matrix: Array) -> Array:
    """The similarities of different frames, each pair once, (F (F − 1) / 2,)."""
    return matrix[np.triu_indices(len(matrix), 1)]


def by_distance(matrix: Array) -> Array:
    """Mean similarity of frames that are 0, 1, …, F − 1 apart, in either direction, (F,)."""
    both = (matrix + matrix.T) / 2
    return np.array([np.diagonal(both, distance).mean() for distance in range(len(matrix))])


def inverted_share(matrix: Array) -> float:
    """The share of inverted relations: a nearer frame that is less similar than a farther one.

    Of all triples (i, j, k) with j and k on one side of i and |i − j| < |i − k|, those with
    sim(i, j) < sim(i, k). 0 for a steady motion or a still clip, about 0.5 for frames in random
    order. Needs three frames.

    Raises:
        ValueError: fewer than three frames, or similarities that are not finite.
    """
    frames = len(matrix)
    if frames < MIN_FRAMES:
        raise ValueError(f"{frames} frames have no nearer and farther one")
    if not np.isfinite(matrix).all():
        raise ValueError("similarities that are not finite are in no order")
    inverted = 0
    for i in range(frames):
        for side in (matrix[i, i + 1 :], matrix[i, :i][::-1]):  # neighbours first
            inverted += int(np.count_nonzero(np.triu(side[None] > side[:, None] + TIE)))
    return float(inverted / (frames * (frames - 1) * (frames - 2) / 3))


def matrix_distance(first: Array, second: Array) -> float:
    """Root mean square of the difference of two (F, F) over pairs of different frames; 0 if equal.

    Lower is better; at most 2.
    """
    return float(np.sqrt(np.mean((pairs(first) - pairs(second)) ** 2)))


def _or_one(lengths: Tensor) -> Tensor:
    return torch.where(lengths > 0, lengths, 1.0)
