"""Mean and covariance of a stream of features, in float64 and in memory that does not grow."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.inputs import Array, as_features, blocks
from latte.data.errors import InputError

BLOCK_ROWS = 256


@dataclass(frozen=True)
class Statistics:
    """All that a Fréchet distance needs of a set of features."""

    mean: Array  # (D,)
    covariance: Array  # (D, D)
    count: int  # rows they were made of


def streamed_statistics(pieces: Iterable[ArrayLike], *, ddof: int = 0) -> Statistics:
    """Mean and covariance of rows that come in pieces, (N, D) each.

    Rows are taken together in blocks of 256, each centred on its own mean, and the blocks are
    combined as of Chan, Golub & LeVeque (1983): no cancellation, however far the features lie from
    zero. The blocks do not depend on the pieces, so the same rows in the same order give the same
    bits however they were split. Memory: a piece, a block and three D × D matrices, whatever the
    number of rows.

    Args:
        pieces: features, any floating type.
        ddof: 0 divides the covariance by the count, 1 by one less; it is exactly symmetric.

    Raises:
        InputError: too few rows, another shape, or a row that is not finite (numbered within its
            piece).
    """
    count, mean, scatter = 0, np.empty(0), np.empty(0)  # scatter: sum of centred outer products
    for block in _blocks(pieces):
        block_mean = block.mean(axis=0)
        centred = block - block_mean
        block_scatter = centred.T @ centred
        if not count:
            count, mean, scatter = len(block), block_mean, block_scatter
            continue
        total = count + len(block)
        shift = block_mean - mean
        scatter = scatter + block_scatter
        scatter += np.outer(shift, shift) * (count * len(block) / total)
        mean = mean + shift * (len(block) / total)
        count = total
    if count <= ddof:
        raise InputError(f"statistics of {count} rows: at least {ddof + 1} are needed, add videos")
    return Statistics(mean=mean, covariance=scatter / (count - ddof), count=count)


def _blocks(pieces: Iterable[ArrayLike]) -> Iterator[Array]:
    """The rows of the pieces, `BLOCK_ROWS` at a time."""
    pending: Array | None = None
    for piece in pieces:
        rows = as_features(piece)
        if pending is not None:
            if rows.shape[1] != pending.shape[1]:
                raise InputError(
                    f"features have {rows.shape[1]} columns, not {pending.shape[1]}: they come "
                    "from another network"
                )
            rows = np.concatenate([pending, rows])
        whole = len(rows) - len(rows) % BLOCK_ROWS
        yield from blocks(rows[:whole], BLOCK_ROWS)
        pending = rows[whole:]
    if pending is not None and len(pending):
        yield pending
