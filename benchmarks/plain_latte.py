"""Latte as its formulas read, to compare `latte.model` with: no step is fused, shared or left out.

What the official code computes (Vchitect/Latte b27c24a, models/latte.py, variant 1), in its order:
the tokens are rearranged for every block, the condition is repeated for every row and goes through
each modulation's linear layer in each of them, and attention is a softmax over scores that are
kept. It runs the very modules of a `Latte`, so the weights are the same, and so are the results.
"""

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from latte.model import Latte
from latte.model.blocks import Attention, AxisBlock, Modulation
from latte.model.embeddings import unfold_patches


class PlainLatte(nn.Module):
    """The plain formulation of a model of variant 1, on that model's own weights.

    in      x (N, F, C, H, W), timesteps t (N,), classes y (N,) where there are classes
    out     (N, F, 2C, H, W), equal to the model's but for rounding
    """

    def __init__(self, model: Latte) -> None:
        super().__init__()
        config = model.config
        uniform = config.patch_embedding == "uniform" and config.temporal_position == "absolute"
        if config.variant != 1 or config.conditioning != "s-adaln" or not uniform:
            raise ValueError("the official code has variant 1 with the paper's choices alone")
        self.model = model
        self.config = config

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        model, frames, patches = self.model, x.shape[1], self.config.patches_per_frame
        condition = model.t_embedder(t)
        if y is not None:
            condition = condition + model.y_embedder(y)
        for_frames = repeat(condition, "n d -> (n f) d", f=frames)
        for_patches = repeat(condition, "n d -> (n s) d", s=patches)

        images = model.x_embedder.proj(rearrange(x, "n f c h w -> (n f) c h w"))
        tokens = rearrange(images, "nf d h w -> nf (h w) d") + model.pos_embed
        for index in range(0, len(model.blocks), 2):
            over_space, over_time = model.blocks[index], model.blocks[index + 1]
            tokens = _block(over_space, tokens, for_frames)
            tokens = rearrange(tokens, "(n f) s d -> (n s) f d", f=frames)
            if index == 0:
                tokens = tokens + model.temp_embed
            tokens = _block(over_time, tokens, for_patches)
            tokens = rearrange(tokens, "(n s) f d -> (n f) s d", s=patches)

        final = model.final_layer
        shift, scale = _modulation(final.adaLN_modulation, for_frames)
        out = final.linear(_modulate(final.norm_final(tokens), shift, scale))
        out = rearrange(out, "(n f) s d -> n f s d", f=frames)
        return unfold_patches(out, self.config.patch_size, self.config.out_channels)


def _block(block: AxisBlock, x: Tensor, condition: Tensor) -> Tensor:
    """Rows of tokens (B, L, D), each with its condition (B, D)."""
    shift1, scale1, gate1, shift2, scale2, gate2 = _modulation(block.adaLN_modulation, condition)
    x = x + gate1.unsqueeze(1) * _attention(block.attn, _modulate(block.norm1(x), shift1, scale1))
    mlp = block.mlp
    wide = mlp.fc1(_modulate(block.norm2(x), shift2, scale2))
    return x + gate2.unsqueeze(1) * mlp.fc2(nn.functional.gelu(wide, approximate="tanh"))


def _attention(attention: Attention, x: Tensor) -> Tensor:
    heads = attention.num_heads
    q, k, v = rearrange(attention.qkv(x), "b l (three h d) -> three b h l d", three=3, h=heads)
    scores = (q @ k.transpose(-2, -1)) * q.shape[-1] ** -0.5
    mixed = scores.softmax(dim=-1) @ v
    return attention.proj(rearrange(mixed, "b h l d -> b l (h d)"))


def _modulation(modulation: Modulation, condition: Tensor) -> tuple[Tensor, ...]:
    """(B, D) → `parts` tensors (B, D)."""
    activation, linear = modulation
    return linear(activation(condition)).chunk(modulation.parts, dim=1)


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return x * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)
