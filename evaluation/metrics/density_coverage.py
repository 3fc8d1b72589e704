"""Density and coverage: precision and recall that a single outlier does not spoil."""

from typing import NamedTuple

from numpy.typing import ArrayLike

from evaluation.metrics.neighbours import as_neighbourhoods, squared_distances, squared_radii


class DensityCoverage(NamedTuple):
    """Density from 0, about 1 for real samples; coverage from 0 to 1; higher is better."""

    density: float
    coverage: float


def density_coverage(real: ArrayLike, fake: ArrayLike, k: int = 5) -> DensityCoverage:
    """Density and coverage of generated samples; higher is better.

    density  = mean over fake rows of (number of real balls it lies in) / k    [Naeem et al., 2020]
    coverage = share of real rows with a fake row in their ball

    The ball of a real row reaches to its k-th nearest other real row, edge left out: the
    conventions of `prdc`. Where both sets come from one distribution the expected density is 1,
    and the expected coverage 1 − Π (N − 1 − j) / (N + M − 1 − j) over j = 0 … k − 1, about
    1 − 2⁻ᵏ at N = M. Density is not bounded by 1: samples where real ones are dense raise it.

    Args:
        real, fake: (N, D) and (M, D), any floating type; computed in float64.
        k: 5 in the paper.

    Raises:
        InputError: as `as_neighbourhoods`.
    """
    first, second = as_neighbourhoods(real, fake, k)
    radii = squared_radii(first, k)
    inside = covered = 0
    for rows, distances in squared_distances(first, second):
        within = distances < radii[rows, None]
        inside += int(within.sum())
        covered += int(within.any(axis=1).sum())
    return DensityCoverage(density=inside / (k * len(second)), coverage=covered / len(first))
