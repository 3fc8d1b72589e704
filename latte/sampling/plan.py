"""The plan of a sampling: the request, completed from the checkpoint."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast, get_args

from latte.autoencoder import AUTOENCODERS, DEFAULT_VAE
from latte.data.datasets import DATASETS
from latte.data.errors import InputError, nearest
from latte.data.schema import convert
from latte.diffusion import DiffusionSettings
from latte.model.checkpoints import AutoencoderSettings, Checkpoint
from latte.sampling.generate import Precision, SamplingOptions, check_guidance
from latte.sampling.labels import LabelRule, read_labels
from latte.sampling.official import DIFFUSION, FPS, official_options

FORMATS = ("mkv", "png", "mp4")
NUM_SAMPLES = 16


@dataclass(frozen=True, kw_only=True)
class SampleRequest:
    """A user's request. None: from the checkpoint, else as in the official samples."""

    checkpoint: Path | None = None  # None: the bundled one
    num_heads: int | None = None  # for an official file of a size that no preset has
    dataset: str | None = None
    out: Path | None = None  # None: samples/<dataset>
    num_samples: int | None = None
    start: int = 0  # number of the first sample
    labels: str | None = None  # see `read_labels`
    # Fields of SamplingOptions; None: not given.
    options: Mapping[str, Any] = field(default_factory=dict)
    file_format: str = "mkv"
    fps: float | None = None
    autoencoder: str | None = None  # "identity", or a folder or hub name of Stable Diffusion's VAE
    device: str = "auto"
    precision: str = "fp32"
    batch_size: int = 8  # samples at a time on a GPU
    compile: bool = False
    progress: bool = True


@dataclass(frozen=True, kw_only=True)
class SamplePlan:
    """Everything that determines the files."""

    options: SamplingOptions
    out: Path
    indices: range
    labels: LabelRule | None
    classes: tuple[str, ...] | None  # names, in the order of the labels
    diffusion: DiffusionSettings
    autoencoder: str
    autoencoder_path: str | None
    autoencoder_digest: str | None  # required digest, if it is to be the one of the training
    precision: Precision
    file_format: str
    fps: float

    def label(self, index: int) -> int | None:
        """The class of a sample; None without classes."""
        return None if self.labels is None else self.labels.label(index)


def make_plan(request: SampleRequest, checkpoint: Checkpoint) -> SamplePlan:
    """The plan of a request.

    Raises:
        InputError: something asked for is unknown, out of range, or does not suit the checkpoint;
            or a setting in the checkpoint is none.
    """
    for what, value, known in (
        ("format", request.file_format, FORMATS),
        ("precision", request.precision, get_args(Precision)),
    ):
        if value not in known:
            raise InputError(f"no {what} {value!r}: choose {', '.join(known)}")
    dataset = _dataset(request, checkpoint)
    options = _options(request, checkpoint, dataset)
    classes = checkpoint.settings.get("classes")
    labels = read_labels(request.labels, checkpoint.config.num_classes, classes, seed=options.seed)
    autoencoder = _autoencoder(request, checkpoint)
    fps = checkpoint.settings.get("fps", FPS) if request.fps is None else request.fps
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"fps = {fps}: give frames per second, above 0")
    return SamplePlan(
        options=options,
        out=_out(request, dataset),
        indices=_indices(request, labels),
        labels=labels,
        classes=None if classes is None else tuple(classes),
        diffusion=_diffusion(checkpoint),
        autoencoder=autoencoder["name"],
        autoencoder_path=autoencoder.get("path"),
        autoencoder_digest=autoencoder.get("digest"),
        precision=cast(Precision, request.precision),
        file_format=request.file_format,
        fps=fps,
    )


def _diffusion(checkpoint: Checkpoint) -> DiffusionSettings:
    """The diffusion of the training; what the file does not say is as in the official code."""
    stated = {**asdict(DIFFUSION), **checkpoint.settings.get("diffusion", {})}
    return convert(stated, DiffusionSettings, f"{checkpoint.path}: settings.diffusion")


def _dataset(request: SampleRequest, checkpoint: Checkpoint) -> str | None:
    """Its name, or the path of the folder of videos that the model was trained on."""
    asked, stated = request.dataset, checkpoint.settings.get("dataset")
    if asked is None or asked == stated:
        return stated
    if stated in DATASETS:
        raise InputError(
            f"{checkpoint.path}: was trained on {stated}, not on {asked}: leave --dataset out, or "
            "give another checkpoint"
        )
    if asked not in DATASETS:
        raise InputError(f'no data set "{asked}": {nearest(asked, list(DATASETS))}')
    return asked


def _options(
    request: SampleRequest, checkpoint: Checkpoint, dataset: str | None
) -> SamplingOptions:
    """Official ones of the data set; over them the checkpoint's; over them what was given."""
    stated = dict(checkpoint.settings.get("sampling", {}))
    if checkpoint.config.num_classes is None:
        stated.pop("guidance_scale", None)  # refused where it is asked for, of no effect here
    official = official_options(dataset, checkpoint.config.num_classes)
    where = f"{checkpoint.path}: settings.sampling"
    fields = asdict(official)
    fields |= {name: stated[name] for name in fields if name in stated}
    options = convert(fields, SamplingOptions, where)
    given = {name: value for name, value in request.options.items() if value is not None}
    if given.get("method") == "ddpm":
        given = {"eta": 0.0} | given  # the checkpoint's is of ddim
    options = replace(options, **given)
    check_guidance(checkpoint.config, options)
    return options


def _autoencoder(request: SampleRequest, checkpoint: Checkpoint) -> AutoencoderSettings:
    """Its name, where its weights are, and their digest if it is the one of the training."""
    stated = checkpoint.settings.get("autoencoder")
    if request.autoencoder in AUTOENCODERS:
        autoencoder = AutoencoderSettings(name=request.autoencoder)
    elif request.autoencoder is not None:
        kind = "patches" if stated and stated["name"] == "patches" else "sd-vae"
        autoencoder = AutoencoderSettings(name=kind, path=request.autoencoder)
    elif stated is not None:
        autoencoder = stated.copy()
    elif checkpoint.config.in_channels == 3:
        autoencoder = AutoencoderSettings(name="identity")
    else:
        raise InputError(
            f"{checkpoint.path}: works on the latents of Stable Diffusion's autoencoder, but does "
            f"not say where that is: give --autoencoder {DEFAULT_VAE} (which is fetched from the "
            "Hugging Face hub) or the folder of one"
        )
    if autoencoder["name"] == "sd-vae":
        autoencoder.setdefault("path", DEFAULT_VAE)
    return autoencoder


def _indices(request: SampleRequest, labels: LabelRule | None) -> range:
    given = len(labels.rule) if labels is not None and isinstance(labels.rule, tuple) else 0
    count = request.num_samples
    if count is None:
        count = given or NUM_SAMPLES
    if count < 1 or request.start < 0:
        raise InputError(
            f"{count} samples from number {request.start}: give at least 1 sample, from 0 or later"
        )
    if count < given:
        raise InputError(
            f"--labels has {given} labels for {count} samples: give as many samples, or more"
        )
    return range(request.start, request.start + count)


def _out(request: SampleRequest, dataset: str | None) -> Path:
    if request.out is not None:
        return request.out
    if dataset is None:
        raise InputError(
            "where the samples are to go is not known: give --out DIR, or --dataset NAME for "
            "samples/NAME"
        )
    return Path("samples") / Path(dataset).name
