"""The Fréchet distance of two Gaussians in several ways, from means and covariances."""

import warnings
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import scipy.linalg

from benchmarks.studies.speed.timing import time_in_turns
from benchmarks.studies.speed.timings import OURS, SQRTM
from evaluation.metrics import frechet_distance
from evaluation.metrics.inputs import Array


def time_distances(
    dimension: int, repetitions: int
) -> tuple[Mapping[str, list[float]], Mapping[str, float]]:
    """Seconds of each way, in turns, and the values that they give."""
    moments = *_moments(dimension, 0), *_moments(dimension, 1)
    jobs: dict[str, Callable[[], float]] = {
        OURS: partial(frechet_distance, *moments),
        SQRTM: partial(_by_traces, _sqrtm_trace, *moments),
        "eigvals": partial(_by_traces, _eigvals_trace, *moments),
    }
    frechet_distance(*_moments(8, 0), *_moments(8, 1))  # libraries begin their threads
    values = {}

    def kept(name: str) -> None:
        values[name] = jobs[name]()

    return time_in_turns({name: partial(kept, name) for name in jobs}, repetitions), values


def _moments(dimension: int, seed: int) -> tuple[Array, Array]:
    """Mean and covariance of twice as many rows as features, whose variances span three decades."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((2 * dimension, dimension)) * np.geomspace(1, 0.03, dimension)
    mixed = rows @ np.linalg.qr(random.standard_normal((dimension, dimension)))[0]
    return mixed.mean(axis=0), np.cov(mixed, rowvar=False)


def _by_traces(
    trace: Callable[[Array], float], mu1: Array, sigma1: Array, mu2: Array, sigma2: Array
) -> float:
    of_root = trace(sigma1 @ sigma2)
    return float(((mu1 - mu2) ** 2).sum() + np.trace(sigma1) + np.trace(sigma2) - 2 * of_root)


def _sqrtm_trace(product: Array) -> float:
    """As pytorch-fid, clean-fid, cd-fvd and StyleGAN-V."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return float(np.trace(scipy.linalg.sqrtm(product)).real)


def _eigvals_trace(product: Array) -> float:
    """As torch-fidelity and torchmetrics."""
    return float(np.sqrt(np.linalg.eigvals(product).astype(complex)).real.sum())
