"""A linear autoencoder: the principal components of square patches.

It brings small videos to latents where a convolutional autoencoder would be out of proportion: 24
of 192 numbers give 8×8 patches of the data set `shapes` back at 30 dB. It is one matrix, found in
seconds.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latte.autoencoder.base import Autoencoder
from latte.data.errors import InputError
from latte.data.tensor_files import is_safetensors, read_safetensors, write_safetensors

FORMAT = "latte-eval patches 1"
_TENSORS = ("components", "mean", "spread")  # a file holds these


class PatchAutoencoder(Autoencoder):
    """Patches (3·p·p) to their first C principal components and back. See `Autoencoder`.

    Latents have a mean of 0, and a mean square of 1 over all channels. A channel is scaled by the
    square root of its standard deviation: strong ones stay stronger, but not so much that noise
    drowns the others long before them.

    Args:
        components: (C, 3·p·p), orthonormal rows, the strongest first.
        mean: (3·p·p,).
        spread: (C,), what a latent of 1 stands for.
    """

    name = "patches"
    cacheable = False  # making them costs less than reading them

    def __init__(self, components: Tensor, mean: Tensor, spread: Tensor) -> None:
        self.components, self.mean, self.spread = components, mean, spread
        self.factor = round((len(mean) / 3) ** 0.5)
        self.channels = len(components)
        digest = hashlib.sha256()
        for tensor in (components, mean, spread):
            digest.update(tensor.cpu().numpy().tobytes())
        self.digest = digest.hexdigest()
        self.identity = f"patches {self.digest}"

    def encode_moments(self, clips: Tensor) -> Tensor:
        patches = F.pixel_unshuffle(clips.float(), self.factor).movedim(2, -1)  # (N, F, h, w, 3pp)
        latents = ((patches - self.mean) @ self.components.T / self.spread).movedim(-1, 2)
        return torch.cat([latents, torch.zeros_like(latents)], dim=2)

    def draw(self, moments: Tensor, noise: Tensor | None = None) -> Tensor:
        """The mean: the deviation is 0."""
        return moments.chunk(2, dim=-3)[0]

    def decode(self, latents: Tensor) -> Tensor:
        patches = latents.float().movedim(2, -1) * self.spread @ self.components + self.mean
        return F.pixel_shuffle(patches.movedim(-1, 2), self.factor)


def fit_patches(clips: Iterable[np.ndarray], *, patch_size: int, channels: int) -> PatchAutoencoder:
    """The principal components of the patches of clips, each uint8 (F, H, W, 3).

    Sums are float64. A component's sign is chosen so that its largest entry is positive.

    Raises:
        InputError: no clips, frames that patches do not fill, or more channels than there are.
    """
    size = 3 * patch_size**2
    if not 1 <= channels <= size:
        raise InputError(f"{channels} channels: a patch of {patch_size}×{patch_size} has {size}")
    count, total, squares = 0, np.zeros(size), np.zeros((size, size))
    for clip in clips:
        if clip.shape[1] % patch_size or clip.shape[2] % patch_size:
            raise InputError(
                f"frames of {clip.shape[2]}×{clip.shape[1]} are not made of patches of "
                f"{patch_size}×{patch_size}: choose another --patch-size"
            )
        frames = torch.from_numpy(clip).permute(0, 3, 1, 2).double() / 127.5 - 1
        patches = F.pixel_unshuffle(frames, patch_size).movedim(1, -1).reshape(-1, size).numpy()
        count += len(patches)
        total += patches.sum(axis=0)
        squares += patches.T @ patches
    if count < 2:
        raise InputError("no clips to find components of: give at least one")
    mean = total / count
    variances, vectors = np.linalg.eigh(squares / count - np.outer(mean, mean))
    components = vectors[:, ::-1][:, :channels].T
    peaks = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    deviations = np.sqrt(np.maximum(variances[::-1][:channels], 1e-12))
    spread = np.sqrt(deviations)
    spread *= np.sqrt(np.mean((deviations / spread) ** 2))
    return PatchAutoencoder(
        components=torch.from_numpy(components * np.sign(peaks)).float(),
        mean=torch.from_numpy(mean).float(),
        spread=torch.from_numpy(spread).float(),
    )


def save_patches(path: Path, autoencoder: PatchAutoencoder, made_from: str) -> None:
    """Write it as one safetensors file, with a note on what it was made from."""
    tensors = {name: getattr(autoencoder, name) for name in _TENSORS}
    write_safetensors(path, tensors, {"format": FORMAT, "made_from": made_from})


def load_patches(
    path: Path | None = None, *, device: torch.device | str = "cpu"
) -> PatchAutoencoder:
    """Read an autoencoder from a file; by default the bundled one of the data set `shapes`.

    Raises:
        InputError: the file is not there, damaged, or something else.
    """
    if path is None:
        path = Path(__file__).parents[1] / "assets" / "shapes_patches.safetensors"
    tensors, metadata = read_safetensors(path) if is_safetensors(path) else ({}, {})
    if metadata.get("format") != FORMAT or tensors.keys() != set(_TENSORS):
        raise InputError(f"{path}: not an autoencoder of patches: make one with `latte patches`")
    fits = tensors["components"].shape == (len(tensors["spread"]), len(tensors["mean"]))
    if not fits or not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise InputError(f"{path}: is damaged: make it again with `latte patches`")
    return PatchAutoencoder(**{name: tensor.to(device) for name, tensor in tensors.items()})
