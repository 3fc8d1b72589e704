"""The numbers that `latte-bench sensitivity` follows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from evaluation.catalogue.registry import metric
from evaluation.metrics import (
    density_coverage,
    frechet_distance_from_features,
    inception_score,
    jedi_distance,
    kernel_distance,
    polynomial_mmd,
    precision_recall,
)
from latte.data.errors import InputError

Statistic = Callable[..., float]


@dataclass(frozen=True)
class FollowedMetric:
    """A number that is followed, with the metric of the catalogue that it belongs to."""

    name: str  # before the network's suffix
    metric: str  # decides the network
    statistic: Statistic  # of rows of real and generated videos, or of probabilities of classes
    interval: bool = True


def _part(pair: Callable[..., tuple[float, float]], part: int) -> Statistic:
    return lambda *tables: float(pair(*tables)[part])


METRICS = (
    FollowedMetric("FVD", "fvd", frechet_distance_from_features),
    FollowedMetric("KVD", "kvd", polynomial_mmd),
    FollowedMetric("JEDi", "jedi", jedi_distance),
    FollowedMetric("FID", "fid", frechet_distance_from_features),
    # Each group that an interval leaves out would cost as much as the value.
    FollowedMetric("KID", "kid", partial(kernel_distance, num_subsets=10), interval=False),
    FollowedMetric("IS", "is", _part(inception_score, 0)),
    FollowedMetric("precision", "precision-recall", _part(precision_recall, 0)),
    FollowedMetric("recall", "precision-recall", _part(precision_recall, 1)),
    FollowedMetric("density", "density-coverage", _part(density_coverage, 0)),
    FollowedMetric("coverage", "density-coverage", _part(density_coverage, 1)),
)


def chosen_metrics(names: Sequence[str]) -> tuple[FollowedMetric, ...]:
    """The numbers of these metrics of the catalogue; all of them without names.

    Raises:
        InputError: an unknown metric, or one that is not followed here.
    """
    if not names:
        return METRICS
    known = dict.fromkeys(followed.metric for followed in METRICS)
    for name in names:
        if metric(name).name not in known:
            raise InputError(f"metric {name} is not followed here: choose {', '.join(known)}")
    return tuple(followed for followed in METRICS if followed.metric in names)
