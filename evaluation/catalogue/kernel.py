"""Kernel distances of clips (KVD, JEDi's) and of frames (KID). Light to import."""

from typing import TYPE_CHECKING, Any

from evaluation.catalogue.entry import MIN_CLIPS_FOR_INTERVAL, Metric, Number, Value

if TYPE_CHECKING:
    from evaluation.catalogue.inputs import MetricInput

CUBIC: dict[str, Any] = {"degree": 3, "gamma": "1/D", "coef0": 1.0, "unbiased": True}


def _kvd(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.kernel import polynomial_mmd

    return _with_interval(given, polynomial_mmd(*given.pair))


def _jedi(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.kernel import jedi_distance

    return _with_interval(given, jedi_distance(*given.pair))


def _kid(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.kernel import kernel_distances

    subsets = kernel_distances(
        *given.pair,
        num_subsets=given.parameters["num_subsets"],
        subset_size=given.parameters["subset_size"],
        seed=given.protocol.seed,
    )
    spread = {"std_over_subsets": float(subsets.std()), "subsets": len(subsets)}
    return _with_interval(given, float(subsets.mean()), **spread)


def _with_interval(given: "MetricInput", value: float, **details: float) -> list[Value]:
    from evaluation.metrics.kernel import Kernel
    from evaluation.uncertainty.jackknife import jackknife_mmd

    parameters, few = given.parameters, given.min_count < MIN_CLIPS_FOR_INTERVAL
    if few or not (given.resamples and given.rows_per_draw):
        return [Value(value=value, details=details)]
    interval = jackknife_mmd(
        given.feature_pair(),
        Kernel(degree=parameters["degree"], coef0=parameters["coef0"]),
        value=value,
        unbiased=parameters["unbiased"],
        scale=parameters.get("scale", 1.0),
        seed=given.protocol.seed,
    )
    return [Value(value=value, interval=interval, details=details)]


METRICS = (
    Metric(
        name="kvd",
        numbers=(Number(title="KVD"),),
        help="""Measure the kernel video distance: squared MMD with a polynomial kernel.

Lower is better; without the bias of FVD for few clips.""",
        input_kind="clips",
        min_clips=2,
        parameters=CUBIC,
        compute=_kvd,
        function="polynomial_mmd",
    ),
    Metric(
        name="kid",
        numbers=(Number(title="KID"),),
        help="""Measure the kernel inception distance of the frames of the clips.

Lower is better; the mean over 100 subsets of 1000 frames.""",
        input_kind="frames",
        parameters={**CUBIC, "num_subsets": 100, "subset_size": 1000},
        compute=_kid,
        function="kernel_distance",
    ),
    Metric(
        name="jedi",
        numbers=(Number(title="JEDi", names_network=True),),
        help="""Measure JEDi's distance on the features of any network of clips.

Lower is better; biased MMD with a polynomial kernel of degree 2, times 100.""",
        input_kind="clips",
        min_clips=2,
        parameters={"degree": 2, "gamma": "1/D", "coef0": 0.0, "unbiased": False, "scale": 100},
        compute=_jedi,
        function="jedi_distance",
    ),
)
