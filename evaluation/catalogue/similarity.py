"""How alike the frames of a clip are. Light to import."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from evaluation.catalogue.entry import MIN_CLIPS_FOR_INTERVAL, TOO_FEW_CLIPS, Metric, Number, Value

if TYPE_CHECKING:
    from evaluation.catalogue.inputs import MetricInput
    from evaluation.features.sets import MeasuredSet
    from evaluation.metrics.inputs import Array


def _similarity(given: "MetricInput") -> list[Value]:
    from evaluation.similarity.summary import LEVEL, students_method, summary_record
    from evaluation.similarity.videos import compare_videos
    from evaluation.uncertainty.interval import Interval

    comparison = compare_videos(
        _matrices(given, given.real_set),
        _matrices(given, given.fake),
        seed=given.protocol.seed,
        intervals=bool(given.resamples),
    )
    both = {"real": summary_record(comparison.real), "fake": summary_record(comparison.fake)}
    differences = {name: asdict(gap) for name, gap in comparison.differences.items()}
    inverted, interval = comparison.fake["inverted"], None
    if inverted.interval is not None:
        low, high = inverted.interval
        method = students_method(comparison.fake.num_clips)
        interval = Interval(low=low, high=high, level=LEVEL, method=method)
    few = min(comparison.real.num_clips, comparison.fake.num_clips) < MIN_CLIPS_FOR_INTERVAL
    why = {"no_interval": TOO_FEW_CLIPS} if given.resamples and few else {}
    return [
        Value(
            value=comparison.distance,
            interval=comparison.interval,
            details={
                "chance_distance": comparison.chance_distance,
                "significantly_different": comparison.significantly_different,
                "sets": both,
                "differences": differences,
                **why,
            },
        ),
        Value(
            value=inverted.value,
            interval=interval,
            details={
                "real": both["real"]["numbers"]["inverted"],
                "difference": differences["inverted"],
                **(why if interval is None else {}),
            },
        ),
    ]


def _matrices(given: "MetricInput", measured: "MeasuredSet") -> "Iterator[Array]":
    """The similarity of the frames of each clip, without all clips in memory."""
    import numpy as np

    from evaluation.features.extraction import ROWS_AT_ONCE
    from evaluation.similarity.matrices import frame_similarity
    from evaluation.similarity.videos import MATRIX

    keys = measured.clip_keys()
    is_matrix = given.network.extractor.spec.output == MATRIX
    for start in range(0, len(keys), ROWS_AT_ONCE):
        for row in given.network.store.rows(keys[start : start + ROWS_AT_ONCE]):
            yield row.astype(np.float64) if is_matrix else frame_similarity(row)


METRICS = (
    Metric(
        name="similarity",
        numbers=(
            Number(title="similarity-distance"),
            Number(title="inversion-rate", higher_is_better=None),
        ),
        help="""Measure how alike the frames of a clip are: still, jumpy, out of order.

With --checkpoint inside a model, block by block, on noised real clips (--dataset or --real);
without, of real beside generated videos: the distance of their matrices, lower is better, and the
rate of inverted relations, in which a nearer frame is less similar than a farther one.

latte-eval similarity --checkpoint model.safetensors --dataset shapes --block 0 --block 7

latte-eval similarity --real real/ --fake fake/ --features pixels --plots figures/""",
        input_kind="frames",
        compute=_similarity,
    ),
)
