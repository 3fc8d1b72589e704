"""From numbers to clips: the arithmetic of sampling, without a file or a process in sight."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, TypeVar

import numpy as np
import torch
from msgspec import Meta
from torch import Tensor
from tqdm import tqdm

from latte.autoencoder import Autoencoder, to_uint8
from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.data.schema import Count, CountOrZero, NonNegative, check_fields
from latte.diffusion import DiffusionSettings, GaussianDiffusion
from latte.model import Latte
from latte.model.transformer import GuidedChannels

Method = Literal["ddpm", "ddim"]
Precision = Literal["fp32", "bf16", "fp16"]

T = TypeVar("T")

_HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How noise becomes a clip. All of it moves the result."""

    method: Method = "ddpm"
    steps: Count = 250  # kept of the diffusion's (1000), at even distances
    eta: Annotated[float, Meta(ge=0, le=1)] = 0.0  # share of ddpm's noise that ddim adds again
    guidance_scale: NonNegative = 1.0  # s in ε∅ + s (ε_y − ε∅): 1 is no guidance, 0 no class
    guided: GuidedChannels = "noise"  # "all": the variance as well
    seed: CountOrZero = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.method == "ddpm" and self.eta:
            raise InputError(f"eta = {self.eta}: is an option of ddim; add --method ddim")

    @property
    def is_guided(self) -> bool:
        """Whether the network also runs without a class."""
        return self.guidance_scale != 1


def open_diffusion(
    options: SamplingOptions, diffusion: DiffusionSettings | None = None
) -> GaussianDiffusion:
    """The diffusion that a model was trained with, at the steps that are kept.

    They are evenly spaced, first and last included, for ddpm and ddim alike (Vchitect/Latte
    b27c24a, sample/sample.py).

    Raises:
        InputError: more steps than there are.
    """
    diffusion = diffusion or DiffusionSettings()
    if options.steps > diffusion.num_steps:
        raise InputError(
            f"steps = {options.steps}: the diffusion has {diffusion.num_steps}; give no more"
        )
    return diffusion.open(respacing=str(options.steps))


def check_guidance(config: LatteConfig, options: SamplingOptions) -> None:
    """Refuse guidance of a model that knows no classes.

    Raises:
        InputError: it is asked for.
    """
    if config.num_classes is None and options.is_guided:
        raise InputError(
            f"guidance_scale = {options.guidance_scale:g}: the model has no classes, so there is "
            "nothing to guide it to; leave it at 1"
        )


def random_stream(seed: int, index: int) -> torch.Generator:
    """The random numbers of sample `index`, and of no other: on the CPU, whatever the device."""
    digest = hashlib.sha256(f"latte sample {seed} {index}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") % 2**63)


def generate_clips(
    model: Latte,
    diffusion: GaussianDiffusion,
    autoencoder: Autoencoder,
    indices: Sequence[int],
    labels: Sequence[int] | None,
    options: SamplingOptions,
    *,
    batch_size: int = 8,
    device: torch.device | str = "cpu",
    precision: Precision = "fp32",
    progress: bool = False,
) -> Iterator[np.ndarray]:
    """Samples, uint8 (F, H, W, 3), one for each index, in order.

    A sample is a function of its index, its label and `options`: its first latents and the noise
    of each step come from a stream of its own. On a CPU the network sees one sample at a time, so
    neither `batch_size` nor the other indices move a bit. On a GPU it always sees `batch_size` of
    them (the last batch is filled up): there another batch size moves the last bits.

    Args:
        model: on `device`, as it is to be used (`eval`).
        diffusion: with `options.steps` kept steps; see `open_diffusion`.
        labels: a class for each index; None for unconditional models.
        precision: bf16 and fp16 run the network's matrix products in 16 bits (autocast); the
            diffusion stays in float32. The autoencoder has a type of its own.
        progress: show a bar of network steps.

    Raises:
        InputError: guidance of a model without classes, or a sample that is not finite.
        ValueError: arguments that do not go together.
    """
    device = torch.device(device)
    _check(model, diffusion, autoencoder, indices, labels, options)
    size = 1 if device.type == "cpu" else batch_size
    classes: Sequence[int | None] = labels if labels is not None else [None] * len(indices)
    samples = list(zip(indices, classes, strict=True))

    def clips() -> Iterator[np.ndarray]:
        total = len(samples) * options.steps
        with tqdm(total=total, unit="step", desc="sampling", disable=not progress) as bar:
            for batch, filled in batches(samples, size):
                y = None
                if labels is not None:
                    y = torch.tensor([label for _, label in filled], device=device)
                predict = _denoiser(model, y, options, precision, partial(bar.update, len(batch)))
                streams = [random_stream(options.seed, index) for index, _ in filled]
                latents = _walk(predict, diffusion, streams, _latent_shape(model), options, device)
                with torch.no_grad():
                    frames = autoencoder.decode(latents)[: len(batch)]
                _check_finite(frames, [index for index, _ in batch], precision)
                yield from to_uint8(frames)

    return clips()


def batches(samples: Sequence[T], size: int) -> Iterator[tuple[Sequence[T], Sequence[T]]]:
    """Samples in turn, `size` at a time: those, and those with the last repeated up to `size`.

    >>> list(batches([1, 2, 3], 2))
    [([1, 2], [1, 2]), ([3], [3, 3])]
    """
    for start in range(0, len(samples), size):
        batch = samples[start : start + size]
        missing = size - len(batch)
        yield batch, [*batch, *[batch[-1]] * missing]


def _denoiser(
    model: Latte,
    y: Tensor | None,
    options: SamplingOptions,
    precision: Precision,
    on_step: Callable[[], object],
) -> Callable[[Tensor, Tensor], Tensor]:
    """The network as the diffusion calls it: (x, t) → float32, guided where that is asked for."""

    def predict(x: Tensor, t: Tensor) -> Tensor:
        half = _HALVES.get(precision)
        with torch.autocast(x.device.type, half, enabled=half is not None):
            if y is None or not options.is_guided:
                out = model(x, t, y)
            else:
                both = torch.cat([y, torch.full_like(y, model.config.num_classes)])
                out = model.forward_with_guidance(
                    x.repeat(2, 1, 1, 1, 1),
                    t.repeat(2),
                    both,
                    options.guidance_scale,
                    guided=options.guided,
                )[: len(x)]
        on_step()
        return out.float()

    return predict


def _walk(
    predict: Callable[[Tensor, Tensor], Tensor],
    diffusion: GaussianDiffusion,
    streams: Sequence[torch.Generator],
    shape: tuple[int, ...],
    options: SamplingOptions,
    device: torch.device,
) -> Tensor:
    """From each stream's noise to latents, float32 (N, F, C, H, W)."""

    def randn(batch: tuple[int, ...]) -> Tensor:
        draws = [torch.randn(batch[1:], generator=stream) for stream in streams]
        return torch.stack(draws).to(device)

    noise = randn((len(streams), *shape))
    return diffusion.sample(predict, noise, options.method, options.eta, randn)


def _latent_shape(model: Latte) -> tuple[int, int, int, int]:
    """(F, C, H, W) of one sample."""
    config = model.config
    return config.num_frames, config.in_channels, config.input_size, config.input_size


def _check(
    model: Latte,
    diffusion: GaussianDiffusion,
    autoencoder: Autoencoder,
    indices: Sequence[int],
    labels: Sequence[int] | None,
    options: SamplingOptions,
) -> None:
    check_guidance(model.config, options)
    num_classes = model.config.num_classes
    if len(diffusion.timesteps) != options.steps:
        raise ValueError(f"a diffusion of {len(diffusion.timesteps)} steps, not {options.steps}")
    if autoencoder.channels != model.config.in_channels:
        raise ValueError(
            f"the autoencoder {autoencoder.name} has {autoencoder.channels} channels, the model "
            f"{model.config.in_channels}"
        )
    if (labels is None) != (num_classes is None):
        raise ValueError("labels are for class-conditional models, and for all of them")
    if labels is not None and num_classes is not None:
        if len(labels) != len(indices):
            raise ValueError(f"{len(labels)} labels for {len(indices)} samples")
        if any(not 0 <= label < num_classes for label in labels):
            raise ValueError(f"a label is not in 0 … {num_classes - 1}")


def _check_finite(frames: Tensor, indices: Sequence[int], precision: Precision) -> None:
    """Refuse a sample that would be written as a black video."""
    for index, clip in zip(indices, frames, strict=True):
        if not torch.isfinite(clip).all():
            advice = (
                "the checkpoint may be damaged, or its training have diverged"
                if precision == "fp32"
                else "choose --precision fp32"
            )
            raise InputError(f"sample {index}: is not finite in {precision}; {advice}")
