"""Two measured sets → the numbers of a metric, each with its interval."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evaluation.catalogue.registry import Metric
from evaluation.features.extraction import ROWS_AT_ONCE, StoredNetwork
from evaluation.features.sets import MeasuredSet
from evaluation.metrics import (
    density_coverage,
    frechet_by_group,
    frechet_by_position,
    frechet_distance,
    frechet_distance_from_features,
    inception_score,
    jedi_distance,
    kernel_distances,
    polynomial_mmd,
    precision_recall,
)
from evaluation.metrics.inputs import Array
from evaluation.metrics.kernel import JEDI, KID, KVD, Kernel
from evaluation.protocol.fields import DDOF, Protocol
from evaluation.similarity.matrices import frame_similarity
from evaluation.similarity.record import number_record, summary_record
from evaluation.similarity.videos.comparison import compare_videos
from evaluation.similarity.videos.pixels import MATRIX
from evaluation.uncertainty import (
    FeaturePair,
    Interval,
    bias_share,
    bootstrap_inception_score,
    extrapolate_frechet,
    half_sample_frechet,
    jackknife_frechet,
)
from evaluation.uncertainty.kernel_jackknife import jackknife_mmd
from evaluation.uncertainty.neighbours_jackknife import (
    jackknife_density_coverage,
    jackknife_precision_recall,
)
from latte.data.datasets import class_of
from latte.data.errors import InputError

MOST_FEATURES_TO_RESAMPLE = 512  # one distance of wider covariances takes seconds
CUTS, CUTS_OF_WIDE_FEATURES = 100, 10
FEWEST_FOR_AN_INTERVAL = 4  # clips of each set
TOO_FEW = f"fewer than {FEWEST_FOR_AN_INTERVAL} clips"
UNEQUAL = "clips of different lengths cannot be drawn again as whole ones"
FEWEST_TO_EXTRAPOLATE = 32  # clips of each set
Pair = tuple[Interval | None, Interval | None]


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number of a metric."""

    title: str
    value: float
    interval: Interval | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)  # besides those of the metric


@dataclass(frozen=True, kw_only=True)
class Sets:
    """What a metric is computed from."""

    real: MeasuredSet | None  # None: the metric looks at the generated set alone
    fake: MeasuredSet
    network: StoredNetwork
    protocol: Protocol
    parameters: Mapping[str, Any]  # of the metric
    resamples: int  # of intervals that draw samples again; 0 for no intervals at all

    @property
    def ddof(self) -> int:
        """What the covariance's divisor is less than n."""
        return DDOF[self.protocol.covariance]

    @property
    def rows_per_draw(self) -> int | None:
        """Rows that are drawn together: the frames of a clip; None where clips differ in length."""
        if self.network.extractor.spec.unit == "clip":
            return 1
        lengths = {chosen.frames_per_clip for chosen in (self.real, self.fake) if chosen}
        return lengths.pop() if len(lengths) == 1 else None

    def features(self, chosen: MeasuredSet) -> Array:
        """Features of a set, (rows, D) float64.

        Raises:
            InputError: the set is known by its statistics alone.
        """
        if chosen.given is not None:
            raise InputError(
                f"{chosen.record.path}: holds a mean and a covariance, which do for a Fréchet "
                "distance alone: give the videos themselves"
            )
        return self.network.features(chosen.keys).astype(np.float64)

    def pair(self) -> tuple[Array, Array]:
        """Features of the real and of the generated set."""
        assert self.real is not None
        return self.features(self.real), self.features(self.fake)

    def feature_pair(self) -> FeaturePair:
        """Features of both, ready to be resampled."""
        assert self.rows_per_draw is not None
        return FeaturePair(*self.pair(), ddof=self.ddof, rows_per_draw=self.rows_per_draw)


def values(metric: Metric, sets: Sets) -> list[Value]:
    """The numbers of a metric.

    Raises:
        InputError: sets that this metric cannot be computed from.
    """
    return COMPUTE[metric.name](sets)


def _frechet(title: str, sets: Sets) -> list[Value]:
    assert sets.real is not None
    value = frechet_of_sets(sets)
    interval, details = None, {}
    few = min(len(sets.real.keys), len(sets.fake.keys)) < FEWEST_FOR_AN_INTERVAL
    given = sets.real.given or sets.fake.given
    if sets.resamples and not given and (few or not sets.rows_per_draw):
        details = {"no_interval": TOO_FEW if few else UNEQUAL}
    elif sets.resamples and not given:
        pair = sets.feature_pair()
        interval = _frechet_interval(sets, pair, value)
        details = _infinite(sets, pair)
    return [Value(title=title, value=value, interval=interval, details=details)]


def frechet_of_sets(sets: Sets) -> float:
    """Through streamed statistics, or through the few rows themselves where that is smaller."""
    real, fake, network = sets.real, sets.fake, sets.network
    assert real is not None
    few = min(len(real.keys), len(fake.keys)) <= network.extractor.spec.num_features
    if real.keys and fake.keys and few:
        return frechet_distance_from_features(
            network.features(real.keys), network.features(fake.keys), ddof=sets.ddof
        )
    first, second = (
        chosen.statistics(network, sets.protocol.covariance) for chosen in (real, fake)
    )
    return frechet_distance(first.mean, first.covariance, second.mean, second.covariance)


def _frechet_interval(sets: Sets, pair: FeaturePair, value: float) -> Interval:
    if pair.x.shape[1] > MOST_FEATURES_TO_RESAMPLE:
        return jackknife_frechet(pair, value=value)
    return half_sample_frechet(pair, resamples=sets.resamples, seed=sets.protocol.seed, value=value)


def _infinite(sets: Sets, pair: FeaturePair) -> dict[str, Any]:
    """The value's limit for many clips: how much of the value is due to their small number."""
    if pair.num_draws < FEWEST_TO_EXTRAPOLATE:
        return {}
    narrow = pair.x.shape[1] <= MOST_FEATURES_TO_RESAMPLE
    limit = extrapolate_frechet(
        pair, seed=sets.protocol.seed, cuts=CUTS if narrow else CUTS_OF_WIDE_FEATURES
    )
    return {
        "infinite": {
            "value": limit.value,
            "interval": [limit.interval.low, limit.interval.high],
            "reliable": limit.reliable,
            "share": bias_share(limit),
            "method": limit.interval.method,
        }
    }


def _kvd(sets: Sets) -> list[Value]:
    x, y = sets.pair()
    value = polynomial_mmd(x, y, degree=KVD.degree, gamma=KVD.gamma, coef0=KVD.coef0)
    return [Value(title="KVD", value=value, interval=_kernel_interval(sets, x, y, KVD, value))]


def _jedi(sets: Sets) -> list[Value]:
    x, y = sets.pair()
    value = jedi_distance(x, y)
    interval = _kernel_interval(sets, x, y, JEDI, value, unbiased=False, scale=100)
    return [Value(title="JEDi", value=value, interval=interval)]


def _kid(sets: Sets) -> list[Value]:
    x, y = sets.pair()
    subsets = kernel_distances(
        x,
        y,
        num_subsets=sets.parameters["num_subsets"],
        subset_size=sets.parameters["subset_size"],
        seed=sets.protocol.seed,
    )
    value = float(subsets.mean())
    details = {"std_over_subsets": float(subsets.std()), "subsets": len(subsets)}
    interval = _kernel_interval(sets, x, y, KID, value)
    return [Value(title="KID", value=value, interval=interval, details=details)]


def _kernel_interval(
    sets: Sets,
    x: Array,
    y: Array,
    kernel: Kernel,
    value: float,
    *,
    unbiased: bool = True,
    scale: float = 1.0,
) -> Interval | None:
    if not sets.resamples or not sets.rows_per_draw:
        return None
    if min(len(x), len(y)) < FEWEST_FOR_AN_INTERVAL * sets.rows_per_draw:
        return None
    return jackknife_mmd(
        FeaturePair(x, y, rows_per_draw=sets.rows_per_draw),
        kernel,
        value=value,
        unbiased=unbiased,
        scale=scale,
        seed=sets.protocol.seed,
    )


def _precision_recall(sets: Sets) -> list[Value]:
    (x, y), k = sets.pair(), sets.parameters["k"]
    intervals: Pair = (None, None)
    if sets.resamples and min(len(x), len(y)) > k + 1:
        intervals = jackknife_precision_recall(x, y, k, seed=sets.protocol.seed)
    return _named(precision_recall(x, y, k)._asdict(), intervals)


def _density_coverage(sets: Sets) -> list[Value]:
    (x, y), k = sets.pair(), sets.parameters["k"]
    intervals: Pair = (None, None)
    if sets.resamples and min(len(x), len(y)) > k + 1:
        intervals = jackknife_density_coverage(x, y, k, seed=sets.protocol.seed)
    return _named(density_coverage(x, y, k)._asdict(), intervals)


def _named(numbers: Mapping[str, float], intervals: Pair) -> list[Value]:
    return [
        Value(title=name, value=number, interval=interval)
        for (name, number), interval in zip(numbers.items(), intervals, strict=True)
    ]


def _inception_score(sets: Sets) -> list[Value]:
    splits, shuffle_seed = sets.parameters["splits"], sets.parameters["shuffle_seed"]
    probabilities = sets.network.extractor.probabilities(sets.features(sets.fake))
    value, deviation = inception_score(probabilities, splits, shuffle_seed=shuffle_seed)
    interval = None
    if sets.resamples:
        interval = bootstrap_inception_score(
            probabilities,
            splits=splits,
            resamples=sets.resamples,
            seed=sets.protocol.seed,
            shuffle_seed=shuffle_seed,
        )
    details = {
        "splits": splits,
        "std_over_splits": deviation,
        "num_classes": probabilities.shape[1],
    }
    return [Value(title="IS", value=value, interval=interval, details=details)]


def _per_class(sets: Sets) -> list[Value]:
    assert sets.real is not None
    x, y = sets.pair()
    groups = frechet_by_group(x, y, _classes(sets.real), _classes(sets.fake), ddof=sets.ddof)
    distances = [group.value for group in groups.values() if group.value is not None]
    if not distances:
        raise InputError(
            "no class has two clips or more in both sets: the classes are the folders of the "
            "videos, and have to be called the same in both"
        )
    details = {
        "no_interval": "it is a mean over classes, whose spread is in its details",
        "std_over_classes": float(np.std(distances)),
        "classes": {
            str(name): {
                "value": group.value,
                "num_real": group.num_real,
                "num_fake": group.num_fake,
                "reason": group.reason,
            }
            for name, group in groups.items()
        },
    }
    measured = [str(name) for name, group in groups.items() if group.value is not None]
    return [
        Value(
            title="FVD per class",
            value=float(np.mean(distances)),
            details=details,
            parameters={"classes": measured},  # means over other classes do not compare
        )
    ]


def _classes(chosen: MeasuredSet) -> list[str]:
    found = [class_of(clip.video) for clip in chosen.clips]
    for name, clip in zip(found, chosen.clips, strict=True):
        if name is None:
            raise InputError(
                f"{chosen.record.path}: {clip.video.name} has no class: put the videos of each "
                "class into a folder of its own"
            )
    return [str(name) for name in found]


def _per_position(sets: Sets) -> list[Value]:
    assert sets.real is not None
    for chosen in (sets.real, sets.fake):
        sets.features(chosen)  # refuses statistics
    distances = frechet_by_position(
        sets.network.frame_features(sets.real.keys),
        sets.network.frame_features(sets.fake.keys),
        ddof=sets.ddof,
    )
    details = {
        "no_interval": "it is a mean over positions of the same clips",
        "positions": [float(distance) for distance in distances],
    }
    return [Value(title="FID per position", value=float(distances.mean()), details=details)]


def _similarity(sets: Sets) -> list[Value]:
    assert sets.real is not None
    found = compare_videos(
        _matrices(sets, sets.real),
        _matrices(sets, sets.fake),
        seed=sets.protocol.seed,
        intervals=bool(sets.resamples),
    )
    both = {"real": summary_record(found.real), "fake": summary_record(found.fake)}
    differences = {name: number_record(each) for name, each in found.differences.items()}
    inverted = found.fake["inverted"]
    few = min(found.real.num_clips, found.fake.num_clips) < FEWEST_FOR_AN_INTERVAL
    why = {"no_interval": TOO_FEW} if sets.resamples and few else {}
    return [
        Value(
            title="similarity-distance",
            value=found.distance,
            interval=found.interval,
            details={
                "chance_distance": found.chance_distance,
                "significantly_different": found.significantly_different,
                "sets": both,
                "differences": differences,
                **why,
            },
        ),
        Value(
            title="inversion-rate",
            value=inverted.value,
            interval=inverted.interval,
            details={
                "real": both["real"]["numbers"]["inverted"],
                "difference": differences["inverted"],
                **(why if inverted.interval is None else {}),
            },
        ),
    ]


def _matrices(sets: Sets, chosen: MeasuredSet) -> Iterator[Array]:
    """The similarity of the frames of each clip, without all clips in memory."""
    if chosen.given is not None:
        sets.features(chosen)  # refuses statistics
    for start in range(0, len(chosen.keys), ROWS_AT_ONCE):
        for row in sets.network.store.rows(chosen.keys[start : start + ROWS_AT_ONCE]):
            is_matrix = sets.network.extractor.spec.output == MATRIX
            yield row.astype(np.float64) if is_matrix else frame_similarity(row)


COMPUTE: Mapping[str, Callable[[Sets], list[Value]]] = {
    "fvd": lambda sets: _frechet("FVD", sets),
    "fid": lambda sets: _frechet("FID", sets),
    "kvd": _kvd,
    "kid": _kid,
    "jedi": _jedi,
    "is": _inception_score,
    "precision-recall": _precision_recall,
    "density-coverage": _density_coverage,
    "per-class": _per_class,
    "per-position": _per_position,
    "similarity": _similarity,
}
