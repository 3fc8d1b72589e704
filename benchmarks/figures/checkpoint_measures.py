"""FVD-shapes and FID-shapes of checkpoints, many of them and small: samples are made in batches."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import MeasuredSet, measure_set, plan_set
from evaluation.measuring.results import Comparison, frechet_result
from evaluation.networks.registry import build
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import SHAPES
from evaluation.results.record import Result
from latte.autoencoder import open_autoencoder, to_uint8
from latte.data.clips import Selection
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet, open_video_set
from latte.diffusion import DiffusionSettings
from latte.model.checkpoints import build_model, load_checkpoint
from latte.sampling.generate import SamplingOptions, open_diffusion, random_stream
from latte.training.config import TrainConfig

VIDEO, FRAME = "shapes", "shapes-frame"  # networks


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """How a checkpoint is measured. All of it moves the numbers."""

    num_clips: int = 256  # samples
    num_real: int = 1024  # of the test split
    sample_steps: int = 20  # of DDIM, without guidance
    batch_size: int = 64  # samples in one pass of the network: moves the last bits
    resamples: int = 200  # of the bootstrap intervals


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


@dataclass(frozen=True, kw_only=True)
class Judge:
    """The real clips and networks that a run's checkpoints are measured by."""

    config: TrainConfig
    options: MeasureOptions
    run: ExtractionOptions
    video: StoredNetwork
    frame: StoredNetwork
    reals: dict[tuple[int, str], MeasuredSet] = field(default_factory=dict)

    @classmethod
    def open(
        cls, config: TrainConfig, options: MeasureOptions, store: Path, device: str
    ) -> "Judge":
        """Networks and the store of their features, in which real clips are kept for all runs."""
        run = ExtractionOptions(store=store, device=device, workers=0, progress=False)
        video, frame = (
            StoredNetwork.open(build(name, device=device), store) for name in (VIDEO, FRAME)
        )
        return cls(config=config, options=options, run=run, video=video, frame=frame)

    def protocol(self, stride: int) -> Protocol:
        """The protocol `shapes` for clips of this run, real ones at a sampling interval."""
        data = self.config.data
        return replace(
            SHAPES,
            num_frames=data.num_frames,
            size=data.size,
            real_stride=stride,
            num_real=self.options.num_real,
            num_fake=self.options.num_clips,
        )

    def real(self, stride: int, network: StoredNetwork) -> MeasuredSet:
        """Clips of the test split, which no run trains on."""
        place = (stride, network.extractor.spec.name)
        if place not in self.reals:
            self.reals[place] = self._real(stride, network)
        return self.reals[place]

    def _real(self, stride: int, network: StoredNetwork) -> MeasuredSet:
        data = self.config.data
        longest = (data.num_frames - 1) * stride + 1
        videos = shapes_video_set(
            SHAPES.split,
            size=data.size,
            num_videos=self.options.num_real,
            num_frames=max(64, longest),
        )
        return self._measured(
            videos, self.protocol(stride).real_selection(), network, self.options.num_real
        )

    def results(
        self, clips: np.ndarray, strides: Sequence[int], *, label: str, with_fid: bool
    ) -> Iterator[Result]:
        """FVD-shapes against real clips at each interval; FID-shapes at the first.

        Args:
            clips: samples, uint8 (N, F, H, W, 3).
        """
        with TemporaryDirectory() as folder:
            path = Path(folder) / "samples.npy"
            np.save(path, clips)
            videos = replace(open_video_set(path), root=label)
            for network in (self.video, self.frame) if with_fid else (self.video,):
                selection = self.protocol(strides[0]).fake_selection()
                fake = self._measured(videos, selection, network, len(clips))
                for stride in strides if network is self.video else strides[:1]:
                    yield frechet_result(
                        self.real(stride, network), fake, network, self._comparison(stride, label)
                    )

    def _measured(
        self, videos: VideoSet, selection: Selection, network: StoredNetwork, count: int
    ) -> MeasuredSet:
        preparation = self.protocol(1).preparation()
        planned = plan_set(
            videos, selection, preparation, self.run, label=videos.name, at_least=count
        )
        return measure_set(planned, [network], self.run)

    def _comparison(self, stride: int, label: str) -> Comparison:
        return Comparison(
            protocol=self.protocol(stride),
            dataset="shapes",
            model=label,
            resamples=self.options.resamples,
            started=time.monotonic(),
        )
