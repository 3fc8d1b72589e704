"""The plan of a sampling: the request, completed from the checkpoint."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import torch

from latte.autoencoder import AUTOENCODERS, DEFAULT_VAE, Autoencoder, open_autoencoder
from latte.data.datasets import DATASETS
from latte.data.errors import InputError, nearest
from latte.data.hashing import hash64
from latte.data.schema import convert
from latte.diffusion import DiffusionSettings
from latte.model.checkpoints import AutoencoderSettings, Checkpoint
from latte.sampling.folder import SampleFolder
from latte.sampling.generate import Precision, SamplingOptions, check_guidance
from latte.sampling.official import DIFFUSION, FPS, official_options

FORMATS = ("mkv", "png", "mp4")
NUM_SAMPLES = 16
BALANCED, RANDOM = "balanced", "random"
Labels = str | tuple[int, ...]  # BALANCED, RANDOM, or labels to be taken in turn


@dataclass(frozen=True, kw_only=True)
class SampleRequest:
    """A user's request. None: from the checkpoint, else as in the official samples."""

    checkpoint: Path | None = None  # None: the bundled one
    num_heads: int | None = None  # needed by an official file of a size without preset
    dataset: str | None = None
    out: Path | None = None  # None: samples/<dataset>
    num_samples: int | None = None
    start: int = 0  # number of the first sample
    num_frames: int | None = None  # frames of a clip; None: as the model was trained
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
    folder: SampleFolder
    indices: range
    labels: Labels | None  # None without classes
    diffusion: DiffusionSettings
    autoencoder: AutoencoderSettings  # a digest requires the training's own
    precision: Precision


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
    num_classes, settings = checkpoint.config.num_classes, checkpoint.settings
    classes = settings.get("classes")
    labels = read_labels(request.labels, num_classes, classes)
    fps = settings.get("fps", FPS) if request.fps is None else request.fps
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"fps = {fps}: give frames per second, above 0")
    # What the file does not say of the diffusion is as in the official code.
    diffusion = {**asdict(DIFFUSION), **settings.get("diffusion", {})}
    return SamplePlan(
        options=options,
        folder=SampleFolder(
            root=_out(request, dataset),
            file_format=request.file_format,
            fps=fps,
            classes=None if classes is None else tuple(classes),
            label=partial(label_of, labels, num_classes=num_classes, seed=options.seed),
        ),
        indices=_indices(request, labels),
        labels=labels,
        diffusion=convert(diffusion, DiffusionSettings, f"{checkpoint.path}: settings.diffusion"),
        autoencoder=_autoencoder(request, checkpoint),
        precision=cast(Precision, request.precision),
    )


def planned_autoencoder(
    plan: SamplePlan, checkpoint: Checkpoint, device: torch.device | str = "cpu"
) -> Autoencoder:
    """The plan's autoencoder, in float32: it takes a small part of the time.

    Raises:
        InputError: it cannot be opened, makes other latents, or is not the one of the training.
    """
    name, path = plan.autoencoder["name"], plan.autoencoder.get("path")
    autoencoder = open_autoencoder(name, path, device=device)
    where = path or name
    channels = checkpoint.config.in_channels
    if autoencoder.channels != channels:
        raise InputError(
            f"{checkpoint.path}: works on latents of {channels} channels, but the autoencoder "
            f"{where} has {autoencoder.channels}: give the one it was trained with by --autoencoder"
        )
    if plan.autoencoder.get("digest") not in (None, autoencoder.digest):
        raise InputError(
            f"{checkpoint.path}: was trained with another autoencoder than {where} is now: bring "
            f"that one back, or take this one all the same with --autoencoder {where}"
        )
    return autoencoder


def label_of(
    labels: Labels | None, index: int, *, num_classes: int | None, seed: int
) -> int | None:
    """The class of sample `index`, independent of other samples; None without classes.

    "balanced": the index modulo the number of classes. "random": a hash of the seed and the index.
    Labels that were given are taken in turn, from the first again after the last.
    """
    if labels is None or num_classes is None:
        return None
    if labels == BALANCED:
        return index % num_classes
    if labels == RANDOM:
        return hash64(f"latte sample label {seed} {index}") % num_classes
    return int(labels[index % len(labels)])


def read_labels(
    text: str | None, num_classes: int | None, classes: Sequence[str] | None
) -> Labels | None:
    """The value of `--labels`; None for a model without classes.

    Args:
        text: "balanced" (as None), "random", or labels between commas: numbers, or names of
            `classes`.

    Raises:
        InputError: labels for a model without classes, an unknown name, or a number out of range.
    """
    if num_classes is None:
        if text is not None:
            raise InputError(f"--labels {text}: the model has no classes, so leave the option out")
        return None
    if text in (None, "", BALANCED, RANDOM):
        return text or BALANCED
    # A name may hold a comma.
    words = [text] if text in (classes or ()) else str(text).split(",")
    return tuple(_label(str(word).strip(), num_classes, classes) for word in words)


def _label(word: str, num_classes: int, classes: Sequence[str] | None) -> int:
    if classes is not None and word in classes:
        return list(classes).index(word)
    try:
        number = int(word)
    except ValueError:
        if classes is None:
            raise InputError(
                f"--labels: {word!r} is not a number, and the checkpoint has no names of classes: "
                f"give balanced, random, or numbers in 0 … {num_classes - 1}"
            ) from None
        raise InputError(f"--labels: no class {word!r}: {nearest(word, classes)}") from None
    if not 0 <= number < num_classes:
        raise InputError(f"--labels: no class {number}, as there are 0 … {num_classes - 1}")
    return number


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
    requested = {name: value for name, value in request.options.items() if value is not None}
    if requested.get("method") == "ddpm":
        requested = {"eta": 0.0} | requested  # the checkpoint's is of ddim
    options = replace(options, **requested)
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


def _indices(request: SampleRequest, labels: Labels | None) -> range:
    num_labels = len(labels) if isinstance(labels, tuple) else 0
    count = request.num_samples
    if count is None:
        count = num_labels or NUM_SAMPLES
    if count < 1 or request.start < 0:
        raise InputError(
            f"{count} samples from number {request.start}: give at least 1 sample, from 0 or later"
        )
    if count < num_labels:
        raise InputError(
            f"--labels has {num_labels} labels for {count} samples: give as many samples, or more"
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
