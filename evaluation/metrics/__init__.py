"""Metrics: pure functions of arrays, in float64."""

from evaluation.metrics.frechet import frechet_distance, frechet_distance_from_features
from evaluation.metrics.inception_score import inception_score

__all__ = ["frechet_distance", "frechet_distance_from_features", "inception_score"]
