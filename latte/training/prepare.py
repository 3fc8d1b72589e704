"""Everything before the first step. Errors are found here, before any file is written.

Latents of a cache are the exception: they take time, and are kept.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from latte.autoencoder import Autoencoder, open_autoencoder
from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.data.files import write_atomically
from latte.data.tensor_files import check_same
from latte.model import Latte
from latte.model.checkpoints import Checkpoint, initialise_from_dit, load_initial
from latte.model.dit import LABELS
from latte.training.config import ModelTable, TrainConfig, to_toml
from latte.training.data import TrainingSet, open_training_set
from latte.training.distributed import Group
from latte.training.latents import CachedLatents, LatentCache
from latte.training.loop import Run, RunOptions
from latte.training.state import RunInputs, TrainState, latest_state, load_state, new_state

logger = logging.getLogger(__name__)


def prepare(config: TrainConfig, options: RunOptions, group: Group) -> Run:
    """The parts of a run, with its state: initial, or of its last checkpoint.

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
    run = Run(
        config=config,
        options=options,
        group=group,
        inputs=inputs,
        training_set=training_set,
        autoencoder=autoencoder,
        cache=_open_cache(config, options, training_set, autoencoder, group),
        diffusion=diffusion,
        network=_network(state.model, config, group),
        state=state,
    )
    if group.is_first:
        write_atomically(options.out / "config.toml", to_toml(config))
    return run


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
    checkpoint = latest_state(options.out / "checkpoints", config)
    table = config.model if checkpoint is None else replace(config.model, initialise_from=None)
    model, notes = initial_model(latte_config, table, config.training.seed)
    model.checkpoint_activations = config.training.checkpoint_activations
    state = new_state(model.to(group.device), config.training)
    if checkpoint is not None:
        notes += load_state(checkpoint, state, config, inputs)
        step, steps = state.counters.step, config.training.steps
        notes.append(f"resuming from step {step} of {steps} ({checkpoint.parent})")
    return state, notes


def initial_model(config: LatteConfig, table: ModelTable, seed: int) -> tuple[Latte, list[str]]:
    """A network with the seed's random weights, filled from a file where the table names one.

    Returns:
        The network, and notes on what was taken from the file.

    Raises:
        InputError: the file is missing, damaged, or of another network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Latte(config)
    if table.initialise_from is None:
        return model, []
    path = Path(table.initialise_from)
    source = load_initial(path, config.num_heads)
    if not isinstance(source, Checkpoint):
        return model, initialise_from_dit(model, source, blocks=table.dit_blocks)
    for field in ("variant", "num_heads"):  # names and shapes do not show them
        theirs, ours = getattr(source.config, field), getattr(config, field)
        if theirs != ours:
            raise InputError(f"{path}: has {field} {theirs}, but the model of this run has {ours}")
    weights, notes = _fitted(source.state_dict, model.state_dict())
    check_same(weights, model.state_dict(), str(path), "a checkpoint of the same [model] table")
    model.load_state_dict(weights)
    all_taken = "all weights taken" if not notes else f"weights taken; {'; '.join(notes)}"
    return model, [f"{path}: {all_taken}"]


def _fitted(
    theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], list[str]]:
    """Weights of clips of other sizes, lengths or classes, with what is not theirs of them."""
    weights, notes = dict(theirs), []
    for name, what in (("pos_embed", "places in a frame"), ("temp_embed", "frames")):
        if name in theirs and name in ours and theirs[name].shape != ours[name].shape:
            weights[name] = ours[name]  # sines and cosines, of any number
            counts = ours[name].shape[1], theirs[name].shape[1]
            notes.append(f"positions computed for {counts[0]} {what} (it has {counts[1]})")
    here, there = ours.get(LABELS), theirs.get(LABELS)
    if there is not None and (here is None or here.shape != there.shape):
        del weights[LABELS]
        notes.append(f"its labels of {len(there) - 1} classes dropped")
    if here is not None and LABELS not in weights:
        weights[LABELS] = torch.zeros_like(here)
        notes.append(f"those of {len(here) - 1} classes are zero at first")
    return weights, notes


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
        skip_broken=config.data.skip_broken,
    )
    videos = training_set.videos
    if group.world_size > 1:
        cache.open(replace(videos, videos=videos.videos[group.rank :: group.world_size]))
        group.wait()
    return cache.open(videos)
