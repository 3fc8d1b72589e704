"""Metrics: pure functions of arrays, in float64."""

from evaluation.metrics.frechet import (
    GroupDistance,
    frechet_by_group,
    frechet_by_position,
    frechet_distance,
    frechet_distance_from_features,
)
from evaluation.metrics.inception_score import inception_score
from evaluation.metrics.kernel import (
    JEDI,
    KID,
    KVD,
    Kernel,
    jedi_distance,
    kernel_distance,
    kernel_distances,
    polynomial_mmd,
)
from evaluation.metrics.neighbours import density_coverage, precision_recall

__all__ = [
    "JEDI",
    "KID",
    "KVD",
    "GroupDistance",
    "Kernel",
    "density_coverage",
    "frechet_by_group",
    "frechet_by_position",
    "frechet_distance",
    "frechet_distance_from_features",
    "inception_score",
    "jedi_distance",
    "kernel_distance",
    "kernel_distances",
    "polynomial_mmd",
    "precision_recall",
]
