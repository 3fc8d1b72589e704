"""What a run needs: everything that is missing is listed at once, before anything starts."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

from benchmarks.cells.scale import Scale
from latte.data.errors import BrokenVideoError, InputError, outside
from latte.data.hashing import file_sha256

if TYPE_CHECKING:
    from latte.data.sources import VideoSet


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """Something that a cell cannot be measured without."""

    name: str  # "data set faceforensics"
    met: bool
    advice: str  # says where it was looked for, and what to do

    @property
    def line(self) -> str:
        """Its line in a list of what is missing."""
        return f"{self.name}: {self.advice}"


def unmet(requirements: Iterable[Requirement]) -> list[Requirement]:
    """The requirements that are not met, each once, in the order given."""
    return list(dict.fromkeys(requirement for requirement in requirements if not requirement.met))


def require(requirements: Iterable[Requirement], scale: Scale, *, or_else: str = "") -> None:
    """Refuse a run whose requirements are not all met, before anything starts.

    Args:
        or_else: what can be done without them.

    Raises:
        InputError: one message with a line for each requirement that is not met.
    """
    missing = unmet(requirements)
    if missing:
        count = "1 thing is" if len(missing) == 1 else f"{len(missing)} things are"
        others = f" ({or_else})" if or_else else ""
        lines = "".join(f"\n  - {requirement.line}" for requirement in missing)
        raise InputError(f"--scale {scale}: {count} missing{others}:{lines}")


def data_set(
    name: str, data_root: Path, *, min_frames: int = 0, frame_size: int | None = None
) -> Requirement:
    """A data set by its name, at the split that FVD is measured on by default.

    Args:
        min_frames: length that at least one of its videos must have; 0 looks at names alone.
        frame_size: width and height of frames that are measured as they are; video files are
            prepared, and may have any.
    """
    from latte.data.datasets import dataset, open_dataset

    known = dataset(name)
    root, looked = known.find(data_root)
    if known.folders and root is None:
        return Requirement(name=f"data set {name}", met=False, advice=known.not_found(looked))
    try:
        videos = open_dataset(name, data_root=data_root)
    except InputError as error:
        return Requirement(name=f"data set {name}", met=False, advice=str(error))
    problem = _problem(videos, min_frames, frame_size) if min_frames else ""
    advice = f"{problem}: {known.how_to_get}" if problem else ""
    return Requirement(name=f"data set {name}", met=not problem, advice=advice)


def _problem(videos: "VideoSet", min_frames: int, frame_size: int | None) -> str:
    """Why clips cannot be taken from these videos; judged by the first that is long enough."""
    for video in videos.videos:
        try:
            info = video.probe()
        except BrokenVideoError:
            continue
        if info.num_frames < min_frames:
            continue
        if frame_size and video.prepared and (info.width, info.height) != (frame_size, frame_size):
            return (
                f"frames in {videos.root} are {info.width}×{info.height}, not "
                f"{frame_size}×{frame_size}: `latte-eval prepare` makes such frames of the videos"
            )
        return ""
    return (
        f"of the {len(videos.videos)} videos in {videos.root} none can be read and has "
        f"{min_frames} frames, as the clips need"
    )


def network_weights(name: str, *, trust: bool = False) -> Requirement:
    """The published weights of a feature network: bundled, or in the folder of weights.

    A file that is there is read, since another content would be refused later.
    """
    from evaluation.networks.registry import network
    from evaluation.networks.weights import VARIABLE, is_here, locate_weights, weights_folder

    spec = network(name)
    files = " or ".join(f"{file.file_name} ({file.url})" for file in spec.weight_files)
    met, advice = is_here(spec), f"put {files} into {weights_folder()}, or set ${VARIABLE}"
    if met:
        try:
            locate_weights(spec, trust=trust)
        except InputError as error:
            met, advice = False, str(error)
    return Requirement(name=f"weights of the network {name}", met=met, advice=advice)


def file(what: str, path: Path | None, advice: str) -> Requirement:
    """A file or folder that the user names by an option."""
    how = advice if path is None else f"{path} is not there: {advice}"
    return Requirement(name=what, met=path is not None and path.exists(), advice=how)


def package(module: str, extra: str) -> Requirement:
    """A package of an extra of this distribution."""
    return Requirement(
        name=f"the package {module}",
        met=find_spec(module) is not None,
        advice=f"pip install 'latte-eval[{extra}]'",
    )


def slurm() -> Requirement:
    """The programs that submit jobs and start their processes."""
    return Requirement(
        name="Slurm",
        met=all(map(which, ("sbatch", "srun"))),
        advice="sbatch and srun are not on the PATH: use a machine with them, or --executor local",
    )


def vae(path: str) -> Requirement:
    """Stable Diffusion's autoencoder: a folder, or fetched from the Hugging Face hub before.

    Args:
        path: as `latte.autoencoder.open_autoencoder` takes it.
    """
    from latte.autoencoder.stable_diffusion import WEIGHT_FILES

    owner, _, rest = path.partition("/")
    repository, _, inside = rest.partition("/")
    if Path(path).expanduser().exists() or not (owner and repository):
        present = bool(_vae_files(Path(path).expanduser()))
        how = f"no config.json with {' or '.join(WEIGHT_FILES)} is there: give the folder of a VAE"
    else:
        name = f"{owner}/{repository}"
        fetched = _fetched(name)
        present = fetched is not None and bool(_vae_files(fetched / inside))
        files = " ".join(f"{Path(inside) / x}" for x in ("config.json", WEIGHT_FILES[0]))
        how = f"`hf download {name} {files}` fetches it from the Hugging Face hub"
    return Requirement(name=f"the autoencoder {path}", met=present, advice=how)


def vae_identity(path: str) -> str:
    """What an autoencoder is known by: of a folder the digest of its files, else its name.

    Args:
        path: as of `vae`, or a name of `latte.autoencoder.AUTOENCODERS`.
    """
    states = [(file, file.stat()) for file in _vae_files(Path(path).expanduser())]
    if not states:
        return path
    return _content(tuple((file, state.st_size, state.st_mtime_ns) for file, state in states))


@lru_cache
def _content(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Digest over the content of files, which are read once as long as they stay as they are."""
    return hashlib.sha256(
        b"".join(bytes.fromhex(file_sha256(path)) for path, *_ in files)
    ).hexdigest()


def _vae_files(folder: Path) -> list[Path]:
    """Configuration and weights of a folder, as `open_vae` takes them, or nothing."""
    from latte.autoencoder.stable_diffusion import WEIGHT_FILES

    for place in (folder, folder / "vae"):
        if (place / "config.json").is_file():
            weights = [place / name for name in WEIGHT_FILES if (place / name).is_file()]
            return [place / "config.json", weights[0]] if weights else []
    return []


def _fetched(repository: str) -> Path | None:
    """The folder of a repository in the cache of the Hugging Face hub."""
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(repository, local_files_only=True))
    except (ImportError, ValueError, OSError):  # no package, no name of a repository, not there
        return None


def autoencoder_of(checkpoint: Path | None, asked: str | None) -> list[Requirement]:
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
    from safetensors import safe_open

    try:
        with outside(checkpoint, "a checkpoint"), safe_open(checkpoint, framework="pt") as file:
            settings = json.loads((file.metadata() or {})["settings"])
            return dict(settings["autoencoder"])
    except InputError:
        return {}


def gpus(count: int = 1) -> Requirement:
    """The GPUs that a run uses."""
    import torch

    available = torch.cuda.device_count()
    return Requirement(
        name="a GPU" if count == 1 else f"{count} GPUs",
        met=available >= count,
        advice=f"PyTorch finds {available}; use a machine with {count}",
    )
