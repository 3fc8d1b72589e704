"""Checkpoints of a run: weights to sample from, and all that is needed to go on.

    checkpoints/<step>/ema.safetensors     averaged weights, as `latte sample` reads them
    checkpoints/<step>/state.safetensors   weights, averages, AdamW's moments, counters

A sample's randomness follows from the seed and its number (`latte.training.data`), so the counters
are all there is of random states and of the position in the data.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from latte.data.errors import InputError, named
from latte.model import Latte
from latte.model.checkpoints import save_checkpoint
from latte.model.tensor_files import write_safetensors
from latte.training.config import TrainConfig, as_table, clips_per_step, differences

FORMAT = "latte-eval training state 1"
_PARTIAL = ".partial-"  # and the process id


@dataclass(kw_only=True)
class Counters:
    """How far a run is."""

    step: int = 0
    samples: int = 0  # clips seen by all processes together
    seconds: float = 0.0  # of training, all sessions together
    # Sums since the last line of the log: passes, loss, mse, vb, gradient norm.
    window: list[float] = field(default_factory=lambda: [0.0] * 5)


@dataclass(frozen=True, kw_only=True)
class TrainState:
    """What changes while a network is trained."""

    model: Latte
    averages: dict[str, Tensor]  # of the parameters, by name
    optimizer: torch.optim.AdamW
    counters: Counters

    def ema_state_dict(self) -> dict[str, Tensor]:
        """The averaged weights and the position tables, as `Latte.load_state_dict` takes them."""
        return {**self.model.state_dict(), **self.averages}


def save_state(
    folder: Path,
    state: TrainState,
    config: TrainConfig,
    settings: Mapping[str, Any],
    processes: int = 1,
) -> Path:
    """Write one checkpoint below `folder`; it appears complete or not at all."""
    final = folder / f"{state.counters.step:07d}"
    partial = folder / f"{_PARTIAL}{os.getpid()}"
    try:
        with named(folder):
            for left_over in folder.glob(f"{_PARTIAL}*"):  # of a run that was killed
                shutil.rmtree(left_over)
            partial.mkdir(parents=True)
            save_checkpoint(
                partial / "ema.safetensors", state.model.config, state.ema_state_dict(), settings
            )
            metadata = {
                "format": FORMAT,
                "counters": json.dumps(asdict(state.counters)),
                "config": json.dumps(as_table(config)),
                "processes": str(processes),
            }
            tensors = {name: tensor.cpu() for name, tensor in _tensors(state).items()}
            write_safetensors(partial / "state.safetensors", tensors, metadata)
            for path in partial.iterdir():  # on the disk before the one before is deleted
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            shutil.rmtree(final, ignore_errors=True)
            partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def load_state(path: Path, state: TrainState, config: TrainConfig, processes: int = 1) -> list[str]:
    """Put a checkpoint's `state.safetensors` into a new run.

    Returns:
        Sentences: in what the run does not go on as it began.

    Raises:
        InputError: the file is damaged, or of a run with another configuration.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise InputError(f"{path}: not a training state of this version")
            before = json.loads(metadata["config"])
            old_processes = int(metadata.get("processes", 1))
            changed = differences(before, config, old_processes=old_processes, processes=processes)
            if changed:
                raise InputError(
                    f"{path.parent}: the run began otherwise ({'; '.join(changed)}); give what it "
                    "began with, or another --out"
                )
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); delete its folder to go on from the one before"
        ) from error
    wanted = _tensors(state)
    odd = stored.keys() ^ wanted.keys() or {
        name for name, tensor in stored.items() if tensor.shape != wanted[name].shape
    }
    if odd:
        raise InputError(
            f"{path}: is of another network ({min(odd)}): the data had other classes or sizes "
            "when the run began; give the same data, or another --out"
        )
    with torch.no_grad():
        for name, parameter in state.model.named_parameters():
            parameter.copy_(stored[f"model/{name}"])
            state.averages[name].copy_(stored[f"ema/{name}"])
            moments = state.optimizer.state[parameter]
            for key in ("exp_avg", "exp_avg_sq", "step"):
                moments[key].copy_(stored[f"{key}/{name}"])
    for name, value in json.loads(metadata["counters"]).items():
        setattr(state.counters, name, value)
    clips = clips_per_step(before["training"], old_processes)
    now = clips_per_step(as_table(config)["training"], processes)
    if clips == now:
        return []
    had = f"{clips} clips in {old_processes} process{'es' * (old_processes > 1)}"
    return [f"a step had {had}, from here on it has {now} in {processes}"]


def latest_state(folder: Path) -> Path | None:
    """The newest checkpoint that can be trained on."""
    found = sorted(folder.glob("[0-9]*/state.safetensors"), key=lambda path: int(path.parent.name))
    return found[-1] if found else None


def drop_old_states(folder: Path, keep: int) -> None:
    """Keep the last few states; weights to sample from stay."""
    found = sorted(folder.glob("[0-9]*/state.safetensors"), key=lambda path: int(path.parent.name))
    for path in found[:-keep]:
        path.unlink()


def start_optimizer(optimizer: torch.optim.AdamW, model: nn.Module) -> None:
    """Give every parameter its moments at once, as AdamW's first step would: there is then always
    something to save, and to load into."""
    for parameter in model.parameters():
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }


def _tensors(state: TrainState) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, parameter in state.model.named_parameters():
        tensors[f"model/{name}"] = parameter.detach().contiguous()
        tensors[f"ema/{name}"] = state.averages[name].contiguous()
        for key, value in state.optimizer.state[parameter].items():
            tensors[f"{key}/{name}"] = value.contiguous()
    return tensors
