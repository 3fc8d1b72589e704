"""Fréchet distances of clips (FVD) and of frames (FID). Light to import."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from evaluation.catalogue.entry import MIN_CLIPS_FOR_INTERVAL, TOO_FEW_CLIPS, Metric, Number, Value
from evaluation.networks.spec import NetworkSpec
from evaluation.results.record import Result
from reports.numbers import format_value

if TYPE_CHECKING:
    from evaluation.catalogue.inputs import MetricInput
    from evaluation.uncertainty.interval import Interval
    from evaluation.uncertainty.resampling import FeaturePair

MAX_BOOTSTRAP_DIM = 512  # one distance of wider covariances takes seconds
CUTS, CUTS_OF_WIDE_FEATURES = 100, 10
MIN_CLIPS_TO_EXTRAPOLATE = 32  # clips of each set
MIN_SHARE = 0.1  # smallest part of a value due to too few clips that is worth a note


def _distance(given: "MetricInput") -> float:
    """By streamed statistics, or by the rows themselves where they are few."""
    from evaluation.metrics.frechet import frechet_distance, frechet_distance_from_features

    real, fake, network = given.real_set, given.fake, given.network
    few = given.min_count <= network.extractor.spec.num_features
    if real.keys and fake.keys and few:
        return frechet_distance_from_features(
            network.features(real.keys), network.features(fake.keys), ddof=given.ddof
        )
    first, second = (
        measured.statistics(network, given.protocol.covariance) for measured in (real, fake)
    )
    return frechet_distance(first.mean, first.covariance, second.mean, second.covariance)


def _frechet(given: "MetricInput") -> list[Value]:
    value = _distance(given)
    interval, details = None, dict[str, Any]()
    if given.resamples and not (given.real_set.given or given.fake.given):
        if given.min_count < MIN_CLIPS_FOR_INTERVAL:
            details = {"no_interval": TOO_FEW_CLIPS}
        elif given.rows_per_draw is None:
            details = {"no_interval": {"reason": "unequal_lengths"}}
        else:
            pair = given.feature_pair()
            interval = _interval(given, pair, value)
            details = _limit(given, pair)
    return [Value(value=value, interval=interval, details=details)]


def _interval(given: "MetricInput", pair: "FeaturePair", value: float) -> "Interval":
    from evaluation.uncertainty.halves import half_sample_frechet
    from evaluation.uncertainty.jackknife import jackknife_frechet

    if pair.x.shape[1] > MAX_BOOTSTRAP_DIM:
        return jackknife_frechet(pair, value=value)
    return half_sample_frechet(
        pair, resamples=given.resamples, seed=given.protocol.seed, value=value
    )


def _limit(given: "MetricInput", pair: "FeaturePair") -> dict[str, Any]:
    """The value's limit for many clips: how much of the value is due to their small number."""
    from evaluation.uncertainty.extrapolation import bias_share, extrapolate_frechet

    if pair.num_draws < MIN_CLIPS_TO_EXTRAPOLATE:
        return {}
    cuts = CUTS if pair.x.shape[1] <= MAX_BOOTSTRAP_DIM else CUTS_OF_WIDE_FEATURES
    limit = extrapolate_frechet(pair, seed=given.protocol.seed, cuts=cuts)
    return {
        "infinite": {
            "value": limit.value,
            "interval": [limit.interval.low, limit.interval.high],
            "reliable": limit.reliable,
            "share": bias_share(limit),
            "method": limit.interval.method,
        }
    }


def _caveats(result: Result, spec: NetworkSpec) -> Iterator[str]:
    """Too few clips for so many features, with what that is about to cost."""
    for side in ("real", "fake"):
        count = result.protocol_fields[f"num_{side}"]
        counts_frames = result.protocol_fields[f"{side}_offset"] == "every"
        rows = count * (result.num_frames if spec.unit == "frame" and not counts_frames else 1)
        if 0 < rows <= spec.num_features:
            of_side = "real" if side == "real" else "generated"
            yield (
                f"{rows} {of_side} {spec.unit}s are few for {spec.num_features} features: the "
                "covariance is singular and the value far above its limit for many"
            )
    limit = result.details.get("infinite")
    if not limit or result.value <= 0:
        return
    extrapolated = format_value(limit["value"], tuple(limit["interval"]))
    if not limit["reliable"]:
        yield (
            f"how much of {result.metric} is due to the number of clips cannot be estimated from "
            f"so few (extrapolated: {extrapolated})"
        )
    elif limit["share"] > MIN_SHARE:
        yield (
            f"about {limit['share']:.0%} of {result.metric} is due to the number of clips, if they "
            "are independent draws (less of it if they are balanced by class): extrapolated to "
            f"infinitely many it is {extrapolated}"
        )


METRICS = (
    Metric(
        name="fvd",
        numbers=(Number(title="FVD"),),
        help="""Measure the Fréchet video distance of generated videos from real ones.

Lower is better.

latte-eval fvd --dataset ucf101 --fake samples/ucf101

latte-eval fvd --real real/ --fake fake/ --protocol shapes""",
        looks="clips",
        min_clips=2,
        min_value=0.0,
        compute=_frechet,
        caveats=_caveats,
    ),
    Metric(
        name="fid",
        numbers=(Number(title="FID"),),
        help="""Measure the Fréchet inception distance of the frames of the clips.

Lower is better. --protocol stylegan-v-fid50k takes every frame, as fid50k_full does.""",
        looks="frames",
        min_value=0.0,
        compute=_frechet,
        caveats=_caveats,
    ),
)
