"""From a checkpoint and real clips to a result: how alike frames are in a model's hidden states."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace

import numpy as np

from evaluation.features.extraction import ExtractionOptions
from evaluation.features.sets import MeasuredSet, PlannedSet, caveats_of_sets, measure_set, plan_set
from evaluation.protocol.content import fingerprint_of_states
from evaluation.protocol.fields import REAL_CLIP_FIELDS, Protocol
from evaluation.results.provenance import provenance
from evaluation.results.record import Result
from evaluation.similarity.hidden_states.checkpoint import OpenedModel
from evaluation.similarity.hidden_states.measuring import (
    Difference,
    ModelSimilarity,
    Probe,
    measure_model_similarity,
)
from evaluation.similarity.hidden_states.noised import check_timesteps
from evaluation.similarity.summary import LEVEL, MIN_CLIPS, students_method
from latte.data.errors import BrokenVideoError, InputError
from latte.data.loading import frame_size, load_in_workers
from latte.data.progress import progress_bar
from latte.data.shapes import ShapesVideo
from latte.data.sources import Video, VideoSet

logger = logging.getLogger(__name__)

HIDDEN = "hidden-inversion-rate"
NO_NETWORK = "none"  # no feature network: the examined one is in the details


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """Which hidden states of a checkpoint are measured, and on which clips."""

    opened: OpenedModel
    videos: VideoSet
    protocol: Protocol  # how clips are chosen; their length and size are the model's
    blocks: tuple[int | str, ...] | None  # None: all
    timesteps: tuple[int, ...]
    differences: tuple[Difference, ...] = ()  # differences that the caller looks up
    intervals: bool = True
    at_least: int = 1  # minimum number of clips
    dataset: str | None = None
    model: str


def measure_hidden_states(
    request: ModelRequest, options: ExtractionOptions
) -> tuple[Result, ModelSimilarity]:
    """Show noised real clips to a model and measure its hidden states.

    Raises:
        InputError: the clips are not as the model takes them; there is too little memory; as
            `measure_model_similarity`.
    """
    started = time.monotonic()
    opened = request.opened
    check_timesteps(request.timesteps, opened.diffusion)
    sites = opened.sites(request.blocks)  # refuses unknown parts before the work
    protocol = replace(
        request.protocol, num_frames=opened.model.config.num_frames, size=opened.frame_size
    )
    request = replace(request, protocol=protocol)
    planned = _planned(request, options)
    measured = measure_set(planned, [], options)  # hashes the clips, decodes none
    available, path = len(measured.clips), measured.record.path
    for caveat in caveats_of_sets([measured]):
        logger.warning("%s", caveat)
    if available < protocol.num_real:
        logger.warning(
            "only %d of %d clips: %s has no more usable ones", available, protocol.num_real, path
        )
    if request.intervals and available < MIN_CLIPS:
        logger.warning("no number has an interval: fewer than %d clips", MIN_CLIPS)
    labels, classes = opened.labels(clip.video for clip in measured.clips), None
    if labels is not None:
        classes = "none" if set(labels) == {opened.model.config.num_classes} else "of the clips"
    if classes == "none":
        logger.warning(
            "the checkpoint does not name the classes of these videos: it is shown no class"
        )
    probe = Probe(
        timesteps=request.timesteps,
        sites=sites,
        differences=request.differences,
        seed=protocol.seed,
        intervals=request.intervals,
    )
    with (
        progress_bar(available, "hidden states", "clip", shown=options.progress) as bar,
        opened.enough_memory(options.batch_size),
    ):
        similarity = measure_model_similarity(
            opened,
            _decoded(planned, options),
            probe,
            labels=labels,
            batch_size=options.batch_size,
            on_clips=bar.update,
        )
    return _result(request, measured, similarity, classes, started), similarity


def _planned(request: ModelRequest, options: ExtractionOptions) -> PlannedSet:
    """The real clips, of the length and size that the model takes.

    If too few fit at the protocol's stride but would at stride 1, a note says so.
    """
    protocol, size = request.protocol, request.protocol.size
    videos = replace(
        request.videos, videos=tuple(_redrawn(video, protocol) for video in request.videos.videos)
    )
    try:
        planned = plan_set(videos, protocol, "real", options, request.at_least)
    except InputError:
        nearer = replace(protocol, real_stride=1)
        with suppress(InputError):
            if protocol != nearer:
                plan_set(videos, nearer, "real", options, request.at_least)
                logger.warning(
                    "frames %d apart do not fit, neighbouring frames would: --set real_stride=1",
                    protocol.real_stride,
                )
        raise
    height, width = frame_size(planned.plan.clips[0], planned.preparation)
    if (height, width) != (size, size):
        raise InputError(
            f"{videos.root}: frames are {width}×{height}, but {request.model} works on "
            f"{size}×{size}: bring them to it with `latte-eval prepare --size {size}`"
        )
    lengths = {len(clip.frames) for clip in planned.plan.clips}
    if lengths != {protocol.num_frames}:
        raise InputError(
            f"clips of {min(lengths)} frames, but {request.model} takes {protocol.num_frames}: use "
            "a protocol whose offsets are first or random"
        )
    return planned


def _redrawn(video: Video, protocol: Protocol) -> Video:
    """The embedded data set is drawn at any size, and as long as the clips need it."""
    if not isinstance(video, ShapesVideo):
        return video
    length = protocol.num_frames * protocol.real_stride
    return replace(video, size=protocol.size, num_frames=max(video.num_frames, length))


def _decoded(planned: PlannedSet, options: ExtractionOptions) -> Iterator[np.ndarray]:
    """The clips in turn."""
    frames = load_in_workers(
        planned.plan.clips,
        planned.preparation,
        workers=options.workers,
        timeout=options.timeout,
    )
    with closing(frames):
        for decoded in frames:
            if isinstance(decoded, BrokenVideoError):
                raise decoded
            yield decoded


def _result(
    request: ModelRequest,
    measured: MeasuredSet,
    similarity: ModelSimilarity,
    classes: str | None,
    started: float,
) -> Result:
    opened, average = request.opened, similarity.averages["inverted"]
    done = replace(request.protocol, num_real=similarity.num_clips)
    fields = {
        key: value for key, value in done.affecting_fields().items() if key in REAL_CLIP_FIELDS
    }
    parameters = {
        "sites": [site.path for site in similarity.sites],
        "timesteps": list(similarity.timesteps),
        "diffusion_steps": len(opened.diffusion.timesteps),
        "schedule": opened.schedule,
        "autoencoder": opened.autoencoder_name,
        "classes": classes,
    }
    return Result(
        metric=HIDDEN,
        value=average.value,
        interval=average.interval,
        level=LEVEL,
        higher_is_better=None,
        num_real=similarity.num_clips,
        num_fake=0,
        num_frames=request.protocol.num_frames,
        network=NO_NETWORK,
        weights_sha256="",
        weights_published=True,
        fingerprint=fingerprint_of_states(HIDDEN, fields, parameters),
        protocol=request.protocol.name,
        protocol_fields=fields,
        parameters=parameters,
        deviations=(),
        dataset=request.dataset,
        model=request.model,
        real=measured.record,
        fake=None,  # the model makes no clips: it is shown the real ones
        seconds=round(time.monotonic() - started, 3),
        details={
            "interval": students_method(similarity.num_clips) if average.interval else None,
            "checkpoint": {"title": opened.title, "sha256": opened.sha256},
            "config": asdict(opened.model.config),
            **similarity.record(),
        },
        **provenance(str(opened.device)),
    )
