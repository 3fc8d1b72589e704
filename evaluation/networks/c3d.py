"""C3D: the classifier behind the Inception Score of videos on UCF-101."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from latte.data.errors import InputError

NUM_CLASSES = 101
NUM_FRAMES = 16
FRAME_SIZE = 112


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
        self.eval()

    def forward(self, clips: Tensor) -> Tensor:
        """Logits (N, 101).

        Raises:
            InputError: the clips have another length than 16 frames.
        """
        x = preprocess(clips, self.mean)  # (N, 3, 16, 112, 112)
        x = _pool(self.conv1a(x).relu_(), frames=1)  # (N, 64, 16, 56, 56)
        x = _pool(self.conv2a(x).relu_())  # (N, 128, 8, 28, 28)
        x = _pool(self.conv3b(self.conv3a(x).relu_()).relu_())  # (N, 256, 4, 14, 14)
        x = _pool(self.conv4b(self.conv4a(x).relu_()).relu_())  # (N, 512, 2, 7, 7)
        x = _pool(self.conv5b(self.conv5a(x).relu_()).relu_())  # (N, 512, 1, 4, 4)
        x = self.fc7(self.fc6(x.flatten(1)).relu_()).relu_()  # (N, 4096)
        return self.fc8(x)

    def probabilities(self, clips: Tensor) -> Tensor:
        """Class probabilities (N, 101), of which the Inception Score is made."""
        return self(clips).softmax(dim=1)


def preprocess(clips: Tensor, mean: Tensor) -> Tensor:
    """uint8 (N, 16, H, W, 3) → float32 (N, 3, 16, 112, 112), BGR around the mean clip.

    The generators that the original measures give [-1, 1], which it multiplies by 128: white is
    256 there, not 255. Each frame is resized whole, bilinearly with aligned corners and without
    antialiasing, whatever its aspect; the mean clip (3, 16, 128, 171) is cropped instead.

    Raises:
        InputError: the clips have another length than 16 frames.
    """
    check_length(clips)
    x = clips.permute(0, 1, 4, 2, 3).flip(2).to(torch.float32)  # (N, T, BGR, H, W)
    x = functional.interpolate(
        ((x / 127.5 - 1) * 128).flatten(0, 1),
        size=(FRAME_SIZE, FRAME_SIZE),
        mode="bilinear",
        align_corners=True,
    ).unflatten(0, clips.shape[:2])
    rows, columns = slice(8, 8 + FRAME_SIZE), slice(8, 8 + FRAME_SIZE)
    return x.transpose(1, 2) + (128 - mean[:, :, rows, columns])


def check_length(clips: Tensor) -> None:
    """Refuse clips (N, T, …) of another length than 16 frames.

    Longer ones too: which of their frames to take is the protocol's choice, not the network's.

    Raises:
        InputError: they are longer or shorter.
    """
    if clips.shape[1] != NUM_FRAMES:
        raise InputError(
            f"C3D takes clips of {NUM_FRAMES} frames, these have {clips.shape[1]}: give "
            f"--num-frames {NUM_FRAMES}"
        )


def _convolution(inputs: int, outputs: int) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, 3, padding=1)


def _pool(x: Tensor, *, frames: int = 2) -> Tensor:
    """Max pooling; a last window that is only half inside counts (7 → 4)."""
    return functional.max_pool3d(x, (frames, 2, 2), ceil_mode=True)
