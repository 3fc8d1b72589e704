"""Inception Score of clips. Light to import."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evaluation.catalogue.entry import Metric, Number, Value
from evaluation.networks.spec import NetworkSpec
from evaluation.results.caveats import Caveat
from evaluation.results.record import Result

if TYPE_CHECKING:
    from evaluation.catalogue.inputs import MetricInput

SPLITS = 10


def _inception_score(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.inception_score import inception_score
    from evaluation.uncertainty.bootstrap import bootstrap_inception_score

    splits, shuffle_seed = given.parameters["splits"], given.parameters["shuffle_seed"]
    probabilities = given.network.extractor.probabilities(given.fake.features(given.network))
    value, deviation = inception_score(probabilities, splits, shuffle_seed=shuffle_seed)
    interval = None
    if given.resamples:
        interval = bootstrap_inception_score(
            probabilities,
            splits=splits,
            resamples=given.resamples,
            seed=given.protocol.seed,
            shuffle_seed=shuffle_seed,
        )
    details = {
        "splits": splits,
        "std_over_splits": deviation,
        "num_classes": probabilities.shape[1],
    }
    return [Value(value=value, interval=interval, details=details)]


def _caveats(result: Result, spec: NetworkSpec) -> Iterator[Caveat]:
    clips = (result.num_fake or 0) / result.details["splits"]
    classes = result.details["num_classes"]
    if clips < 2 * classes:
        yield Caveat("few_in_split", {"clips": clips, "num_classes": classes})


METRICS = (
    Metric(
        name="is",
        numbers=(Number(title="IS", higher_is_better=True),),
        help="""Measure the Inception Score of generated clips by C3D trained on UCF-101.

Higher is better. Needs no real videos.""",
        input_kind="classes",
        min_clips=SPLITS,
        min_value=1.0,
        needs_real=False,
        parameters={"splits": SPLITS, "shuffle_seed": 42},
        compute=_inception_score,
        function="inception_score",
        caveats=_caveats,
    ),
)
