"""Samples of a model as a set of videos: made when they are read, measured like any other set."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.cells.threads import one_thread
from latte.autoencoder import Autoencoder
from latte.data.errors import InputError
from latte.data.sources import Video, VideoSet
from latte.data.video import VideoInfo
from latte.data.workers import map_in_order
from latte.diffusion import GaussianDiffusion
from latte.model import Latte
from latte.model.checkpoints import Checkpoint, build_model, load_checkpoint
from latte.sampling.generate import SamplingOptions, generate_clips, open_diffusion
from latte.sampling.plan import SamplePlan, SampleRequest, make_plan
from latte.sampling.prepare import planned_autoencoder


@dataclass(frozen=True, kw_only=True)
class GeneratedVideo:
    """One sample of a checkpoint, in float32 on one CPU thread: its fields decide every pixel."""

    checkpoint: Path
    sha256: str  # of the file's content
    autoencoder: str  # the digest of what decodes it, which is a file of its own
    index: int
    label: int | None  # the class asked for; None of a model without classes
    options: SamplingOptions
    info: VideoInfo
    clip: np.ndarray | None = field(default=None, compare=False, repr=False)  # once it is made
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
        """Hash over all that decides the pixels of any frame."""
        weights = [self.sha256, self.autoencoder]
        made_of = ["latte sample 1", weights, self.index, self.label, asdict(self.options)]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


def generated_videos(
    checkpoint: Path, count: int, options: SamplingOptions, *, dataset: str | None = None
) -> VideoSet:
    """Samples 0 … `count` − 1 of a checkpoint, its classes in turn; none is made yet.

    Args:
        dataset: what it has to be trained on, as far as the file says.

    Raises:
        InputError: the file is no checkpoint, of another data set, or cannot be sampled so.
    """
    loaded = load_checkpoint(checkpoint)
    plan = _plan(loaded, options, dataset)
    config = loaded.config
    autoencoder = planned_autoencoder(plan, loaded)
    side = config.input_size * autoencoder.factor
    info = VideoInfo(num_frames=config.num_frames, height=side, width=side)
    open_diffusion(options, plan.diffusion)  # or refuse it
    sha256 = _sha256(checkpoint)
    videos = tuple(
        GeneratedVideo(
            checkpoint=checkpoint,
            sha256=sha256,
            autoencoder=autoencoder.digest or autoencoder.name,
            index=index,
            label=plan.label(index),
            options=options,
            info=info,
        )
        for index in range(count)
    )
    return VideoSet(name=checkpoint.name, videos=videos, root=str(checkpoint))


def hold(videos: VideoSet, count: int, *, workers: int) -> VideoSet:
    """The set with its first `count` samples made, to be shown as well as measured."""
    first = [video for video in videos.videos[:count] if isinstance(video, GeneratedVideo)]
    clips = map_in_order(_sample, first, workers=min(workers, count), label=lambda v: v.name)
    held: list[Video] = []
    for video, clip in zip(first, clips, strict=True):
        if isinstance(clip, InputError):
            raise clip
        held.append(replace(video, clip=clip))
    return replace(videos, videos=(*held, *videos.videos[count:]))


def described(checkpoint: Path, options: SamplingOptions) -> str:
    """How samples are made, for a reader: which file, which steps, which guidance."""
    step = load_checkpoint(checkpoint).settings.get("step")
    trained = "" if step is None else f", trained for {step:,} steps"
    return (
        f"{checkpoint.name} (SHA-256 {_sha256(checkpoint)[:12]}…{trained}), sampled by "
        f"{in_words(options)}"
    )


def in_words(options: SamplingOptions) -> str:
    """For example "DDIM, 20 steps, no guidance, seed 0"."""
    eta = f" with η {options.eta:g}" if options.eta else ""
    guidance = f"guidance {options.guidance_scale:g}" if options.is_guided else "no guidance"
    return f"{options.method.upper()}{eta}, {options.steps} steps, {guidance}, seed {options.seed}"


@lru_cache(maxsize=1)
def _opened(
    path: Path, sha256: str, options: SamplingOptions
) -> tuple[Latte, GaussianDiffusion, Autoencoder]:
    """What samples are made with: loaded once in each process.

    Raises:
        InputError: the file has changed.
    """
    if _sha256(path) != sha256:
        raise InputError(f"{path}: has changed since its samples were planned; start again")
    checkpoint = load_checkpoint(path)
    plan = _plan(checkpoint, options, None)
    diffusion = open_diffusion(options, plan.diffusion)
    autoencoder = planned_autoencoder(plan, checkpoint)
    return build_model(checkpoint), diffusion, autoencoder


def _plan(checkpoint: Checkpoint, options: SamplingOptions, dataset: str | None) -> SamplePlan:
    """Labels, diffusion and autoencoder of its samples, as `latte sample` reads them."""
    request = SampleRequest(
        checkpoint=checkpoint.path, dataset=dataset, out=Path(), options=asdict(options)
    )
    return make_plan(request, checkpoint)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sample(video: GeneratedVideo) -> np.ndarray:
    """The whole clip, uint8 (F, H, W, 3)."""
    model, diffusion, autoencoder = _opened(video.checkpoint, video.sha256, video.options)
    labels = None if video.label is None else [video.label]
    with one_thread():
        (clip,) = generate_clips(
            model, diffusion, autoencoder, [video.index], labels, video.options
        )
    return clip
