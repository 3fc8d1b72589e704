"""A Stable Diffusion VAE as it is published, a folder or a hub repository → diffusers' model.

Nothing is unpickled, and no weights are used that do not fit their configuration.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latte.data.errors import InputError, first_line
from latte.data.tensor_files import check_same
from latte.model.tensor_files import read_any, state_dict_in

WEIGHT_FILES = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.bin",
    "diffusion_pytorch_model.fp16.safetensors",
)
_ADVICE = (
    f"give the folder of a Stable Diffusion VAE, which holds config.json and {WEIGHT_FILES[0]}, "
    "or the folder above it if it is called vae"
)
# What makes a configuration that no model can be built from fail, in diffusers' and torch's code.
_UNFIT = (TypeError, ValueError, KeyError, IndexError, AttributeError, RuntimeError)


def load_vae(path: str | Path) -> tuple[Any, str, str]:
    """diffusers' AutoencoderKL, float32 on the CPU, and the SHA-256 (hex) of each of its halves.

    The encoder's comes first: VAEs that differ in their decoders alone share it.

    Args:
        path: a folder with config.json and weights, or with a folder `vae` that has them; or
            "owner/repository" of the Hugging Face hub, with the folder in it where there is one.

    Raises:
        InputError: diffusers is missing; nothing there, and the hub cannot be reached; not an
            AutoencoderKL of RGB frames; weights that are damaged, do not fit or are not finite.
    """
    network = _autoencoder_class()
    folder = _vae_folder(path)
    config = _config(folder)
    state = _tensors(folder)
    try:
        # On "meta" nothing is initialised, which takes no time and no random numbers.
        with torch.device("meta"):
            model = network.from_config(config)
    except _UNFIT as error:
        raise InputError(
            f"{folder / 'config.json'}: no VAE can be made of it ({first_line(error)}): {_ADVICE}"
        ) from None
    _check_config(folder / "config.json", model.config)
    check_same(state, model.state_dict(), str(folder), "what config.json in it says")
    model.load_state_dict(state, assign=True)
    encoder = _digest(state, ("encoder.", "quant_conv."))
    decoder = _digest(state, ("decoder.", "post_quant_conv."))
    return model.requires_grad_(False).eval(), encoder, decoder


def _autoencoder_class() -> Any:
    try:
        from diffusers import AutoencoderKL
    except ImportError:
        raise InputError(
            "autoencoder sd-vae: needs diffusers, from pip install 'latte-eval[sd]'"
        ) from None
    return AutoencoderKL


def _vae_folder(path: str | Path) -> Path:
    """The local folder with the VAE's config.json; what is on the hub is fetched first."""
    folder = Path(path).expanduser()
    if not folder.exists():
        # A name that says it is a path is not looked for on the hub.
        if isinstance(path, Path) or not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)+", path):
            raise InputError(f"{path}: no such folder: {_ADVICE}")
        folder = _fetch(path)
    for candidate in (folder, folder / "vae"):
        if (candidate / "config.json").is_file():
            return candidate
    raise InputError(f"{path}: no config.json in it, nor in a folder vae in it: {_ADVICE}")


def _fetch(name: str) -> Path:
    """The folder of a hub repository as huggingface_hub keeps it; once there, it works offline."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import LocalEntryNotFoundError, RepositoryNotFoundError

    owner, repository, *inside = name.split("/")
    files = ("config.json", WEIGHT_FILES[0])
    patterns = ["/".join((*inside, *more, file)) for more in ((), ("vae",)) for file in files]
    try:
        return Path(snapshot_download(f"{owner}/{repository}", allow_patterns=patterns), *inside)
    except LocalEntryNotFoundError:
        answer = "cannot be reached"
    except RepositoryNotFoundError:
        answer = "has none of this name"
    except (OSError, ValueError) as error:
        answer = f"does not give it ({' '.join(str(error).split()).partition('. ')[0]})"
    raise InputError(
        f"{name}: no such folder here, and the Hugging Face hub {answer}: give the folder of a VAE"
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error}): {_ADVICE}") from None
    kind = config.get("_class_name") if isinstance(config, dict) else None
    if kind != "AutoencoderKL":
        raise InputError(f"{path}: is of {kind or 'no known class'}, not AutoencoderKL: {_ADVICE}")
    return dict(config)


def _check_config(path: Path, config: Any) -> None:
    if (config.in_channels, config.out_channels) != (3, 3):
        raise InputError(
            f"{path}: makes {config.out_channels} channels of {config.in_channels}, but frames "
            f"have 3: {_ADVICE}"
        )
    scale = config.scaling_factor
    if not isinstance(scale, int | float) or not scale > 0:
        raise InputError(f"{path}: scaling_factor {scale!r} is not a number above 0: {_ADVICE}")


def _tensors(folder: Path) -> dict[str, Tensor]:
    """The weights, float32, under the names of today's diffusers."""
    path = next((folder / name for name in WEIGHT_FILES if (folder / name).is_file()), None)
    if path is None:
        raise InputError(f"{folder}: none of {', '.join(WEIGHT_FILES)} is in it: {_ADVICE}")
    state = state_dict_in(read_any(path)[0], str(path))
    return {_renamed(name): tensor for name, tensor in state.items()}


def _renamed(name: str) -> str:
    """The official files have the names that an attention's projections had until 2023."""
    if ".attentions." not in name:
        return name
    today = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
    return re.sub(r"\.(query|key|value|proj_attn)\.", lambda old: f".{today[old[1]]}.", name)


def _digest(state: Mapping[str, Tensor], half: tuple[str, str]) -> str:
    """SHA-256 of the weights whose names begin so."""
    digest = hashlib.sha256()
    for name in sorted(state):
        if name.startswith(half):
            digest.update(f"{name}{tuple(state[name].shape)}".encode())
            digest.update(state[name].contiguous().numpy().data)
    return digest.hexdigest()
