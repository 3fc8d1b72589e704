"""Transformer blocks: attention over space, over time, or over both, and an MLP.

Tokens are (N, F, S, D) throughout: F frames of S patches. A block that attends over time looks at
the same numbers along another axis; norms, MLPs and modulations see each token by itself.
"""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latte.config import LatteConfig
from latte.model.embeddings import rotate

Axis = Literal["space", "time"]
# Limit of torch's attention on CUDA: one side of its grid (pytorch/pytorch#142228).
MAX_ATTENTION_BATCH = 65_535


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The frames as attention over time sees them.

    In joint training the last frames are independent images. Without a mask they are left out of
    the attention over time ("only-video"); with one they see themselves alone ("temporal-mask").
    """

    num_frames: int  # frames of the video
    num_images: int = 0  # independent images after the frames
    angles: Tensor | None = None  # (F, head_size / 2), for rotary positions
    mask: Tensor | None = None  # bool (F, F): which frame sees which

    @property
    def leaves_images_out(self) -> bool:
        return self.num_images > 0 and self.mask is None


class Attention(nn.Module):
    """Multi-head self-attention (…, L, D) → (…, L, D), over the second last axis."""

    def __init__(self, hidden_size: int, num_heads: int, *, qkv_bias: bool = True) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size, bias=qkv_bias)
        self.proj = nn.Linear(hidden_size, hidden_size)

    def forward(
        self, x: Tensor, angles: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        length, width = x.shape[-2:]
        qkv = self.qkv(x).reshape(-1, length, 3, self.num_heads, width // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, L, head_size)
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        mixed = scaled_dot_product(q, k, v, mask)
        return self.proj(mixed.transpose(1, 2).reshape(x.shape))


def scaled_dot_product(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(q kᵀ / √d) v for q, k, v (B, heads, L, d), with torch's fused kernel.

    Where short sequences are trained on a CPU it is written out: the fused kernel's way back takes
    up to ten times as long there.
    """
    length = q.shape[2]
    if q.device.type == "cuda":
        return attention_in_parts(q, k, v, mask, MAX_ATTENTION_BATCH)
    if q.device.type != "cpu" or not q.requires_grad or length > 64:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return (
        scores.softmax(dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(v.dtype)
        @ v
    )


def attention_in_parts(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, largest: int
) -> Tensor:
    """torch's attention of q, k, v (B, heads, L, d), at most `largest` of the batch at a time.

    Attention over time has a batch of clips × patches: 64 clips of 32×32 patches are 65,536.
    """
    if len(q) <= largest:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    parts = zip(q.split(largest), k.split(largest), v.split(largest), strict=True)
    return torch.cat([F.scaled_dot_product_attention(*part, attn_mask=mask) for part in parts])


def attend_over_time(attention: Attention, x: Tensor, timeline: Timeline) -> Tensor:
    """(N, F, S, D) → (N, F, S, D): each position sees itself in other frames; 0 for images."""
    video = x[:, : timeline.num_frames] if timeline.leaves_images_out else x
    # Laid out (N, S, F, D): else the bias of qkv is added in a pass of its own.
    tokens = video.transpose(1, 2).contiguous()
    mixed = attention(tokens, timeline.angles, timeline.mask).transpose(1, 2)
    if timeline.leaves_images_out:
        mixed = F.pad(mixed, (0, 0, 0, 0, 0, timeline.num_images))
    return mixed


class Mlp(nn.Module):
    """Two linear layers on each token, the first one wider."""

    def __init__(self, hidden_size: int, mlp_ratio: float) -> None:
        super().__init__()
        wide = int(hidden_size * mlp_ratio)
        self.fc1 = nn.Linear(hidden_size, wide)
        self.fc2 = nn.Linear(wide, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class Modulation(nn.Sequential):
    """The condition (N, F or 1, D) → `parts` tensors (N, F or 1, 1, D), zero at first.

    Never rounded by autocast: 1 + γ would have steps of 2⁻⁷ in bfloat16.
    """

    def __init__(self, hidden_size: int, parts: int) -> None:
        super().__init__(nn.SiLU(), nn.Linear(hidden_size, parts * hidden_size))
        self.parts = parts

    def forward(self, condition: Tensor) -> tuple[Tensor, ...]:
        with full_precision(condition.device):
            modulation = super().forward(condition.to(self[1].weight.dtype))
        return modulation[:, :, None].chunk(self.parts, dim=-1)


class Block(nn.Module, ABC):
    """The common part of all variants' blocks: token mixing and an MLP, each on a residual.

    S-AdaLN (section 3.3.2): γ and β, from the condition, act on the normalised tokens, and α on
    what is added to the residual, as in DiT's adaLN-Zero and the official code. The paper's own
    formula, RCs(h, c) = α h + AdaLN(h, c), would scale the residual instead. Conditioned by tokens,
    a block is a plain pre-norm block.
    """

    def __init__(self, config: LatteConfig) -> None:
        super().__init__()
        width = config.hidden_size
        modulated = config.conditioning == "s-adaln"
        self.norm1 = layer_norm(width, affine=not modulated)
        self.norm2 = layer_norm(width, affine=not modulated)
        self.mlp = Mlp(width, config.mlp_ratio)
        self.adaLN_modulation = Modulation(width, 6) if modulated else None

    @abstractmethod
    def mix(
        self, x: Tensor, shift: Tensor | None, scale: Tensor | None, timeline: Timeline
    ) -> Tensor:
        """The update of the tokens x (N, F, S, D) before the MLP."""

    def forward(self, x: Tensor, condition: Tensor, timeline: Timeline) -> Tensor:
        """Tokens (N, F, S, D), condition (N, F or 1, D) → tokens."""
        if self.adaLN_modulation is None:
            x = x + self.mix(x, None, None, timeline)
            return x + self.mlp(self.norm2(x))
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaLN_modulation(condition)
        x = torch.addcmul(x, gate1, self.mix(x, shift1, scale1, timeline))
        return torch.addcmul(x, gate2, self.mlp(modulate(self.norm2(x), shift2, scale2)))


class AxisBlock(Block):
    """Variants 1 and 2: attention over space, or over time."""

    def __init__(self, config: LatteConfig, axis: Axis) -> None:
        super().__init__(config)
        self.axis = axis
        self.attn = Attention(config.hidden_size, config.num_heads)

    def mix(
        self, x: Tensor, shift: Tensor | None, scale: Tensor | None, timeline: Timeline
    ) -> Tensor:
        x = modulate(self.norm1(x), shift, scale)
        return self.attn(x) if self.axis == "space" else attend_over_time(self.attn, x, timeline)


class SpaceThenTimeBlock(Block):
    """Variant 3: attention over space, then over time, in one block.

    The paper gives parameters for the whole network alone. Those that fit have no bias in the
    second attention's qkv, and a layer norm of its own before it; both attentions share one
    modulation.
    """

    def __init__(self, config: LatteConfig) -> None:
        super().__init__(config)
        self.attn = Attention(config.hidden_size, config.num_heads)
        self.norm_temporal = layer_norm(config.hidden_size, affine=True)
        self.attn_temporal = Attention(config.hidden_size, config.num_heads, qkv_bias=False)

    def mix(
        self, x: Tensor, shift: Tensor | None, scale: Tensor | None, timeline: Timeline
    ) -> Tensor:
        x = self.attn(modulate(self.norm1(x), shift, scale))
        return x + attend_over_time(self.attn_temporal, self.norm_temporal(x), timeline)


class SplitHeadsBlock(Block):
    """Variant 4: half of the heads attend over space, half over time, side by side; summed.

    As for variant 3 the paper's parameters leave the block open. Closest to them come: each half as
    wide as the tokens, no bias in the temporal qkv, and three layer norms with weights of their own
    (one for each half and one for the MLP), which the modulation then acts on.
    """

    def __init__(self, config: LatteConfig) -> None:
        super().__init__(config)
        width, half = config.hidden_size, config.num_heads // 2
        self.norm1 = layer_norm(width, affine=True)
        self.norm2 = layer_norm(width, affine=True)
        self.norm_temporal = layer_norm(width, affine=True)
        self.attn = Attention(width, half)
        self.attn_temporal = Attention(width, half, qkv_bias=False)

    def mix(
        self, x: Tensor, shift: Tensor | None, scale: Tensor | None, timeline: Timeline
    ) -> Tensor:
        over_space = self.attn(modulate(self.norm1(x), shift, scale))
        tokens = modulate(self.norm_temporal(x), shift, scale)
        return over_space + attend_over_time(self.attn_temporal, tokens, timeline)


class FinalLayer(nn.Module):
    """Tokens (N, F, S, D) → (N, F, S, patch_size² · out_channels)."""

    def __init__(self, config: LatteConfig) -> None:
        super().__init__()
        width = config.hidden_size
        modulated = config.conditioning == "s-adaln"
        self.norm_final = layer_norm(width, affine=not modulated)
        self.linear = nn.Linear(width, config.patch_size**2 * config.out_channels)
        self.adaLN_modulation = Modulation(width, 2) if modulated else None

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shift, scale = (
            (None, None) if self.adaLN_modulation is None else self.adaLN_modulation(condition)
        )
        with full_precision(x.device):  # guidance and samplers multiply its rounding
            x = modulate(self.norm_final(x), shift, scale)
            return self.linear(x.to(self.linear.weight.dtype))


def modulate(x: Tensor, shift: Tensor | None, scale: Tensor | None) -> Tensor:
    """(1 + γ) x + β; x itself where there is no modulation."""
    if shift is None or scale is None:
        return x
    return torch.addcmul(shift, x, 1 + scale)


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Disable autocast for small computations whose rounding matters."""
    if not torch.amp.is_autocast_available(device.type):  # "meta" has none
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def layer_norm(hidden_size: int, *, affine: bool) -> nn.LayerNorm:
    """Layer norm with the official code's eps, 1e-6."""
    return nn.LayerNorm(hidden_size, elementwise_affine=affine, eps=1e-6)
