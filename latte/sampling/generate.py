"""From noise to clips: the arithmetic of sampling, without files and processes."""

from collections.abc import Callable, Generator, Iterator, Sequence
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
from latte.data.hashing import hash64
from latte.data.schema import Checked, Count, CountOrZero, NonNegative
from latte.diffusion import DiffusionSettings, GaussianDiffusion
from latte.diffusion.gaussian import Method
from latte.model import Latte
from latte.model.transformer import GuidedChannels

Precision = Literal["fp32", "bf16", "fp16"]

T = TypeVar("T")

_HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class SamplingOptions(Checked):
    """How noise becomes a clip. Every field affects the result."""

    method: Method = "ddpm"
    steps: Count = 250  # kept of the diffusion's (1000), at even distances
    eta: Annotated[float, Meta(ge=0, le=1)] = 0.0  # share of ddpm's noise that ddim adds again
    guidance_scale: NonNegative = 1.0  # s in ε∅ + s (ε_y − ε∅): 1 is no guidance, 0 no class
    guided: GuidedChannels = "noise"  # "all": the variance as well
    seed: CountOrZero = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method == "ddpm" and self.eta:
            raise InputError(f"eta = {self.eta}: is an option of ddim, so add --method ddim")

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
            f"steps = {options.steps}: the diffusion has {diffusion.num_steps}, so give no more"
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
            "nothing to guide it to: leave it at 1"
        )


def random_stream(seed: int, index: int) -> torch.Generator:
    """The random numbers of sample `index` alone, on the CPU for every device."""
    return torch.Generator().manual_seed(hash64(f"latte sample {seed} {index}") % 2**63)


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """A network with all that turns noise into clips.

    A sample is a function of its index, its label and `options`: its first latents and the noise of
    each step come from a stream of its own. On a CPU the network sees one sample at a time, so
    neither `batch_size` nor the other indices change a bit. On a GPU it always sees `batch_size` of
    them (the last batch is filled up): there another batch size changes the last bits.

    Raises:
        InputError: guidance of a model without classes.
        ValueError: parts that do not go together.
    """

    model: Latte  # must be in evaluation mode, on the device that samples
    diffusion: GaussianDiffusion  # keeps `options.steps` steps; see `open_diffusion`
    autoencoder: Autoencoder  # its precision is its own
    options: SamplingOptions
    batch_size: int = 8
    precision: Precision = "fp32"  # 16-bit forms use autocast

    def __post_init__(self) -> None:
        check_guidance(self.model.config, self.options)
        kept, channels = len(self.diffusion.timesteps), self.model.config.in_channels
        if kept != self.options.steps:
            raise ValueError(f"a diffusion of {kept} steps, not {self.options.steps}")
        if self.autoencoder.channels != channels:
            raise ValueError(
                f"the autoencoder {self.autoencoder.name} has {self.autoencoder.channels} "
                f"channels, the model {channels}"
            )

    def clips(
        self, indices: Sequence[int], labels: Sequence[int] | None = None, *, progress: bool = False
    ) -> Generator[np.ndarray]:
        """Samples, uint8 (F, H, W, 3), one for each index, in order.

        Args:
            labels: a class for each index; None for unconditional models.
            progress: show a progress bar of network steps.

        Raises:
            InputError: a sample is not finite.
            ValueError: labels that do not fit the model or the indices.
        """
        self._check_labels(indices, labels)
        return self._clips(indices, labels, progress)

    def _clips(
        self, indices: Sequence[int], labels: Sequence[int] | None, progress: bool
    ) -> Generator[np.ndarray]:
        device = next(self.model.parameters()).device
        size = 1 if device.type == "cpu" else self.batch_size
        classes: Sequence[int | None] = [None] * len(indices) if labels is None else labels
        samples = list(zip(indices, classes, strict=True))
        total = len(samples) * self.options.steps
        with tqdm(total=total, unit="step", desc="sampling", disable=not progress) as bar:
            for batch, filled in batches(samples, size):
                y = None
                if labels is not None:
                    y = torch.tensor([label for _, label in filled], device=device)
                predict = self._denoiser(y, partial(bar.update, len(batch)))
                streams = [random_stream(self.options.seed, index) for index, _ in filled]
                latents = self._latents(predict, streams, device)
                with torch.no_grad():
                    frames = self.autoencoder.decode(latents)[: len(batch)]
                self._check_finite(frames, [index for index, _ in batch])
                yield from to_uint8(frames)

    def _denoiser(
        self, y: Tensor | None, on_step: Callable[[], object]
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """The network as the diffusion calls it: (x, t) → float32, guided if asked for."""
        model, options, half = self.model, self.options, _HALVES.get(self.precision)

        def predict(x: Tensor, t: Tensor) -> Tensor:
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

    def _latents(
        self,
        predict: Callable[[Tensor, Tensor], Tensor],
        streams: Sequence[torch.Generator],
        device: torch.device,
    ) -> Tensor:
        """From each stream's noise to latents, float32 (N, F, C, H, W)."""

        def randn(shape: tuple[int, ...]) -> Tensor:
            draws = [torch.randn(shape[1:], generator=stream) for stream in streams]
            return torch.stack(draws).to(device)

        config = self.model.config
        side = config.input_size
        noise = randn((len(streams), config.num_frames, config.in_channels, side, side))
        return self.diffusion.sample(predict, noise, self.options.method, self.options.eta, randn)

    def _check_labels(self, indices: Sequence[int], labels: Sequence[int] | None) -> None:
        num_classes = self.model.config.num_classes
        if (labels is None) != (num_classes is None):
            raise ValueError("labels are for class-conditional models, and for all of them")
        if labels is None or num_classes is None:
            return
        if len(labels) != len(indices):
            raise ValueError(f"{len(labels)} labels for {len(indices)} samples")
        if any(not 0 <= label < num_classes for label in labels):
            raise ValueError(f"a label is not in 0 … {num_classes - 1}")

    def _check_finite(self, frames: Tensor, indices: Sequence[int]) -> None:
        """Refuse a sample that would be written as a black video."""
        for index, clip in zip(indices, frames, strict=True):
            if not torch.isfinite(clip).all():
                advice = (
                    "the checkpoint may be damaged, or its training have diverged"
                    if self.precision == "fp32"
                    else "choose --precision fp32"
                )
                raise InputError(f"sample {index}: is not finite in {self.precision}: {advice}")


def batches(samples: Sequence[T], size: int) -> Iterator[tuple[Sequence[T], Sequence[T]]]:
    """Samples in turn, `size` at a time: those, and those with the last repeated up to `size`.

    >>> list(batches([1, 2, 3], 2))
    [([1, 2], [1, 2]), ([3], [3, 3])]
    """
    for start in range(0, len(samples), size):
        batch = samples[start : start + size]
        missing = size - len(batch)
        yield batch, [*batch, *[batch[-1]] * missing]
