"""Fréchet distances: of clips (FVD), frames (FID), classes and positions. Light to import."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from evaluation.catalogue.entry import MIN_CLIPS_FOR_INTERVAL, TOO_FEW_CLIPS, Metric, Number, Value
from evaluation.networks.spec import NetworkSpec
from evaluation.results.caveats import Caveat
from evaluation.results.record import Result
from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.catalogue.inputs import MetricInput
    from evaluation.features.sets import MeasuredSet
    from evaluation.uncertainty.resampling import FeaturePair

MAX_BOOTSTRAP_DIM = 512  # one distance of wider covariances takes seconds
CUTS, CUTS_OF_WIDE_FEATURES = 100, 10
MIN_CLIPS_TO_EXTRAPOLATE = 32  # clips of each set
MIN_SHARE = 0.1  # smallest part of a value due to too few clips that is worth a note


def _distance(given: "MetricInput") -> float:
    """Distance from streamed statistics, or from the rows themselves if they are few."""
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
    from evaluation.uncertainty.halves import half_sample_frechet
    from evaluation.uncertainty.jackknife import jackknife_frechet

    value = _distance(given)
    interval, details = None, dict[str, Any]()
    if given.resamples and not (given.real_set.given or given.fake.given):
        if given.min_count < MIN_CLIPS_FOR_INTERVAL:
            details = {"no_interval": TOO_FEW_CLIPS}
        elif given.rows_per_draw is None:
            details = {"no_interval": {"reason": "unequal_lengths"}}
        else:
            pair = given.feature_pair()
            if pair.x.shape[1] > MAX_BOOTSTRAP_DIM:
                interval = jackknife_frechet(pair, value=value)
            else:
                interval = half_sample_frechet(
                    pair, resamples=given.resamples, seed=given.protocol.seed, value=value
                )
            details = _limit(given, pair)
    return [Value(value=value, interval=interval, details=details)]


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


def _caveats(result: Result, spec: NetworkSpec) -> Iterator[Caveat]:
    """Too few clips for so many features, with what that is about to cost."""
    for side in ("real", "fake"):
        count = result.protocol_fields[f"num_{side}"]
        counts_frames = result.protocol_fields[f"{side}_offset"] == "every"
        rows = count * (result.num_frames if spec.unit == "frame" and not counts_frames else 1)
        if 0 < rows <= spec.num_features:
            facts = {"rows": rows, "unit": spec.unit, "num_features": spec.num_features}
            of_side = "real" if side == "real" else "generated"
            yield Caveat("few_rows", {"side": of_side, **facts})
    limit = result.details.get("infinite")
    if limit and result.value > 0 and (not limit["reliable"] or limit["share"] > MIN_SHARE):
        yield Caveat("biased", {"metric": result.metric, "infinite": limit})


def _per_class(given: "MetricInput") -> list[Value]:
    import numpy as np

    from evaluation.metrics.frechet import frechet_by_group

    classes = _classes(given.real_set), _classes(given.fake)
    groups = frechet_by_group(*given.pair, *classes, ddof=given.ddof)
    distances = {str(name): g.value for name, g in groups.items() if g.value is not None}
    if not distances:
        raise InputError(
            "no class has two clips or more in both sets: the classes are the folders of the "
            "videos, and have to be called the same in both"
        )
    values = list(distances.values())
    details = {
        "no_interval": {"reason": "mean_of_classes"},
        "std_over_classes": float(np.std(values)),
        "classes": {str(name): asdict(group) for name, group in groups.items()},
    }
    parameters = {"classes": list(distances)}  # means over other classes do not compare
    return [Value(value=float(np.mean(values)), details=details, parameters=parameters)]


def _classes(measured: "MeasuredSet") -> list[str]:
    from latte.data.datasets import class_of

    names = []
    for clip in measured.clips:
        name = class_of(clip.video)
        if name is None:
            raise InputError(
                f"{measured.record.path}: {clip.video.name} has no class: put the videos of each "
                "class into a folder of its own"
            )
        names.append(name)
    return names


def _caveats_of_classes(result: Result, spec: NetworkSpec) -> Iterator[Caveat]:
    from evaluation.metrics.frechet import MIN_CLIPS

    classes = result.details["classes"]
    left_out = {name: part for name, part in classes.items() if part["value"] is None}
    if left_out:
        yield Caveat("classes_left_out", {"classes": left_out, "min_clips": MIN_CLIPS})


def _per_position(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.frechet import frechet_by_position

    keys = [measured.clip_keys() for measured in (given.real_set, given.fake)]
    x, y = map(given.network.frame_features, keys)
    distances = frechet_by_position(x, y, ddof=given.ddof)
    details = {
        "no_interval": {"reason": "mean_of_positions"},
        "positions": [float(distance) for distance in distances],
    }
    return [Value(value=float(distances.mean()), details=details)]


METRICS = (
    Metric(
        name="fvd",
        numbers=(Number(title="FVD"),),
        help="""Measure the Fréchet video distance of generated videos from real ones.

Lower is better.

latte-eval fvd --dataset ucf101 --fake samples/ucf101

latte-eval fvd --real real/ --fake fake/ --protocol shapes""",
        input_kind="clips",
        min_clips=2,
        min_value=0.0,
        compute=_frechet,
        function="frechet_distance_from_features",
        permutes=True,
        caveats=_caveats,
    ),
    Metric(
        name="fid",
        numbers=(Number(title="FID"),),
        help="""Measure the Fréchet inception distance of the frames of the clips.

Lower is better. --protocol stylegan-v-fid50k takes every frame, as fid50k_full does.""",
        input_kind="frames",
        min_value=0.0,
        compute=_frechet,
        function="frechet_distance_from_features",
        permutes=True,
        caveats=_caveats,
    ),
    Metric(
        name="per-class",
        numbers=(Number(title="FVD", per="class"),),
        help="""Measure FVD of each class by itself, and its mean over the classes.

Lower is better. Classes are the folders of the videos.""",
        input_kind="clips",
        min_clips=2,
        compute=_per_class,
        caveats=_caveats_of_classes,
    ),
    Metric(
        name="per-position",
        numbers=(Number(title="FID", per="position"),),
        help="""Measure FID of first frames, of second frames, …: where clips go wrong.

Lower is better.""",
        input_kind="frames",
        compute=_per_position,
    ),
)
