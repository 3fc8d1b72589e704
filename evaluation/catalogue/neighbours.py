"""Metrics of nearest neighbours among features of clips. Light to import."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from evaluation.catalogue.entry import Metric, Number, Value

if TYPE_CHECKING:
    from evaluation.catalogue.inputs import MetricInput
    from evaluation.uncertainty.interval import Interval


def _precision_recall(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.neighbours import precision_recall
    from evaluation.uncertainty.jackknife import jackknife_precision_recall

    return _values(given, precision_recall, jackknife_precision_recall)


def _density_coverage(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.neighbours import density_coverage
    from evaluation.uncertainty.jackknife import jackknife_density_coverage

    return _values(given, density_coverage, jackknife_density_coverage)


def _values(
    given: "MetricInput",
    metric: Callable[..., Sequence[float]],
    jackknife: "Callable[..., Sequence[Interval]]",
) -> list[Value]:
    (x, y), k = given.pair, given.parameters["k"]
    intervals: Sequence[Interval | None] = (None, None)
    if given.resamples and min(len(x), len(y)) > k + 1:
        intervals = jackknife(x, y, k, seed=given.protocol.seed)
    return [Value(value=v, interval=i) for v, i in zip(metric(x, y, k), intervals, strict=True)]


def _numbers(*titles: str) -> tuple[Number, ...]:
    return tuple(Number(title=title, higher_is_better=True) for title in titles)


METRICS = (
    Metric(
        name="precision-recall",
        numbers=_numbers("precision", "recall"),
        help="""Measure which share of generated clips looks real, and the reverse.

Higher is better; nearest neighbours among features, k = 3.""",
        input_kind="clips",
        min_clips=2,
        parameters={"k": 3},
        compute=_precision_recall,
        function="precision_recall",
    ),
    Metric(
        name="density-coverage",
        numbers=_numbers("density", "coverage"),
        help="""Measure density and coverage: precision and recall, robust to outliers.

Higher is better; nearest neighbours among features, k = 5.""",
        input_kind="clips",
        min_clips=2,
        parameters={"k": 5},
        compute=_density_coverage,
        function="density_coverage",
    ),
)
