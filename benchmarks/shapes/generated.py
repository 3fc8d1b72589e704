"""Samples of a model as a set of videos: made when they are read, measured like other videos."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from benchmarks.cells.threads import one_thread
from latte.data.errors import InputError
from latte.data.hashing import file_sha256
from latte.data.processes.workers import map_in_order
from latte.data.sources import Video, VideoSet
from latte.data.video import VideoInfo
from latte.model.checkpoints import build_model, bundled_checkpoint, load_checkpoint
from latte.sampling.generate import Sampler, SamplingOptions, open_diffusion
from latte.sampling.plan import SamplePlan, SampleRequest, make_plan, planned_autoencoder

BUNDLED, GIVEN = "Latte (bundled)", "Latte (given)"
SAMPLING = SamplingOptions(method="ddim", steps=20, guidance_scale=3.0)  # unless options say else
NO_MODEL = "This installation lacks the bundled model."


@dataclass(frozen=True, kw_only=True)
class GeneratedVideo:
    """One sample of a checkpoint, in float32 on one CPU thread: its fields decide every pixel."""

    checkpoint: Path
    sha256: str  # hash of the checkpoint's content
    autoencoder: str  # digest of the autoencoder, which is another file
    index: int
    label: int | None  # requested class; None without classes
    options: SamplingOptions
    info: VideoInfo
    clip: np.ndarray | None = field(default=None, compare=False, repr=False)  # once sampled
    prepared: bool = True

    @property
    def name(self) -> str:
        """Unique in its set, and in the order of the indices."""
        return f"{self.index:06d}"

    def probe(self) -> VideoInfo:
        """Length and size."""
        return self.info

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """These frames, uint8 (T, H, W, 3); the whole clip is sampled for them.

        Raises:
            InputError: the checkpoint is not the one that this is a sample of.
        """
        clip = _sample(self) if self.clip is None else self.clip
        return clip[list(frames)]

    def digest(self, frames: Sequence[int]) -> str:
        """Hash over everything that decides the pixels."""
        weights = [self.sha256, self.autoencoder]
        made_of = ["latte sample 1", weights, self.index, self.label, asdict(self.options)]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


def generated_videos(checkpoint: Path, count: int, options: SamplingOptions) -> VideoSet:
    """Samples 0 … `count` − 1 of a model of shapes, its classes in turn; none is made yet.

    Raises:
        InputError: the file is not a checkpoint, is of another data set, or cannot be sampled so.
    """
    sampler, plan = _open(checkpoint, options)
    config, autoencoder = sampler.model.config, sampler.autoencoder
    side = config.input_size * autoencoder.factor
    info = VideoInfo(num_frames=config.num_frames, height=side, width=side)
    sha256 = file_sha256(checkpoint)
    videos = tuple(
        GeneratedVideo(
            checkpoint=checkpoint,
            sha256=sha256,
            autoencoder=autoencoder.digest or autoencoder.name,
            index=index,
            label=plan.folder.label(index),
            options=options,
            info=info,
        )
        for index in range(count)
    )
    return VideoSet(name=checkpoint.name, videos=videos, root=str(checkpoint))


@dataclass(frozen=True, kw_only=True)
class SampledModel:
    """A model of shapes and how it is sampled."""

    label: str  # BUNDLED or GIVEN
    checkpoint: Path
    options: SamplingOptions

    def videos(self, count: int) -> VideoSet:
        """Its first samples, see `generated_videos`."""
        return replace(generated_videos(self.checkpoint, count, self.options), name=self.label)

    @cached_property
    def hashes(self) -> tuple[str, str]:
        """Hashes of the checkpoint and of the autoencoder."""
        (first,) = self.videos(1).videos
        assert isinstance(first, GeneratedVideo)
        return first.sha256, first.autoencoder

    @property
    def description(self) -> str:
        """File, training steps and sampling, for a reader."""
        step = load_checkpoint(self.checkpoint).settings.get("step")
        trained = "" if step is None else f", trained for {step:,} steps"
        return (
            f"{self.checkpoint.name} (SHA-256 {file_sha256(self.checkpoint)[:12]}…{trained}), "
            f"sampled by {sampling_text(self.options)}"
        )


def model_of_shapes(given: Path | None, options: SamplingOptions) -> SampledModel | None:
    """The given model, or the bundled one; None where this installation lacks that."""
    if given is not None:
        return SampledModel(label=GIVEN, checkpoint=given, options=options)
    try:
        return SampledModel(label=BUNDLED, checkpoint=bundled_checkpoint(), options=options)
    except InputError:
        return None


def sampling_text(options: SamplingOptions) -> str:
    """The options in words: "DDIM, 20 steps, no guidance, seed 0"."""
    eta = f" with η {options.eta:g}" if options.eta else ""
    guidance = f"guidance {options.guidance_scale:g}" if options.is_guided else "no guidance"
    return f"{options.method.upper()}{eta}, {options.steps} steps, {guidance}, seed {options.seed}"


def with_clips(videos: VideoSet, count: int, *, workers: int) -> VideoSet:
    """The set with its first `count` clips sampled, to be shown as well as measured."""
    first = [video for video in videos.videos[:count] if isinstance(video, GeneratedVideo)]
    clips = map_in_order(_sample, first, workers=min(workers, count), label=lambda v: v.name)
    sampled: list[Video] = []
    for video, clip in zip(first, clips, strict=True):
        if isinstance(clip, InputError):
            raise clip
        sampled.append(replace(video, clip=clip))
    return replace(videos, videos=(*sampled, *videos.videos[count:]))


def _open(path: Path, options: SamplingOptions) -> tuple[Sampler, SamplePlan]:
    """What makes the samples of a checkpoint, and their labels, as `latte sample` reads them."""
    checkpoint = load_checkpoint(path)
    request = SampleRequest(checkpoint=path, dataset="shapes", out=Path(), options=asdict(options))
    plan = make_plan(request, checkpoint)
    sampler = Sampler(
        model=build_model(checkpoint),
        diffusion=open_diffusion(options, plan.diffusion),
        autoencoder=planned_autoencoder(plan, checkpoint),
        options=options,
    )
    return sampler, plan


@lru_cache(maxsize=1)
def _sampler(path: Path, sha256: str, options: SamplingOptions) -> Sampler:
    """Loaded once in each process."""
    if file_sha256(path) != sha256:
        raise InputError(f"{path} has changed since its samples were planned: start again")
    return _open(path, options)[0]


def _sample(video: GeneratedVideo) -> np.ndarray:
    """The whole clip, uint8 (F, H, W, 3)."""
    sampler = _sampler(video.checkpoint, video.sha256, video.options)
    with one_thread():
        (clip,) = sampler.clips([video.index], None if video.label is None else [video.label])
    return clip
