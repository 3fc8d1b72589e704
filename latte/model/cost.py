"""What a network costs: parameters, and floating-point operations of one forward pass.

Both in closed form, so that a table of all designs needs no network; the tests hold them against
built networks and against `torch.utils.flop_counter`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from latte.config import LatteConfig

_FREQUENCIES = 256  # size of the timestep embedding


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


@dataclass(frozen=True, kw_only=True)
class Published:
    """A row of the paper, in its units: millions of parameters, "G" of FLOPs."""

    parameters: float
    flops: float | None


# arXiv:2401.03048v1, Table 4.
PAPER_SIZES: Mapping[str, Published] = MappingProxyType(
    {
        "Latte-S/2": Published(parameters=32.48, flops=None),
        "Latte-B/2": Published(parameters=129.54, flops=None),
        "Latte-L/2": Published(parameters=456.81, flops=None),
        "Latte-XL/2": Published(parameters=673.68, flops=None),
    }
)
# arXiv:2401.03048v1, Table 3: the variants of Latte-XL/2.
PAPER_VARIANTS: Mapping[int, Published] = MappingProxyType(
    {
        1: Published(parameters=673.68, flops=5572.69),
        2: Published(parameters=673.68, flops=5572.69),
        3: Published(parameters=676.33, flops=6153.15),
        4: Published(parameters=676.44, flops=1545.15),
    }
)


def cost(config: LatteConfig) -> Cost:
    """Parameters and FLOPs of a network.

    >>> from latte.config import preset
    >>> xl = cost(preset("Latte-XL/2"))
    >>> xl.parameters, xl.flops, xl.official_flops
    (673681568, 3725650722816, 3785927786496)
    """
    return Cost(
        parameters=_parameters(config),
        fixed=_fixed(config),
        flops=2 * (_token_products(config) + _modulation_products(config)),
        official_flops=(
            2 * (_token_products(config) + _official_modulation_products(config))
            if _is_official(config)
            else None
        ),
    )


def _parameters(config: LatteConfig) -> int:
    d, tube = config.hidden_size, _tube(config)
    modulated = config.conditioning == "s-adaln"
    patches = d * config.in_channels * config.patch_size**2 * tube + d
    timestep = _FREQUENCIES * d + d + d**2 + d
    labels = 0 if config.num_classes is None else (config.num_classes + 1) * d
    outputs = config.patch_size**2 * config.out_channels
    final = d * outputs + outputs + (2 * d**2 + 2 * d if modulated else 2 * d)
    upsampler = 0
    if config.patch_embedding == "compression":
        upsampler = config.out_channels**2 * tube + config.out_channels
    return patches + timestep + labels + final + upsampler + config.depth * _of_block(config)


def _of_block(config: LatteConfig) -> int:
    """Parameters of one block."""
    d, wide = config.hidden_size, _mlp_width(config)
    attention = 4 * d**2 + 4 * d
    mlp = 2 * d * wide + wide + d
    total = attention + mlp
    if config.conditioning == "s-adaln":
        total += 6 * d**2 + 6 * d
    if config.conditioning == "all-tokens" or config.variant == 4:
        total += 4 * d  # two layer norms with weights
    if config.variant in (3, 4):
        # Attention over time, its qkv without bias, and its layer norm.
        total += 4 * d**2 + d + 2 * d
    return total


def _fixed(config: LatteConfig) -> int:
    in_time = config.temporal_position == "absolute" and config.temporal_attention
    frames = config.token_frames if in_time else 0
    return (config.patches_per_frame + frames) * config.hidden_size


def _token_products(config: LatteConfig) -> int:
    """Multiply–accumulates of all but the modulations."""
    d, frames, patches = config.hidden_size, config.token_frames, config.patches_per_frame
    volume = config.in_channels * config.patch_size**2 * _tube(config)
    embedding = frames * patches * d * volume
    timestep = _FREQUENCIES * d + d**2
    row = patches + _condition_tokens(config)  # tokens of a frame
    tokens = frames * row
    linear = tokens * (4 * d**2 + 2 * d * _mlp_width(config))
    over_space = 2 * frames * row**2 * d  # queries by keys, weights by values
    over_time = 2 * row * frames**2 * d
    if not config.temporal_attention:
        blocks = config.depth * (linear + over_space)
    elif config.variant in (1, 2):
        blocks = config.depth * linear + config.depth // 2 * (over_space + over_time)
    else:
        blocks = config.depth * (linear + tokens * 4 * d**2 + over_space + over_time)
    final = frames * patches * d * config.patch_size**2 * config.out_channels
    upsampler = 0
    if config.patch_embedding == "compression":
        upsampler = frames * config.input_size**2 * config.out_channels**2 * config.tube_size
    return embedding + timestep + blocks + final + upsampler


def _modulation_products(config: LatteConfig) -> int:
    """Each block's modulation is computed once for the clip."""
    if config.conditioning != "s-adaln":
        return 0
    return (6 * config.depth + 2) * config.hidden_size**2


def _official_modulation_products(config: LatteConfig) -> int:
    """The official code repeats the condition before the linear layers of the modulations.

    For each frame in spatial blocks and in the final layer, for each patch in temporal blocks
    (Vchitect/Latte b27c24a, models/latte.py).
    """
    frames, patches = config.token_frames, config.patches_per_frame
    rows = 6 * (config.depth // 2) * (frames + patches) + 2 * frames
    return rows * config.hidden_size**2


def _is_official(config: LatteConfig) -> bool:
    """Variant 2 is not in the official code, but has the blocks of variant 1."""
    return (
        config.variant in (1, 2)
        and config.temporal_attention
        and config.patch_embedding == "uniform"
        and config.conditioning == "s-adaln"
    )


def _tube(config: LatteConfig) -> int:
    return config.tube_size if config.patch_embedding == "compression" else 1


def _mlp_width(config: LatteConfig) -> int:
    return int(config.hidden_size * config.mlp_ratio)


def _condition_tokens(config: LatteConfig) -> int:
    """Tokens beside the patches of each frame: of the timestep, and of the class."""
    if config.conditioning != "all-tokens":
        return 0
    return 1 if config.num_classes is None else 2
