"""Checkpoints: our own files (safetensors, with all that sampling needs) and the official ones."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Required, TypedDict, cast

import msgspec
import torch
from torch import Tensor

from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.data.schema import convert, decode_json
from latte.data.tensor_files import check_finite, check_same, write_safetensors
from latte.model.dit import initialise_from_dit
from latte.model.embeddings import frame_positions
from latte.model.official import is_dit, load_official, read_official, read_weights
from latte.model.transformer import Latte

__all__ = [
    "Checkpoint",
    "build_model",
    "bundled_checkpoint",
    "initialise_from_dit",
    "load_checkpoint",
    "load_initial",
    "load_official",
    "save_checkpoint",
    "with_num_frames",
]

FORMAT = "latte-eval 1"
FLOAT_DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
_POSITIONS = ("pos_embed", "temp_embed")


class AutoencoderSettings(TypedDict, total=False):
    """The autoencoder that a network was trained with."""

    name: Required[str]
    path: str
    digest: str


class CheckpointSettings(TypedDict, total=False):
    """Metadata of our own files besides the network; other programs may have added more."""

    dataset: str
    classes: list[str]  # names, in the order of the labels
    fps: Annotated[float, msgspec.Meta(gt=0)]
    frame_size: Annotated[int, msgspec.Meta(ge=1)]
    autoencoder: AutoencoderSettings
    diffusion: dict[str, Any]  # fields of DiffusionSettings
    sampling: dict[str, Any]  # fields of SamplingOptions
    step: int
    samples: int
    training: dict[str, dict[str, Any]]  # the configuration of the run


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A trained network, and what its file says besides."""

    config: LatteConfig
    state_dict: dict[str, Tensor]  # float32, as Latte.state_dict(): position tables included
    settings: CheckpointSettings  # {} for files of others
    path: Path


def load_checkpoint(path: Path | str, num_heads: int | None = None) -> Checkpoint:
    """Read our own file, or an official one (see `load_official`), by what it holds.

    Args:
        num_heads: for an official file of a size that no preset has.

    Raises:
        InputError: the file cannot be read safely, is of another kind, or contradicts itself.
    """
    state, metadata, _ = read_weights(path)
    return _checkpoint(Path(path), state, metadata, num_heads)


def load_initial(path: Path | str, num_heads: int) -> Checkpoint | dict[str, Tensor]:
    """Initial weights of a training: a Latte, or an image model's weights, DiT's or ours.

    Args:
        num_heads: taken for an official file of a size that no preset has.

    Raises:
        InputError: as `load_checkpoint`.
    """
    state, metadata, _ = read_weights(path)
    if "config" not in metadata and is_dit(state):
        return state
    checkpoint = _checkpoint(Path(path), state, metadata, default_heads=num_heads)
    return checkpoint if checkpoint.config.temporal_attention else checkpoint.state_dict


def save_checkpoint(
    path: Path | str,
    config: LatteConfig,
    state_dict: Mapping[str, Tensor],
    settings: CheckpointSettings,
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write our own file; it appears under its name when it is complete.

    Args:
        state_dict: of `Latte(config)`, on any device; position tables are stored in float32
            whatever the dtype.
        settings: what sampling needs besides (JSON).
        dtype: float32, float16 or bfloat16.

    Raises:
        InputError: weights are not finite, or do not fit into the dtype.
        ValueError: names or shapes are not those of the configuration, or settings are not JSON.
    """
    path = Path(path)
    if dtype not in FLOAT_DTYPES.values():
        raise ValueError(f"dtype {dtype}: choose {', '.join(FLOAT_DTYPES)}")
    with torch.device("meta"):
        expected = Latte(config).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
    if shapes != {name: tuple(tensor.shape) for name, tensor in expected.items()}:
        raise ValueError("the state dict is not that of the configuration")
    metadata = {
        "format": FORMAT,
        "config": json.dumps(asdict(config)),
        "settings": json.dumps(dict(settings), allow_nan=False),
    }
    tensors = {
        name: value.detach().to("cpu", torch.float32 if name in _POSITIONS else dtype).contiguous()
        for name, value in state_dict.items()
    }
    check_finite(tensors, f"{path}, as {str(dtype).removeprefix('torch.')}")
    write_safetensors(path, tensors, metadata)


def build_model(checkpoint: Checkpoint, device: torch.device | str = "cpu") -> Latte:
    """The network with these weights, in evaluation mode; it shares no memory with them.

    Raises:
        InputError: names or shapes of the weights are not those of the configuration.
    """
    config, where = checkpoint.config, str(checkpoint.path)
    with torch.device("meta"):  # drawing initial weights would take seconds
        model = Latte(config)
    check_same(checkpoint.state_dict, model.state_dict(), where, "what its configuration says")
    tensors = {name: tensor.to(device, copy=True) for name, tensor in checkpoint.state_dict.items()}
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def with_num_frames(checkpoint: Checkpoint, num_frames: int) -> Checkpoint:
    """The network for clips of another length: its positions in time are computed anew.

    Raises:
        InputError: it has no such length.
    """
    try:
        config = replace(checkpoint.config, num_frames=num_frames)
    except InputError as error:
        raise InputError(f"{checkpoint.path}: {error}") from None
    state = checkpoint.state_dict
    if "temp_embed" in state:
        state = state | {"temp_embed": frame_positions(config.hidden_size, config.token_frames)}
    return replace(checkpoint, config=config, state_dict=state)


def bundled_checkpoint() -> Path:
    """The small bundled network, trained on the data set `shapes`.

    Raises:
        InputError: this installation lacks it.
    """
    path = Path(__file__).parents[1] / "assets" / "shapes.safetensors"
    if not path.exists():
        raise InputError(f"{path}: the bundled checkpoint is missing: install latte-eval again")
    return path


def _checkpoint(
    path: Path,
    state: dict[str, Tensor],
    metadata: Mapping[str, str],
    num_heads: int | None = None,
    *,
    default_heads: int | None = None,
) -> Checkpoint:
    where = str(path)
    if "format" not in metadata or "config" not in metadata:
        config, state = read_official(state, where, num_heads, default_heads=default_heads)
        return Checkpoint(config=config, state_dict=state, settings={}, path=path)
    if metadata["format"] != FORMAT:
        raise InputError(
            f"{path}: has the format {metadata['format']!r}, not {FORMAT!r}: it takes another "
            "version of latte-eval"
        )
    config = decode_json(metadata["config"], LatteConfig, f"{path}: configuration")
    settings = _settings(metadata.get("settings", "{}"), config, f"{path}: settings")
    blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    if len(blocks) != config.depth:  # checked before a network of any depth is built
        raise InputError(f"{where}: has {len(blocks)} blocks, but depth {config.depth} is stated")
    try:
        with torch.device("meta"):
            expected = Latte(config).state_dict()
    except RuntimeError:  # tensors larger than can be numbered
        raise InputError(f"{where}: its configuration states sizes that no network has") from None
    check_same(state, expected, where, "what its own configuration says")
    return Checkpoint(config=config, state_dict=state, settings=settings, path=path)


def _settings(text: str, config: LatteConfig, where: str) -> CheckpointSettings:
    settings = decode_json(text, dict[str, Any], where)
    # Only its checks count: its result would lack what others have added.
    convert(settings, CheckpointSettings, where)
    classes = settings.get("classes")
    if classes is not None and len(classes) != (config.num_classes or 0):
        raise InputError(
            f"{where}: {len(classes)} classes are named, but the network has "
            f"{config.num_classes or 'none'}"
        )
    return cast(CheckpointSettings, settings)
