"""`latte-bench sensitivity`: which metric sees what.

Real videos are distorted in one known way at growing strength and measured against other real
videos. A metric notices a distortion where its value leaves the range in which other undistorted
videos would put it; everything said about a metric here is computed that way.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.documents.tables import publish
from benchmarks.shapes.measuring import WorkOptions
from benchmarks.studies.protocols.run import base_protocol
from benchmarks.studies.sensitivity.measure import (
    GROUPS,
    SensitivityBench,
    chosen_metrics,
    measure_sensitivity,
)
from benchmarks.studies.sensitivity.report import sensitivity_document
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from latte.data.clips import candidates
from latte.data.errors import InputError
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet, open_video_set

logger = logging.getLogger(__name__)

DEFAULT_COUNT, DRAWS = 256, 8


@dataclass(frozen=True, kw_only=True)
class SensitivityRequest(WorkOptions):
    """Which videos by which metrics, and how the work is done."""

    real: Path | None = None  # None: the embedded data set
    network: str | None = None  # network of clips in place of the protocol's
    weights: Mapping[str, Path] = field(default_factory=dict)  # files by network
    metrics: tuple[str, ...] = ()  # names; all metrics without
    num_videos: int | None = None  # size of each set
    draws: int = DRAWS  # undistorted sets
    seed: int = 0


def run(out: Path, request: SensitivityRequest) -> None:
    """Measure every distortion by every metric; write the documents into `out`, print the table.

    Raises:
        InputError: too few videos, or a network that is not available.
    """
    started = time.monotonic()
    bench = open_bench(request, out)
    frame, impossible = measure_sensitivity(bench)
    seconds = time.monotonic() - started
    publish(sensitivity_document(bench, frame, impossible, seconds), out)
    logger.info("%.0f s in all", seconds)


def open_bench(request: SensitivityRequest, out: Path) -> SensitivityBench:
    """The sets, and the networks of all metrics.

    Raises:
        InputError: too few videos, or a network that is not available.
    """
    sets = request.draws + 1
    base = base_protocol(request.real, request.network)
    if request.real is None:
        count = request.num_videos or DEFAULT_COUNT
        videos = shapes_video_set("test", num_videos=count * sets)
    else:
        videos = open_video_set(request.real)
        count = request.num_videos or min(base.num_real, len(videos.videos) // sets)
    if count < 2 * GROUPS:
        raise InputError(
            f"{videos.root}: {count} videos in each of {sets} sets are too few, at least "
            f"{2 * GROUPS} are needed: give more videos, or lower --draws"
        )
    base = replace(base, num_real=count, num_fake=count, seed=request.seed, short_real="error")
    metrics = chosen_metrics(request.metrics)
    measurer = Measurer(
        base,
        list(dict.fromkeys(followed.metric for followed in metrics)),
        Networks(request.extraction(out), request.weights),
        at_least=count,
        notes=False,
    )
    for error in measurer.failures.values():
        raise error
    real, *draws = split_draws(videos, count, request.draws, request.seed)
    return SensitivityBench(real=real, draws=tuple(draws), metrics=metrics, measurer=measurer)


def split_draws(videos: VideoSet, count: int, draws: int, seed: int) -> list[VideoSet]:
    """`draws` + 1 sets of `count` videos each that share none, chosen at random by name.

    Raises:
        InputError: fewer videos than that.
    """
    needed = count * (draws + 1)
    if len(videos.videos) < needed:
        raise InputError(
            f"{videos.root}: {draws + 1} sets of {count} videos need {needed}, but it has "
            f"{len(videos.videos)}: lower --num-videos or --draws"
        )
    order = candidates(videos.videos, order="random", seed=seed)
    return [
        replace(videos, videos=tuple(order[start : start + count]))
        for start in range(0, needed, count)
    ]
