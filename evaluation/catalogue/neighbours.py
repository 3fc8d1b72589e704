"""Metrics of nearest neighbours among features of clips. Light to import."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from evaluation.catalogue.entry import Metric, Number, Value

if TYPE_CHECKING:
    from evaluation.catalogue.inputs import MetricInput
    from evaluation.uncertainty.interval import Interval

_PRECISION_RECALL = tuple(
    Number(title=title, higher_is_better=True) for title in ("precision", "recall")
)
_DENSITY_COVERAGE = tuple(
    Number(title=title, higher_is_better=True) for title in ("density", "coverage")
)


def _precision_recall(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.precision_recall import precision_recall
    from evaluation.uncertainty.neighbours_jackknife import jackknife_precision_recall

    return _values(given, _PRECISION_RECALL, precision_recall, jackknife_precision_recall)


def _density_coverage(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.density_coverage import density_coverage
    from evaluation.uncertainty.neighbours_jackknife import jackknife_density_coverage

    return _values(given, _DENSITY_COVERAGE, density_coverage, jackknife_density_coverage)


def _values(
    given: "MetricInput",
    numbers: Sequence[Number],
    metric: Callable[..., Sequence[float]],
    jackknife: "Callable[..., Sequence[Interval]]",
) -> list[Value]:
    (x, y), k = given.pair(), given.parameters["k"]
    intervals: Sequence[Interval | None] = (None, None)
    if given.resamples and min(len(x), len(y)) > k + 1:
        intervals = jackknife(x, y, k, seed=given.protocol.seed)
    return [
        Value(number=number, value=value, interval=interval)
        for number, value, interval in zip(numbers, metric(x, y, k), intervals, strict=True)
    ]


METRICS = (
    Metric(
        name="precision-recall",
        numbers=_PRECISION_RECALL,
        help="""Measure which share of generated clips looks real, and the reverse.

Higher is better; nearest neighbours among features, k = 3.""",
        looks="clips",
        min_clips=2,
        parameters={"k": 3},
        compute=_precision_recall,
    ),
    Metric(
        name="density-coverage",
        numbers=_DENSITY_COVERAGE,
        help="""Measure density and coverage: precision and recall, robust to outliers.

Higher is better; nearest neighbours among features, k = 5.""",
        looks="clips",
        min_clips=2,
        parameters={"k": 5},
        compute=_density_coverage,
    ),
)
