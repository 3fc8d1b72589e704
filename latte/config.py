"""Configuration of a Latte: sizes, the paper's design choices, and presets by name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

from latte.data.errors import InputError, nearest
from latte.data.schema import Checked, Count, Positive

Variant = Literal[1, 2, 3, 4]
PatchEmbedding = Literal["uniform", "compression"]
Conditioning = Literal["s-adaln", "all-tokens"]
TemporalPosition = Literal["absolute", "rotary"]
ImageAttention = Literal["only-video", "temporal-mask"]

# The multiples of hidden_size² that one block has as weights: an attention 4, an MLP 8, the
# modulation 6. Blocks of variants 3 and 4 have a second attention, so there are fewer of them.
_WEIGHT_PER_BLOCK: Mapping[int, int] = MappingProxyType({1: 18, 2: 18, 3: 22, 4: 22})


@dataclass(frozen=True)
class LatteConfig(Checked):
    """One network of arXiv:2401.03048, section 3. Sizes are those of the latents it works on."""

    input_size: Count  # height and width of the latents (of the frames, for a pixel model)
    patch_size: Count
    in_channels: Count
    hidden_size: Count
    depth: Count  # blocks; variants 1 and 2 need an even number: half of them are temporal
    num_heads: Count
    num_frames: Count
    num_classes: Count | None = None  # None: unconditional
    learn_sigma: bool = True  # predict the variance as well: twice the channels come out
    # 1: spatial and temporal blocks in turn; 2: all spatial, then all temporal; 3: attention over
    # space, then over time, in each block; 4: half of the heads over space, half over time, summed
    variant: Variant = 1
    patch_embedding: PatchEmbedding = "uniform"  # patches of one frame, or tubes of several
    conditioning: Conditioning = "s-adaln"
    temporal_position: TemporalPosition = "absolute"
    tube_size: Count = 2  # frames of a tube; for patch_embedding "compression" alone
    image_attention: ImageAttention = "only-video"  # attention over time in joint training
    mlp_ratio: Positive = 4.0
    temporal_attention: bool = True  # False: an image model, DiT: one frame, all blocks over space

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mlp_ratio * self.hidden_size < 1:
            raise InputError(f"mlp_ratio = {self.mlp_ratio}: leaves the MLP no channel")
        self._check_divisions()
        if not self.temporal_attention and (self.num_frames != 1 or self.variant not in (1, 2)):
            raise InputError(
                "temporal_attention = false makes an image model: give num_frames = 1, and variant "
                f"1 (not {self.num_frames} and {self.variant})"
            )

    def _check_divisions(self) -> None:
        if self.input_size % self.patch_size:
            raise InputError(
                f"input_size {self.input_size} is not a multiple of patch_size {self.patch_size}"
            )
        if self.hidden_size % 4 or self.hidden_size % self.num_heads:
            raise InputError(
                f"hidden_size {self.hidden_size}: give a multiple of num_heads "
                f"({self.num_heads}) and of 4"
            )
        if self.variant == 4 and self.num_heads % 2:
            raise InputError(
                f"num_heads {self.num_heads}: variant 4 splits the heads in halves, so give "
                "an even number"
            )
        if self.temporal_position == "rotary" and self.head_size % 2:
            raise InputError(
                f"hidden_size {self.hidden_size} over {self.num_heads} heads: rotary positions "
                "turn pairs of channels, so give heads of even size"
            )
        if self.variant in (1, 2) and self.depth % 2:
            raise InputError(
                f"depth {self.depth}: variant {self.variant} has as many temporal as spatial "
                "blocks, so give an even number"
            )
        if self.patch_embedding == "compression" and self.num_frames % self.tube_size:
            raise InputError(
                f"num_frames {self.num_frames} is not a multiple of tube_size {self.tube_size}"
            )

    @property
    def head_size(self) -> int:
        """Channels of one head of a temporal attention; in variant 4 half the heads share them."""
        return self.hidden_size // (self.num_heads // 2 if self.variant == 4 else self.num_heads)

    @property
    def out_channels(self) -> int:
        """Channels of the output: those of the noise, and of the variance if it is learned."""
        return self.in_channels * (2 if self.learn_sigma else 1)

    @property
    def token_frames(self) -> int:
        """Frames of tokens: n_f of the paper."""
        if self.patch_embedding == "compression":
            return self.num_frames // self.tube_size
        return self.num_frames

    @property
    def patches_per_frame(self) -> int:
        """Tokens of one frame of tokens: n_h · n_w of the paper."""
        return (self.input_size // self.patch_size) ** 2


def matched_depth(depth: int, variant: int) -> int:
    """The number of blocks with which a variant has about the parameters of variant 1.

    >>> [matched_depth(28, variant) for variant in (1, 2, 3, 4)]
    [28, 28, 23, 23]
    """
    return round(depth * _WEIGHT_PER_BLOCK[1] / _WEIGHT_PER_BLOCK[variant])


_SIZES = {"S": (384, 12, 6), "B": (768, 12, 12), "L": (1024, 24, 16), "XL": (1152, 28, 16)}
# Table 2 of the paper, for 16 frames of 256×256 in Stable Diffusion's latent space, unconditional.
PRESETS: Mapping[str, LatteConfig] = MappingProxyType(
    {
        f"Latte-{size}/{patch}": LatteConfig(
            input_size=32,
            patch_size=patch,
            in_channels=4,
            hidden_size=hidden_size,
            depth=depth,
            num_heads=num_heads,
            num_frames=16,
        )
        for size, (hidden_size, depth, num_heads) in _SIZES.items()
        for patch in (2, 4, 8)
    }
)


def preset(name: str, **changes: Any) -> LatteConfig:
    """A preset with some fields changed.

    A change of `variant` brings the number of blocks that matches the parameters, unless `depth`
    is given.

    Raises:
        InputError: there is no such preset, or the fields do not go together.
    """
    if name not in PRESETS:
        raise InputError(f"no model is called {name!r}: {nearest(name, tuple(PRESETS))}")
    base = PRESETS[name]
    variant = changes.get("variant", base.variant)
    if "depth" not in changes and variant in get_args(Variant):
        changes = {**changes, "depth": matched_depth(base.depth, variant)}
    return replace(base, **changes)
