"""Stable Diffusion's VAE as an autoencoder of videos, a few frames at a time."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latte.autoencoder.base import Autoencoder
from latte.data.errors import InputError

# Frames that the VAE sees at a time on a GPU; one on the CPU. The number changes the last bits, the
# number of clips in a batch never does.
SLICE_FRAMES = 8


@dataclass(frozen=True, kw_only=True)
class StableDiffusionVAE(Autoencoder):
    """diffusers' AutoencoderKL, a few frames at a time. See `Autoencoder`.

    Latents are (z − shift) · scale of the encoder's z: about of variance 1. Shift is 0 in Stable
    Diffusion; scale is 0.18215 where the configuration does not say another.
    """

    model: Any  # diffusers.AutoencoderKL, on the device and in the dtype
    device: torch.device
    dtype: torch.dtype
    encoder_digest: str  # hash of the encoder's weights
    decoder_digest: str
    name: str = "sd-vae"
    cacheable: bool = True

    @property
    def factor(self) -> int:
        return int(2 ** (len(self.model.config.block_out_channels) - 1))

    @property
    def channels(self) -> int:
        return int(self.model.config.latent_channels)

    @property
    def scale(self) -> float:
        return float(self.model.config.scaling_factor)

    @property
    def shift(self) -> float:
        return float(self.model.config.shift_factor or 0)

    @property
    def identity(self) -> str:
        return self._hash(self.scale, self.shift, str(self.dtype))

    @property
    def digest(self) -> str:
        return self._hash(self.scale, self.shift, self.decoder_digest)

    def _hash(self, *more: object) -> str:
        """Over the encoder, what the weights do not say of the network, and `more`."""
        config = self.model.config
        made_by = (self.name, self.encoder_digest, config.act_fn, config.norm_num_groups)
        return hashlib.sha256(json.dumps([*made_by, *more]).encode()).hexdigest()

    def encode_moments(self, clips: Tensor) -> Tensor:
        height, width = clips.shape[-2:]
        if height % self.factor or width % self.factor:
            raise InputError(
                f"frames of {width}×{height} pixels: the autoencoder makes one latent of "
                f"{self.factor}×{self.factor}: give a size that is a multiple of {self.factor}"
            )
        return self._frame_by_frame(self._moments, clips)

    def decode(self, latents: Tensor) -> Tensor:
        return self._frame_by_frame(self._frames, latents.float() / self.scale + self.shift)

    def _moments(self, frames: Tensor) -> Tensor:
        distribution = self.model.encode(frames).latent_dist
        # The exponential of the logarithm in float32, whatever the VAE's dtype.
        deviation = (0.5 * distribution.logvar.float()).exp()
        mean = distribution.mean.float() - self.shift
        return torch.cat([mean, deviation], dim=1) * self.scale

    def _frames(self, latents: Tensor) -> Tensor:
        frames: Tensor = self.model.decode(latents).sample
        return frames

    @torch.no_grad()
    def _frame_by_frame(self, function: Callable[[Tensor], Tensor], clips: Tensor) -> Tensor:
        """The function of frames on clips (N, F, …)."""

        def run(frames: Tensor) -> Tensor:
            return function(frames.to(self.device, self.dtype)).float()

        size = 1 if self.device.type == "cpu" else SLICE_FRAMES
        # A caller's autocast must not change what `dtype` says.
        with torch.autocast(self.device.type, enabled=False):
            return in_slices(run, clips.flatten(0, 1), size).unflatten(0, clips.shape[:2])


def in_slices(function: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> Tensor:
    """The function on rows (M, …), always `size` rows at a call: the last call is filled with 0.

    So a row's result does not depend on how many rows there are.
    """
    results = []
    for part in rows.split(size):
        padding = part.new_zeros(size - len(part), *part.shape[1:])
        results.append(function(torch.cat([part, padding]))[: len(part)])
    return torch.cat(results)
