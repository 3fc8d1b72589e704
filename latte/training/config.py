"""What a training run is: a TOML file of six tables, checked before anything starts."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from latte.config import (
    PRESETS,
    Conditioning,
    ImageAttention,
    LatteConfig,
    PatchEmbedding,
    TemporalPosition,
    matched_depth,
)
from latte.data.errors import InputError, nearest
from latte.diffusion.settings import DiffusionSettings
from latte.tables import from_table, with_settings

VARIANTS = (1, 2, 3, 4)


@dataclass(frozen=True, kw_only=True)
class ModelTable:
    """[model]: sizes, and the paper's design choices. The rest follows from the data."""

    preset: str | None = None  # a name of latte.config.PRESETS; sizes below take its place
    patch_size: int | None = None
    hidden_size: int | None = None
    depth: int | None = None  # of variant 1; the others get the number that matches its parameters
    num_heads: int | None = None
    variant: int = 1
    patch_embedding: PatchEmbedding = "uniform"
    tube_size: int = 2
    conditioning: Conditioning = "s-adaln"
    temporal_position: TemporalPosition = "absolute"
    image_attention: ImageAttention = "only-video"
    temporal_attention: bool = True  # false: an image model (DiT), of one frame
    class_conditional: bool = False
    initialise_from: str | None = None  # a DiT file, or a checkpoint of Latte
    dit_blocks: Literal["name", "spatial", "both"] = "name"  # which Latte blocks a DiT's fill

    def __post_init__(self) -> None:
        if self.preset is not None and self.preset not in PRESETS:
            raise InputError(
                f"no model is called {self.preset!r}: {nearest(self.preset, tuple(PRESETS))}"
            )
        if self.variant not in VARIANTS:
            raise InputError(f"variant = {self.variant}: the paper has variants 1, 2, 3 and 4")
        _at_least(self, 1, *(name for name in _SIZES if getattr(self, name) is not None))
        missing = [name for name in _SIZES if getattr(self, name) is None]
        if self.preset is not None and not missing:
            raise InputError(
                f"preset = {self.preset!r} has no effect where all sizes are given: leave out the "
                "preset, or hidden_size, depth and num_heads"
            )
        if self.preset is None and missing:
            raise InputError(f"give a preset, or {' and '.join(missing)} as well")

    def latte_config(
        self, *, input_size: int, in_channels: int, num_frames: int, num_classes: int | None
    ) -> LatteConfig:
        """The network for data of this shape."""
        base = PRESETS[self.preset] if self.preset else None
        sizes = {name: getattr(self, name) or getattr(base, name) for name in _SIZES}
        sizes["depth"] = matched_depth(sizes["depth"], self.variant)
        return LatteConfig(
            input_size=input_size,
            in_channels=in_channels,
            num_frames=num_frames,
            num_classes=num_classes if self.class_conditional else None,
            variant=self.variant,
            patch_embedding=self.patch_embedding,
            tube_size=self.tube_size,
            conditioning=self.conditioning,
            temporal_position=self.temporal_position,
            image_attention=self.image_attention,
            temporal_attention=self.temporal_attention,
            **sizes,
        )


_SIZES = ("patch_size", "hidden_size", "depth", "num_heads")


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """[data]: which clips."""

    dataset: str  # a name of latte.data.datasets.DATASETS, or the path of a folder of videos
    split: str = "train"
    num_videos: int = 0  # the first of the split alone; 0 for all
    num_frames: int = 16
    stride: int = 3  # source frames per kept frame; shorter videos take the largest that fits
    size: int = 256  # of the square frames, in pixels
    recipe: str = "stylegan-v"  # of latte.data.transforms.RECIPES, or "none"; for video files alone
    filter: str = "bilinear"
    flip: bool = True  # every other clip, left to right
    images_per_clip: int = 0  # independent frames after each clip: joint training

    def __post_init__(self) -> None:
        _at_least(self, 1, "num_frames", "stride", "size")
        _at_least(self, 0, "num_videos", "images_per_clip")


@dataclass(frozen=True, kw_only=True)
class AutoencoderTable:
    """[autoencoder]: between frames and latents."""

    name: Literal["identity", "patches", "sd-vae"] = "sd-vae"
    path: str | None = None  # a folder, or a name on the Hugging Face hub
    cache: str | None = None  # a folder in which latents are kept, so that each is made once


@dataclass(frozen=True, kw_only=True)
class TrainingTable:
    """[training]: the optimisation."""

    steps: int
    batch_size: int = 5  # clips per process and pass
    accumulate: int = 1  # passes per step
    learning_rate: float = 1e-4
    warmup_steps: int = 0  # linear, from 0
    decay: Literal["constant", "cosine"] = "constant"  # cosine: to 0 at the last step
    weight_decay: float = 0.0
    ema: float = 0.9999
    clip_norm: float = 0.1
    clip_from_step: int = 20_000  # before it the norm is only measured
    label_dropout: float = 0.1  # share of the labels that become "no class"
    seed: int = 3407
    precision: Literal["fp32", "bf16"] = "fp32"  # bf16: autocast; weights stay float32
    tf32: bool = True  # on GPUs that have it
    compile: bool = False
    checkpoint_activations: bool = False

    def __post_init__(self) -> None:
        _at_least(self, 1, "steps", "batch_size", "accumulate")
        _at_least(self, 0, "warmup_steps", "clip_from_step", "seed", "weight_decay")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} = {getattr(self, name)!r}: give a number above 0")
        for name in ("ema", "label_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(
                    f"{name} = {getattr(self, name)!r}: give 0 up to, not including, 1"
                )


@dataclass(frozen=True, kw_only=True)
class OutputTable:
    """[output]: what a run leaves behind, and how often; 0 for never. Cannot move the weights."""

    log_every: int = 100
    checkpoint_every: int = 10_000
    keep_states: int = 1  # how many of the last checkpoints can be trained on; weights are all kept
    sample_every: int = 10_000
    num_samples: int = 8
    sample_steps: int = 50
    guidance_scale: float = 1.0
    evaluate_every: int = 0

    def __post_init__(self) -> None:
        _at_least(self, 1, "log_every", "checkpoint_every", "keep_states", "num_samples")
        _at_least(self, 0, "sample_every", "evaluate_every", "guidance_scale")
        _at_least(self, 1, "sample_steps")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training run. Two runs with the same values give the same weights."""

    data: DataTable
    training: TrainingTable
    model: ModelTable
    autoencoder: AutoencoderTable = field(default_factory=AutoencoderTable)
    diffusion: DiffusionSettings = field(default_factory=DiffusionSettings)
    output: OutputTable = field(default_factory=OutputTable)

    def __post_init__(self) -> None:
        if self.data.images_per_clip and self.model.patch_embedding == "compression":
            raise InputError(
                'images_per_clip and patch_embedding = "compression" exclude each other: a tube '
                "of several frames has no place for single images"
            )
        if self.model.conditioning == "all-tokens" and self.model.initialise_from:
            raise InputError(
                'initialise_from and conditioning = "all-tokens" exclude each other: the files '
                "are of networks with S-AdaLN"
            )


def config_names() -> list[str]:
    """The configurations that come with the package."""
    folder = files("latte") / "configs"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load_config(name: str, settings: Sequence[str] = ()) -> TrainConfig:
    """A configuration by its name, or from a TOML file, with "table.field=value" changes.

    Raises:
        InputError: there is no such file, it is not TOML, or its values do not go together.
    """
    if name in config_names():
        text = (files("latte") / "configs" / f"{name}.toml").read_text(encoding="utf-8")
    else:
        path = Path(name)
        if path.suffix != ".toml":
            raise InputError(
                f"no configuration is called {name!r}: {nearest(name, config_names())} (or give "
                "the path of a .toml file)"
            )
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as a TOML file ({error})") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not TOML ({error})") from error
    chosen = {setting.partition("=")[0].strip() for setting in settings}
    if "model.preset" in chosen:  # takes the place of the file's sizes, not of those beside it
        for size in ("hidden_size", "depth", "num_heads"):
            if f"model.{size}" not in chosen:
                table.get("model", {}).pop(size, None)
    return from_table(TrainConfig, with_settings(table, settings), name)


def as_table(config: TrainConfig) -> dict[str, dict[str, Any]]:
    """The configuration as nested dictionaries, without fields that are not set."""
    return {
        section: {key: value for key, value in part.items() if value is not None}
        for section, part in asdict(config).items()
    }


def to_toml(config: TrainConfig) -> str:
    """The configuration as a file that `load_config` reads."""
    lines = []
    for section, part in as_table(config).items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {_toml(value)}" for key, value in part.items()]
        lines.append("")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # TOML's, of texts, numbers, true and false


def _at_least(table: Any, least: int, *names: str) -> None:
    for name in names:
        if getattr(table, name) < least:
            raise InputError(f"{name} = {getattr(table, name)!r}: give at least {least}")
