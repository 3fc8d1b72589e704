"""How reference codes bring frames to a network's own size.

The choice changes FID more than most differences between models do (Parmar et al., 2022, "On
Aliased Resizing and Surprising Subtleties in GAN Evaluation"): of FID's three, only "clean" filters
before it drops pixels. None keeps the aspect.
"""

import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from cleanfid.resize import build_resizer
from torch import Tensor
from torch.nn import functional


@cache
def clean_fid_resizer(mode: str) -> Callable[[Tensor], Tensor]:
    """clean-fid's own resizing: uint8 (n, H, W, 3) → float32 (n, 299, 299, 3), cut to 0 … 255.

    Args:
        mode: "clean" (Pillow's antialiased bicubic filter on float channels, not rounded) or
            "legacy-pytorch" (torch's bilinear filter without antialiasing, half-pixel centres).
    """
    with warnings.catch_warnings():  # clean-fid silences every warning of the process here
        resizer = build_resizer(mode.replace("-", "_"))

    def resize(frames: Tensor) -> Tensor:
        resized = np.empty((len(frames), 299, 299, 3), dtype=np.float32)
        for index, frame in enumerate(frames.cpu().numpy()):
            resized[index] = resizer(frame)
        return torch.from_numpy(resized).to(frames.device)

    return resize


def bilinear(clips: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, T, C, H, W) → (N, T, C, *size), half-pixel centres, no antialiasing.

    Clips that have the size are returned unchanged.
    """
    if tuple(clips.shape[-2:]) == size:
        return clips
    frames = functional.interpolate(
        clips.flatten(0, 1), size=size, mode="bilinear", align_corners=False
    )
    return frames.unflatten(0, clips.shape[:2])


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


def _neighbours(old: int, new: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The two pixels around each place that is read, and the weight of the second: each (new,)."""
    # float32 as in TensorFlow's kernel, whose rounding decides the last bits.
    places = torch.arange(new, dtype=torch.float32) * torch.tensor(old / new, dtype=torch.float32)
    lower = places.long()
    upper = (lower + 1).clamp(max=old - 1)
    return lower.to(device), upper.to(device), (places - lower).to(device)
