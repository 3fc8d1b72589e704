"""Feature networks by name."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch

from evaluation.networks import shapes
from evaluation.networks.extractor import Extractor, Run
from evaluation.networks.i3d_run import open_i3d
from evaluation.networks.spec import NetworkSpec, WeightFile
from evaluation.networks.weights import LocatedWeights, locate_weights
from latte.data.command_line import nearest
from latte.data.errors import InputError

__all__ = ["NETWORKS", "Extractor", "LocatedWeights", "NetworkSpec", "build", "network"]

I3D_TORCHSCRIPT = WeightFile(
    file_name="i3d_torchscript.pt",
    url="https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1",
    git_blob_sha1="93daef59c7ae0e9e8f76225521407e60cbafa6aa",
    note="StyleGAN-V's port of TF-Hub i3d-kinetics-400/1, with its own code",
)
I3D_PRETRAINED = WeightFile(
    file_name="i3d_pretrained_400.pt",
    url=(
        "https://github.com/JunyaoHu/common_metrics_on_video_quality"
        "/raw/main/fvd/videogpt/i3d_pretrained_400.pt"
    ),
    git_blob_sha1="a867b87ac3a9097d200598b1d48a1b890d8ec744",
    note="state dict of the PyTorch port that VideoGPT, TATS and cd-fvd use",
)

NETWORKS: Mapping[str, NetworkSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            NetworkSpec(
                name="i3d",
                title="I3D, Kinetics-400 logits (StyleGAN-V, Latte; batch-norm epsilon 1e-3)",
                unit="clip",
                output="logits",
                num_features=400,
                min_frames=10,
                cpu_chunk=1,
                metric_suffix="",
                version=1,
                weight_files=(I3D_TORCHSCRIPT, I3D_PRETRAINED),
            ),
            NetworkSpec(
                name="i3d-videogpt",
                title="I3D, Kinetics-400 logits (VideoGPT, TATS, cd-fvd; batch-norm epsilon 1e-5)",
                unit="clip",
                output="logits",
                num_features=400,
                min_frames=10,
                cpu_chunk=1,
                metric_suffix="",
                version=1,
                weight_files=(I3D_PRETRAINED,),
            ),
            NetworkSpec(
                name="shapes",
                title="small 3-D classifier of moving shapes, ships with the package",
                unit="clip",
                output="pooled",
                num_features=shapes.NUM_FEATURES,
                min_frames=shapes.MIN_FRAMES,
                cpu_chunk=8,
                metric_suffix="-shapes",
                version=int(shapes.VERSION),
                bundled=shapes.VIDEO_FILE,
            ),
            NetworkSpec(
                name="shapes-frame",
                title="small 2-D classifier of single frames, ships with the package",
                unit="frame",
                output="pooled",
                num_features=shapes.NUM_FEATURES,
                min_frames=1,
                cpu_chunk=8,
                metric_suffix="-shapes",
                version=int(shapes.VERSION),
                bundled=shapes.FRAME_FILE,
            ),
        )
    }
)
I3D_EPSILON = {"i3d": 1e-3, "i3d-videogpt": 1e-5}


def network(name: str) -> NetworkSpec:
    """What is known of a network.

    Raises:
        InputError: there is none of this name; the nearest ones are named.
    """
    if name not in NETWORKS:
        raise InputError(f"unknown network {name!r}: {nearest(name, list(NETWORKS))}")
    return NETWORKS[name]


def build(
    name: str,
    weights: Path | str | None = None,
    device: str | torch.device = "cpu",
    *,
    batch_size: int = 8,
) -> Extractor:
    """A network, ready to be used: uint8 (N, T, H, W, 3) → float32 (N, D).

    Args:
        name: one of `NETWORKS`.
        weights: a file; by default what ships, `$LATTE_WEIGHTS`, the cache, or a download.
        device: "cpu", "cuda", "cuda:1", …
        batch_size: clips that a GPU sees at once. On a CPU it moves nothing.

    Raises:
        InputError: an unknown name, a device that is not there, or weights that cannot be had or
            do not fit.
    """
    spec = network(name)
    place = _device(device)
    located = locate_weights(spec, None if weights is None else Path(weights))
    return Extractor(
        spec=spec,
        weights=located,
        device=place,
        run=_open(spec, located.path, place),
        batch_size=batch_size,
    )


def _open(spec: NetworkSpec, path: Path, device: torch.device) -> Run:
    if spec.name in I3D_EPSILON:
        return open_i3d(path, device, batch_norm_eps=I3D_EPSILON[spec.name])
    load = shapes.load_shapes_video_net if spec.unit == "clip" else shapes.load_shapes_frame_net
    model = load(path).to(device)
    return Run(
        forward=model.features,
        path_taken="own network",
        classifier=(model.head.weight, model.head.bias),
    )


def _device(device: str | torch.device) -> torch.device:
    try:
        place = torch.device(device)
        torch.empty(0, device=place)  # a driver that is missing shows now
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {device!s} cannot be used here ({str(error).splitlines()[0]}): use cpu"
        ) from None
    return place
