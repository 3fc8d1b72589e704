"""From a request to a line in the results file: a model's hidden states, or two sets of videos."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from evaluation.catalogue.registry import for_metric, metric
from evaluation.features.extraction import ExtractionOptions
from evaluation.features.sets import MeasuredSet, PlannedSet, measure_set, plan_set
from evaluation.features.store import content_key
from evaluation.measuring.results import (
    OF_REAL_VIDEOS,
    Comparison,
    notes,
    notes_on_sets,
    results_of,
    say,
)
from evaluation.measuring.run import MeasureRequest, Task, measured_sets, run_metrics
from evaluation.protocol.deviations import Deviation
from evaluation.protocol.fields import Protocol
from evaluation.results.provenance import provenance
from evaluation.results.record import Result
from evaluation.results.writing import append_result, check_writable
from evaluation.similarity.model_similarity import Difference, ModelSimilarity
from evaluation.similarity.moments import FEWEST_CLIPS
from evaluation.similarity.noised import check_timesteps
from evaluation.similarity.pixels import NO_NETWORK, open_pixels
from evaluation.similarity.record import model_record
from latte.data.errors import BrokenVideoError, InputError
from latte.data.loading import frame_size, load_clip
from latte.data.shapes import ShapesVideo
from latte.data.sources import Video, VideoSet
from latte.data.workers import map_in_order

if TYPE_CHECKING:
    from evaluation.similarity.generated import OpenedModel

NAME = "similarity"
HIDDEN = "hidden-inversion-rate"
# Of a protocol, what decides the clips that a model is shown.
OF_CLIPS = (
    *OF_REAL_VIDEOS,
    *("num_frames", "window", "mirror", "seed", "recipe", "filter", "size", "storage"),
)


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """What to look at in a checkpoint, on which clips, and where the result goes."""

    opened: "OpenedModel"
    videos: VideoSet
    protocol: Protocol  # how clips are chosen; their length and size are the model's
    blocks: tuple[int | str, ...] | None  # None: all
    timesteps: tuple[int, ...]
    differences: tuple[Difference, ...] = ()  # that the caller looks up
    intervals: bool = True
    at_least: int = 1  # clips
    dataset: str | None = None
    model: str
    out: Path


def run_videos(
    request: MeasureRequest, options: ExtractionOptions, *, pixels: bool
) -> Iterator[Result]:
    """The metric `similarity` of two sets of videos, by a network's features or by pixels.

    Raises:
        InputError: as `run_metrics`.
    """
    if not pixels:
        yield from run_metrics(replace(request, metrics=(NAME,)), options)
        return
    started = time.monotonic()
    check_writable(request.out)
    stored = open_pixels(options.store, request.protocol.num_frames)
    chosen = metric(NAME)
    protocol = for_metric(request.protocol, chosen)
    task = Task(metric=chosen, protocol=protocol, network=stored)
    _, _, real, fake = measured_sets(replace(request, metrics=(NAME,)), [task], options)
    for note in notes_on_sets([each for each in (real, fake) if each]):
        say(note)
    comparison = Comparison(
        protocol=protocol,
        dataset=request.dataset,
        model=request.model,
        resamples=request.resamples,
        started=started,
    )
    said: set[str] = set()
    for found in results_of(chosen, real, fake, stored, comparison):
        result = replace(found, deviations=_but_of_pixels(found.deviations))
        append_result(request.out, result)
        for note in notes(result, chosen, num_features=stored.extractor.spec.num_features):
            if note not in said:
                say(note)
            said.add(note)
        yield result


def _but_of_pixels(deviations: Sequence[Deviation]) -> tuple[Deviation, ...]:
    """Without those that go without saying where the network is none: "network pixels …" stays."""
    implied = ("weights", "output", "resize")
    return tuple(each for each in deviations if each.field not in implied)


def run_model(request: ModelRequest, options: ExtractionOptions) -> tuple[Result, ModelSimilarity]:
    """Show noised real clips to a model and measure its hidden states.

    Raises:
        InputError: the clips are not as the model takes them; as `measure_model_similarity`.
    """
    started = time.monotonic()
    opened = request.opened
    check_writable(request.out)
    check_timesteps(request.timesteps, opened.diffusion)
    opened.sites(request.blocks)  # refuses what is none, before the work
    protocol = replace(
        request.protocol, num_frames=opened.model.config.num_frames, size=opened.frame_size
    )
    planned = _planned(replace(request, protocol=protocol), options)
    measured = measure_set(planned, [], options)  # hashes the clips, decodes none
    for note in (*notes_on_sets([measured]), *_notes_on_count(request, measured)):
        say(note)
    labels = opened.labels(clip.video for clip in measured.clips)
    if labels is not None and set(labels) == {opened.model.config.num_classes}:
        say("the checkpoint does not name the classes of these videos: it is shown no class")
    with tqdm(
        total=len(measured.clips),
        desc="hidden states",
        unit="clip",
        disable=not options.progress,
        file=sys.stderr,
        mininterval=0.5 if sys.stderr.isatty() else 15.0,
    ) as bar:
        similarity = opened.measure(
            _decoded(planned, options),
            labels,
            blocks=request.blocks,
            timesteps=request.timesteps,
            seed=protocol.seed,
            batch_size=options.batch_size,
            on_clips=bar.update,
            differences=request.differences,
            intervals=request.intervals,
        )
    result = _result(request, protocol, measured, similarity, labels, started)
    append_result(request.out, result)
    return result, similarity


def _planned(request: ModelRequest, options: ExtractionOptions) -> PlannedSet:
    """The real clips, of the length and size that the model takes."""
    protocol, size = request.protocol, request.protocol.size
    videos = replace(
        request.videos,
        videos=tuple(_redrawn(video, protocol) for video in request.videos.videos),
    )
    planned = _chosen(videos, request, options)
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


def _chosen(videos: VideoSet, request: ModelRequest, options: ExtractionOptions) -> PlannedSet:
    """The clips; where too few fit at this stride but would without it, the refusal says so."""

    def at(stride: int) -> PlannedSet:
        protocol = replace(request.protocol, real_stride=stride)
        return plan_set(
            videos,
            protocol.real_selection(),
            protocol.preparation(),
            options,
            label="real",
            at_least=request.at_least,
        )

    stride = request.protocol.real_stride
    try:
        return at(stride)
    except InputError as error:
        if stride == 1:
            raise
        try:
            at(1)
        except InputError:
            raise error from None
        raise InputError(
            f"{error}; or take neighbouring frames, not frames {stride} apart: --set real_stride=1"
        ) from None


def _notes_on_count(request: ModelRequest, measured: MeasuredSet) -> Iterator[str]:
    """Fewer clips than were asked for, or than an interval needs."""
    found, asked = len(measured.clips), request.protocol.num_real
    if found < asked:
        yield f"{found} clips and not {asked}: {measured.record.path} has no more that can be used"
    if request.intervals and found < FEWEST_CLIPS:
        yield f"no number has an interval: fewer than {FEWEST_CLIPS} clips"


def _redrawn(video: Video, protocol: Protocol) -> Video:
    """The embedded data set is drawn at any size, and as long as the clips need it."""
    if not isinstance(video, ShapesVideo):
        return video
    length = protocol.num_frames * protocol.real_stride
    return replace(video, size=protocol.size, num_frames=max(video.num_frames, length))


def _decoded(planned: PlannedSet, options: ExtractionOptions) -> Iterator[np.ndarray]:
    """The clips in turn."""
    clips = planned.plan.clips
    frames = map_in_order(
        load_clip,
        [(clip, planned.preparation) for clip in clips],
        workers=min(options.workers, len(clips)),
        timeout=options.timeout,
        label=lambda task: task[0].video.name,
    )
    with closing(frames):
        for decoded in frames:
            if isinstance(decoded, BrokenVideoError):
                what = str(decoded).partition(";")[0]
                raise BrokenVideoError(f"{what}; replace the video, or take it out of the set")
            yield decoded


def _result(
    request: ModelRequest,
    protocol: Protocol,
    measured: MeasuredSet,
    similarity: ModelSimilarity,
    labels: Sequence[int] | None,
    started: float,
) -> Result:
    opened, average = request.opened, similarity.average("inverted")
    done = replace(protocol, num_real=similarity.num_clips)
    fields = {key: value for key, value in done.moving_fields().items() if key in OF_CLIPS}
    parameters: Mapping[str, Any] = {
        "sites": [site.path for site in similarity.sites],
        "timesteps": list(similarity.timesteps),
        "diffusion_steps": len(opened.diffusion.timesteps),
        "schedule": opened.schedule,
        "autoencoder": opened.autoencoder_name,
        "classes": None
        if labels is None
        else ("none" if set(labels) == {opened.model.config.num_classes} else "of the clips"),
    }
    made_of = {"metric": HIDDEN, "protocol": fields, "parameters": parameters}
    return Result(
        metric=HIDDEN,
        value=average.value,
        interval=(average.interval.low, average.interval.high) if average.interval else None,
        level=average.interval.level if average.interval else 0.95,
        higher_is_better=None,
        num_real=similarity.num_clips,
        num_fake=0,
        num_frames=protocol.num_frames,
        network=NO_NETWORK,  # measures it: the one that was looked into is in `details`
        weights_sha256="",
        weights_published=True,
        fingerprint=content_key(made_of).hex()[:16],
        protocol=protocol.name,
        protocol_fields=fields,
        parameters=parameters,
        deviations=(),
        dataset=request.dataset,
        model=request.model,
        real=measured.record,
        fake=None,  # the model makes no clips: it is shown the real ones
        seconds=round(time.monotonic() - started, 3),
        details={
            "interval": average.interval.method if average.interval else None,
            "checkpoint": {"title": opened.title, "sha256": opened.sha256},
            "config": asdict(opened.model.config),
            **model_record(similarity),
        },
        **provenance(str(opened.device)),
    )
