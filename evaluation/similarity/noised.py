"""Clips → latents → noised latents at chosen timesteps. A clip's noise is a function of its number.

The generator's parts are known here by what they do, not by their types.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from latte.data.errors import InputError


class Encoder(Protocol):
    """What is needed of an autoencoder (`latte.autoencoder`)."""

    def encode(self, clips: Tensor, noise: Tensor | None = None) -> Tensor:
        """Latents (N, F, C, h, w) of clips (N, F, 3, H, W) in [−1, 1]: the mean without noise."""


class Noising(Protocol):
    """What is needed of a diffusion (`latte.diffusion.GaussianDiffusion`)."""

    @property
    def timesteps(self) -> Sequence[int]:
        """Its steps as the network knows them, ascending."""

    def q_sample(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t of x_0 at places t (N,) in `timesteps`."""


@dataclass(frozen=True, kw_only=True)
class NoisedBatch:
    """Clips at one timestep, as the network sees them."""

    timestep: int
    x: Tensor  # (N, F, C, h, w)
    t: Tensor  # (N,), the timestep
    y: Tensor | None  # (N,), classes


def clip_noise(seed: int, number: int, shape: Sequence[int]) -> Tensor:
    """The noise of clip `number`, and of no other: on the CPU, whatever the device.

    It is the same at all timesteps, so that a curve over them shows the timestep alone.
    """
    digest = hashlib.sha256(f"latte similarity {seed} {number}".encode()).digest()
    stream = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") % 2**63)
    return torch.randn(*shape, generator=stream)


def noised_batches(
    clips: Iterable[np.ndarray],
    labels: Iterable[int] | None,
    *,
    autoencoder: Encoder,
    diffusion: Noising,
    timesteps: Sequence[int],
    size: int,
    seed: int,
    device: torch.device,
) -> Iterator[tuple[int, Iterator[NoisedBatch]]]:
    """For `size` clips at a time their number, and one batch for each timestep.

    The last batch is filled up with its last clip, so every one has `size` clips.

    Args:
        clips: uint8 (F, H, W, 3) each.
        labels: a class for each; None of an unconditional model.

    Raises:
        InputError: a timestep that the diffusion does not have.
    """
    check_timesteps(timesteps, diffusion)
    places = {step: place for place, step in enumerate(diffusion.timesteps)}
    numbered = enumerate(clips)
    of_clips = None if labels is None else iter(labels)
    while batch := list(islice(numbered, size)):
        y = None
        if of_clips is not None:
            classes = list(islice(of_clips, len(batch)))
            if len(classes) < len(batch):
                raise ValueError("fewer labels than clips")
            y = _filled(torch.tensor(classes, device=device), size)
        frames = _filled(torch.from_numpy(np.stack([clip for _, clip in batch])), size)
        with torch.no_grad():
            x0 = autoencoder.encode(frames.to(device).movedim(-1, -3).float() / 127.5 - 1)
        noises = [clip_noise(seed, number, x0.shape[1:]) for number, _ in batch]
        noise = _filled(torch.stack(noises).to(device), size)

        def at_each_timestep(
            x0: Tensor = x0, noise: Tensor = noise, y: Tensor | None = y
        ) -> Iterator[NoisedBatch]:
            for step in timesteps:
                place = torch.full((size,), places[step], device=device)
                yield NoisedBatch(
                    timestep=step,
                    x=diffusion.q_sample(x0, place, noise),
                    t=torch.full((size,), step, device=device),
                    y=y,
                )

        yield len(batch), at_each_timestep()


def check_timesteps(timesteps: Sequence[int], diffusion: Noising) -> None:
    """Refuse timesteps that are none, or twice the same.

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


def _filled(rows: Tensor, size: int) -> Tensor:
    """The rows with the last repeated up to `size`."""
    return torch.cat([rows, rows[-1:].expand(size - len(rows), *rows.shape[1:])])
