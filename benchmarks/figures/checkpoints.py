"""FVD-shapes and FID-shapes of checkpoints, many of them and small: samples are made in batches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.shapes.training_fvd import real_clips
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from latte.autoencoder import open_autoencoder, to_uint8
from latte.data.sources import VideoSet
from latte.diffusion import DiffusionSettings
from latte.model.checkpoints import build_model, load_checkpoint
from latte.sampling.generate import SamplingOptions, open_diffusion, random_stream
from latte.training.config import DataTable


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """How a checkpoint is measured. All of it affects the numbers."""

    num_clips: int = 256  # samples
    num_real: int = 1024  # videos of the test split
    sample_steps: int = 20  # steps of DDIM, without guidance
    batch_size: int = 64  # samples in one pass of the network: affects the last bits
    resamples: int = 200  # bootstrap resamples of the intervals


def checkpoint_clips(
    checkpoint: Path, options: MeasureOptions, *, seed: int, device: str = "cpu"
) -> np.ndarray:
    """Samples 0 … `num_clips` − 1 in float32, their classes in turn: uint8 (N, F, H, W, 3).

    Those of `latte sample --method ddim`, but for the last bits: many small networks are sampled
    here, and on a CPU a batch of them costs a third of what its samples cost one by one.
    """
    loaded = load_checkpoint(checkpoint)
    model, config, settings = build_model(loaded).to(device), loaded.config, loaded.settings
    sampling = SamplingOptions(method="ddim", steps=options.sample_steps, seed=seed)
    diffusion = open_diffusion(sampling, DiffusionSettings(**settings["diffusion"]))
    stored = settings["autoencoder"]
    autoencoder = open_autoencoder(stored["name"], stored.get("path"), device=device)
    shape = (config.num_frames, config.in_channels, config.input_size, config.input_size)
    batches = []
    for start in range(0, options.num_clips, options.batch_size):
        indices = range(start, min(start + options.batch_size, options.num_clips))
        noise = [torch.randn(shape, generator=random_stream(seed, index)) for index in indices]
        labels = None
        if config.num_classes is not None:
            labels = torch.tensor([i % config.num_classes for i in indices], device=device)
        latents = diffusion.sample(model, torch.stack(noise).to(device), method="ddim", y=labels)
        with torch.no_grad():
            batches.append(to_uint8(autoencoder.decode(latents)))
    return np.concatenate(batches)


def checkpoint_measurers(
    data: DataTable, options: MeasureOptions, strides: Sequence[int], networks: Networks
) -> list[tuple[Measurer, VideoSet]]:
    """What measures samples, with the real clips that they are measured against.

    FVD-shapes against real clips at each interval; then FID-shapes at the first.

    Args:
        data: of the training: length and size of the clips.
        strides: sampling intervals of the real clips.
        networks: opened networks; real clips are kept in their store for all trainings.
    """
    measurers = []
    for metric, stride in [*(("fvd", stride) for stride in strides), ("fid", strides[0])]:
        protocol, real = real_clips(data, stride, options.num_real)
        measurer = Measurer(
            replace(protocol, num_real=options.num_real, num_fake=options.num_clips),
            (metric,),
            networks,
            dataset="shapes",
            resamples=options.resamples,
            at_least=min(options.num_real, options.num_clips),
            notes=False,
        )
        measurers.append((measurer, real))
    return measurers
