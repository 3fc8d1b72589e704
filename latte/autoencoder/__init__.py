"""Frames to the latents that a generator works on, and back.

Stable Diffusion's VAE, a linear map of patches for small videos, or the identity. The generator
does not know which: a pixel model works on the "latents" of the identity.
"""

from latte.autoencoder.base import Autoencoder, draw, from_uint8, to_uint8
from latte.autoencoder.opening import AUTOENCODERS, DEFAULT_VAE, lasting_path, open_autoencoder

__all__ = [
    "AUTOENCODERS",
    "DEFAULT_VAE",
    "Autoencoder",
    "draw",
    "from_uint8",
    "lasting_path",
    "open_autoencoder",
    "to_uint8",
]
