"""Improved precision and recall: are generated samples among the real ones, and the reverse?"""

from typing import NamedTuple

from numpy.typing import ArrayLike

from evaluation.metrics.inputs import Array
from evaluation.metrics.neighbours import as_neighbourhoods, squared_distances, squared_radii


class PrecisionRecall(NamedTuple):
    """Both from 0 to 1; higher is better."""

    precision: float
    recall: float


def precision_recall(real: ArrayLike, fake: ArrayLike, k: int = 3) -> PrecisionRecall:
    """Precision and recall of generated samples; higher is better, at most 1.

    precision = share of fake rows within a ball of a real row      [Kynkäänniemi et al., 2019]
    recall    = share of real rows within a ball of a fake row

    The ball of a row reaches to its k-th nearest other row of its own set, edge included: the
    conventions of kynkaat/improved-precision-and-recall-metric and of torch-fidelity. (`prdc`
    leaves the edge out.) Both depend on N and M: compare values of equal numbers.

    Args:
        real, fake: (N, D) and (M, D), any floating type; computed in float64.
        k: 3 in both references.

    Raises:
        InputError: as `as_neighbourhoods`.
    """
    first, second = as_neighbourhoods(real, fake, k)
    return PrecisionRecall(
        precision=_share_within(second, first, squared_radii(first, k)),
        recall=_share_within(first, second, squared_radii(second, k)),
    )


def _share_within(x: Array, centres: Array, radii: Array) -> float:
    """Share of the rows of x that lie within a ball, edge included."""
    within = 0
    for _, distances in squared_distances(x, centres):
        within += int((distances <= radii).any(axis=1).sum())
    return within / len(x)
