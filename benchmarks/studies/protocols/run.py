"""`latte-bench protocols`: how far each single choice of a protocol changes FVD.

One pair of sets and one base protocol; every choice on which papers differ is changed, one at a
time. A table, and a chart with the largest change at the top.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from benchmarks.documents.tables import publish
from benchmarks.shapes.distortions import PaddedVideo, distorted
from benchmarks.shapes.measuring import WorkOptions
from benchmarks.studies.protocols.measure import ProtocolBench, measure_protocols
from benchmarks.studies.protocols.report import protocols_document
from evaluation.measuring.choice import choose_protocol
from evaluation.measuring.networks import Networks
from evaluation.protocol.fields import Protocol
from latte.data.errors import InputError
from latte.data.shapes import ShapesVideo
from latte.data.sources import Video, VideoSet, open_video_set
from reports.files import write_files

logger = logging.getLogger(__name__)

DEFAULT_COUNT = 256
MIN_VIDEOS = 8  # a smaller set is refused
SOURCE_SIZE, SOURCE_MARGIN = 60, 10  # 80×60, as UCF101's 320×240
FLAWS = (("blur", 1.5), ("slowed", 1.25))  # distortions of the stand-in


@dataclass(frozen=True, kw_only=True)
class ProtocolsRequest(WorkOptions):
    """Which pair under which base protocol, and how the work is done.

    Raises:
        InputError: one set without the other, or too few videos.
    """

    real: Path | None = None  # real and generated source videos; None: the embedded pair
    fake: Path | None = None
    base: str | None = None  # name or file; None: shapes, or stylegan-v for given videos
    settings: tuple[str, ...] = ()  # FIELD=VALUE, changes of the base protocol
    network: str | None = None  # replaces the base protocol's
    weights: Path | None = None
    num_videos: int | None = None  # clips of each set
    resamples: int = 400

    def __post_init__(self) -> None:
        if (self.real is None) != (self.fake is None):
            raise InputError("--real and --fake go together: give both or neither")
        if self.num_videos is not None and self.num_videos < MIN_VIDEOS:
            raise InputError(f"--num-videos {self.num_videos}: must be at least {MIN_VIDEOS}")


def run(out: Path, request: ProtocolsRequest) -> None:
    """Measure every choice; write the table and the chart into `out`, print the table.

    Raises:
        InputError: a base protocol that cannot be measured.
    """
    started = time.monotonic()
    study = measure_protocols(open_bench(request, out))
    seconds = time.monotonic() - started
    publish(protocols_document(study, seconds), out)
    results = [study.result, *(result for _, result in study.measured)]
    write_files(out, {"results.jsonl": "".join(result.to_json() + "\n" for result in results)})
    logger.info("%.0f s in all", seconds)


def open_bench(request: ProtocolsRequest, out: Path) -> ProtocolBench:
    """The pair and the base protocol, for as many clips as both sets have.

    Raises:
        InputError: an unknown preset or network, or fewer videos than were asked for.
    """
    count, dataset = request.num_videos, None
    if request.real is None or request.fake is None:
        count, dataset = count or DEFAULT_COUNT, "shapes"
        real, fake = shapes_pair(count)
    else:
        real, fake = (as_source(open_video_set(path)) for path in (request.real, request.fake))
    available = min(len(real.videos), len(fake.videos))
    if count is not None and count > available:
        raise InputError(
            f"--num-videos {count}: the smaller set has {available} videos: give a smaller number"
        )
    base = base_protocol(request.real, request.network, request.base, request.settings)
    count = count or min(base.num_real or available, base.num_fake or available, available)
    weights = {} if request.weights is None else {base.network: request.weights}
    return ProtocolBench(
        real=real,
        fake=fake,
        base=replace(base, num_real=count, num_fake=count),
        networks=Networks(request.extraction(out), weights),
        dataset=dataset,
        resamples=request.resamples,
    )


def base_protocol(
    real: Path | None,
    network_name: str | None,
    name: str | None = None,
    settings: Sequence[str] = (),
) -> Protocol:
    """The protocol that a study starts from; another network is at its first output and resizing.

    Args:
        real: real videos; None: the embedded ones.
        network_name: replaces the protocol's network.
        name: name or file; None: shapes, or stylegan-v for given videos.
        settings: FIELD=VALUE, changes of the protocol.

    Raises:
        InputError: an unknown preset or network.
    """
    embedded = real is None or (network_name or "").startswith("shapes")
    dataset = "shapes" if embedded else None
    return choose_protocol(name, settings=settings, dataset=dataset, network=network_name)


def shapes_pair(count: int) -> tuple[VideoSet, VideoSet]:
    """Source videos of the embedded data set, 80×60, and those of a stand-in generator.

    Scenes drawn at 60×60 with a margin left and right, so that crop, resize and storage have work
    to do; four times as many as `count`, so that there is a choice among them. The stand-in's are
    other scenes, a little blurred (σ 1.5 pixels) and slow (4/5 of the speed).
    """
    sources = tuple(
        PaddedVideo(
            video=ShapesVideo(index=index, split="test", size=SOURCE_SIZE, prepared=False),
            margin=SOURCE_MARGIN,
            prepared=False,
        )
        for index in range(8 * count)
    )
    real = VideoSet(name="shapes, 80×60", videos=sources[: 4 * count], root="shapes, real")
    fake = VideoSet(
        name="blurred and slow shapes", videos=sources[4 * count :], root="shapes, generated"
    )
    for distortion, strength in FLAWS:
        fake = distorted(fake, distortion, strength)
    return real, fake


def as_source(videos: VideoSet) -> VideoSet:
    """The set with its frames as sources for a protocol's preparation, whatever their files are."""
    unprepared = tuple(
        cast(Video, replace(cast(Any, video), prepared=False)) for video in videos.videos
    )
    return replace(videos, videos=unprepared, preparation=None)
