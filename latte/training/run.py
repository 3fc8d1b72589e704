"""A training run: from a configuration to checkpoints, samples and a log."""

import copy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from latte.autoencoder import Autoencoder, open_autoencoder
from latte.config import LatteConfig
from latte.data.errors import InputError, named
from latte.diffusion import GaussianDiffusion
from latte.memory import is_too_little
from latte.sampling.preview import contact_sheet
from latte.training.config import TrainConfig, as_table, to_toml
from latte.training.data import TrainingSet, open_training_set
from latte.training.distributed import Group, join_group
from latte.training.latents import CachedLatents, open_cache
from latte.training.log import RunLog
from latte.training.loop import Ingredients, diverged, run_steps
from latte.training.signals import stop_between_steps
from latte.training.snapshot import Evaluate, Snapshot
from latte.training.state import (
    Counters,
    TrainState,
    drop_old_states,
    latest_state,
    load_state,
    save_state,
    start_optimizer,
)
from latte.training.weights import initial_model


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run is carried out. Cannot move the weights, but by the device's own arithmetic."""

    out: Path
    data_root: Path
    device: str = "auto"
    workers: int = 2
    evaluate: Evaluate | None = None
    progress: bool = True


def train(config: TrainConfig, options: RunOptions) -> Path:
    """Train, or go on where `options.out` was left.

    Returns:
        The last checkpoint's averaged weights.

    Raises:
        InputError: data, weights, device or memory are not as the run needs them.
        KeyboardInterrupt: it was stopped: after its state was written, unless asked twice.
    """
    try:
        with join_group(options.device) as group, stop_between_steps() as should_stop:
            parts, state = _prepare(config, options, group)
            run = _Run(config=config, options=options, parts=parts, state=state)
            if not group.is_first:
                return run.to_the_end(None, should_stop)
            with RunLog(options.out, resumed_at=state.counters.step) as log:
                return run.to_the_end(log, should_stop)
    except (MemoryError, RuntimeError) as error:
        if (sentence := _advice(error, config)) is not None:
            raise InputError(sentence) from error
        raise


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One process's part of a run."""

    config: TrainConfig
    options: RunOptions
    parts: Ingredients
    state: TrainState

    def to_the_end(self, log: RunLog | None, should_stop: Callable[[], bool]) -> Path:
        """All steps; whatever ends them early, what was trained is written first."""
        counters = self.state.counters
        saved_at = counters.step

        def after_step(row: Mapping[str, float] | None) -> None:
            nonlocal saved_at
            if log is not None and row is not None:
                log.add("log", counters.step, row)
            if self._is_due("checkpoint_every") or counters.step == self.config.training.steps:
                self._save()
                saved_at = counters.step
            try:
                self._look(log)
            except Exception:  # a fault in a user's function must not cost the steps before it
                if counters.step > saved_at:
                    self._write()
                    saved_at = counters.step
                raise

        try:
            run_steps(
                self.parts,
                self.state,
                workers=self.options.workers,
                should_stop=should_stop,
                after_step=after_step,
                progress=self.options.progress,
            )
        except InputError:
            # A loss that is no longer finite has spoilt the weights: the last checkpoint stands.
            # Other processes may be within a step: nobody waits for them.
            if counters.step > saved_at and _is_finite(self.state):
                self._write()
            raise
        if counters.step < self.config.training.steps:
            if counters.step > saved_at:
                self._save()
            raise KeyboardInterrupt
        return self.options.out / "checkpoints" / f"{counters.step:07d}" / "ema.safetensors"

    def _is_due(self, name: str) -> bool:
        every = getattr(self.config.output, name)
        return every > 0 and self.state.counters.step % every == 0

    def _save(self) -> None:
        """Write a checkpoint, for which all processes meet."""
        if not _is_finite(self.state):
            raise diverged(self.state)
        counters, group = self.state.counters, self.parts.group
        window = torch.tensor(counters.window, dtype=torch.float64, device=group.device)
        counters.window = group.mean(window).tolist()
        self._write()
        group.wait()

    def _write(self) -> None:
        group = self.parts.group
        if group.is_first:
            folder = self.options.out / "checkpoints"
            save_state(folder, self.state, self.config, self._settings(), group.world_size)
            drop_old_states(folder, self.config.output.keep_states)

    def _look(self, log: RunLog | None) -> None:
        """Draw samples of the averaged network, and measure it; the others wait."""
        if not (self._is_due("sample_every") or self._is_due("evaluate_every")):
            return
        if log is not None:
            step = self.state.counters.step
            model = copy.deepcopy(self.state.model).eval().requires_grad_(False)
            model.load_state_dict(self.state.ema_state_dict())
            snapshot = Snapshot(
                step=step,
                model=model,
                autoencoder=self.parts.autoencoder,
                config=self.config,
                classes=self.parts.training_set.classes,
                device=self.parts.group.device,
            )
            if self._is_due("sample_every"):
                self._draw_samples(snapshot, log)
            if self._is_due("evaluate_every") and self.options.evaluate is not None:
                log.add("evaluations", step, self.options.evaluate(snapshot))
        self.parts.group.wait()

    def _draw_samples(self, snapshot: Snapshot, log: RunLog) -> None:
        count = self.config.output.num_samples
        labels = snapshot.labels(count)
        names = [str(i) if labels is None else snapshot.classes[labels[i]] for i in range(count)]
        sheet = contact_sheet(list(zip(names, snapshot.clips(count), strict=True)))
        path = self.options.out / "samples" / f"{snapshot.step:07d}.png"
        with named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            sheet.save(path)
        log.add_image("samples", snapshot.step, np.asarray(sheet))

    def _settings(self) -> dict[str, Any]:
        """What a checkpoint says of how it was made, and how to sample from it."""
        config, training_set = self.config, self.parts.training_set
        settings: dict[str, Any] = {
            "dataset": config.data.dataset,
            "frame_size": config.data.size,
            "autoencoder": {
                key: value
                for key, value in (
                    ("name", config.autoencoder.name),
                    ("path", config.autoencoder.path),
                )
                if value is not None
            },
            "diffusion": as_table(config)["diffusion"],
            "step": self.state.counters.step,
            "samples": self.state.counters.samples,
            "training": as_table(config),
        }
        if training_set.labels is not None:
            settings["classes"] = list(training_set.classes)
            settings["sampling"] = {"guidance_scale": config.output.guidance_scale}
        if training_set.fps is not None:
            settings["fps"] = training_set.fps / config.data.stride
        return settings


def _prepare(
    config: TrainConfig, options: RunOptions, group: Group
) -> tuple[Ingredients, TrainState]:
    """Everything that can be wrong is looked at here, before the first step."""
    out = options.out
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, but a run is a folder; give another --out")
    with named(out):
        out.mkdir(parents=True, exist_ok=True)
    if config.training.tf32 and group.device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    training_set = open_training_set(
        config.data,
        seed=config.training.seed,
        data_root=options.data_root,
        workers=options.workers,
        class_conditional=config.model.class_conditional,
    )
    autoencoder = open_autoencoder(
        config.autoencoder.name, config.autoencoder.path, device=group.device
    )
    latte_config = _latte_config(config, training_set, autoencoder)

    def say(sentence: str) -> None:
        if group.is_first:
            print(sentence, file=sys.stderr)

    for note in training_set.notes():
        say(note)
    found = latest_state(out / "checkpoints")
    table = config.model if found is None else replace(config.model, initialise_from=None)
    model = initial_model(latte_config, table, config.training.seed, say).to(group.device)
    model.checkpoint_activations = config.training.checkpoint_activations
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=config.training.learning_rate,
        weight_decay=config.training.weight_decay,
        fused=True,
    )
    start_optimizer(optimizer, model)
    averages = {name: value.detach().clone() for name, value in model.named_parameters()}
    state = TrainState(model=model, averages=averages, optimizer=optimizer, counters=Counters())
    if found is not None:
        for note in load_state(found, state, config, group.world_size):
            say(note)
        say(f"going on from step {state.counters.step} of {config.training.steps} ({found.parent})")
    if group.is_first:
        (out / "config.toml").write_text(to_toml(config), encoding="utf-8")
    parts = Ingredients(
        config=config,
        group=group,
        training_set=training_set,
        autoencoder=autoencoder,
        cache=_open_cache(config, options, training_set, autoencoder, group),
        diffusion=GaussianDiffusion(config.diffusion.num_steps, config.diffusion.schedule),
        network=_network(model, config, group),
    )
    return parts, state


def _latte_config(
    config: TrainConfig, training_set: TrainingSet, autoencoder: Autoencoder
) -> LatteConfig:
    if config.data.size % autoencoder.factor:
        raise InputError(
            f"data.size = {config.data.size}: the autoencoder needs a multiple of "
            f"{autoencoder.factor}"
        )
    return config.model.latte_config(
        input_size=config.data.size // autoencoder.factor,
        in_channels=autoencoder.channels,
        num_frames=config.data.num_frames,
        num_classes=len(training_set.classes) or None,
    )


def _network(model: nn.Module, config: TrainConfig, group: Group) -> nn.Module:
    network = torch.compile(model) if config.training.compile else model
    if group.world_size == 1:
        return network
    devices = [group.device] if group.device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices)


def _open_cache(
    config: TrainConfig,
    options: RunOptions,
    training_set: TrainingSet,
    autoencoder: Autoencoder,
    group: Group,
) -> CachedLatents | None:
    """The cache that is asked for; each process fills a part of it first."""
    if config.autoencoder.cache is None:
        return None

    def opened(videos: Any) -> CachedLatents:
        return open_cache(
            Path(str(config.autoencoder.cache)),
            videos,
            training_set.preparation,
            autoencoder,
            config.data.flip,
            options.progress and group.is_first,
            workers=options.workers,
        )

    videos = training_set.videos
    if group.world_size > 1:
        opened(replace(videos, videos=videos.videos[group.rank :: group.world_size]))
        group.wait()
    return opened(videos)


def _is_finite(state: TrainState) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in state.averages.values())


def _advice(error: MemoryError | RuntimeError, config: TrainConfig) -> str | None:
    """What to do about an error of torch, if it is one that the user can mend."""
    if is_too_little(error):
        return (
            f"there is not enough memory for {config.training.batch_size} clips at a time; set "
            "training.batch_size lower and training.accumulate higher, training.precision to bf16, "
            "or training.checkpoint_activations to true"
        )
    if type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
        reason = str(error).partition("\n")[0]
        return f"the network cannot be compiled here ({reason}); set training.compile to false"
    return None
