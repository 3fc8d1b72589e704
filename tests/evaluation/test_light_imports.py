"""Distances and intervals of stored features do not wait for torch or SciPy to be imported."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "scipy", "pandas", "matplotlib")


@pytest.mark.parametrize(
    "module",
    [
        "evaluation.metrics",
        "evaluation.uncertainty",
        "evaluation.catalogue.registry",
        "evaluation.statistics.file",
        "evaluation.statistics.running",
        "evaluation.comparison.significance",
        "evaluation.features.store",
    ],
)
def test_heavy_packages_are_imported_where_they_are_used(module):
    code = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_an_interval_of_a_frechet_distance_needs_no_torch():
    code = """
import sys
import numpy as np
from evaluation.uncertainty import FeaturePair, extrapolate_frechet, half_sample_frechet
pair = FeaturePair(*np.random.default_rng(0).standard_normal((2, 40, 3)))
assert half_sample_frechet(pair, resamples=8).high > 0
assert extrapolate_frechet(pair, cuts=4).reliable
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
