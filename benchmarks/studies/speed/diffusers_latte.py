"""Latte with the Transformer blocks of diffusers, to compare `latte.model` with.

diffusers has a `BasicTransformerBlock` with the modulation of PixArt-α's adaLN-single, which its
text-to-video model of Latte is made of. With its own table at zero and with our modulation in place
of the shared one, it computes what a block of ours does.
"""

import torch
from diffusers.models.attention import BasicTransformerBlock
from torch import Tensor, nn

from benchmarks.studies.speed.plain_latte import PlainLatte, for_rows, modulation
from latte.config import LatteConfig
from latte.model import Latte
from latte.model.blocks import Block


class DiffusersLatte(PlainLatte):
    """The plain formulation but for the blocks: those are diffusers', with copies of the weights.

    As in diffusers' model, the modulation is computed for each clip and repeated for its rows.
    """

    def __init__(self, model: Latte) -> None:
        super().__init__(model)
        self.copies = nn.ModuleList(_copy_of(block, model.config) for block in model.blocks)

    def run_block(self, index: int, x: Tensor, condition: Tensor) -> Tensor:
        parts = modulation(self.model.blocks[index].adaLN_modulation, condition)
        tokens: Tensor = self.copies[index](x, timestep=for_rows(torch.cat(parts, dim=-1), x))
        return tokens


def _copy_of(block: Block, config: LatteConfig) -> BasicTransformerBlock:
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
