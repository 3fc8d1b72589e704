"""Latte: the latent diffusion Transformer of arXiv:2401.03048, in its four variants."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from latte.config import LatteConfig
from latte.model.blocks import (
    AxisBlock,
    Block,
    FinalLayer,
    Modulation,
    SpaceThenTimeBlock,
    SplitHeadsBlock,
    Timeline,
    full_precision,
)
from latte.model.embeddings import (
    LabelEmbedder,
    PatchEmbedder,
    TimestepEmbedder,
    frame_positions,
    patch_positions,
    rotary_angles,
    unfold_patches,
)

GuidedChannels = Literal["noise", "all"]


class Latte(nn.Module):
    """Predicts the noise in noisy latents of a video, and how much variance to put back.

    in      x (N, F, C, H, W) float32, timesteps t (N,), classes y (N,) where there are classes;
            with `num_images`, as many independent images follow the F frames
    out     (N, F, 2C, H, W) with learned sigma: noise, then where between its bounds the
            variance lies; else (N, F, C, H, W)
    keys    those of the official checkpoints, for variant 1

    Without attention over time it is DiT, the image model, with DiT's keys.

    A pure function of its inputs: dropping labels for guidance is the training's affair.
    """

    pos_embed: Tensor
    temp_embed: Tensor

    def __init__(self, config: LatteConfig) -> None:
        super().__init__()
        self.config = config
        self.checkpoint_activations = False  # trades time for memory, changes no result
        width = config.hidden_size
        tubes = config.tube_size if config.patch_embedding == "compression" else None
        self.x_embedder = PatchEmbedder(config.patch_size, config.in_channels, width, tubes)
        self.t_embedder = TimestepEmbedder(width)
        if config.num_classes is not None:
            self.y_embedder = LabelEmbedder(config.num_classes, width)
        side = config.input_size // config.patch_size
        self.register_buffer("pos_embed", patch_positions(width, side))
        if config.temporal_position == "absolute" and config.temporal_attention:
            self.register_buffer("temp_embed", frame_positions(width, config.token_frames))
        self.blocks = nn.ModuleList(_blocks(config))
        self.final_layer = FinalLayer(config)
        if config.patch_embedding == "compression":
            # The 3D transposed convolution for temporal upsampling of section 3.3.1. It makes the
            # frames of a tube from `channels` numbers at each place: no more are independent.
            tube, channels = (config.tube_size, 1, 1), config.out_channels
            self.upsampler = nn.ConvTranspose3d(channels, channels, kernel_size=tube, stride=tube)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """DiT's initialisation: at first every S-AdaLN block is the identity, and the output 0."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(self.x_embedder.proj.weight.data.flatten(1))
        nn.init.zeros_(self.x_embedder.proj.bias)
        for linear in (self.t_embedder.mlp[0], self.t_embedder.mlp[2]):
            nn.init.normal_(linear.weight, std=0.02)
        if self.config.num_classes is not None:
            nn.init.normal_(self.y_embedder.embedding_table.weight, std=0.02)
        for module in self.modules():
            if isinstance(module, Modulation):
                nn.init.zeros_(module[1].weight)
        nn.init.zeros_(self.final_layer.linear.weight)
        if self.config.patch_embedding == "compression":
            nn.init.zeros_(self.upsampler.bias)

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        y: Tensor | None = None,
        *,
        num_images: int = 0,
        y_images: Tensor | None = None,
    ) -> Tensor:
        """The prediction for x (N, F + num_images, C, H, W) at timesteps t (N,).

        Args:
            y: classes (N,), int64; `num_classes` stands for "no class". For class-conditional
                models, and for no others.
            num_images: how many independent images follow the video's frames (joint training).
            y_images: classes of the images (N, num_images); without them, the video's.

        Raises:
            ValueError: shapes or labels do not go with the configuration.
        """
        self._check(x, t, y, num_images, y_images)
        config = self.config
        timeline = self._timeline(x, num_images)
        tokens = self.x_embedder(x) + self.pos_embed  # (N, F, S, D)
        with full_precision(x.device):
            condition = self._condition(t, y, num_images, y_images)  # (N, 1 or F, c, D)
        extra = 0
        if config.conditioning == "all-tokens":
            # They stand beside the patches of each frame, and go through all blocks like them.
            extra = condition.shape[2]
            condition = condition.expand(-1, tokens.shape[1], -1, -1)
            tokens = torch.cat([condition, tokens], dim=2)
        condition = condition.sum(dim=2)  # (N, 1 or F, D)
        over_time = (i for i, block in enumerate(self.blocks) if _over_time(block))
        first_over_time = next(over_time, None)
        for index, block in enumerate(self.blocks):
            if index == first_over_time and config.temporal_position == "absolute":
                tokens = self._add_time(tokens, timeline)
            tokens = self._run(block, tokens, condition, timeline)
        patches = self.final_layer(tokens[:, :, extra:], condition)
        out = unfold_patches(patches, config.patch_size, config.out_channels)
        if config.patch_embedding == "compression":
            with full_precision(out.device):
                out = self.upsampler(out.transpose(1, 2)).transpose(1, 2)
        return out

    def forward_with_guidance(
        self,
        x: Tensor,
        t: Tensor,
        y: Tensor,
        guidance_scale: float,
        *,
        guided: GuidedChannels = "noise",
    ) -> Tensor:
        """Classifier-free guidance: ε = ε∅ + s (ε_y − ε∅), both halves in one pass.

        Args:
            x: (2N, F, C, H, W); the second half is not looked at, the first is used for both.
            t: (2N,).
            y: (2N,): classes, then the null class.
            guidance_scale: s; 1 is no guidance.
            guided: "noise" guides the noise and leaves the variance as predicted, as the official
                code does with its 4 channels; "all" guides both, as its text-to-video pipeline.

        Returns:
            (2N, F, 2C, H, W), noise alike in both halves.
        """
        if guided not in get_args(GuidedChannels):
            raise ValueError(f"guided = {guided!r}: choose {' or '.join(get_args(GuidedChannels))}")
        half = x[: len(x) // 2]
        out = self(torch.cat([half, half]), t, y)
        channels = self.config.in_channels if guided == "noise" else out.shape[2]
        guided_part, rest = out[:, :, :channels], out[:, :, channels:]
        with_class, without = guided_part.chunk(2)
        mixed = without + guidance_scale * (with_class - without)
        return torch.cat([torch.cat([mixed, mixed]), rest], dim=2)

    def _condition(
        self, t: Tensor, y: Tensor | None, num_images: int, y_images: Tensor | None
    ) -> Tensor:
        """Embeddings of what the output depends on, (N, 1 or F, c, D): the timestep, the class.

        They are added up for S-AdaLN, and are tokens of their own otherwise. An embedding of a text
        would be one more of them.
        """
        timestep = self.t_embedder(t)[:, None, None]  # (N, 1, 1, D)
        if y is None:
            return timestep
        if y_images is None:
            return torch.cat([timestep, self.y_embedder(y)[:, None, None]], dim=2)
        frames = self.config.token_frames
        labels = torch.cat([y[:, None].expand(-1, frames), y_images], dim=1)  # (N, F)
        classes = self.y_embedder(labels)[:, :, None]
        return torch.cat([timestep.expand(-1, frames + num_images, -1, -1), classes], dim=2)

    def _timeline(self, x: Tensor, num_images: int) -> Timeline:
        config, frames = self.config, self.config.token_frames
        angles = mask = None
        masked = num_images > 0 and config.image_attention == "temporal-mask"
        if config.temporal_position == "rotary":
            # Made anew: a buffer would be rounded by `.half()` and lost on the way from "meta".
            angles = rotary_angles(config.head_size, frames, x.device)
            if masked:  # an image sees itself alone: its angle has no effect
                angles = torch.cat([angles, angles.new_zeros(num_images, angles.shape[1])])
        if masked:
            mask = torch.eye(frames + num_images, dtype=torch.bool, device=x.device)
            mask[:frames, :frames] = True
        return Timeline(num_frames=frames, num_images=num_images, angles=angles, mask=mask)

    def _add_time(self, tokens: Tensor, timeline: Timeline) -> Tensor:
        """Add the position in time to the video's tokens; images have none."""
        positions = self.temp_embed[0, :, None]  # (F, 1, D)
        if timeline.num_images:
            positions = nn.functional.pad(positions, (0, 0, 0, 0, 0, timeline.num_images))
        return tokens + positions

    def _run(
        self, block: nn.Module, tokens: Tensor, condition: Tensor, timeline: Timeline
    ) -> Tensor:
        if timeline.leaves_images_out and isinstance(block, AxisBlock) and block.axis == "time":
            frames = timeline.num_frames
            video = Timeline(num_frames=frames, angles=timeline.angles)
            mixed = self._run(block, tokens[:, :frames], condition[:, :frames], video)
            return torch.cat([mixed, tokens[:, frames:]], dim=1)
        if self.checkpoint_activations and torch.is_grad_enabled():
            return checkpoint(
                block, tokens, condition, timeline, use_reentrant=False, preserve_rng_state=False
            )
        return block(tokens, condition, timeline)

    def _check(
        self, x: Tensor, t: Tensor, y: Tensor | None, num_images: int, y_images: Tensor | None
    ) -> None:
        config = self.config
        size = config.input_size
        if num_images < 0:
            raise ValueError(f"num_images = {num_images}: expected at least 0")
        expected = (len(x), config.num_frames + num_images, config.in_channels, size, size)
        if tuple(x.shape) != expected:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, expected (N, {config.num_frames} frames + "
                f"{num_images} images, {config.in_channels}, {size}, {size})"
            )
        if t.shape != (len(x),):
            raise ValueError(f"t has shape {tuple(t.shape)}, expected ({len(x)},)")
        if num_images and config.patch_embedding == "compression":
            raise ValueError("images cannot join a model whose patches reach over several frames")
        if config.num_classes is None:
            if y is not None or y_images is not None:
                raise ValueError("classes were given to an unconditional model")
            return
        if y is None or y.shape != (len(x),):
            raise ValueError(
                f"a class-conditional model needs classes y ({len(x)},), where "
                f"{config.num_classes} stands for no class"
            )
        if y_images is not None and y_images.shape != (len(x), num_images):
            raise ValueError(
                f"y_images has shape {tuple(y_images.shape)}, expected ({len(x)}, {num_images})"
            )


def _blocks(config: LatteConfig) -> list[Block]:
    if config.variant == 3:
        return [SpaceThenTimeBlock(config) for _ in range(config.depth)]
    if config.variant == 4:
        return [SplitHeadsBlock(config) for _ in range(config.depth)]
    if not config.temporal_attention:
        return [AxisBlock(config, "space") for _ in range(config.depth)]
    half = config.depth // 2
    if config.variant == 1:
        return [AxisBlock(config, axis) for _ in range(half) for axis in ("space", "time")]
    return [AxisBlock(config, axis) for axis in ("space", "time") for _ in range(half)]


def _over_time(block: nn.Module) -> bool:
    return not isinstance(block, AxisBlock) or block.axis == "time"
