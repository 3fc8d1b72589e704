"""Embeddings: patches to tokens and back, timesteps, labels and positions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TIMESTEP_WAVES = 256  # cosines and sines that stand for a timestep


class PatchEmbedder(nn.Module):
    """Patches to tokens: of each frame by themselves (ViT), or tubes over several (ViViT).

    Without `tube_size` the uniform-frame patch embedding, with it the compression-frame one, and
    in what follows F / tube_size frames.

    in      (N, F, C, H, W)
    out     (N, F, S, D), S = (H / patch_size) · (W / patch_size), row by row
    """

    def __init__(
        self, patch_size: int, in_channels: int, hidden_size: int, tube_size: int | None = None
    ) -> None:
        super().__init__()
        self.patch_size, self.tube_size = patch_size, tube_size or 1
        if tube_size is None:
            self.proj = nn.Conv2d(in_channels, hidden_size, patch_size, stride=patch_size)
        else:
            kernel = (tube_size, patch_size, patch_size)
            self.proj = nn.Conv3d(in_channels, hidden_size, kernel, stride=kernel)

    def forward(self, x: Tensor) -> Tensor:
        # A convolution whose windows do not overlap is one matrix product.
        patches = _fold_patches(x, self.patch_size, self.tube_size)  # (N, F, S, C·s·p·p)
        return F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)


def _fold_patches(x: Tensor, patch_size: int, tube_size: int) -> Tensor:
    """(N, F, C, H, W) → (N, F / s, S, C·s·p·p), each in the order of a convolution's weights."""
    n, f, c, height, width = x.shape
    s, p = tube_size, patch_size
    x = x.reshape(n, f // s, s, c, height // p, p, width // p, p)
    return x.permute(0, 1, 4, 6, 3, 2, 5, 7).reshape(n, f // s, -1, c * s * p * p)


def unfold_patches(tokens: Tensor, patch_size: int, channels: int) -> Tensor:
    """(N, F, S, p·p·C) → (N, F, C, H, W); channels come last within a patch, as in DiT's head."""
    n, f, s, _ = tokens.shape
    side, p = math.isqrt(s), patch_size
    x = tokens.reshape(n, f, side, side, p, p, channels)
    return x.permute(0, 1, 6, 2, 4, 3, 5).reshape(n, f, channels, side * p, side * p)


class TimestepEmbedder(nn.Module):
    """Timesteps (N,) → (N, D): cosines and sines of 128 frequencies, then an MLP."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(TIMESTEP_WAVES, hidden_size), nn.SiLU(), nn.Linear(hidden_size, hidden_size)
        )

    def forward(self, t: Tensor) -> Tensor:
        waves = timestep_waves(t, TIMESTEP_WAVES)
        return self.mlp(waves.to(self.mlp[0].weight.dtype))


def timestep_waves(t: Tensor, size: int) -> Tensor:
    """(N,) → float32 (N, size): cosines in the first half, sines in the second."""
    half = size // 2
    steps = torch.arange(half, dtype=torch.float32, device=t.device)
    angles = t[:, None].float() * torch.exp(-math.log(10_000.0) * steps / half)
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1)


class LabelEmbedder(nn.Module):
    """Classes (…,) → (…, D). The row after the last class stands for "no class"."""

    def __init__(self, num_classes: int, hidden_size: int) -> None:
        super().__init__()
        self.embedding_table = nn.Embedding(num_classes + 1, hidden_size)

    def forward(self, labels: Tensor) -> Tensor:
        return self.embedding_table(labels)


def sincos_1d(size: int, positions: Tensor) -> Tensor:
    """(M,) → float64 (M, size): sines in the first half, cosines in the second."""
    omega = torch.arange(size // 2, dtype=torch.float64) / (size / 2)
    angles = positions.double()[:, None] / 10_000.0**omega
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)


def frame_positions(size: int, num_frames: int) -> Tensor:
    """float32 (1, F, D): where a token is in time."""
    return sincos_1d(size, torch.arange(num_frames)).float()[None]


def patch_positions(size: int, side: int) -> Tensor:
    """float32 (1, side², D): where a token is in its frame, row by row.

    The first half of the channels says the column, the second the row (MAE's order, as in DiT).
    """
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    halves = [sincos_1d(size // 2, axis.flatten()) for axis in (columns, rows)]
    return torch.cat(halves, dim=1).float()[None]


def rotary_angles(
    head_size: int, num_frames: int, device: torch.device | str | None = None
) -> Tensor:
    """float32 (F, head_size / 2): by how much each pair of channels turns at each frame."""
    pairs = torch.arange(0, head_size, 2, dtype=torch.float32, device=device)
    omega = torch.exp(-math.log(10_000.0) / head_size * pairs)
    return torch.arange(num_frames, dtype=torch.float32, device=device)[:, None] * omega


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn pairs of channels (2i, 2i + 1) of x (…, F, d) by angles (F, d / 2) (RoFormer, eq. 34).

    The product of a rotated query and a rotated key depends on how far apart their frames are.
    """
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = torch.cos(angles), torch.sin(angles)  # at least float32: so are the products
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return turned.flatten(-2).to(x.dtype)
