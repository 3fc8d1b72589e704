"""Stable Diffusion's VAE as an autoencoder of videos: its files, and a few frames at a time."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latte.autoencoder.base import Autoencoder
from latte.data.errors import InputError, first_line, outside
from latte.data.files import read_text
from latte.data.tensor_files import check_finite, check_same, read_any, tensors_in

# Frames that the VAE sees at a time on a GPU; one on the CPU. The number changes the last bits, the
# number of clips in a batch never does.
SLICE_FRAMES = 8
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


class StableDiffusionVAE(Autoencoder):
    """diffusers' AutoencoderKL, a few frames at a time. See `Autoencoder`.

    Latents are (z − shift) · scale of the encoder's z: about of variance 1. Shift is 0 in Stable
    Diffusion; scale is 0.18215 where the configuration does not say another.

    Args:
        model: diffusers.AutoencoderKL, on the device and in the dtype.
        encoder_digest: hash of the encoder's weights.
        decoder_digest: of the decoder's.
    """

    name = "sd-vae"
    cacheable = True

    def __init__(
        self,
        model: Any,
        device: torch.device,
        dtype: torch.dtype,
        *,
        encoder_digest: str,
        decoder_digest: str,
    ) -> None:
        self.model, self.device, self.dtype = model, device, dtype
        self.encoder_digest = encoder_digest
        config = model.config
        self.factor = int(2 ** (len(config.block_out_channels) - 1))
        self.channels = int(config.latent_channels)
        self.scale = float(config.scaling_factor)
        self.shift = float(config.shift_factor or 0)
        # The encoder, and what its weights do not say of it.
        encoder = (self.name, encoder_digest, config.act_fn, config.norm_num_groups)
        self.identity = _hash(*encoder, self.scale, self.shift, str(dtype))
        self.digest = _hash(*encoder, self.scale, self.shift, decoder_digest)

    def encode_moments(self, clips: Tensor) -> Tensor:
        height, width = clips.shape[-2:]
        if height % self.factor or width % self.factor:
            raise InputError(
                f"frames of {width}×{height} pixels: the autoencoder makes one latent of "
                f"{self.factor}×{self.factor}: give a size that is a multiple of {self.factor}"
            )
        return self._frame_by_frame(self._moments, clips)

    def decode(self, latents: Tensor) -> Tensor:
        return self._frame_by_frame(
            lambda frames: self.model.decode(frames).sample,
            latents.float() / self.scale + self.shift,
        )

    def _moments(self, frames: Tensor) -> Tensor:
        distribution = self.model.encode(frames).latent_dist
        # The exponential of the logarithm in float32, whatever the VAE's dtype.
        deviation = (0.5 * distribution.logvar.float()).exp()
        mean = distribution.mean.float() - self.shift
        return torch.cat([mean, deviation], dim=1) * self.scale

    @torch.no_grad()
    def _frame_by_frame(self, function: Callable[[Tensor], Tensor], clips: Tensor) -> Tensor:
        """The function of frames on clips (N, F, …)."""

        def run(frames: Tensor) -> Tensor:
            return function(frames.to(self.device, self.dtype)).float()

        size = 1 if self.device.type == "cpu" else SLICE_FRAMES
        # A caller's autocast must not change what `dtype` says.
        with torch.autocast(self.device.type, enabled=False):
            return in_slices(run, clips.flatten(0, 1), size).unflatten(0, clips.shape[:2])


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def in_slices(function: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> Tensor:
    """The function on rows (M, …), always `size` rows at a call: the last call is filled with 0.

    So a row's result does not depend on how many rows there are.
    """
    results = []
    for part in rows.split(size):
        padding = part.new_zeros(size - len(part), *part.shape[1:])
        results.append(function(torch.cat([part, padding]))[: len(part)])
    return torch.cat(results)


def open_vae(path: str | Path, device: torch.device, dtype: torch.dtype) -> StableDiffusionVAE:
    """A Stable Diffusion VAE as it is published.

    Nothing is unpickled, and no weights are used that do not fit their configuration.

    Args:
        path: a folder with config.json and weights, or with a folder `vae` that has them; or
            "owner/repository" of the Hugging Face hub, with the folder in it where there is one.

    Raises:
        InputError: diffusers is missing; nothing there, and the hub cannot be reached; not an
            AutoencoderKL of RGB frames; weights that are damaged, do not fit or are not finite.
    """
    try:
        from diffusers import AutoencoderKL
    except ImportError:
        raise InputError(
            "autoencoder sd-vae: needs diffusers, from pip install 'latte-eval[sd]'"
        ) from None
    folder = _vae_folder(path)
    config = _config(folder / "config.json")
    state = _tensors(folder)
    try:
        # "meta" initialises nothing, which takes no time and no random numbers.
        with torch.device("meta"):
            model = AutoencoderKL.from_config(config)
    except _UNFIT as error:
        raise InputError(
            f"{folder / 'config.json'}: no VAE can be made of it ({first_line(error)}): {_ADVICE}"
        ) from None
    _check_config(folder / "config.json", model.config)
    check_same(state, model.state_dict(), str(folder), "what config.json in it says")
    model.load_state_dict(state, assign=True)
    return StableDiffusionVAE(
        # diffusers' own `to` warns of what does not concern this network.
        nn.Module.to(model.requires_grad_(False).eval(), device, dtype),
        device,
        dtype,
        encoder_digest=_digest(state, ("encoder.", "quant_conv.")),
        decoder_digest=_digest(state, ("decoder.", "post_quant_conv.")),
    )


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


def _config(path: Path) -> dict[str, Any]:
    with outside(path, "the configuration of a VAE", _ADVICE):
        config = json.loads(read_text(path, "JSON", _ADVICE))
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
    state = tensors_in(read_any(path)[0], str(path))
    check_finite(state, str(path))
    # The official files have the names that an attention's projections had until 2023.
    today = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
    old_name = re.compile(r"(\.attentions\..*\.)(query|key|value|proj_attn)(?=\.)")
    return {
        old_name.sub(lambda old: old[1] + today[old[2]], name): tensor.detach().float()
        for name, tensor in state.items()
    }


def _digest(state: Mapping[str, Tensor], half: tuple[str, str]) -> str:
    """SHA-256 of the weights whose names begin so."""
    digest = hashlib.sha256()
    for name in sorted(state):
        if name.startswith(half):
            digest.update(f"{name}{tuple(state[name].shape)}".encode())
            digest.update(state[name].contiguous().numpy().data)
    return digest.hexdigest()
