"""How far a metric would move with another draw of the same number of samples.

Two sets of features are a `FeaturePair`. From it come intervals (`half_sample_frechet`,
`bootstrap_frechet`, `jackknife_frechet`), the limit for many samples (`extrapolate_frechet`), a
test of two models (`permutation_test`) and the number of clips it needs (`clips_needed`); of other
metrics `grouped_jackknife` and `bootstrap_inception_score` give the interval.
"""

from evaluation.uncertainty.bootstrap import (
    MIN_RESAMPLES,
    bootstrap_frechet,
    bootstrap_inception_score,
)
from evaluation.uncertainty.extrapolation import Extrapolation, bias_share, extrapolate_frechet
from evaluation.uncertainty.halves import half_sample_frechet
from evaluation.uncertainty.interval import Interval
from evaluation.uncertainty.jackknife import grouped_jackknife, jackknife_frechet
from evaluation.uncertainty.permutation import PermutationTest, permutation_test
from evaluation.uncertainty.power import Power, clips_needed
from evaluation.uncertainty.resampling import FeaturePair

__all__ = [
    "MIN_RESAMPLES",
    "Extrapolation",
    "FeaturePair",
    "Interval",
    "PermutationTest",
    "Power",
    "bias_share",
    "bootstrap_frechet",
    "bootstrap_inception_score",
    "clips_needed",
    "extrapolate_frechet",
    "grouped_jackknife",
    "half_sample_frechet",
    "jackknife_frechet",
    "permutation_test",
]
