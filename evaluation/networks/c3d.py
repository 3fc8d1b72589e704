"""C3D: the classifier behind the Inception Score of videos on UCF-101."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evaluation.networks import files
from evaluation.networks.equivalence import FUSED, OWN, PUBLISHED, checked_call
from evaluation.networks.fused import FusedConvolution, with_replaced
from evaluation.networks.registry import network
from evaluation.networks.spec import Forward, Implementation, NetworkSpec, OpenedFile
from evaluation.networks.weights import is_torchscript
from latte.data.errors import InputError

NUM_CLASSES = 101
NUM_FRAMES = 16
FRAME_SIZE = 112
MIN_PROBABILITY = 1e-30  # smaller ones are noise of the last bits


class C3D(nn.Module):
    """C3D (Tran et al., 2015), fine-tuned on UCF-101: class logits of a clip.

    in      (N, 16, H, W, 3) uint8, RGB, frames of any size
    out     (N, 101) float32 logits
    source  TGAN-v2's Chainer code (pfnet-research/tgan2, models/c3d/c3d_ucf101.py); layers named
            as there

    `mean` is the mean clip of its training, BGR, 0 … 255; what the network sees is the middle of
    it. For inference alone: it has no dropout and is in evaluation mode from the start.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3, NUM_FRAMES, 128, 171))
        self.conv1a = _convolution(3, 64)
        self.conv2a = _convolution(64, 128)
        self.conv3a = _convolution(128, 256)
        self.conv3b = _convolution(256, 256)
        self.conv4a = _convolution(256, 512)
        self.conv4b = _convolution(512, 512)
        self.conv5a = _convolution(512, 512)
        self.conv5b = _convolution(512, 512)
        self.fc6 = nn.Linear(512 * 4 * 4, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, NUM_CLASSES)
        self.rectify = torch.relu_
        self.eval()

    def forward(self, clips: Tensor) -> Tensor:
        """Logits (N, 101).

        Raises:
            InputError: the clips have another length than 16 frames.
        """
        relu, x = self.rectify, preprocess(clips, self.mean)  # (N, 3, 16, 112, 112)
        x = _pool(relu(self.conv1a(x)), frames=1)  # (N, 64, 16, 56, 56)
        x = _pool(relu(self.conv2a(x)))  # (N, 128, 8, 28, 28)
        x = _pool(relu(self.conv3b(relu(self.conv3a(x)))))  # (N, 256, 4, 14, 14)
        x = _pool(relu(self.conv4b(relu(self.conv4a(x)))))  # (N, 512, 2, 7, 7)
        x = _pool(relu(self.conv5b(relu(self.conv5a(x)))))  # (N, 512, 1, 4, 4)
        x = self.fc7(self.fc6(x.flatten(1)).relu_()).relu_()  # (N, 4096)
        return self.fc8(x)

    def probabilities(self, clips: Tensor) -> Tensor:
        """Class probabilities (N, 101), of which the Inception Score is made."""
        return self(clips).softmax(dim=1)


def fuse(model: C3D) -> C3D:
    """A faster copy for CPUs, which shares the linear layers."""
    twin = with_replaced(
        model, lambda part: FusedConvolution(part) if isinstance(part, nn.Conv3d) else None
    )
    assert isinstance(twin, C3D)
    twin.rectify = lambda x: x  # the convolutions do it
    return twin


def preprocess(clips: Tensor, mean: Tensor) -> Tensor:
    """uint8 (N, 16, H, W, 3) → float32 (N, 3, 16, 112, 112), BGR around the mean clip.

    The generators that the original measures give [-1, 1], which it multiplies by 128: white is
    256 there, not 255. Each frame is resized whole, bilinearly with aligned corners and without
    antialiasing, whatever its aspect; the mean clip (3, 16, 128, 171) is cropped instead.

    Raises:
        InputError: the clips have another length than 16 frames.
    """
    network("c3d").check_length(clips.shape[1])
    x = clips.permute(0, 1, 4, 2, 3).flip(2).to(torch.float32)  # (N, T, BGR, H, W)
    x = functional.interpolate(
        ((x / 127.5 - 1) * 128).flatten(0, 1),
        size=(FRAME_SIZE, FRAME_SIZE),
        mode="bilinear",
        align_corners=True,
    ).unflatten(0, clips.shape[:2])
    rows, columns = slice(8, 8 + FRAME_SIZE), slice(8, 8 + FRAME_SIZE)
    return x.transpose(1, 2) + (128 - mean[:, :, rows, columns])


def open_c3d(spec: NetworkSpec, path: Path, device: torch.device) -> OpenedFile:
    """C3D with the weights of a file: StyleGAN-V's TorchScript, a state dict or safetensors.

    It runs on uint8 (n, 16, H, W, 3) and gives class probabilities float32 (n, 101). A state dict
    has the names of `C3D`, `mean` among them.

    Raises:
        InputError: the file is not one of these, damaged, or of another network.
    """
    model = C3D().to(device)
    reference = own = Implementation(name=OWN, make=lambda: model.probabilities)
    fused = Implementation(name=FUSED, make=lambda: fuse(model).probabilities)
    others = (fused,) if device.type == "cpu" else ()
    if not is_torchscript(path):
        files.fill(model, files.read_state_dict(path), path)
    else:
        module = files.open_torchscript(path, device)
        reference = Implementation(name=PUBLISHED, make=lambda: _published(module, path))
        same = files.fill_if_same(model, module.state_dict())
        others = (*others, own) if same else ()
    return OpenedFile(
        reference=reference,
        others=others,
        probes=[probe_clip(device)],
        difference=probability_difference,
    )


def probe_clip(device: torch.device) -> Tensor:
    """A clip on which two implementations must agree: uint8 (1, 16, 96, 160, 3).

    Noise that is lower and wider than the network's input, so that any other resizing shows,
    upwards and downwards; and brighter from frame to frame, so that their order shows.
    """
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (1, NUM_FRAMES, 96, 160, 3))
    rise = np.linspace(0.4, 1, NUM_FRAMES).reshape(1, -1, 1, 1, 1)
    return torch.from_numpy((noise * rise).astype(np.uint8)).to(device)


def probability_difference(reference: Tensor, other: Tensor) -> float:
    """Largest difference of two sets of probabilities (n, 101), or of their logarithms.

    The logarithms are compared relative to the largest: a network that is sure of one class gives
    it 1 whatever its input was multiplied by, and only the others tell.
    """
    logs, other_logs = (rows.clamp_min(MIN_PROBABILITY).log() for rows in (reference, other))
    relative = (logs - other_logs).abs().max() / logs.abs().max()
    return float(torch.maximum(relative, (reference - other).abs().max()))


def _published(module: nn.Module, path: Path) -> Forward:
    """The scripted network, called as StyleGAN-V calls it; its output must be probabilities."""
    call = checked_call(
        lambda clips: module(clips.permute(0, 4, 1, 2, 3).contiguous()),  # uint8 (N, 3, 16, H, W)
        path,
        network="C3D",
        usage="uint8 clips alone",
        width=NUM_CLASSES,
        row="probabilities for each clip",
    )

    def forward(clips: Tensor) -> Tensor:
        probabilities = call(clips).float()
        sums = probabilities.sum(dim=1)
        sum_to_one = torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
        if not sum_to_one or bool((probabilities < 0).any()):
            raise InputError(
                f"{path}: gives {NUM_CLASSES} numbers for each clip that are not probabilities: "
                "it is another network, or one without its softmax"
            )
        return probabilities

    return forward


def _convolution(inputs: int, outputs: int) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, 3, padding=1)


def _pool(x: Tensor, *, frames: int = 2) -> Tensor:
    """Max pooling; a last window that is only half inside counts (7 → 4)."""
    return functional.max_pool3d(x, (frames, 2, 2), ceil_mode=True)
