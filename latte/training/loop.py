"""The steps of a run: passes, optimiser, averages, and what is written on the way."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from latte.autoencoder import Autoencoder
from latte.data.errors import InputError
from latte.diffusion import GaussianDiffusion
from latte.training.config import TrainConfig, TrainingTable
from latte.training.continuation import RunInputs
from latte.training.data import Sample, TrainingSet
from latte.training.distributed import Group
from latte.training.latents import CachedLatents
from latte.training.state import TrainState
from latte.training.step import batch_losses, make_batch

LOSSES = ("loss", "mse", "vb")


@dataclass(frozen=True, kw_only=True)
class RunParts:
    """Everything a step needs besides the state."""

    config: TrainConfig
    group: Group
    inputs: RunInputs
    training_set: TrainingSet
    autoencoder: Autoencoder
    cache: CachedLatents | None
    diffusion: GaussianDiffusion
    network: nn.Module  # the model, compiled and distributed as asked for


def run_steps(
    parts: RunParts,
    state: TrainState,
    *,
    workers: int,
    should_stop: Callable[[], bool],
    after_step: Callable[[Mapping[str, float] | None], None],
    progress: bool,
) -> None:
    """Train up to the last step, or until `should_stop`.

    Args:
        after_step: called once a step is complete, with a row for the log every `log_every` steps.

    Raises:
        InputError: a clip cannot be had, or the loss is no longer finite.
    """
    training, counters, group = parts.config.training, state.counters, parts.group
    stream = parts.training_set.samples(
        sample_numbers(training, counters.samples, counters.step, group),
        workers=workers,
        decode=parts.cache is None,
    )
    window = torch.tensor(counters.window, dtype=torch.float64, device=group.device)
    bar = tqdm(
        total=training.steps,
        initial=counters.step,
        unit="step",
        desc="training",
        disable=not (progress and group.is_first),
    )
    with bar:
        while counters.step < training.steps and not group.any(should_stop()):
            started = time.monotonic()
            window += train_step(parts, state, stream)
            counters.seconds += time.monotonic() - started
            counters.step += 1
            counters.samples += training.batch_size * training.accumulate * group.world_size
            row = None
            if counters.step % parts.config.output.log_every == 0:
                row = _row(group.mean(window), state, parts)
                bar.set_postfix(loss=f"{row['loss']:.4f}", refresh=False)
                window.zero_()
            counters.window = window.tolist()
            bar.update()
            after_step(row)


def train_step(parts: RunParts, state: TrainState, stream: Iterator[Sample]) -> Tensor:
    """One update of the weights and their averages.

    Returns:
        float64 (5,): 1, the losses of LOSSES, and the norm of the gradient before clipping.
    """
    training = parts.config.training
    device = parts.group.device
    sums = torch.zeros(len(LOSSES), dtype=torch.float64, device=device)
    for remaining in reversed(range(training.accumulate)):
        batch = make_batch(
            list(islice(stream, training.batch_size)),
            state.model.config,
            parts.config,
            parts.autoencoder,
            parts.cache,
            device,
        )
        with _gradients_stay_here(parts.network, remaining > 0):
            losses = batch_losses(
                parts.network,
                batch,
                parts.diffusion,
                parts.config.data.images_per_clip,
                precision=training.precision,
            )
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


def _row(window: Tensor, state: TrainState, parts: RunParts) -> dict[str, float]:
    count, *sums, norm = window.tolist()
    means = dict(zip(LOSSES, (value / count for value in sums), strict=True))
    if not all(math.isfinite(value) for value in means.values()):
        raise diverged(state)
    counters = state.counters
    return {
        **means,
        "gradient_norm": norm / count,
        "learning_rate": learning_rate(parts.config.training, counters.step - 1),
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
