"""Frames to the latents that a generator works on, and back.

Stable Diffusion's VAE, a linear map of patches for small videos, or nothing.

The generator never sees which: a pixel model works on the "latents" of the identity.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from latte.data.errors import InputError, nearest
from latte.patch_autoencoder import load_patches
from latte.vae_files import load_vae

AUTOENCODERS = ("identity", "patches", "sd-vae")
# Its encoder is that of Stable Diffusion 1; its decoder is the one of Latte's published samples
# (Vchitect/Latte b27c24a, sample/sample_ddp.py).
DEFAULT_VAE = "stabilityai/sd-vae-ft-ema"


class Autoencoder(Protocol):
    """Clips to latents and back. Arithmetic is without gradients; what comes out is float32."""

    @property
    def name(self) -> str:
        """Of AUTOENCODERS."""

    @property
    def factor(self) -> int:
        """Pixels along one side of a latent."""

    @property
    def channels(self) -> int:
        """Of the latents."""

    @property
    def scale(self) -> float:
        """What the encoder's output was multiplied with to make latents."""

    @property
    def identity(self) -> str:
        """Hash of all that decides what the encoder gives, but the kind of device."""

    @property
    def digest(self) -> str | None:
        """Hash of all its weights and scales, whatever type and device compute; None without.

        The samples of a model rest on it; `identity` leaves a decoder out.
        """

    @property
    def cacheable(self) -> bool:
        """Whether encoding costs enough to keep what it gives."""

    def encode(self, clips: Tensor, noise: Tensor | None = None) -> Tensor:
        """Latents (N, F, C, h, w) of clips (N, F, 3, H, W) in [-1, 1].

        `noise`, standard normal (N, F, C, h, w), makes them a draw of the encoder's distribution;
        without it they are its mean.

        Raises:
            InputError: the frames do not divide into latents.
        """

    def encode_moments(self, clips: Tensor) -> Tensor:
        """Mean and, after it, standard deviation of the latents: (N, F, 2C, h, w)."""

    def draw(self, moments: Tensor, noise: Tensor | None = None) -> Tensor:
        """Latents of moments: the function `draw`. encode = draw ∘ encode_moments."""

    def decode(self, latents: Tensor) -> Tensor:
        """Clips (N, F, 3, H, W), about in [-1, 1], of latents (N, F, C, h, w)."""


def open_autoencoder(
    name: str,
    path: str | Path | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    slice_frames: int = 8,
) -> Autoencoder:
    """The autoencoder of this name, ready to use.

    Args:
        name: "identity" (the latents are the frames), "patches" (`latte.patch_autoencoder`) or
            "sd-vae".
        path: of patches: a file, by default the one that comes with the package.
            Of the VAE: a folder, or "owner/repository" of the Hugging Face hub, with the folder
            in it where there is one ("maxin-cn/Latte/vae"); default `DEFAULT_VAE`.
        device: where the VAE works, and where its results are.
        dtype: what the VAE computes in: float32, float16 or bfloat16.
        slice_frames: frames that the VAE sees at a time on a GPU; always one on the CPU, where the
            number would move the last bits. It is for memory: on a GPU it moves the last bits too,
            but the number of clips in a batch never does.

    Raises:
        InputError: an unknown name, diffusers is missing, or there is no usable VAE at `path`.
    """
    if name == "identity":
        if path is not None:
            raise InputError(f"autoencoder identity: has no weights, but {path} is given; omit it")
        return IdentityAutoencoder()
    if name == "patches":
        return load_patches(None if path is None else Path(path), device=device)
    if name != "sd-vae":
        raise InputError(f"no autoencoder is called {name!r}: {nearest(name, AUTOENCODERS)}")
    if slice_frames < 1:
        raise InputError(f"slice_frames = {slice_frames}: give a number of frames of at least 1")
    model, encoder, decoder = load_vae(DEFAULT_VAE if path is None else path)
    device = torch.device(device)
    return StableDiffusionVAE(
        # diffusers' own `to` warns of what does not concern this network.
        model=nn.Module.to(model, device, dtype),
        device=device,
        dtype=dtype,
        slice_frames=slice_frames,
        encoder_digest=encoder,
        decoder_digest=decoder,
    )


def lasting_path(path: str) -> str:
    """A path as another file may name it: absolute if something is there, else as it is.

    What is not here may be a name on the Hugging Face hub.
    """
    here = Path(path).expanduser()
    return str(here.resolve()) if here.exists() else path


def draw(moments: Tensor, noise: Tensor | None = None) -> Tensor:
    """Latents (…, C, h, w) from moments (…, 2C, h, w) and standard normal noise; None: the mean.

    `encode(clips, noise)` is `draw(encode_moments(clips), noise)`.
    """
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
            "overflowed; use a checkpoint of an earlier step, or fp32"
        )
    levels = ((values * 0.5 + 0.5) * 255 + 0.5).clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.movedim(-3, -1).cpu().numpy())


def from_uint8(clips: np.ndarray | Tensor) -> Tensor:
    """uint8 (…, H, W, 3) as float32 (…, 3, H, W) in [-1, 1]."""
    if isinstance(clips, np.ndarray):
        clips = torch.from_numpy(np.array(clips))  # a copy: of a mirrored or read-only view as well
    return clips.movedim(-1, -3).float() / 127.5 - 1


def in_slices(function: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> Tensor:
    """The function on rows (M, …), always `size` rows at a call: the last call is filled with 0.

    So a row's result does not depend on how many rows there are.
    """
    results = []
    for part in rows.split(size):
        padding = part.new_zeros(size - len(part), *part.shape[1:])
        results.append(function(torch.cat([part, padding]))[: len(part)])
    return torch.cat(results)


@dataclass(frozen=True, kw_only=True)
class IdentityAutoencoder:
    """The latents are the frames. See `Autoencoder`."""

    name: str = "identity"
    factor: int = 1
    channels: int = 3
    scale: float = 1.0
    identity: str = "identity"
    digest: None = None
    cacheable: bool = False

    def encode(self, clips: Tensor, noise: Tensor | None = None) -> Tensor:
        """The clips, float32: their distribution has no width, whatever the noise."""
        return clips.float()

    def encode_moments(self, clips: Tensor) -> Tensor:
        frames = clips.float()
        return torch.cat([frames, torch.zeros_like(frames)], dim=2)

    def draw(self, moments: Tensor, noise: Tensor | None = None) -> Tensor:
        return draw(moments, noise)

    def decode(self, latents: Tensor) -> Tensor:
        return latents.float()


@dataclass(frozen=True, kw_only=True)
class StableDiffusionVAE:
    """diffusers' AutoencoderKL, a few frames at a time. See `Autoencoder`.

    Latents are (z − shift) · scale of the encoder's z: about of variance 1. Shift is 0 in Stable
    Diffusion; scale is 0.18215 where the configuration does not say another.
    """

    model: Any  # diffusers.AutoencoderKL, on the device and in the dtype
    device: torch.device
    dtype: torch.dtype
    slice_frames: int
    encoder_digest: str  # of the encoder's weights
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

    def encode(self, clips: Tensor, noise: Tensor | None = None) -> Tensor:
        return draw(self.encode_moments(clips), noise)

    def encode_moments(self, clips: Tensor) -> Tensor:
        height, width = clips.shape[-2:]
        if height % self.factor or width % self.factor:
            raise InputError(
                f"frames of {width}×{height} pixels: the autoencoder makes one latent of "
                f"{self.factor}×{self.factor}; give a size that is a multiple of {self.factor}"
            )
        return self._frame_by_frame(self._moments, clips)

    def draw(self, moments: Tensor, noise: Tensor | None = None) -> Tensor:
        return draw(moments, noise)

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

        size = 1 if self.device.type == "cpu" else self.slice_frames
        # A caller's autocast must not change what `dtype` says.
        with torch.autocast(self.device.type, enabled=False):
            return in_slices(run, clips.flatten(0, 1), size).unflatten(0, clips.shape[:2])
