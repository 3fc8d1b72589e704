"""Checkpoints of a run: weights to sample from, and everything needed to resume.

    checkpoints/<step>/ema.safetensors     averaged weights, as `latte sample` reads them
    checkpoints/<step>/state.safetensors   weights, averages, AdamW's moments, counters

A sample's randomness follows from the seed and its number (`latte.training.data`), so the counters
are all there is of random states and of the position in the data.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latte.data.errors import InputError
from latte.data.files import atomic_path
from latte.data.schema import decode_json
from latte.data.tensor_files import check_same, read_safetensors, write_safetensors
from latte.model import Latte
from latte.model.checkpoints import CheckpointSettings, save_checkpoint
from latte.training.config import TrainConfig, TrainingTable

FORMAT = "latte-eval training state 1"


@dataclass(kw_only=True)
class Counters:
    """How far a run is."""

    step: int = 0
    samples: int = 0  # clips seen by all processes together
    seconds: float = 0.0  # training time of all sessions
    # Sums since the last line of the log: passes, loss, mse, vb, gradient norm.
    window: list[float] = field(default_factory=lambda: [0.0] * 5)


@dataclass(frozen=True, kw_only=True)
class TrainState:
    """All that changes while a network is trained."""

    model: Latte
    averages: dict[str, Tensor]  # averaged parameters, by name
    optimizer: torch.optim.AdamW
    counters: Counters

    def ema_state_dict(self) -> dict[str, Tensor]:
        """The averaged weights and the position tables, as `Latte.load_state_dict` takes them."""
        return {**self.model.state_dict(), **self.averages}


@dataclass(frozen=True, kw_only=True)
class RunInputs:
    """What the weights of a run depend on besides its configuration."""

    processes: int = 1
    videos: str | None = None  # `TrainingSet.digest`; None: not known
    autoencoder: str | None = None  # `Autoencoder.digest`; None: it has no weights


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """Header of a state's file."""

    config: TrainConfig
    inputs: RunInputs
    counters: Counters


def new_state(model: Latte, table: TrainingTable) -> TrainState:
    """The state before the first step."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=table.learning_rate, weight_decay=table.weight_decay, fused=True
    )
    # Every parameter's moments, as AdamW's first step would make them: to save and to load into.
    for parameter in model.parameters():
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    averages = {name: value.detach().clone() for name, value in model.named_parameters()}
    return TrainState(model=model, averages=averages, optimizer=optimizer, counters=Counters())


def save_state(
    folder: Path,
    state: TrainState,
    config: TrainConfig,
    settings: CheckpointSettings,
    inputs: RunInputs,
) -> Path:
    """Write one checkpoint below `folder`; it appears complete or not at all."""
    final = folder / f"{state.counters.step:07d}"
    # Durable: the checkpoint before it may be deleted then.
    with atomic_path(final, durable=True) as partial:
        save_checkpoint(
            partial / "ema.safetensors", state.model.config, state.ema_state_dict(), settings
        )
        run = StoredRun(config=config, inputs=inputs, counters=state.counters)
        metadata = {"format": FORMAT, "run": json.dumps(asdict(run))}
        tensors = {name: tensor.cpu() for name, tensor in _tensors(state).items()}
        write_safetensors(partial / "state.safetensors", tensors, metadata)
    return final


def load_state(path: Path, state: TrainState, config: TrainConfig, now: RunInputs) -> list[str]:
    """Put a checkpoint's `state.safetensors` into a new run.

    Returns:
        Notes on what is not as it was when the run began.

    Raises:
        InputError: the file is damaged, of a run with another configuration, or further than the
            run is to go.
    """
    stored, metadata = read_safetensors(path, _way_on(path, config))
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path}: not a training state of this version")
    before = decode_json(metadata.get("run", ""), StoredRun, str(path))
    _check_continuation(path, before, config, now)
    own = _tensors(state)
    what = "a state of this network (give the data that the run began with, or another --out)"
    check_same(stored, own, str(path), what)
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(stored[name])
    for name, value in asdict(before.counters).items():
        setattr(state.counters, name, value)
    processes = before.inputs.processes
    clips = clips_per_step(before.config.training, processes)
    clips_now = clips_per_step(config.training, now.processes)
    if clips == clips_now:
        return []
    had = f"{clips} clips in {processes} process{'es' * (processes > 1)}"
    return [f"a step had {had}, from here on it has {clips_now} in {now.processes}"]


def _check_continuation(path: Path, before: StoredRun, config: TrainConfig, now: RunInputs) -> None:
    """Refuse to continue as another run, or to a step that it has passed."""
    changed = changed_fields(before.config, config, before=before.inputs, now=now)
    if changed:
        otherwise = (f"{name} was {was!r}, is {value!r}" for name, (was, value) in changed.items())
        raise InputError(
            f"{path.parent}: the run began otherwise ({', '.join(otherwise)}): give what it began "
            "with, or another --out"
        )
    step, steps = before.counters.step, config.training.steps
    if step > steps:
        raise InputError(
            f"{path.parent}: the run has done {step} steps, more than training.steps = {steps}: "
            f"give at least {step}, or another --out"
        )


def changed_fields(
    old: TrainConfig,
    new: TrainConfig,
    *,
    before: RunInputs = RunInputs(),
    now: RunInputs = RunInputs(),
) -> dict[str, tuple[Any, Any]]:
    """What affects the weights and is not as when the run began: (was, is) of each field.

    Videos and autoencoder are compared by their digests, and may then lie elsewhere; where a digest
    is not known, by their paths.
    """
    # These affect the weights no more than another machine does.
    free = {"training.compile", "training.checkpoint_activations", "data.skip_broken"}
    if new.training.decay == "constant":
        free.add("training.steps")
    clips = clips_per_step(old.training, before.processes)
    if clips == clips_per_step(new.training, now.processes):
        free |= {"training.batch_size", "training.accumulate"}
    if None not in (before.videos, now.videos):
        free.add("data.dataset")
    if None not in (before.autoencoder, now.autoencoder):
        free.add("autoencoder.path")
    if (old.autoencoder.cache is None) == (new.autoencoder.cache is None):
        free.add("autoencoder.cache")
    past = asdict(old)
    changed = {
        f"{section}.{name}": (past[section][name], value)
        for section, table in asdict(new).items()
        for name, value in table.items()
        if section != "output" and past[section][name] != value and f"{section}.{name}" not in free
    }
    digests = {"autoencoder": (before.autoencoder, now.autoencoder)}
    # Other fields of [data] choose other videos: those are named then.
    if not any(name.startswith("data.") for name in changed):
        digests = {"videos": (before.videos, now.videos), **digests}
    for name, (was, value) in digests.items():
        if was and value and was != value:
            changed[f"digest of the {name}"] = (was[:8], value[:8])
    return changed


def clips_per_step(training: TrainingTable, processes: int) -> int:
    """The batch of all processes together."""
    return training.batch_size * training.accumulate * processes


def latest_state(folder: Path, config: TrainConfig) -> Path | None:
    """The newest checkpoint that can be trained on; None where a run has yet to begin.

    Raises:
        InputError: there are weights of a run, but nothing to resume from.
    """
    states = _files(folder, "state.safetensors")
    if states:
        return states[-1]
    if weights := _files(folder, "ema.safetensors"):
        raise InputError(
            f"{folder}: the run has weights of step {_step(weights[-1])}, but no state.safetensors "
            f"to resume from, so {_another_run(folder, config)}"
        )
    return None


def drop_old_states(folder: Path, keep: int) -> None:
    """Keep the last few states; weights to sample from stay."""
    for path in _files(folder, "state.safetensors")[:-keep]:
        path.unlink()


def _tensors(state: TrainState) -> dict[str, Tensor]:
    """What the file holds, sharing the memory of the state."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in state.model.named_parameters():
        tensors[f"model/{name}"] = parameter.detach()
        tensors[f"ema/{name}"] = state.averages[name]
        for key, value in state.optimizer.state[parameter].items():
            tensors[f"{key}/{name}"] = value
    return tensors


def _way_on(path: Path, config: TrainConfig) -> str:
    """Advice where this state cannot be used."""
    folder = path.parents[1]
    others = [other for other in _files(folder, path.name) if other != path]
    if others:
        return f"delete its folder to resume from step {_step(others[-1])}"
    return f"there is no other to resume from, so {_another_run(folder, config)}"


def _another_run(folder: Path, config: TrainConfig) -> str:
    weights = _files(folder, "ema.safetensors")
    if not weights or config.model.conditioning == "all-tokens":  # it cannot begin with a file
        return "begin another run with --out"
    return f"begin another run with --out and model.initialise_from={weights[-1]}"


def _files(folder: Path, name: str) -> list[Path]:
    """Files of this name in all checkpoints, the oldest first."""
    return sorted(folder.glob(f"[0-9]*/{name}"), key=_step)


def _step(path: Path) -> int:
    return int(path.parent.name)
