"""Clips → latents → noised latents at given timesteps; a clip's noise follows from its number."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from latte.data.errors import InputError
from latte.data.hashing import hash64

TIMESTEPS = (100, 500, 900)  # little noise, half way, almost nothing but noise
Predict: TypeAlias = Callable[[nn.Module, Tensor, Tensor, Tensor | None], Any]
# A timestep, and what the network is called with: x (N, F, C, h, w), t (N,), classes (N,) or None.
Noised: TypeAlias = tuple[int, Tensor, Tensor, Tensor | None]


def _predict(model: nn.Module, x: Tensor, t: Tensor, y: Tensor | None) -> Any:
    return model(x, t) if y is None else model(x, t, y)


@dataclass(frozen=True, kw_only=True)
class Denoiser:
    """A network and what turns clips into its inputs."""

    model: nn.Module  # must be on `device`, in `eval` mode
    autoencoder: Any  # its `encode` gives latents (N, F, C, h, w)
    diffusion: Any  # has `timesteps` and `q_sample`
    device: torch.device | str = "cpu"
    num_frames: int | None = None  # frames of tokens; None: as the model's configuration says
    predict: Predict = _predict  # calls (model, x (N, F, C, h, w), t (N,), y (N,) or None)


def clip_noise(seed: int, number: int, shape: Sequence[int]) -> Tensor:
    """The noise of one clip, by its number; drawn on the CPU, whatever the device.

    It is the same at all timesteps, so that a curve over them shows the timestep alone.
    """
    stream = torch.Generator().manual_seed(hash64(f"latte similarity {seed} {number}") % 2**63)
    return torch.randn(*shape, generator=stream)


def noised_batches(
    clips: Iterable[np.ndarray],
    labels: Sequence[int] | None,
    denoiser: Denoiser,
    timesteps: Sequence[int],
    *,
    size: int,
    seed: int,
) -> Iterator[tuple[int, Iterator[Noised]]]:
    """For `size` clips at a time, their number and the network's input at each timestep.

    The last batch is filled up with its last clip, so every batch has `size` clips.

    Args:
        clips: uint8 (F, H, W, 3) each.
        labels: a class for each clip; None for an unconditional model.

    Raises:
        InputError: a timestep that the diffusion does not have.
    """
    diffusion, device = denoiser.diffusion, denoiser.device
    check_timesteps(timesteps, diffusion)
    places = {step: place for place, step in enumerate(diffusion.timesteps)}

    def at_each_timestep(x0: Tensor, noise: Tensor, y: Tensor | None) -> Iterator[Noised]:
        for step in timesteps:
            place = torch.full((size,), places[step], device=device)
            x = diffusion.q_sample(x0, place, noise)
            yield step, x, torch.full((size,), step, device=device), y

    numbered = enumerate(clips)
    while batch := list(islice(numbered, size)):
        filled = batch + batch[-1:] * (size - len(batch))
        numbers = [number for number, _ in filled]
        y = None
        if labels is not None:
            if len(labels) <= numbers[-1]:
                raise ValueError("fewer labels than clips")
            y = torch.tensor([labels[number] for number in numbers], device=device)
        frames = torch.from_numpy(np.stack([clip for _, clip in filled])).to(device)
        with torch.no_grad():
            x0 = denoiser.autoencoder.encode(frames.movedim(-1, -3).float() / 127.5 - 1)
        noise = torch.stack([clip_noise(seed, number, x0.shape[1:]) for number in numbers])
        yield len(batch), at_each_timestep(x0, noise.to(device), y)


def check_timesteps(timesteps: Sequence[int], diffusion: Any) -> None:
    """Refuse timesteps that the diffusion does not have, and repeated ones.

    Raises:
        InputError: naming the first.
    """
    steps = list(diffusion.timesteps)
    if not timesteps:
        raise InputError("no timesteps: give at least one, such as 500")
    for step in timesteps:
        if step not in set(steps):
            raise InputError(
                f"no timestep {step}: the diffusion has {len(steps)}, {steps[0]} … {steps[-1]}"
            )
    if len(set(timesteps)) < len(timesteps):
        raise InputError(f"timesteps {', '.join(map(str, timesteps))}: give each once")
