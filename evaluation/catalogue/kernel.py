"""Kernel distances of clips (KVD, JEDi's) and of frames (KID). Light to import."""

from typing import TYPE_CHECKING, Any

from evaluation.catalogue.entry import Metric, Number, Value

if TYPE_CHECKING:
    from evaluation.catalogue.inputs import MetricInput
    from evaluation.metrics.inputs import Array
    from evaluation.uncertainty.interval import Interval

CUBIC: dict[str, Any] = {"degree": 3, "gamma": "1/D", "coef0": 1.0, "unbiased": True}
_KVD, _KID = Number(title="KVD"), Number(title="KID")
_JEDI = Number(title="JEDi", names_network=True)


def _kvd(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.kernel import polynomial_mmd

    x, y = given.pair()
    value = polynomial_mmd(x, y)
    return [Value(number=_KVD, value=value, interval=_interval(given, x, y, value))]


def _kid(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.kernel import kernel_distances

    x, y = given.pair()
    subsets = kernel_distances(
        x,
        y,
        num_subsets=given.parameters["num_subsets"],
        subset_size=given.parameters["subset_size"],
        seed=given.protocol.seed,
    )
    value = float(subsets.mean())
    details = {"std_over_subsets": float(subsets.std()), "subsets": len(subsets)}
    interval = _interval(given, x, y, value)
    return [Value(number=_KID, value=value, interval=interval, details=details)]


def _jedi(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.kernel import jedi_distance

    x, y = given.pair()
    value = jedi_distance(x, y)
    return [Value(number=_JEDI, value=value, interval=_interval(given, x, y, value))]


def _interval(given: "MetricInput", x: "Array", y: "Array", value: float) -> "Interval | None":
    from evaluation.catalogue.inputs import MIN_CLIPS_FOR_INTERVAL
    from evaluation.metrics.kernel import Kernel
    from evaluation.uncertainty.kernel_jackknife import jackknife_mmd
    from evaluation.uncertainty.resampling import FeaturePair

    rows = given.rows_per_draw
    if not given.resamples or not rows or min(len(x), len(y)) < MIN_CLIPS_FOR_INTERVAL * rows:
        return None
    parameters = given.parameters
    return jackknife_mmd(
        FeaturePair(x, y, rows_per_draw=rows),
        Kernel(degree=parameters["degree"], gamma=None, coef0=parameters["coef0"]),
        value=value,
        unbiased=parameters["unbiased"],
        scale=parameters.get("scale", 1.0),
        seed=given.protocol.seed,
    )


METRICS = (
    Metric(
        name="kvd",
        numbers=(_KVD,),
        help="""Measure the kernel video distance: squared MMD with a polynomial kernel.

Lower is better; without the bias of FVD for few clips.""",
        looks="clips",
        min_clips=2,
        parameters=CUBIC,
        compute=_kvd,
    ),
    Metric(
        name="kid",
        numbers=(_KID,),
        help="""Measure the kernel inception distance of the frames of the clips.

Lower is better; the mean over 100 subsets of 1000 frames.""",
        looks="frames",
        parameters={**CUBIC, "num_subsets": 100, "subset_size": 1000},
        compute=_kid,
    ),
    Metric(
        name="jedi",
        numbers=(_JEDI,),
        help="""Measure JEDi's distance on the features of any network of clips.

Lower is better; biased MMD with a polynomial kernel of degree 2, times 100.""",
        looks="clips",
        min_clips=2,
        parameters={"degree": 2, "gamma": "1/D", "coef0": 0.0, "unbiased": False, "scale": 100},
        compute=_jedi,
    ),
)
