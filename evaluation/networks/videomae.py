"""VideoMAE-v2: the self-supervised video transformer behind content-debiased FVD."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evaluation.networks import files
from evaluation.networks.equivalence import OWN
from evaluation.networks.resizing import bilinear
from evaluation.networks.spec import Implementation, NetworkSpec, OpenedFile

NORM_EPSILON = 1e-6
HEAD = ".head."  # the classifier, which gives no features
CHECKPOINT_KEYS = ("model", "module")  # a training checkpoint's state dict is under one of them


@dataclass(frozen=True, kw_only=True)
class VideoMAEConfig:
    """Sizes of the network. By default those of the giant with 1.01 billion parameters."""

    width: int = 1408
    depth: int = 40  # blocks
    num_heads: int = 16
    mlp_width: int = 6144  # 1408 · 48/11
    patch_size: int = 14  # pixels
    tubelet_size: int = 2  # frames
    num_frames: int = 16
    frame_size: int = 224  # pixels

    @property
    def num_tokens(self) -> int:
        """Patches of a clip: 8 · 16 · 16 in the giant."""
        return (self.num_frames // self.tubelet_size) * (self.frame_size // self.patch_size) ** 2


class VideoMAE(nn.Module):
    """Vision transformer over patches of space and time (Wang et al., 2023).

    in      (N, 3, 16, 224, 224) float32 in [0, 1]
    out     (N, 1408) float32: the mean over all tokens, normalised
    source  OpenGVLab/VideoMAEv2 `vit_giant_patch14_224`, as cd-fvd runs it (`forward_features`,
            mean pooling); parameters named as in vit_g_hybrid_pt_1200e_ssv2_ft.pth, without `head`

    For inference alone: no dropout, no stochastic depth, in evaluation mode from the start.
    """

    positions: Tensor

    def __init__(self, config: VideoMAEConfig | None = None) -> None:
        super().__init__()
        config = config or VideoMAEConfig()
        self.config = config
        self.patch_embed = PatchEmbedding(config)
        self.blocks = nn.ModuleList(VideoMAEBlock(config) for _ in range(config.depth))
        self.fc_norm = nn.LayerNorm(config.width, eps=NORM_EPSILON)
        table = position_table(config.num_tokens, config.width)
        self.register_buffer("positions", table, persistent=False)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x) + self.positions  # (N, L, D)
        for block in self.blocks:
            x = block(x)
        return self.fc_norm(x.mean(dim=1))  # (N, D)


class PatchEmbedding(nn.Module):
    """(N, 3, T, H, W) → (N, L, D): a linear map of each patch, time first, then rows."""

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__()
        patch = (config.tubelet_size, config.patch_size, config.patch_size)
        self.proj = nn.Conv3d(3, config.width, kernel_size=patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class VideoMAEBlock(nn.Module):
    """Attention and MLP, each after a layer norm and around a residual."""

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=NORM_EPSILON)
        self.attn = VideoMAEAttention(config)
        self.norm2 = nn.LayerNorm(config.width, eps=NORM_EPSILON)
        self.mlp = VideoMAEMlp(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VideoMAEAttention(nn.Module):
    """Self-attention over all tokens. Queries and values have a bias, keys have none."""

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.q_bias = nn.Parameter(torch.zeros(config.width))
        self.v_bias = nn.Parameter(torch.zeros(config.width))
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = functional.linear(x, self.qkv.weight, bias)  # (N, L, 3·D)
        q, k, v = qkv.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (N, h, L, d)
        attended = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(attended.transpose(1, 2).flatten(2))  # (N, L, D)


class VideoMAEMlp(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, config: VideoMAEConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.mlp_width)
        self.fc2 = nn.Linear(config.mlp_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


def position_table(num_tokens: int, width: int) -> Tensor:
    """Fixed positions (1, L, D) float32: sines in the even columns, cosines in the odd ones.

    Column j turns with frequency 10000^(−2⌊j/2⌋/D) (Vaswani et al., 2017, section 3.5), made in
    float64. Tokens are counted through time and space alike.
    """
    frequencies = np.power(10000.0, 2 * (np.arange(width) // 2) / width)
    table = np.arange(num_tokens)[:, None] / frequencies
    table[:, 0::2] = np.sin(table[:, 0::2])
    table[:, 1::2] = np.cos(table[:, 1::2])
    return torch.from_numpy(table[None].astype(np.float32))


def preprocess(clips: Tensor, frame_size: int = 224) -> Tensor:
    """uint8 (N, T, H, W, 3) → float32 (N, 3, T, 224, 224) in [0, 1].

    Bilinear, without antialiasing and without keeping the aspect. Mean and deviation of a data set
    are not taken out, as cd-fvd does not.
    """
    x = clips.permute(0, 1, 4, 2, 3).to(torch.float32) / 255  # (N, T, 3, H, W)
    return bilinear(x, (frame_size, frame_size)).transpose(1, 2).contiguous()


def open_videomae(
    spec: NetworkSpec, path: Path, device: torch.device, *, config: VideoMAEConfig | None = None
) -> OpenedFile:
    """VideoMAE-v2 with the weights of a file: the public checkpoint, a state dict or safetensors.

    It runs on uint8 (n, 16, H, W, 3) and gives float32 (n, 1408). The giant's file has
    4 GB; its tensors become the network's own, so that memory holds them once.

    Raises:
        InputError: the file is not one of these, damaged, or of another network.
    """
    tensors = files.read_state_dict(path, inside=CHECKPOINT_KEYS)
    tensors = {name: part for name, part in tensors.items() if HEAD not in f".{name}"}
    with torch.device("meta"):  # shapes alone: no memory, and no random weights to make
        model = VideoMAE(config)
    files.fill(model, tensors, path)
    model = model.to(device).requires_grad_(False)
    size = model.config.frame_size
    return OpenedFile(
        reference=Implementation(
            name=OWN, make=lambda: lambda clips: model(preprocess(clips, size))
        )
    )
