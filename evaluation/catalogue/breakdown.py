"""Fréchet distances by class and by position in the clip. Light to import."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from evaluation.catalogue.entry import Metric, Number, Value
from evaluation.networks.spec import NetworkSpec
from evaluation.results.record import Result
from latte.data.errors import InputError, some_of

if TYPE_CHECKING:
    from evaluation.catalogue.inputs import MetricInput
    from evaluation.features.sets import MeasuredSet


def _per_class(given: "MetricInput") -> list[Value]:
    import numpy as np

    from evaluation.metrics.breakdown import frechet_by_group

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


def _caveats_of_classes(result: Result, spec: NetworkSpec) -> Iterator[str]:
    from evaluation.metrics.breakdown import MIN_CLIPS

    left_out = [
        f"{name} ({part['num_real']} real and {part['num_fake']} generated clips, at least "
        f"{MIN_CLIPS} of each are needed)"
        for name, part in result.details["classes"].items()
        if part["value"] is None
    ]
    if left_out:
        yield f"the mean leaves out {some_of(left_out)}"


def _per_position(given: "MetricInput") -> list[Value]:
    from evaluation.metrics.breakdown import frechet_by_position

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
        name="per-class",
        numbers=(Number(title="FVD", per="class"),),
        help="""Measure FVD of each class by itself, and its mean over the classes.

Lower is better. Classes are the folders of the videos.""",
        looks="clips",
        min_clips=2,
        compute=_per_class,
        caveats=_caveats_of_classes,
    ),
    Metric(
        name="per-position",
        numbers=(Number(title="FID", per="position"),),
        help="""Measure FID of first frames, of second frames, …: where clips go wrong.

Lower is better.""",
        looks="frames",
        compute=_per_position,
    ),
)
