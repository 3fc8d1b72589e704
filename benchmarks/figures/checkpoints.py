"""FVD-shapes and FID-shapes of checkpoints, many of them and small: samples are made in batches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from evaluation.measuring.arrays import memory_video_set
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import SHAPES
from evaluation.results.record import Result
from latte.autoencoder import open_autoencoder, to_uint8
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet
from latte.diffusion import DiffusionSettings
from latte.model.checkpoints import build_model, load_checkpoint
from latte.sampling.generate import SamplingOptions, open_diffusion, random_stream
from latte.training.config import TrainConfig


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


class CheckpointMeasurer:
    """Measures the samples of a training's checkpoints.

    Args:
        config: of the training: length and size of the clips.
        strides: sampling intervals of the real clips that samples are measured against.
        networks: opened networks; real clips are kept in their store for all trainings.
    """

    def __init__(
        self,
        config: TrainConfig,
        options: MeasureOptions,
        strides: Sequence[int],
        networks: Networks,
    ) -> None:
        self.config, self.options, self.networks = config, options, networks
        self.reals = {stride: self._real_videos(stride) for stride in strides}
        self.fvd = {stride: self._measurer(stride, "fvd") for stride in strides}

    def results(self, clips: np.ndarray, *, label: str, with_fid: bool) -> list[Result]:
        """FVD-shapes against real clips at each interval; then FID-shapes at the first.

        Args:
            clips: samples, uint8 (N, F, H, W, 3).
            label: what results and messages call them.
        """
        samples = memory_video_set(clips, label)
        measurers = [*self.fvd.items()]
        if with_fid:
            first = next(iter(self.reals))
            measurers.append((first, self._measurer(first, "fid")))
        return [
            result
            for stride, measurer in measurers
            for result in measurer.measure(self.reals[stride], samples, model=label)
        ]

    def protocol(self, stride: int) -> Protocol:
        """The protocol `shapes` for clips of this training, with real ones at an interval."""
        data = self.config.data
        return replace(
            SHAPES,
            num_frames=data.num_frames,
            size=data.size,
            real_stride=stride,
            num_real=self.options.num_real,
            num_fake=self.options.num_clips,
        )

    def _measurer(self, stride: int, metric: str) -> Measurer:
        return Measurer(
            self.protocol(stride),
            (metric,),
            self.networks,
            dataset="shapes",
            resamples=self.options.resamples,
            at_least=min(self.options.num_real, self.options.num_clips),
            notes=False,
        )

    def _real_videos(self, stride: int) -> VideoSet:
        """Videos of the test split, which no training uses."""
        data = self.config.data
        return shapes_video_set(
            SHAPES.split,
            size=data.size,
            num_videos=self.options.num_real,
            num_frames=max(64, (data.num_frames - 1) * stride + 1),
        )
