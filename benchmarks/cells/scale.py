"""At which scale a runner works, and what that needs: all that is missing is said at once."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from latte.data.errors import BrokenVideoError, InputError, nearest

if TYPE_CHECKING:
    from evaluation.networks.spec import NetworkSpec
    from latte.data.sources import Video, VideoSet

Scale = Literal["tiny", "small", "paper"]
SCALES: tuple[Scale, ...] = get_args(Scale)

MEANINGS: Mapping[Scale, str] = {
    "tiny": "small trainings on the embedded data set: minutes on two cores, nothing to fetch",
    "small": "the embedded data set at 32×32: for figures one GPU, for tables two cores, about an "
    "hour each",
    "paper": "the paper's settings: its data sets, its weights, several GPUs",
}


@dataclass(frozen=True, kw_only=True)
class Ingredient:
    """Something that a cell cannot be measured without."""

    name: str  # "data set faceforensics"
    here: bool
    how_to_get: str  # half a sentence: where it was looked for, what to do

    @property
    def line(self) -> str:
        """For a list of what is missing."""
        return f"{self.name}: {self.how_to_get}"


def as_scale(name: str) -> Scale:
    """The scale of this name.

    Raises:
        InputError: there is none; the message has them all.
    """
    for scale in SCALES:
        if name == scale:
            return scale
    raise InputError(f"no scale is called {name!r}: {nearest(name, SCALES)}")


def name_at(name: str, scale: Scale) -> str:
    """What a folder of results is called: those at different scales never mix.

    >>> name_at("figure7", "tiny"), name_at("figure7", "small")
    ('figure7', 'figure7-small')
    """
    return name if scale == "tiny" else f"{name}-{scale}"


def missing_ingredients(ingredients: Iterable[Ingredient]) -> list[Ingredient]:
    """Those that are not here, each once, in the order given."""
    return list(dict.fromkeys(each for each in ingredients if not each.here))


def require(ingredients: Iterable[Ingredient], scale: Scale, *, or_else: str = "") -> None:
    """Refuse a run whose ingredients are not all here, before anything starts.

    Args:
        or_else: half a sentence: what can be done without them.

    Raises:
        InputError: one message with a line for each ingredient that is missing.
    """
    missing = missing_ingredients(ingredients)
    if missing:
        raise InputError(_refusal(missing, scale, or_else))


def _refusal(missing: Sequence[Ingredient], scale: Scale, or_else: str) -> str:
    count = f"{len(missing)} things that are" if len(missing) > 1 else "something that is"
    others = f"; {or_else}" if or_else else ""
    lines = "".join(f"\n  - {each.line}" for each in missing)
    return f"--scale {scale} needs {count} not here{others}:{lines}"


def default_data_root() -> Path:
    """Where data sets are looked for: `$LATTE_DATA`, else `data`."""
    return Path(os.environ.get("LATTE_DATA") or "data")


def data_set(
    name: str, data_root: Path, *, split: str | None = None, min_frames: int = 0
) -> Ingredient:
    """A data set by its name, at the split that FVD is measured on by default.

    Args:
        min_frames: that at least one of its videos must have; 0 looks at names alone.
    """
    from latte.data.datasets import dataset, open_dataset

    try:
        videos = open_dataset(name, data_root=data_root, split=split)
        why = _too_short(videos, min_frames)
    except InputError as error:
        why = str(error)
    # The reason names the places that were looked at; some reasons say how to get it as well.
    how = why if dataset(name).how_to_get in why else f"{why}; {dataset(name).how_to_get}"
    return Ingredient(name=f"data set {name}", here=not why, how_to_get=how if why else "")


def _too_short(videos: "VideoSet", min_frames: int) -> str:
    """Half a sentence where no video can be read and is long enough; the first one mostly is."""
    if not min_frames or any(_has_frames(video, min_frames) for video in videos.videos):
        return ""
    return (
        f"of the {len(videos.videos)} videos in {videos.root} none can be read and has "
        f"{min_frames} frames, as the clips need"
    )


def _has_frames(video: "Video", count: int) -> bool:
    try:
        return video.probe().num_frames >= count
    except BrokenVideoError:
        return False


def network_weights(name: str) -> Ingredient:
    """The published weights of a feature network: shipped, or in the folder of weights.

    A file whose hash is published is read, since another content would be refused later.
    """
    from evaluation.networks.registry import network
    from evaluation.networks.weights import VARIABLE, default_folder, is_here

    spec = network(name)
    files = " or ".join(f"{file.file_name} ({file.url})" for file in spec.weight_files)
    folder = os.environ.get(VARIABLE) or default_folder()
    refused = _refused_weights(spec, Path(folder).expanduser())
    return Ingredient(
        name=f"weights of the network {name}",
        here=is_here(spec) and refused is None,
        how_to_get=refused or f"put {files} into {folder}, or set ${VARIABLE}",
    )


def _refused_weights(spec: "NetworkSpec", folder: Path) -> str | None:
    """Why the file that would be taken is not taken."""
    from evaluation.networks.weights import locate_weights

    there = [file for file in spec.weight_files if (folder / file.file_name).is_file()]
    if spec.bundled is not None or not there or not there[0].has_hash:
        return None
    try:
        locate_weights(spec)
    except InputError as error:
        return str(error)
    return None


def file(what: str, path: Path | None, how_to_get: str) -> Ingredient:
    """A file or folder that the user names by an option."""
    if path is None:
        return Ingredient(name=what, here=False, how_to_get=how_to_get)
    how = f"{path} is not there; {how_to_get}"
    return Ingredient(name=what, here=path.exists(), how_to_get=how)


def package(module: str, extra: str) -> Ingredient:
    """A package of an extra of this distribution."""
    return Ingredient(
        name=f"the package {module}",
        here=find_spec(module) is not None,
        how_to_get=f"pip install 'latte-eval[{extra}]'",
    )


def vae(path: str) -> Ingredient:
    """Stable Diffusion's autoencoder: a folder, or fetched from the Hugging Face hub before.

    Args:
        path: as `latte.autoencoder.open_autoencoder` takes it.
    """
    from latte.autoencoder.vae_files import WEIGHT_FILES

    owner, _, rest = path.partition("/")
    repository, _, inside = rest.partition("/")
    if Path(path).expanduser().exists() or not (owner and repository):
        here = bool(_vae_files(path))
        how = f"no config.json with {' or '.join(WEIGHT_FILES)} is there; give the folder of a VAE"
    else:
        name = f"{owner}/{repository}"
        prefixes = [f"{inside}/" if inside else "", f"{inside}/vae/".lstrip("/")]
        here = any(_is_fetched_vae(name, prefix) for prefix in prefixes)
        files = f"{prefixes[0]}config.json {prefixes[0]}{WEIGHT_FILES[0]}"
        how = f"`hf download {name} {files}` fetches it from the Hugging Face hub"
    return Ingredient(name=f"the autoencoder {path}", here=here, how_to_get=how)


def vae_identity(path: str) -> str:
    """What an autoencoder is known by: of a folder the digest of its files, else its name.

    Args:
        path: as of `vae`, or a name of `latte.autoencoder.AUTOENCODERS`.
    """
    states = [(file, file.stat()) for file in _vae_files(path)]
    if not states:
        return path
    return _content(tuple((file, state.st_size, state.st_mtime_ns) for file, state in states))


@lru_cache
def _content(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Digest over the content of files, which are read once as long as they stay as they are."""
    digest = hashlib.sha256()
    for path, _, _ in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _vae_files(path: str) -> list[Path]:
    """Configuration and weights of a folder, as `vae_files` takes them, or nothing."""
    from latte.autoencoder.vae_files import WEIGHT_FILES

    folder = Path(path).expanduser()
    for place in (folder, folder / "vae"):
        if (place / "config.json").is_file():
            found = [place / name for name in WEIGHT_FILES if (place / name).is_file()]
            return [place / "config.json", found[0]] if found else []
    return []


def _is_fetched_vae(repository: str, prefix: str) -> bool:
    """Whether the hub's cache has both files of a VAE."""
    from latte.autoencoder.vae_files import WEIGHT_FILES

    return _is_fetched(repository, f"{prefix}config.json") and any(
        _is_fetched(repository, f"{prefix}{name}") for name in WEIGHT_FILES
    )


def _is_fetched(repository: str, file_name: str) -> bool:
    """Whether a file of the Hugging Face hub is in its cache."""
    try:
        from huggingface_hub import try_to_load_from_cache

        return isinstance(try_to_load_from_cache(repository, file_name), str)
    except (ImportError, ValueError):  # without the package; no name of a repository
        return False


def autoencoder_of(checkpoint: Path | None, asked: str | None) -> list[Ingredient]:
    """The VAE that a checkpoint works with: the one asked for, else its own; none of some.

    Args:
        checkpoint: official, or of ours; None or not here: as official ones.
        asked: a path as `vae` takes it, or a name of `latte.autoencoder.AUTOENCODERS`.
    """
    from latte.autoencoder import AUTOENCODERS, DEFAULT_VAE

    path = asked
    if path is None and checkpoint is not None and not is_official(checkpoint):
        stated = _stated_autoencoder(checkpoint)
        name = stated.get("name", "sd-vae")
        path = stated.get("path", name) if name == "sd-vae" else name
    if path in (None, "sd-vae"):
        return [vae(DEFAULT_VAE)]
    return [] if path in AUTOENCODERS else [vae(str(path))]


def is_official(checkpoint: Path) -> bool:
    """Files of ours are safetensors, and say what decodes their latents."""
    return checkpoint.suffix != ".safetensors"


def _stated_autoencoder(checkpoint: Path) -> dict[str, Any]:
    """What a file of ours says of it; a damaged one is refused by who samples from it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(checkpoint, framework="pt") as file:
            settings = json.loads((file.metadata() or {})["settings"])
        return dict(settings["autoencoder"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return {}


def gpus(count: int = 1) -> Ingredient:
    """As many GPUs as a run is meant for."""
    import torch

    here = torch.cuda.device_count()
    return Ingredient(
        name="a GPU" if count == 1 else f"{count} GPUs",
        here=here >= count,
        how_to_get=f"PyTorch sees {here} on this machine; run it where there are more",
    )
