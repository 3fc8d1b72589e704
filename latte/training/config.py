"""Configuration of a training run: a TOML file of six tables, checked before anything starts."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from latte.config import (
    PRESETS,
    Conditioning,
    ImageAttention,
    LatteConfig,
    PatchEmbedding,
    TemporalPosition,
    Variant,
    matched_depth,
)
from latte.data.errors import InputError, nearest
from latte.data.schema import Checked, Count, CountOrZero, NonNegative, Positive, convert, read_toml
from latte.diffusion import DiffusionSettings

CONFIGS = Path(__file__).parents[1] / "configs"
Share = Annotated[float, Meta(ge=0, lt=1)]


@dataclass(frozen=True, kw_only=True)
class ModelTable(Checked):
    """[model]: sizes, and the paper's design choices. The rest follows from the data."""

    preset: str | None = None  # a name of latte.config.PRESETS; sizes below take its place
    patch_size: Count | None = None
    hidden_size: Count | None = None
    # Depth of variant 1; other variants get the depth that matches its parameters.
    depth: Count | None = None
    num_heads: Count | None = None
    variant: Variant = 1
    patch_embedding: PatchEmbedding = "uniform"
    tube_size: int = 2
    conditioning: Conditioning = "s-adaln"
    temporal_position: TemporalPosition = "absolute"
    image_attention: ImageAttention = "only-video"
    temporal_attention: bool = True  # false: an image model (DiT), of one frame
    class_conditional: bool = False
    initialise_from: str | None = None  # a DiT file, or a checkpoint of Latte
    dit_blocks: Literal["name", "spatial", "both"] = "name"  # Latte blocks to fill from a DiT

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preset is not None and self.preset not in PRESETS:
            raise InputError(
                f"no model is called {self.preset!r}: {nearest(self.preset, tuple(PRESETS))}"
            )
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
        design = {name: getattr(self, name) for name in _DESIGN}
        design |= {name: getattr(self, name) or getattr(base, name) for name in _SIZES}
        design["depth"] = matched_depth(design["depth"], self.variant)
        return LatteConfig(
            input_size=input_size,
            in_channels=in_channels,
            num_frames=num_frames,
            num_classes=num_classes if self.class_conditional else None,
            **design,
        )


_SIZES = ("patch_size", "hidden_size", "depth", "num_heads")
# The other fields that a network's configuration has under the same name.
_DESIGN = tuple(
    field.name
    for field in fields(LatteConfig)
    if field.name in ModelTable.__dataclass_fields__ and field.name not in _SIZES
)


@dataclass(frozen=True, kw_only=True)
class DataTable(Checked):
    """[data]: which clips."""

    dataset: str  # a name of latte.data.datasets.DATASETS, or the path of a folder of videos
    split: str = "train"
    num_videos: CountOrZero = 0  # the first of the split alone; 0 for all
    num_frames: Count = 16
    stride: Count = 3  # source frames per kept frame; shorter videos take the largest that fits
    size: Count = 256  # side of the square frames, in pixels
    recipe: str = "stylegan-v"  # "none" or a name of RECIPES; applies to video files only
    filter: str = "bilinear"
    flip: bool = True  # every other clip, left to right
    images_per_clip: CountOrZero = 0  # independent frames after each clip: joint training
    skip_broken: bool = False  # leave out videos that cannot be read; false: stop at them


@dataclass(frozen=True, kw_only=True)
class AutoencoderTable(Checked):
    """[autoencoder]: between frames and latents."""

    name: Literal["identity", "patches", "sd-vae"] = "sd-vae"
    path: str | None = None  # a folder, or a name on the Hugging Face hub
    cache: str | None = None  # a folder in which latents are kept, so that each is made once


@dataclass(frozen=True, kw_only=True)
class TrainingTable(Checked):
    """[training]: the optimisation."""

    steps: Count
    batch_size: Count = 5  # clips per process and pass
    accumulate: Count = 1  # passes per step
    learning_rate: Positive = 1e-4
    warmup_steps: CountOrZero = 0  # linear, from 0
    decay: Literal["constant", "cosine"] = "constant"  # cosine: to 0 at the last step
    weight_decay: NonNegative = 0.0
    ema: Share = 0.9999
    clip_norm: Positive = 0.1
    clip_from_step: CountOrZero = 20_000  # earlier, the gradient norm is only measured
    label_dropout: Share = 0.1  # share of the labels that become "no class"
    seed: CountOrZero = 3407
    precision: Literal["fp32", "bf16"] = "fp32"  # bf16: autocast; weights stay float32
    tf32: bool = True  # used by GPUs that have it
    compile: bool = False
    checkpoint_activations: bool = False


@dataclass(frozen=True, kw_only=True)
class OutputTable(Checked):
    """[output]: what a run writes, and how often; 0 for never. Does not affect the weights."""

    log_every: Count = 100
    checkpoint_every: Count = 10_000
    keep_states: Count = 1  # checkpoints that can be trained on, the last ones; weights all stay
    sample_every: CountOrZero = 10_000
    num_samples: Count = 8
    sample_steps: Count = 50
    guidance_scale: NonNegative = 1.0
    evaluate_every: CountOrZero = 0


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
    return sorted(path.stem for path in CONFIGS.glob("*.toml"))


def load_config(name: str, settings: Sequence[str] = ()) -> TrainConfig:
    """A configuration by its name, or from a TOML file, with "table.field=value" changes.

    Raises:
        InputError: there is no such file, it is not TOML, or its values do not go together.
    """
    path = CONFIGS / f"{name}.toml" if name in config_names() else Path(name)
    if path.suffix != ".toml":
        raise InputError(
            f"no configuration is called {name!r}: {nearest(name, config_names())} (or give "
            "the path of a .toml file)"
        )
    table = read_toml(path, "a TOML file")
    changed = {setting.partition("=")[0].strip() for setting in settings}
    if "model.preset" in changed:  # replaces the file's sizes, not those of other settings
        model = table.get("model")
        for size in ("hidden_size", "depth", "num_heads"):
            if f"model.{size}" not in changed and isinstance(model, dict):
                model.pop(size, None)
    return convert(with_settings(table, settings), TrainConfig, name)


def with_settings(table: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A table with some values replaced: each setting is "table.field=value", as TOML has it.

    Raises:
        InputError: a setting is not of this form.
    """
    changed = {
        key: dict(part) if isinstance(part, Mapping) else part for key, part in table.items()
    }
    for setting in settings:
        path, equals, text = setting.partition("=")
        section, dot, field = path.strip().partition(".")
        if not (equals and dot and section and field):
            raise InputError(f'--set {setting}: write TABLE.FIELD=VALUE, as in "training.steps=9"')
        part = changed.setdefault(section, {})
        if not isinstance(part, dict):
            raise InputError(f"--set {setting}: {section} is not a table")
        part[field] = _toml_value(text.strip())
    return changed


def _toml_value(text: str) -> Any:
    """A TOML value; what is none is taken as a string, so that quotes need not be typed."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # a date or a number that cannot be, for example
        return text


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
        # JSON writes strings, numbers, true and false as TOML does.
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in part.items()]
        lines.append("")
    return "\n".join(lines)
