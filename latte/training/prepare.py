"""Everything before the first step. Errors are found here, before any file is written.

Latents of a cache are the exception: they take time, and are kept.
"""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from latte.autoencoder import Autoencoder, open_autoencoder
from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.data.files import write_atomically
from latte.model import Latte
from latte.training.config import TrainConfig, TrainingTable, to_toml
from latte.training.continuation import RunInputs
from latte.training.data import TrainingSet
from latte.training.distributed import Group
from latte.training.latents import CachedLatents, LatentCache
from latte.training.loop import RunParts
from latte.training.snapshot import Evaluate
from latte.training.state import Counters, TrainState, latest_state, load_state, start_optimizer
from latte.training.videos import open_training_set
from latte.training.weights import initial_model

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run is executed. Affects the weights only through the device's arithmetic."""

    out: Path
    data_root: Path
    device: str = "auto"
    workers: int = 2
    evaluate: Evaluate | None = None
    progress: bool = True

    @property
    def checkpoints(self) -> Path:
        """Their folder."""
        return self.out / "checkpoints"


def prepare(config: TrainConfig, options: RunOptions, group: Group) -> tuple[RunParts, TrainState]:
    """The parts of a run and its state: initial, or of its last checkpoint.

    Raises:
        InputError: data, weights, device or an earlier part of the run are not as it needs them.
    """
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
    diffusion = config.diffusion.open()
    latte_config = _latte_config(config, training_set, autoencoder)
    inputs = RunInputs(
        processes=group.world_size, videos=training_set.digest, autoencoder=autoencoder.digest
    )
    state, notes = _state(config, latte_config, options, group, inputs)
    if group.is_first:
        for note in training_set.notes():
            logger.warning(note)
        for note in notes:
            logger.info(note)
    parts = RunParts(
        config=config,
        group=group,
        inputs=inputs,
        training_set=training_set,
        autoencoder=autoencoder,
        cache=_open_cache(config, options, training_set, autoencoder, group),
        diffusion=diffusion,
        network=_network(state.model, config, group),
    )
    if group.is_first:
        write_atomically(options.out / "config.toml", to_toml(config))
    return parts, state


def check_folder(out: Path) -> None:
    """See that the folder of a run is there or can be made, without making it.

    Raises:
        InputError: it cannot.
    """
    place = next(folder for folder in (out, *out.parents) if folder.exists())
    if not place.is_dir():
        raise InputError(f"{place}: is a file, but a run is a folder: give another --out")
    if not os.access(place, os.W_OK):
        raise InputError(f"{place}: nothing may be written there: give another --out")


def _latte_config(
    config: TrainConfig, training_set: TrainingSet, autoencoder: Autoencoder
) -> LatteConfig:
    if config.data.size % autoencoder.factor:
        raise InputError(
            f"data.size = {config.data.size}: the autoencoder needs a multiple of "
            f"{autoencoder.factor}"
        )
    try:
        return config.model.latte_config(
            input_size=config.data.size // autoencoder.factor,
            in_channels=autoencoder.channels,
            num_frames=config.data.num_frames,
            num_classes=len(training_set.classes) or None,
        )
    except InputError as error:
        raise InputError(f"[model]: {error}") from None


def _state(
    config: TrainConfig,
    latte_config: LatteConfig,
    options: RunOptions,
    group: Group,
    inputs: RunInputs,
) -> tuple[TrainState, list[str]]:
    """The first weights, or those of the last checkpoint, with notes."""
    checkpoint = latest_state(options.checkpoints, config)
    table = config.model if checkpoint is None else replace(config.model, initialise_from=None)
    model, notes = initial_model(latte_config, table, config.training.seed)
    state = _new_state(model.to(group.device), config.training)
    if checkpoint is not None:
        notes += load_state(checkpoint, state, config, inputs)
        step, steps = state.counters.step, config.training.steps
        notes.append(f"resuming from step {step} of {steps} ({checkpoint.parent})")
    return state, notes


def _new_state(model: Latte, table: TrainingTable) -> TrainState:
    model.checkpoint_activations = table.checkpoint_activations
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=table.learning_rate, weight_decay=table.weight_decay, fused=True
    )
    start_optimizer(optimizer, model)
    averages = {name: value.detach().clone() for name, value in model.named_parameters()}
    return TrainState(model=model, averages=averages, optimizer=optimizer, counters=Counters())


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
    """The configured cache; each process fills a part of it first."""
    if config.autoencoder.cache is None:
        return None
    cache = LatentCache(
        folder=Path(config.autoencoder.cache),
        preparation=training_set.preparation,
        autoencoder=autoencoder,
        mirror=config.data.flip,
        workers=options.workers,
        progress=options.progress and group.is_first,
    )
    videos = training_set.videos
    if group.world_size > 1:
        cache.open(replace(videos, videos=videos.videos[group.rank :: group.world_size]))
        group.wait()
    return cache.open(videos)
