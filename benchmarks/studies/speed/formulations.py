"""Other formulations of Latte, to compare `latte.model` with: plain, and with blocks of diffusers.

Plain is Latte as its formulas read: no step is fused, shared or left out. It computes what the
official code does (Vchitect/Latte b27c24a, models/latte.py, variant 1), in its order: tokens are
laid out anew for every block, the condition is repeated for every row and goes through each
modulation's linear layer in each of them, and attention is a softmax over scores that are kept.

diffusers has a `BasicTransformerBlock` with the modulation of PixArt-α's adaLN-single, which its
text-to-video model of Latte is made of. With its own table at zero and with our modulation in place
of the shared one, it computes what a block of ours does.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latte.config import LatteConfig
from latte.model import Latte
from latte.model.blocks import Attention, Block, Modulation
from latte.model.embeddings import unfold_patches


class PlainLatte(nn.Module):
    """A model of variant 1, with the paper's other choices, in the plain formulation.

    It shares that model's weights.

    in      x (N, F, C, H, W), timesteps t (N,), classes y (N,)
    out     (N, F, 2C, H, W), equal to the model's but for rounding
    """

    def __init__(self, model: Latte) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        model, config = self.model, self.model.config
        frames, patches = config.num_frames, config.patches_per_frame
        condition = model.t_embedder(t) + model.y_embedder(y)
        tokens = model.x_embedder.proj(x.flatten(0, 1)).flatten(2).transpose(1, 2)
        tokens = tokens + model.pos_embed  # (N·F, S, D)
        for index in range(0, config.depth, 2):
            tokens = self.run_block(index, tokens, condition)
            tokens = _by_the_other(tokens, frames)  # (N·S, F, D)
            if index == 0:
                tokens = tokens + model.temp_embed
            tokens = self.run_block(index + 1, tokens, condition)
            tokens = _by_the_other(tokens, patches)
        final = model.final_layer
        shift, scale = _modulation(final.adaLN_modulation, _for_rows(condition, tokens))
        out = final.linear(_modulate(final.norm_final(tokens), shift, scale))
        out = out.unflatten(0, (-1, frames))
        return unfold_patches(out, config.patch_size, config.out_channels)

    def run_block(self, index: int, x: Tensor, condition: Tensor) -> Tensor:
        """Rows of tokens (B, L, D), of clips with their conditions (N, D), through one block."""
        block = self.model.blocks[index]
        parts = _modulation(block.adaLN_modulation, _for_rows(condition, x))
        shift1, scale1, gate1, shift2, scale2, gate2 = parts
        mixed = _attention(block.attn, _modulate(block.norm1(x), shift1, scale1))
        x = x + gate1[:, None] * mixed
        wide = block.mlp.fc1(_modulate(block.norm2(x), shift2, scale2))
        return x + gate2[:, None] * block.mlp.fc2(F.gelu(wide, approximate="tanh"))


class DiffusersLatte(PlainLatte):
    """The plain formulation but for the blocks: those are diffusers', with copies of the weights.

    As in diffusers' model, the modulation is computed for each clip and repeated for its rows.
    """

    def __init__(self, model: Latte) -> None:
        super().__init__(model)
        self.copies = nn.ModuleList(_copy_of(block, model.config) for block in model.blocks)

    def run_block(self, index: int, x: Tensor, condition: Tensor) -> Tensor:
        parts = _modulation(self.model.blocks[index].adaLN_modulation, condition)
        tokens: Tensor = self.copies[index](x, timestep=_for_rows(torch.cat(parts, dim=-1), x))
        return tokens


def _for_rows(of_clips: Tensor, rows: Tensor) -> Tensor:
    """What each clip has (N, …), for each of its rows: (B, …)."""
    return of_clips.repeat_interleave(len(rows) // len(of_clips), dim=0)


def _modulation(module: Modulation | None, condition: Tensor) -> tuple[Tensor, ...]:
    """Conditions (B, D) → shifts, scales (and gates), each (B, D)."""
    assert module is not None
    parts: tuple[Tensor, ...] = module[1](F.silu(condition)).chunk(module.parts, dim=-1)
    return parts


def _by_the_other(tokens: Tensor, size: int) -> Tensor:
    """Rows of patches to rows of frames, (N · size, L, D) → (N · L, size, D), or back."""
    return tokens.unflatten(0, (-1, size)).transpose(1, 2).flatten(0, 1)


def _attention(attention: Attention, x: Tensor) -> Tensor:
    batch, length, width = x.shape
    qkv = attention.qkv(x).reshape(batch, length, 3, attention.num_heads, -1)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    mixed = scores.softmax(dim=-1) @ v
    return attention.proj(mixed.transpose(1, 2).reshape(batch, length, width))


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return x * (1 + scale[:, None]) + shift[:, None]


def _copy_of(block: Block, config: LatteConfig) -> nn.Module:
    from diffusers.models.attention import BasicTransformerBlock  # diffusers is optional

    with torch.device("meta"):
        copy = BasicTransformerBlock(
            config.hidden_size,
            config.num_heads,
            config.head_size,
            activation_fn="gelu-approximate",
            attention_bias=True,
            norm_type="ada_norm_single",
            norm_elementwise_affine=False,
            norm_eps=1e-6,
            ff_inner_dim=block.mlp.fc1.out_features,
        )
    ours = {name: value.detach().clone() for name, value in block.state_dict().items()}
    weights = {"scale_shift_table": torch.zeros(6, config.hidden_size).to(ours["attn.qkv.weight"])}
    for kind in ("weight", "bias"):
        parts = ours[f"attn.qkv.{kind}"].chunk(3)
        weights |= {
            f"attn1.to_{name}.{kind}": part for name, part in zip("qkv", parts, strict=True)
        }
        weights[f"attn1.to_out.0.{kind}"] = ours[f"attn.proj.{kind}"]
        weights[f"ff.net.0.proj.{kind}"] = ours[f"mlp.fc1.{kind}"]
        weights[f"ff.net.2.{kind}"] = ours[f"mlp.fc2.{kind}"]
    copy.load_state_dict(weights, assign=True)
    return copy
