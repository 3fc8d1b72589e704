"""Feature networks by name."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch

from evaluation.networks import shapes
from evaluation.networks.extractor import Extractor, OpenedNetwork
from evaluation.networks.i3d_run import open_i3d
from evaluation.networks.spec import NetworkSpec, WeightFile
from evaluation.networks.weights import LocatedWeights, locate_weights
from latte.data.errors import InputError, nearest

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
C3D_UCF101 = WeightFile(
    file_name="c3d_ucf101.pt",
    url="https://www.dropbox.com/s/jxpu7avzdc9n97q/c3d_ucf101.pt?dl=1",
    note="StyleGAN-V's port of TGAN-v2's C3D, with its own code; no hash is published",
)
INCEPTION_TORCHSCRIPT = WeightFile(
    file_name="inception-2015-12-05.pt",
    url=(
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics"
        "/inception-2015-12-05.pt"
    ),
    note="StyleGAN2's port of the 2015 graph, with its own code; no hash is published",
)
INCEPTION_PYTORCH_FID = WeightFile(
    file_name="pt_inception-2015-12-05-6726825d.pth",
    url=(
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
        "/pt_inception-2015-12-05-6726825d.pth"
    ),
    sha256="6726825d",
    note="state dict of the same weights, from pytorch-fid",
)
INCEPTION_TORCH_FIDELITY = WeightFile(
    file_name="weights-inception-2015-12-05-6726825d.pth",
    url=(
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"
        "/weights-inception-2015-12-05-6726825d.pth"
    ),
    sha256="6726825d",
    note="the same file, from torch-fidelity",
)
VIDEOMAE_GIANT = WeightFile(
    file_name="vit_g_hybrid_pt_1200e_ssv2_ft.pth",
    url=(
        "https://pjlab-gvm-data.oss-cn-shanghai.aliyuncs.com/internvideo/videomaev2"
        "/vit_g_hybrid_pt_1200e_ssv2_ft.pth"
    ),
    note="VideoMAE-v2 giant, fine-tuned on Something-Something v2; no hash is published",
)

I3D_OUTPUTS = {"logits": 400, "pooled": 1024}
I3D_EPSILON = {"i3d": 1e-3, "i3d-videogpt": 1e-5}
SHAPES_OUTPUTS = {"pooled": shapes.NUM_FEATURES, "logits": shapes.NUM_CLASSES}

NETWORKS: Mapping[str, NetworkSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            NetworkSpec(
                name="i3d",
                title="I3D, Kinetics-400 logits (StyleGAN-V, Latte; batch-norm epsilon 1e-3)",
                unit="clip",
                outputs=I3D_OUTPUTS,
                resizes=("squash", "crop"),
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
                outputs=I3D_OUTPUTS,
                resizes=("squash", "crop"),
                min_frames=10,
                cpu_chunk=1,
                metric_suffix="",
                version=1,
                weight_files=(I3D_PRETRAINED,),
            ),
            NetworkSpec(
                name="videomae",
                title="VideoMAE-v2 giant, fine-tuned on Something-Something v2 (cd-fvd)",
                unit="clip",
                outputs={"pooled": 1408},
                resizes=("squash",),
                min_frames=16,
                max_frames=16,
                cpu_chunk=1,
                metric_suffix="-VideoMAE",
                version=1,
                weight_files=(VIDEOMAE_GIANT,),
            ),
            NetworkSpec(
                name="c3d",
                title="C3D, UCF-101 classes (Inception Score of TGAN-v2, StyleGAN-V)",
                unit="clip",
                outputs={"probabilities": 101},
                resizes=("squash",),
                min_frames=16,
                max_frames=16,
                cpu_chunk=1,
                metric_suffix="",
                version=1,
                weight_files=(C3D_UCF101,),
            ),
            NetworkSpec(
                name="inception",
                title="Inception of 2015-12-05 (FID, KID: clean-fid, StyleGAN, pytorch-fid)",
                unit="frame",
                outputs={"pooled": 2048},
                resizes=("clean", "legacy-tensorflow", "legacy-pytorch"),
                min_frames=1,
                cpu_chunk=1,
                metric_suffix="",
                version=1,
                weight_files=(
                    INCEPTION_TORCHSCRIPT,
                    INCEPTION_PYTORCH_FID,
                    INCEPTION_TORCH_FIDELITY,
                ),
            ),
            NetworkSpec(
                name="shapes",
                title="small 3-D classifier of moving shapes, ships with the package",
                unit="clip",
                outputs=SHAPES_OUTPUTS,
                resizes=("squash",),
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
                outputs=SHAPES_OUTPUTS,
                resizes=("squash",),
                min_frames=1,
                cpu_chunk=8,
                metric_suffix="-shapes",
                version=int(shapes.VERSION),
                bundled=shapes.FRAME_FILE,
            ),
        )
    }
)


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
    output: str | None = None,
    resize: str | None = None,
) -> Extractor:
    """A network, ready to be used: uint8 (N, T, H, W, 3) → float32 (N, D).

    Args:
        name: one of `NETWORKS`.
        weights: a file; by default what ships, `$LATTE_WEIGHTS`, the cache, or a download.
        device: "cpu", "cuda", "cuda:1", …
        batch_size: clips that a GPU sees at once. On a CPU it moves nothing.
        output: the layer whose output are the features; the first of the network's by default.
        resize: how frames come to the network's own size; the first of the network's by default.

    Raises:
        InputError: an unknown name, output or resizing, a device that is not there, or weights
            that cannot be had or do not fit.
    """
    spec = network(name).choose(output, resize)
    place = _device(device)
    located = locate_weights(spec, None if weights is None else Path(weights))
    return Extractor(
        spec=spec,
        weights=located,
        device=place,
        run=_open(spec, located.path, place),
        batch_size=batch_size,
    )


def _open(spec: NetworkSpec, path: Path, device: torch.device) -> OpenedNetwork:
    if spec.name in I3D_EPSILON:
        return open_i3d(
            path,
            device,
            batch_norm_eps=I3D_EPSILON[spec.name],
            output=spec.output,
            resize=spec.resize,
        )
    # What follows is imported where it is used: most runs need one network.
    if spec.name == "videomae":
        from evaluation.networks.videomae import open_videomae

        return open_videomae(path, device)
    if spec.name == "c3d":
        from evaluation.networks.c3d_run import open_c3d

        return open_c3d(path, device)
    if spec.name == "inception":
        from evaluation.networks.inception_run import open_inception

        return open_inception(path, device, resize=spec.resize)
    load = shapes.load_shapes_video_net if spec.unit == "clip" else shapes.load_shapes_frame_net
    model = load(path).to(device)
    if spec.output == "logits":
        return OpenedNetwork(forward=model, path_taken="own network")
    return OpenedNetwork(
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
