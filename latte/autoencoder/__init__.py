"""Frames to the latents that a generator works on, and back.

Stable Diffusion's VAE, a linear map of patches for small videos, or the identity. The generator
does not know which: a pixel model works on the "latents" of the identity.
"""

from pathlib import Path

import torch

from latte.autoencoder.base import Autoencoder, IdentityAutoencoder, from_uint8, to_uint8
from latte.autoencoder.patches import load_patches
from latte.autoencoder.stable_diffusion import open_vae
from latte.data.errors import InputError, nearest

__all__ = [
    "AUTOENCODERS",
    "DEFAULT_VAE",
    "Autoencoder",
    "from_uint8",
    "lasting_path",
    "open_autoencoder",
    "to_uint8",
]

AUTOENCODERS = ("identity", "patches", "sd-vae")
# Its encoder is that of Stable Diffusion 1; its decoder is the one of Latte's published samples
# (Vchitect/Latte b27c24a, sample/sample_ddp.py).
DEFAULT_VAE = "stabilityai/sd-vae-ft-ema"


def open_autoencoder(
    name: str,
    path: str | Path | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Autoencoder:
    """The autoencoder of this name, ready to use.

    Args:
        name: "identity" (the latents are the frames), "patches" (`latte.autoencoder.patches`) or
            "sd-vae".
        path: of patches: a file, by default the one that comes with the package.
            Of the VAE: a folder, or "owner/repository" of the Hugging Face hub, with the folder
            in it where there is one ("maxin-cn/Latte/vae"); default `DEFAULT_VAE`.
        device: where the VAE works, and where its results are.
        dtype: what the VAE computes in: float32, float16 or bfloat16.

    Raises:
        InputError: an unknown name, diffusers is missing, or there is no usable VAE at `path`.
    """
    if name == "identity":
        if path is not None:
            raise InputError(f"autoencoder identity: has no weights, but {path} is given: omit it")
        return IdentityAutoencoder()
    if name == "patches":
        return load_patches(None if path is None else Path(path), device=device)
    if name != "sd-vae":
        raise InputError(f"no autoencoder is called {name!r}: {nearest(name, AUTOENCODERS)}")
    return open_vae(DEFAULT_VAE if path is None else path, torch.device(device), dtype)


def lasting_path(path: str) -> str:
    """A path as another file may name it: absolute if something is there, else as it is.

    What is not here may be a name on the Hugging Face hub.
    """
    local = Path(path).expanduser()
    return str(local.resolve()) if local.exists() else path
