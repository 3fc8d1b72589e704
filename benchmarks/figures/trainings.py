"""One cell of a figure: a design trained from one seed, measured at even distances on the way.

A cell is a function of its configuration: it works in float32 on one thread, so that cells can be
made side by side, in any number of processes, with the same numbers. An interrupted training
resumes from its last checkpoint. Designs that several figures show are one cell.
"""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cells.cache import (
    FILE,
    CellValue,
    MeasuredCells,
    alone_with,
    cell_key,
    measure_cells,
    read_cells,
)
from benchmarks.cells.provenance import software_of
from benchmarks.cells.threads import one_thread
from benchmarks.figures.designs import Design, MeasureOptions, Setup
from benchmarks.shapes import proxy_images
from benchmarks.shapes.networks import embedded_networks
from benchmarks.shapes.training_fvd import real_clips
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.arrays import memory_video_set
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from latte.autoencoder import open_autoencoder, to_uint8
from latte.autoencoder.patches import fit_patches, save_patches
from latte.data import shapes
from latte.data.files import atomic_path
from latte.data.sources import VideoSet
from latte.diffusion import DiffusionSettings
from latte.model.checkpoints import build_model, load_checkpoint
from latte.sampling.generate import SamplingOptions, open_diffusion, random_stream
from latte.training.config import AutoencoderTable, DataTable, TrainConfig, as_table, load_config
from latte.training.data import open_training_set
from latte.training.run import RunOptions, train

VERSION = 2  # raised by any change of this module that affects a number
LATENT_CLIPS = 200  # clips that latents are fitted to
WEIGHTS, LATENTS = "ema.safetensors", "latents.safetensors"  # files that a training keeps


@dataclass(frozen=True, kw_only=True)
class Training:
    """A design from one seed, as a scale trains it on `shapes`.

    Every design is measured against real clips at its own sampling interval; those of Figure 5e
    also at the baseline's.
    """

    design: Design
    setup: Setup
    seed: int = 0  # seeds its image model too
    folder: Path  # folder of runs and features; no effect on results
    device: str = "cpu"  # device of training and sampling

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"{self.design.name}, seed {self.seed}"

    @cached_property
    def config(self) -> TrainConfig:
        """The training, but for the file that it starts from."""
        settings = (*self.setup.settings_of(self.design), f"training.seed={self.seed}")
        return load_config(self.setup.config, settings)

    @cached_property
    def image_model(self) -> TrainConfig | None:
        """What is trained first where a design starts from a model of single images."""
        setup = self.setup
        settings = (*setup.settings, *setup.image_settings, f"training.seed={self.seed}")
        return load_config(setup.config, settings) if self.design.starts_from_images else None

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Sampling intervals of the real clips."""
        return self.setup.strides_of(self.design)

    @cached_property
    def key(self) -> str:
        """Hash over all that a value can depend on; the name of a design is not part of it."""
        setup, images = self.setup, None
        if self.image_model is not None:
            images = [_decisive(self.image_model), setup.num_images, proxy_images.VERSION]
        return cell_key(
            version=VERSION,
            shapes=shapes.VERSION,
            networks=embedded_networks(),
            config=_decisive(self.config),
            points=setup.points,
            strides=self.strides,
            measure=asdict(setup.measure),
            device=self.device.partition(":")[0],
            image_model=images,
            components=setup.components,
        )

    @property
    def run(self) -> Path:
        """Folder of the training, removed once it is measured."""
        return self.folder / "runs" / self.key

    @property
    def kept(self) -> Path:
        """Folder of the weights that are kept."""
        return self.folder / "networks" / self.key

    @property
    def steps(self) -> list[int]:
        """Steps of the checkpoints."""
        every = self.config.training.steps // self.setup.points
        return [every * (place + 1) for place in range(self.setup.points)]


def run_trainings(trainings: Sequence[Training], *, workers: int) -> MeasuredCells:
    """Measure trainings of one folder; cells that are in it are not made again."""
    path = trainings[0].folder / FILE
    return measure_cells(trainings, measure_training, path, workers=workers, tidy=remove_run)


def measure_training(task: Training) -> CellValue:
    """Train, then measure the averaged weights of each checkpoint.

    Returns:
        The last checkpoint's FVD-shapes at the first stride with its interval. In `details`:
        "points", a list for each stride of [step, value, low, high]; "fid" of the last checkpoint,
        [value, low, high]; "mse", rows of the log [step, mse]; "parameters"; "fingerprint".

    Raises:
        InputError: it cannot be trained; the sentence says why.
    """
    options, device = task.setup.measure, task.device
    extraction = ExtractionOptions(
        store=task.folder / "features", device=device, workers=0, progress=False
    )
    points: list[list[list[float]]] = [[] for _ in task.strides]
    with one_thread(device):
        last = _train(task)
        *of_fvd, of_fid = checkpoint_measurers(
            task.config.data, options, task.strides, Networks(extraction)
        )
        for step in task.steps:
            checkpoint = task.run / "checkpoints" / f"{step:07d}" / WEIGHTS
            label = f"{task.name}, step {step}"
            clips = checkpoint_clips(
                checkpoint, task.setup.measure, seed=task.seed, device=task.device
            )
            samples = memory_video_set(clips, label)
            results = [one.measure(real, samples, model=label)[0] for one, real in of_fvd]
            for rows, result in zip(points, results, strict=True):
                rows.append([step, result.value, *result.ends])
        measurer, real = of_fid
        (fid,) = measurer.measure(real, samples, model=label)
        model = load_checkpoint(last)
        _keep(task, last)
    with (task.run / "log.csv").open(encoding="utf-8", newline="") as file:
        losses = [[int(row["step"]), float(row["mse"])] for row in csv.DictReader(file)]
    fvd = results[0]
    return CellValue(
        value=fvd.value,
        interval=fvd.ends,
        details={
            "points": points,
            "fid": [fid.value, *fid.ends],
            "fingerprint": fvd.fingerprint,
            "parameters": sum(tensor.numel() for tensor in model.state_dict.values()),
            "mse": losses,
        },
        provenance=software_of(fid),
    )


def remove_run(task: Training) -> None:
    """Remove what a measured training has left; what figures look at later is kept."""
    shutil.rmtree(task.run, ignore_errors=True)


def trained_network(task: Training) -> tuple[Path, str | None]:
    """The averaged weights at the end of a training, and the file of the latents fitted for it.

    As `measure_training` left them, else trained here, or resumed: a network is trained once.
    """
    weights, latents = task.kept / WEIGHTS, task.kept / LATENTS
    with alone_with(task.folder / FILE, task.key):
        if not weights.exists():
            with one_thread(task.device):
                _keep(task, _train(task))
            if task.key in read_cells(task.folder / FILE):
                remove_run(task)
    return weights, str(latents) if task.setup.components else None


def _train(task: Training) -> Path:
    """Train, or resume; the last checkpoint's averaged weights."""
    every = task.steps[0]
    output = {"checkpoint_every": every, "sample_every": 0, "log_every": max(1, every // 5)}
    config = replace(task.config, output=replace(task.config.output, **output))
    if task.setup.components:
        config = with_latents(config, task.setup.components, task.run)
    if task.image_model is not None:
        path = _train_image_model(task, task.image_model, config.autoencoder)
        config = replace(config, model=replace(config.model, initialise_from=str(path)))
    return train(config, _run_options(task, task.run))


def _run_options(task: Training, out: Path) -> RunOptions:
    return RunOptions(out=out, data_root=Path(), device=task.device, workers=0, progress=False)


def _keep(task: Training, last: Path) -> None:
    """Copies; each appears under its name when it is complete, the weights last."""
    task.kept.mkdir(parents=True, exist_ok=True)
    files = {LATENTS: task.run / LATENTS} if task.setup.components else {}
    for name, source in (files | {WEIGHTS: last}).items():
        with atomic_path(task.kept / name) as partial:
            shutil.copyfile(source, partial)


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


def with_latents(config: TrainConfig, components: int, folder: Path) -> TrainConfig:
    """The same with the latents that `latte patches` fits to frames of its size.

    Few numbers to a token, as the paper's 16: a token that holds more than the network is wide
    would make the comparison one of widths.
    """
    path = folder / LATENTS
    data = DataTable(dataset="shapes", size=config.data.size, stride=1, flip=False)
    training_set = open_training_set(
        data, seed=0, data_root=Path(), workers=0, class_conditional=False
    )
    samples = training_set.samples(range(LATENT_CLIPS), workers=0)
    clips = (sample.frames for sample in samples if sample.frames is not None)
    save_patches(path, fit_patches(clips, patch_size=8, channels=components), "shapes")
    return replace(config, autoencoder=replace(config.autoencoder, path=str(path)))


def _train_image_model(task: Training, alone: TrainConfig, latents: AutoencoderTable) -> Path:
    """A model of single images of the same latents; its averaged weights."""
    path = task.run / "images.npy"
    proxy_images.write_images(path, task.setup.num_images, alone.data.size)
    output = {"checkpoint_every": alone.training.steps, "sample_every": 0}
    alone = replace(
        alone,
        autoencoder=latents,
        data=replace(alone.data, dataset=str(path)),
        output=replace(alone.output, **output),
    )
    return train(alone, _run_options(task, task.run / "image_model"))


def _decisive(config: TrainConfig) -> dict[str, Any]:
    """The part of the configuration that can affect the weights."""
    table = as_table(config)
    del table["output"]
    del table["data"]["skip_broken"]
    return table
