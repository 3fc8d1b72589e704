"""One pass: samples → loss. Noise, time and label dropout depend on the sample alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from latte.autoencoder import Autoencoder, from_uint8
from latte.config import LatteConfig
from latte.diffusion import GaussianDiffusion
from latte.training.config import TrainConfig
from latte.training.data import Plan, Sample, draw
from latte.training.latents import CachedLatents


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs of one pass, on the device."""

    latents: Tensor  # (N, F + I, C, h, w)
    noise: Tensor  # the same shape
    t: Tensor  # (N,)
    y: Tensor | None  # (N,), the null class where the label was dropped
    y_images: Tensor | None  # (N, I)


def make_batch(
    samples: Sequence[Sample],
    config: LatteConfig,
    training: TrainConfig,
    autoencoder: Autoencoder,
    cache: CachedLatents | None,
    device: torch.device,
) -> Batch:
    """Encode samples and draw what is random about them.

    Every sample has a stream of random numbers of its own, on the CPU, named by the seed and its
    number: first its time, then what becomes of its labels, then its noise.
    """
    streams = [_stream(training.training.seed, sample.plan.number) for sample in samples]
    num_steps = training.diffusion.num_steps
    times = [int(torch.randint(num_steps, (), generator=stream)) for stream in streams]
    labels = [
        _labels(sample.plan, config.num_classes, training.training.label_dropout, stream)
        for sample, stream in zip(samples, streams, strict=True)
    ]
    moments = _moments(samples, autoencoder, cache, device)
    shape = (moments.shape[1], config.in_channels, config.input_size, config.input_size)
    spread = torch.stack([torch.randn(shape, generator=stream) for stream in streams]).to(device)
    noise = torch.stack([torch.randn(shape, generator=stream) for stream in streams]).to(device)
    y = y_images = None
    if config.num_classes is not None:
        table = torch.tensor(labels, device=device)  # (N, 1 + I)
        y = table[:, 0]
        y_images = table[:, 1:] if table.shape[1] > 1 else None
    return Batch(
        latents=autoencoder.draw(moments, spread),
        noise=noise,
        t=torch.tensor(times, device=device),
        y=y,
        y_images=y_images,
    )


def batch_losses(
    model: nn.Module, batch: Batch, diffusion: GaussianDiffusion, num_images: int, *, precision: str
) -> dict[str, Tensor]:
    """Mean loss, mse and vb over the batch, each a scalar; "loss" is to be minimised."""
    device = batch.latents.device.type

    def predict(x: Tensor, t: Tensor, **inputs: Tensor | None) -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            return model(x, t, num_images=num_images, **inputs).float()

    losses = diffusion.training_losses(
        predict, batch.latents, batch.t, batch.noise, y=batch.y, y_images=batch.y_images
    )
    return {name: values.mean() for name, values in losses.items()}


def _moments(
    samples: Sequence[Sample],
    autoencoder: Autoencoder,
    cache: CachedLatents | None,
    device: torch.device,
) -> Tensor:
    """The encoder's moments of each sample's frames, (N, F + I, 2C, h, w)."""
    if cache is None:
        clips = [sample.frames for sample in samples if sample.frames is not None]
        frames = torch.from_numpy(np.stack(clips))
        with torch.no_grad():
            return autoencoder.encode_moments(from_uint8(frames.to(device)))
    rows = []
    for sample in samples:
        wanted = (sample.plan.clip, *sample.plan.images)
        parts = [cache.moments(clip.video.name, clip.frames, clip.mirrored) for clip in wanted]
        rows.append(torch.cat(parts))
    return torch.stack(rows).to(device)


def _labels(
    plan: Plan, num_classes: int | None, dropout: float, stream: torch.Generator
) -> list[int]:
    """Labels of the clip and the images; each becomes the null class with this probability."""
    if num_classes is None or plan.label is None:
        return []
    labels = [plan.label, *plan.image_labels]
    dropped = torch.rand(len(labels), generator=stream) < dropout
    return [
        num_classes if drop else label for label, drop in zip(labels, dropped.tolist(), strict=True)
    ]


def _stream(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(draw(seed, "stream", number) % 2**63)
