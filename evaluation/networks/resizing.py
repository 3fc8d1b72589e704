"""How FID's reference codes bring frames to the network's 299×299 pixels.

The choice moves FID more than most differences between models (Parmar et al., 2022, "On Aliased
Resizing and Surprising Subtleties in GAN Evaluation"): of the three, only `clean_resize` filters
before it drops pixels. None keeps the aspect.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional


def clean_resize(frames: NDArray[np.uint8], size: int = 299) -> NDArray[np.float32]:
    """Frames uint8 (n, H, W, 3) → float32 (n, size, size, 3), cut to 0 … 255, not rounded.

    Pillow's antialiased bicubic filter on each channel in float32; bit for bit clean-fid's
    resizing with mode "clean".
    """
    resized = np.empty((len(frames), size, size, 3), dtype=np.float32)
    for index, frame in enumerate(frames):
        for channel in range(3):
            image = Image.fromarray(np.ascontiguousarray(frame[..., channel], dtype=np.float32))
            resized[index, ..., channel] = image.resize((size, size), Image.Resampling.BICUBIC)
    return resized.clip(0, 255, out=resized)


def tf1_bilinear(frames: Tensor, size: int = 299) -> Tensor:
    """Frames float32 (n, C, H, W) → (n, C, size, size), as TensorFlow 1 resizes images.

    Pixel i of the result is read at i · H / size of the original, without half-pixel centres and
    without antialiasing (tensorflow/core/kernels/resize_bilinear_op.cc). StyleGAN's TorchScript
    file samples at the same places through a grid, which rounds them otherwise: on noise of 0 to
    255 the two differ by 0.006 at 256×256 and by 0.024 at 1024×1024.
    """
    above, below, down = _neighbours(frames.shape[-2], size, frames.device)
    left, right, across = _neighbours(frames.shape[-1], size, frames.device)
    first, second = frames[..., above, :], frames[..., below, :]
    first = first[..., left] + (first[..., right] - first[..., left]) * across
    second = second[..., left] + (second[..., right] - second[..., left]) * across
    return first + (second - first) * down[:, None]


def torch_bilinear(frames: Tensor, size: int = 299) -> Tensor:
    """Frames float32 (n, C, H, W) → (n, C, size, size), as pytorch-fid resizes them.

    Half-pixel centres, no antialiasing; bit for bit clean-fid's resizing with mode
    "legacy_pytorch".
    """
    return functional.interpolate(
        frames.contiguous(), size=(size, size), mode="bilinear", align_corners=False
    ).clamp(0, 255)


def _neighbours(old: int, new: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The two pixels around each place that is read, and the weight of the second: each (new,)."""
    # In float32 as in TensorFlow's kernel, whose rounding decides the last bits.
    places = torch.arange(new, dtype=torch.float32) * torch.tensor(old / new, dtype=torch.float32)
    lower = places.long()
    upper = (lower + 1).clamp(max=old - 1)
    return lower.to(device), upper.to(device), (places - lower).to(device)
