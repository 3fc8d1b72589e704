"""The embedded networks: small, trained on moving shapes, bundled with the package.

`ShapesVideoNet` sees a clip and names its class: a shape and a motion. `ShapesFrameNet` sees one
frame, which shows no motion, and names the shape and whether the ground is light or dark. What is
measured with them is called FVD-shapes, FID-shapes and IS-shapes, and compares with nothing else.

In both: frames uint8 (or float) (N, T, H, W, 3), RGB, 0 … 255 → features float32 of mean 0 and
standard deviation 1 on the data set's train split → 10 logits. Frames of another size than 32×32
are resized inside, bilinearly with antialiasing, whatever their aspect ratio. No layer looks at
another clip of the batch.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from evaluation.networks.equivalence import OWN
from evaluation.networks.registry import ASSETS
from evaluation.networks.spec import Implementation, NetworkSpec, OpenedFile
from latte.data.errors import InputError
from latte.data.schema import decode_json
from latte.data.shapes import CLASS_NAMES, SHAPES
from latte.data.tensor_files import check_same, read_any

NUM_FEATURES = 64
NUM_CLASSES = len(CLASS_NAMES)  # number of classes of both networks
INPUT_SIZE = 32  # pixels
MIN_FRAMES = 8  # fewer leave nothing to the last layers
NUM_BANDS = 3  # features of contrast at 1, 2 and 4 pixels; the others are learned
CONTRAST_FLOOR = 0.5 / 127.5  # half a grey level
VERSION = "1"  # changes with the architecture and the features' meaning
FRAME_CLASSES = tuple((shape, ground) for shape in SHAPES for ground in ("light", "dark"))
HEADER_KEY = "latte-eval"  # key of the JSON object in a file's header
VIDEO_FILE, FRAME_FILE = ASSETS / "shapes_video.safetensors", ASSETS / "shapes_frame.safetensors"


class _ShapesNet(nn.Module):
    """What the two networks share: stages of convolutions, their means, features, a classifier."""

    def __init__(self, *stages: nn.Module) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.project = nn.Linear(24 + 48 + 64 + 96 * 4 * 4, NUM_FEATURES - NUM_BANDS)
        self.normalise = _Normalise()
        self.head = nn.Linear(NUM_FEATURES, NUM_CLASSES)

    def forward(self, clips: Tensor) -> Tensor:
        """(N, T, H, W, 3), 0 … 255 → logits."""
        return self.head(self.features(clips))

    def _describe(self, x: Tensor, clips: Tensor) -> Tensor:
        """Input of the stages, and the same as (N, T, 3, 32, 32) → features (N, 64).

        Of each stage the mean activation is seen, of the last one in 4×4 places.
        """
        seen = []
        for stage in self.stages:
            x = F.silu(stage(x))
            seen.append(x.flatten(2).mean(2))
        last = x if x.ndim == 4 else x.mean(2)  # (N, C, 4, 4), over time
        learned = self.project(torch.cat([*seen[:-1], last.flatten(1)], dim=1))
        return self.normalise(torch.cat([learned, _contrast_bands(clips)], dim=-1))


class ShapesVideoNet(_ShapesNet):
    """Clips of T ≥ 8 frames (trained on 16) → features (N, 64) → logits (N, 10) of CLASS_NAMES."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv3d(3, 24, 3, stride=(1, 2, 2), padding=1),
            nn.Conv3d(24, 48, 3, stride=2, padding=1),
            nn.Conv3d(48, 64, 3, stride=2, padding=1),
            nn.Conv3d(64, 96, 3, stride=(2, 1, 1), padding=1),
        )

    def features(self, clips: Tensor) -> Tensor:
        """(N, T, H, W, 3), 0 … 255 → (N, 64)."""
        x = _as_input(clips)  # (N, T, 3, 32, 32)
        return self._describe(x.transpose(1, 2), x)


class ShapesFrameNet(_ShapesNet):
    """Single frames → features (N, T, 64) → logits (N, T, 10) of FRAME_CLASSES."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 24, 3, stride=2, padding=1),
            nn.Conv2d(24, 48, 3, stride=2, padding=1),
            nn.Conv2d(48, 64, 3, stride=1, padding=1),
            nn.Conv2d(64, 96, 3, stride=2, padding=1),
        )

    def features(self, clips: Tensor) -> Tensor:
        """(N, T, H, W, 3), 0 … 255 → (N, T, 64)."""
        x = _as_input(clips).flatten(0, 1)  # (N·T, 3, 32, 32)
        return self._describe(x, x[:, None]).unflatten(0, clips.shape[:2])


class _Normalise(nn.Module):
    """To mean 0 and standard deviation 1; the moments are set after training."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(NUM_FEATURES))
        self.register_buffer("std", torch.ones(NUM_FEATURES))

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.std


def load_network(
    kind: type[ShapesVideoNet | ShapesFrameNet], path: Path
) -> ShapesVideoNet | ShapesFrameNet:
    """A trained network from its file, ready for inference.

    Raises:
        InputError: the file is missing, damaged, or holds another network.
    """
    advice = (
        "leave weights (--weights) out to use the bundled ones, or make it with python -m "
        "evaluation.networks.train_shapes"
    )
    if path in (VIDEO_FILE, FRAME_FILE):
        advice = "it is bundled with latte-eval: install that again"
    tensors, header = read_any(path, advice=advice)
    facts = decode_json(header.get(HEADER_KEY, "{}"), dict[str, str], f"{path}, header")
    name, version = facts.get("network", "another network"), facts.get("version", "?")
    if (name, version) != (kind.__name__, VERSION):
        raise InputError(
            f"{path}: holds {name} version {version}, not {kind.__name__} version {VERSION}: "
            f"{advice}"
        )
    model = kind()
    check_same(tensors, model.state_dict(), str(path), f"the weights of {kind.__name__}")
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model.eval().requires_grad_(False)


def save_network(model: nn.Module, path: Path, metadata: dict[str, str]) -> None:
    """Write a network in half precision with its name, version and `metadata` in the header."""
    tensors = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    facts = {"network": type(model).__name__, "version": VERSION} | metadata
    path.parent.mkdir(parents=True, exist_ok=True)
    # One entry: safetensors writes several in random order, and the same network in other bytes.
    save_file(tensors, path, metadata={HEADER_KEY: json.dumps(facts)})


def _as_input(clips: Tensor) -> Tensor:
    """(N, T, H, W, 3), 0 … 255 → float32 (N, T, 3, 32, 32) in [−1, 1]."""
    x = clips.permute(0, 1, 4, 2, 3).float()
    if x.shape[-2:] != (INPUT_SIZE, INPUT_SIZE):
        frames = F.interpolate(
            x.flatten(0, 1), (INPUT_SIZE, INPUT_SIZE), mode="bilinear", antialias=True
        )
        x = frames.unflatten(0, clips.shape[:2])
    return x / 127.5 - 1


def _contrast_bands(x: Tensor) -> Tensor:
    """Logarithm of the mean absolute Laplacian at three scales: (N, T, 3, H, W) → (N, 3).

    A classifier may look past grain and softness; people do not. Noise raises these and blur
    lowers them, at every strength, and the logarithm keeps strong ones from drowning the rest.
    """
    frames, bands = x.flatten(0, 1), []
    for _ in range(NUM_BANDS):
        inner = frames[..., 1:-1, 1:-1]
        across = frames[..., 1:-1, :-2] + frames[..., 1:-1, 2:]
        down = frames[..., :-2, 1:-1] + frames[..., 2:, 1:-1]
        contrast = (inner - (across + down) / 4).abs().mean((1, 2, 3))
        bands.append(torch.log(contrast.unflatten(0, x.shape[:2]).mean(1) + CONTRAST_FLOOR))
        frames = F.avg_pool2d(frames, 2)
    return torch.stack(bands, dim=1)


def open_shapes(spec: NetworkSpec, path: Path, device: torch.device) -> OpenedFile:
    """One of the two networks with the weights of a file."""
    kind = ShapesVideoNet if spec.unit == "clip" else ShapesFrameNet
    model = load_network(kind, path).to(device)
    if spec.output == "logits":
        return OpenedFile(reference=Implementation(name=OWN, make=lambda: model))
    return OpenedFile(
        reference=Implementation(name=OWN, make=lambda: model.features),
        classifier=(model.head.weight, model.head.bias),
    )
