"""What a network costs: parameters, and floating-point operations of one forward pass.

Counted on the network itself, built without memory. The paper's figures stand beside.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from latte.config import LatteConfig
from latte.model.transformer import Latte


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of one network, and of one forward pass over one clip.

    FLOPs are those of matrix products and convolutions, attention included: two for each
    multiply–accumulate, as `FlopCounterMode` of PyTorch counts. Classifier-free guidance is two
    such passes, a training step about three.
    """

    parameters: int  # trainable
    fixed: int  # numbers in the position tables, which are stored but not trained
    flops: int  # FLOPs of our implementation
    official_flops: int | None  # FLOPs of the official code; None where it has no such network


# arXiv:2401.03048v1, Table 4: millions of parameters.
PAPER_SIZES: Mapping[str, float] = MappingProxyType(
    {"Latte-S/2": 32.48, "Latte-B/2": 129.54, "Latte-L/2": 456.81, "Latte-XL/2": 673.68}
)
# arXiv:2401.03048v1, Table 3: the variants of Latte-XL/2; millions of parameters, "G" of FLOPs.
PAPER_VARIANTS: Mapping[int, tuple[float, float]] = MappingProxyType(
    {1: (673.68, 5572.69), 2: (673.68, 5572.69), 3: (676.33, 6153.15), 4: (676.44, 1545.15)}
)


@cache
def cost(config: LatteConfig) -> Cost:
    """Parameters and FLOPs of a network.

    >>> from latte.config import preset
    >>> xl = cost(preset("Latte-XL/2"))
    >>> xl.parameters, xl.flops, xl.official_flops
    (673681568, 3725650722816, 3785927786496)
    """
    size = config.input_size
    with torch.device("meta"), torch.no_grad():
        model = Latte(config)
        x = torch.zeros(1, config.num_frames, config.in_channels, size, size)
        t = torch.zeros(1, dtype=torch.long)
        # Plain attention: the counter sees its products.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            model(x, t, None if config.num_classes is None else t)
    flops = counter.get_total_flops()
    return Cost(
        parameters=sum(weights.numel() for weights in model.parameters()),
        fixed=sum(table.numel() for table in model.buffers()),
        flops=flops,
        official_flops=flops + _repeated(config) if _is_official(config) else None,
    )


def _repeated(config: LatteConfig) -> int:
    """FLOPs that the official code spends on repeats of the condition.

    It repeats it before the linear layers of the modulations: for each frame in spatial blocks and
    in the final layer, for each patch in temporal blocks (Vchitect/Latte b27c24a, models/latte.py).
    Ours has one row for the clip.
    """
    frames, patches = config.token_frames, config.patches_per_frame
    rows = 6 * (config.depth // 2) * (frames - 1 + patches - 1) + 2 * (frames - 1)
    return 2 * rows * config.hidden_size**2


def _is_official(config: LatteConfig) -> bool:
    """Variant 2 is not in the official code, but has the blocks of variant 1."""
    return (
        config.variant in (1, 2)
        and config.temporal_attention
        and config.patch_embedding == "uniform"
        and config.conditioning == "s-adaln"
    )
