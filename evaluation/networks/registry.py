"""Feature networks by name, as data. Their modules import torch, and are imported to open them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from evaluation.networks.choices import choice_key
from evaluation.networks.devices import find_device
from evaluation.networks.extractor import Extractor
from evaluation.networks.spec import GIT_BLOB, SHA256, NetworkSpec, PublishedFile
from evaluation.networks.weights import locate_weights
from latte.data.errors import InputError, nearest

if TYPE_CHECKING:
    import torch

ASSETS = Path(__file__).parent / "assets"

I3D_TORCHSCRIPT = PublishedFile(
    # StyleGAN-V's port of TF-Hub i3d-kinetics-400/1, with its own code
    file_name="i3d_torchscript.pt",
    url="https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1",
    hash=(GIT_BLOB, "93daef59c7ae0e9e8f76225521407e60cbafa6aa"),
)
I3D_PRETRAINED = PublishedFile(
    # state dict of the PyTorch port that VideoGPT, TATS and cd-fvd use
    file_name="i3d_pretrained_400.pt",
    url=(
        "https://github.com/JunyaoHu/common_metrics_on_video_quality"
        "/raw/main/fvd/videogpt/i3d_pretrained_400.pt"
    ),
    hash=(GIT_BLOB, "a867b87ac3a9097d200598b1d48a1b890d8ec744"),
)
I3D = NetworkSpec(
    name="i3d",
    title="I3D, Kinetics-400 logits (StyleGAN-V, Latte; batch-norm epsilon 1e-3)",
    unit="clip",
    outputs={"logits": 400, "pooled": 1024},
    resizes=("squash", "crop"),
    min_frames=10,
    weight_files=(I3D_TORCHSCRIPT, I3D_PRETRAINED),
    opener="evaluation.networks.i3d:open_i3d",
)
SHAPES = NetworkSpec(
    name="shapes",
    title="small 3-D classifier of moving shapes, bundled with the package",
    unit="clip",
    outputs={"pooled": 64, "logits": 10},
    resizes=("squash",),
    min_frames=8,
    cpu_chunk=8,
    metric_suffix="-shapes",
    bundled=ASSETS / "shapes_video.safetensors",
    opener="evaluation.networks.shapes:open_shapes",
)
SPECS = (
    I3D,
    replace(
        I3D,
        name="i3d-videogpt",
        title="I3D, Kinetics-400 logits (VideoGPT, TATS, cd-fvd; batch-norm epsilon 1e-5)",
        weight_files=(I3D_PRETRAINED,),
        opener="evaluation.networks.i3d:open_i3d_videogpt",
    ),
    NetworkSpec(
        name="videomae",
        title="VideoMAE-v2 giant, fine-tuned on Something-Something v2 (cd-fvd)",
        unit="clip",
        outputs={"pooled": 1408},
        resizes=("squash",),
        min_frames=16,
        max_frames=16,
        metric_suffix="-VideoMAE",
        weight_files=(
            PublishedFile(
                file_name="vit_g_hybrid_pt_1200e_ssv2_ft.pth",
                url=(
                    "https://pjlab-gvm-data.oss-cn-shanghai.aliyuncs.com/internvideo/videomaev2"
                    "/vit_g_hybrid_pt_1200e_ssv2_ft.pth"
                ),
            ),
        ),
        opener="evaluation.networks.videomae:open_videomae",
    ),
    NetworkSpec(
        name="c3d",
        title="C3D, UCF-101 classes (Inception Score of TGAN-v2, StyleGAN-V)",
        unit="clip",
        outputs={"probabilities": 101},
        resizes=("squash",),
        min_frames=16,
        max_frames=16,
        weight_files=(
            PublishedFile(
                # StyleGAN-V's port of TGAN-v2's C3D, with its own code
                file_name="c3d_ucf101.pt",
                url="https://www.dropbox.com/s/jxpu7avzdc9n97q/c3d_ucf101.pt?dl=1",
            ),
        ),
        opener="evaluation.networks.c3d:open_c3d",
    ),
    NetworkSpec(
        name="inception",
        title="Inception of 2015-12-05 (FID, KID: clean-fid, StyleGAN, pytorch-fid)",
        unit="frame",
        outputs={"pooled": 2048},
        resizes=("clean", "legacy-tensorflow", "legacy-pytorch"),
        min_frames=1,
        weight_files=(
            PublishedFile(
                # clean-fid's and StyleGAN2's port of the 2015 graph, with its own code
                file_name="inception-2015-12-05.pt",
                url=(
                    "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics"
                    "/inception-2015-12-05.pt"
                ),
                # stated by crowsonkb/k-diffusion (evaluation.py), which fetches it from there
                hash=(SHA256, "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"),
            ),
            PublishedFile(
                # state dict of the same weights, from pytorch-fid
                file_name="pt_inception-2015-12-05-6726825d.pth",
                url=(
                    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
                    "/pt_inception-2015-12-05-6726825d.pth"
                ),
                hash=(SHA256, "6726825d"),
            ),
            PublishedFile(
                # the same file, from torch-fidelity
                file_name="weights-inception-2015-12-05-6726825d.pth",
                url=(
                    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"
                    "/weights-inception-2015-12-05-6726825d.pth"
                ),
                hash=(SHA256, "6726825d"),
            ),
        ),
        opener="evaluation.networks.inception:open_inception",
    ),
    SHAPES,
    replace(
        SHAPES,
        name="shapes-frame",
        title="small 2-D classifier of single frames, bundled with the package",
        unit="frame",
        min_frames=1,
        bundled=ASSETS / "shapes_frame.safetensors",
    ),
)
NETWORKS: Mapping[str, NetworkSpec] = MappingProxyType({spec.name: spec for spec in SPECS})


def network(name: str) -> NetworkSpec:
    """The spec of a network.

    Raises:
        InputError: no network has this name; the nearest ones are named.
    """
    if name not in NETWORKS:
        raise InputError(f"unknown network {name!r}: {nearest(name, list(NETWORKS))}")
    return NETWORKS[name]


def build(
    name: str,
    weights: Path | str | None = None,
    device: "str | torch.device" = "cpu",
    *,
    batch_size: int = 8,
    output: str | None = None,
    resize: str | None = None,
    trust_weights: bool = False,
    exact: bool = False,
) -> Extractor:
    """A network, ready to be used: uint8 (N, T, H, W, 3) → float32 (N, D).

    Args:
        name: one of `NETWORKS`.
        weights: a file; by default the bundled one, `$LATTE_WEIGHTS`, the cache, or a download.
        device: "cpu", "cuda", "cuda:1", …
        batch_size: clips that a GPU sees at once; without effect on a CPU.
        output: the layer whose output are the features; by default the spec's first.
        resize: how frames come to the network's own size; by default the spec's first.
        trust_weights: run TorchScript, which is code, even if its hash is not published.
        exact: take the published path, and no faster one that reproduces it to rounding.

    Raises:
        InputError: an unknown name, output or resizing, a device that is missing, or weights that
            cannot be found, are not trusted or do not fit.
    """
    spec = network(name).choose(output, resize)
    place, processor = find_device(str(device))
    file = None if weights is None else Path(weights)
    located = locate_weights(spec, file, trust=trust_weights)
    extractor = Extractor(
        spec=spec,
        weights=located,
        device=place,
        batch_size=batch_size,
        choice_key=choice_key(spec, located.sha256, processor, exact=exact),
        exact=exact,
    )
    if not extractor.is_known:
        extractor.open()  # what is wrong with the file shows now
    return extractor
