"""The steps of a run: samples → losses → weights and their averages.

Noise, time and label dropout depend on the sample alone.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from latte.autoencoder import Autoencoder, from_uint8
from latte.data.errors import InputError
from latte.diffusion import GaussianDiffusion
from latte.training.config import TrainConfig, TrainingTable
from latte.training.data import Plan, Sample, TrainingSet, random_bits
from latte.training.distributed import Group
from latte.training.latents import CachedLatents
from latte.training.snapshot import Evaluate
from latte.training.state import RunInputs, TrainState
from latte.training.stopping import StopRequests

LOSSES = ("loss", "mse", "vb")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run is executed. Affects the weights only through the device's arithmetic."""

    out: Path
    data_root: Path
    device: str = "auto"
    workers: int = 2
    evaluate: Evaluate | None = None
    progress: bool = True


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run in one of its processes: everything a step needs."""

    config: TrainConfig
    options: RunOptions
    group: Group
    inputs: RunInputs
    training_set: TrainingSet
    autoencoder: Autoencoder
    cache: CachedLatents | None
    diffusion: GaussianDiffusion
    network: nn.Module  # the state's model, compiled and distributed as asked for
    state: TrainState


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs of one pass, on the device."""

    latents: Tensor  # (N, F + I, C, h, w)
    noise: Tensor  # the same shape
    t: Tensor  # (N,)
    y: Tensor | None  # (N,), the null class where the label was dropped
    y_images: Tensor | None  # (N, I)


def run_steps(run: Run, requests: StopRequests) -> Generator[dict[str, float] | None]:
    """Train up to the last step, or until one of the processes is asked to stop.

    Yields after each step: a row for the log every `log_every` steps, else None.

    Raises:
        InputError: a clip cannot be had, or the loss is no longer finite.
        StopNow: the only process was asked to stop while it waited for clips.
    """
    training, counters, group = run.config.training, run.state.counters, run.group
    stream = run.training_set.samples(
        sample_numbers(training, counters.samples, counters.step, group),
        workers=run.options.workers,
        decode=run.cache is None,
        without=() if run.cache is None else run.cache.broken,
    )
    window = torch.tensor(counters.window, dtype=torch.float64, device=group.device)
    bar = tqdm(
        total=training.steps,
        initial=counters.step,
        unit="step",
        desc="training",
        disable=not (run.options.progress and group.is_first),
    )
    # Several processes stop together: one that left would leave the others within their step.
    while_waiting = requests.at_once if group.world_size == 1 else nullcontext
    with bar, closing(stream):
        while counters.step < training.steps and not group.any(requests.asked):
            started = time.monotonic()
            window += train_step(run, stream, while_waiting)
            counters.seconds += time.monotonic() - started
            counters.step += 1
            counters.samples += training.batch_size * training.accumulate * group.world_size
            row = None
            if counters.step % run.config.output.log_every == 0:
                row = _row(run, group.mean(window))
                bar.set_postfix(loss=f"{row['loss']:.4f}", refresh=False)
                window.zero_()
            counters.window = window.tolist()
            bar.update()
            yield row


def train_step(
    run: Run,
    stream: Iterator[Sample],
    while_waiting: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Tensor:
    """One update of the weights and their averages.

    Args:
        while_waiting: entered while this waits for samples.

    Returns:
        float64 (5,): 1, the losses of LOSSES, and the norm of the gradient before clipping.
    """
    training, state, device = run.config.training, run.state, run.group.device
    sums = torch.zeros(len(LOSSES), dtype=torch.float64, device=device)
    for remaining in reversed(range(training.accumulate)):
        with while_waiting():
            samples = list(islice(stream, training.batch_size))
        batch = make_batch(run, samples)
        with _gradients_stay_here(run.network, remaining > 0):
            losses = batch_losses(run, batch)
            (losses["loss"] / training.accumulate).backward()
        sums += torch.stack([losses[name].detach() for name in LOSSES])
    limit = training.clip_norm if state.counters.step >= training.clip_from_step else math.inf
    parameters = list(state.model.parameters())
    norm = nn.utils.clip_grad_norm_(parameters, limit)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(training, state.counters.step)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    averages = [state.averages[name] for name, _ in state.model.named_parameters()]
    get_ema_multi_avg_fn(training.ema)(averages, [p.detach() for p in parameters], None)
    one = torch.ones(1, dtype=torch.float64, device=device)
    return torch.cat([one, sums / training.accumulate, norm.double().reshape(1)])


def make_batch(run: Run, samples: Sequence[Sample]) -> Batch:
    """Encode samples and draw what is random about them.

    Every sample has a stream of random numbers of its own, on the CPU, named by the seed and its
    number: first its time, then what becomes of its labels, then its noise.
    """
    config, device, training = run.state.model.config, run.group.device, run.config.training
    seeds = [random_bits(training.seed, "stream", sample.plan.number) % 2**63 for sample in samples]
    streams = [torch.Generator().manual_seed(seed) for seed in seeds]
    num_steps = run.config.diffusion.num_steps
    times = [int(torch.randint(num_steps, (), generator=stream)) for stream in streams]
    y = y_images = None
    if config.num_classes is not None:
        labels = [
            _labels(sample.plan, config.num_classes, training.label_dropout, stream)
            for sample, stream in zip(samples, streams, strict=True)
        ]
        table = torch.tensor(labels, device=device)  # (N, 1 + I)
        y = table[:, 0]
        y_images = table[:, 1:] if table.shape[1] > 1 else None
    moments = _moments(run, samples)
    shape = (moments.shape[1], config.in_channels, config.input_size, config.input_size)
    spread = torch.stack([torch.randn(shape, generator=stream) for stream in streams]).to(device)
    noise = torch.stack([torch.randn(shape, generator=stream) for stream in streams]).to(device)
    return Batch(
        latents=run.autoencoder.draw(moments, spread),
        noise=noise,
        t=torch.tensor(times, device=device),
        y=y,
        y_images=y_images,
    )


def batch_losses(run: Run, batch: Batch) -> dict[str, Tensor]:
    """Mean loss, mse and vb over the batch, each a scalar; "loss" is to be minimised."""
    device, halved = batch.latents.device.type, run.config.training.precision == "bf16"
    num_images = run.config.data.images_per_clip

    def predict(x: Tensor, t: Tensor, **inputs: Tensor | None) -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=halved):
            return run.network(x, t, num_images=num_images, **inputs).float()

    losses = run.diffusion.training_losses(
        predict, batch.latents, batch.t, batch.noise, y=batch.y, y_images=batch.y_images
    )
    return {name: values.mean() for name, values in losses.items()}


def _labels(plan: Plan, num_classes: int, dropout: float, stream: torch.Generator) -> list[int]:
    """Labels of the clip and the images; each becomes the null class with this probability."""
    dropped = torch.rand(len(plan.labels), generator=stream) < dropout
    return [
        num_classes if drop else label
        for label, drop in zip(plan.labels, dropped.tolist(), strict=True)
    ]


def _moments(run: Run, samples: Sequence[Sample]) -> Tensor:
    """The encoder's moments of each sample's frames, (N, F + I, 2C, h, w)."""
    if run.cache is None:
        clips = [sample.frames for sample in samples if sample.frames is not None]
        frames = torch.from_numpy(np.stack(clips)).to(run.group.device)
        with torch.no_grad():
            return run.autoencoder.encode_moments(from_uint8(frames))
    rows = [
        torch.cat(
            [
                run.cache.moments(clip.video.name, clip.frames, clip.mirrored)
                for clip in sample.plan.clips
            ]
        )
        for sample in samples
    ]
    return torch.stack(rows).to(run.group.device)


def sample_numbers(training: TrainingTable, samples: int, step: int, group: Group) -> Iterator[int]:
    """The samples that this process sees from `step` on, before which `samples` were seen.

    The passes of all processes are dealt in turn, so that two processes see in one pass what one
    sees in two.
    """
    size = training.batch_size
    for _ in range(step, training.steps):
        for number in range(training.accumulate):
            start = samples + (number * group.world_size + group.rank) * size
            yield from range(start, start + size)
        samples += size * training.accumulate * group.world_size


def learning_rate(training: TrainingTable, step: int) -> float:
    """Learning rate of the update that completes step `step` + 1: linear rise, then the decay."""
    peak = training.learning_rate
    if step < training.warmup_steps:
        return peak * (step + 1) / training.warmup_steps
    if training.decay == "constant":
        return peak
    passed = (step - training.warmup_steps) / max(training.steps - training.warmup_steps, 1)
    return peak * 0.5 * (1 + math.cos(math.pi * passed))


def _row(run: Run, window: Tensor) -> dict[str, float]:
    count, *sums, norm = window.tolist()
    means = dict(zip(LOSSES, (value / count for value in sums), strict=True))
    if not all(math.isfinite(value) for value in means.values()):
        raise diverged(run.state)
    counters = run.state.counters
    return {
        **means,
        "gradient_norm": norm / count,
        "learning_rate": learning_rate(run.config.training, counters.step - 1),
        "samples": counters.samples,
        "seconds": round(counters.seconds, 3),
    }


def diverged(state: TrainState) -> InputError:
    """The error for weights or losses that are not finite."""
    return InputError(
        f"step {state.counters.step}: the loss is no longer finite, so start another run with a "
        "lower training.learning_rate, or precision fp32, and model.initialise_from the last "
        "checkpoint of this one"
    )


def _gradients_stay_here(network: nn.Module, wanted: bool) -> AbstractContextManager[Any]:
    """Between the passes of one step, processes need not exchange gradients."""
    if wanted and isinstance(network, DistributedDataParallel):
        return network.no_sync()
    return nullcontext()
