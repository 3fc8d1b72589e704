"""The interface of autoencoders, frames to latents and back, and the identity."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from latte.data.errors import InputError


class Autoencoder(ABC):
    """Clips to latents and back. Arithmetic is without gradients; what comes out is float32."""

    name: str  # key of AUTOENCODERS
    factor: int  # pixels along one side of a latent
    channels: int  # channels of the latents
    identity: str  # hash of all that decides what the encoder gives, but the kind of device
    # Hash of all its weights and scales, whatever type and device compute; None without. The
    # samples of a model rest on it; `identity` leaves a decoder out.
    digest: str | None
    cacheable: bool  # whether encoding costs enough to keep what it gives

    @abstractmethod
    def encode_moments(self, clips: Tensor) -> Tensor:
        """Mean and, after it, standard deviation of the latents: (N, F, 2C, h, w).

        Raises:
            InputError: the frames do not divide into latents.
        """

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Clips (N, F, 3, H, W), about in [-1, 1], of latents (N, F, C, h, w)."""

    def encode(self, clips: Tensor, noise: Tensor | None = None) -> Tensor:
        """Latents (N, F, C, h, w) of clips (N, F, 3, H, W) in [-1, 1].

        `noise`, standard normal (N, F, C, h, w), makes them a draw of the encoder's distribution;
        without it they are its mean.
        """
        return self.draw(self.encode_moments(clips), noise)

    def draw(self, moments: Tensor, noise: Tensor | None = None) -> Tensor:
        """Latents (…, C, h, w) from moments (…, 2C, h, w) and noise, as `encode` takes it."""
        mean, deviation = moments.chunk(2, dim=-3)
        return mean if noise is None else mean + deviation * noise.to(mean.device)


def to_uint8(frames: Tensor) -> np.ndarray:
    """Frames (…, 3, H, W) in [-1, 1] as uint8 (…, H, W, 3), rounded half up.

    Raises:
        InputError: some are not finite: no picture may hide that a model has diverged.

    Source: Vchitect/Latte b27c24a, sample/sample.py.
    """
    values = frames.detach().float()
    if not values.isfinite().all():
        raise InputError(
            "the frames to be written are not finite: the model has diverged, or its arithmetic "
            "overflowed: use a checkpoint of an earlier step, or fp32"
        )
    levels = ((values * 0.5 + 0.5) * 255 + 0.5).clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.movedim(-3, -1).cpu().numpy())


def from_uint8(clips: np.ndarray | Tensor) -> Tensor:
    """uint8 (…, H, W, 3) as float32 (…, 3, H, W) in [-1, 1]."""
    if isinstance(clips, np.ndarray):
        clips = torch.from_numpy(np.array(clips))  # a copy: of a mirrored or read-only view as well
    return clips.movedim(-1, -3).float() / 127.5 - 1


class IdentityAutoencoder(Autoencoder):
    """The latents are the frames. See `Autoencoder`."""

    name = identity = "identity"
    factor, channels = 1, 3
    digest = None
    cacheable = False

    def encode_moments(self, clips: Tensor) -> Tensor:
        frames = clips.float()
        return torch.cat([frames, torch.zeros_like(frames)], dim=2)

    def decode(self, latents: Tensor) -> Tensor:
        return latents.float()
