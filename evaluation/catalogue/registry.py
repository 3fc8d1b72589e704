"""The metrics by name. Light to import: the help of the command line is made from them."""

from collections.abc import Mapping
from types import MappingProxyType

from evaluation.catalogue import frechet, inception_score, kernel, neighbours, similarity
from evaluation.catalogue.entry import Metric
from latte.data.errors import InputError, nearest

FAMILIES = (frechet, kernel, inception_score, neighbours, similarity)
METRICS: Mapping[str, Metric] = MappingProxyType(
    {metric.name: metric for family in FAMILIES for metric in family.METRICS}
)


def metric(name: str) -> Metric:
    """A metric by name.

    Raises:
        InputError: there is none of this name; the nearest ones are named.
    """
    if name not in METRICS:
        raise InputError(f"unknown metric {name!r}: {nearest(name, list(METRICS))}")
    return METRICS[name]
