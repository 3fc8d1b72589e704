"""Inception-v3 as the Fréchet inception distance knows it; it runs on one frame at a time.

The modes are clean-fid's. "clean" filters before it drops pixels; "legacy-tensorflow" is what
TTUR's and StyleGAN's FID do, "legacy-pytorch" is pytorch-fid. The weights are the same in all of
them, from TensorFlow's archive of 2015-12-05.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from evaluation.networks import files
from evaluation.networks.equivalence import (
    FUSED,
    OWN,
    PUBLISHED,
    checked_call,
    noise_clips,
)
from evaluation.networks.fused import FusedConvolution, with_replaced
from evaluation.networks.resizing import clean_fid_resizer, tf1_bilinear
from evaluation.networks.spec import Forward, Implementation, NetworkSpec, OpenedFile
from evaluation.networks.weights import is_torchscript
from latte.data.errors import InputError

NUM_FEATURES = 2048
NUM_CLASSES = 1008
GPU_FRAMES = 32  # frames at once on a GPU; bounds the memory
# Smaller than, larger than and of the size of the network's input.
PROBES = ((1, 1, 64, 80, 3), (1, 1, 320, 400, 3), (1, 1, 299, 299, 3))

FrameForward = Callable[[Tensor], Tensor]  # uint8 (n, H, W, 3) → float32 (n, 2048)


class Inception(nn.Module):
    """Inception-v3 of TensorFlow's archive of 2015-12-05 (Szegedy et al., 2016): pooled features.

    in      (N, 3, 299, 299) float32, RGB in [-1, 1]
    out     (N, 2048) float32, the "pool3" layer
    source  the graph that TTUR's FID runs; parameters named as in pytorch-fid's
            pt_inception-2015-12-05-6726825d.pth

    It is not torchvision's: average pools leave the padding out of the mean, the last block pools
    by maximum, and the weights are others. `fc` gives the logits of 1008 classes and is not
    needed for features: files without it are common, and `classifier=False` is for them. For
    inference alone: in evaluation mode from the start.
    """

    def __init__(self, *, classifier: bool = True) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, 3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, 1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, 3)
        self.Mixed_5b = BlockA(192, pooled=32)
        self.Mixed_5c = BlockA(256, pooled=64)
        self.Mixed_5d = BlockA(288, pooled=64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(768, inner=128)
        self.Mixed_6c = BlockC(768, inner=160)
        self.Mixed_6d = BlockC(768, inner=160)
        self.Mixed_6e = BlockC(768, inner=192)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b = BlockE(1280, max_pool=False)
        self.Mixed_7c = BlockE(2048, max_pool=True)
        self.fc = nn.Linear(NUM_FEATURES, NUM_CLASSES) if classifier else None
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))  # (N, 32, 147, 147)
        x = functional.max_pool2d(self.Conv2d_2b_3x3(x), 3, stride=2)  # (N, 64, 73, 73)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))  # (N, 192, 71, 71)
        x = functional.max_pool2d(x, 3, stride=2)  # (N, 192, 35, 35)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))  # (N, 288, 35, 35)
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))  # (N, 768, 17, 17)
        x = self.Mixed_6e(self.Mixed_6d(x))  # (N, 768, 17, 17)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # (N, 2048, 8, 8)
        return x.mean(dim=(2, 3))  # (N, 2048)


class BasicConv2d(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)), inplace=True)


class BlockA(nn.Module):
    """35×35: convolutions of 1, 5 and twice 3 pixels, and a pool, side by side."""

    def __init__(self, inputs: int, *, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(inputs, 64, 1)
        self.branch5x5_1 = BasicConv2d(inputs, 48, 1)
        self.branch5x5_2 = BasicConv2d(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = BasicConv2d(inputs, 64, 1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, 3, padding=1)
        self.branch_pool = BasicConv2d(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        twice = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, twice, self.branch_pool(_mean_pool(x))], dim=1)


class BlockB(nn.Module):
    """35×35 → 17×17."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = BasicConv2d(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1 = BasicConv2d(inputs, 64, 1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        twice = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        pooled = functional.max_pool2d(x, 3, stride=2)
        return torch.cat([self.branch3x3(x), twice, pooled], dim=1)


class BlockC(nn.Module):
    """17×17: convolutions of 7 pixels, across and down in turn."""

    def __init__(self, inputs: int, *, inner: int) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(inputs, 192, 1)
        self.branch7x7_1 = BasicConv2d(inputs, inner, 1)
        self.branch7x7_2 = BasicConv2d(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7_3 = BasicConv2d(inner, 192, (7, 1), padding=(3, 0))
        self.branch7x7dbl_1 = BasicConv2d(inputs, inner, 1)
        self.branch7x7dbl_2 = BasicConv2d(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7dbl_3 = BasicConv2d(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7dbl_4 = BasicConv2d(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7dbl_5 = BasicConv2d(inner, 192, (1, 7), padding=(0, 3))
        self.branch_pool = BasicConv2d(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(_mean_pool(x))], dim=1)


class BlockD(nn.Module):
    """17×17 → 8×8."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1 = BasicConv2d(inputs, 192, 1)
        self.branch3x3_2 = BasicConv2d(192, 320, 3, stride=2)
        self.branch7x7x3_1 = BasicConv2d(inputs, 192, 1)
        self.branch7x7x3_2 = BasicConv2d(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = BasicConv2d(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = BasicConv2d(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_2(self.branch7x7x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(seven))
        return torch.cat([three, seven, functional.max_pool2d(x, 3, stride=2)], dim=1)


class BlockE(nn.Module):
    """8×8: convolutions that fan out into one across and one down.

    `max_pool`: the second of these blocks pools by maximum, an oddity of this graph alone.
    """

    def __init__(self, inputs: int, *, max_pool: bool) -> None:
        super().__init__()
        self.max_pool = max_pool
        self.branch1x1 = BasicConv2d(inputs, 320, 1)
        self.branch3x3_1 = BasicConv2d(inputs, 384, 1)
        self.branch3x3_2a = BasicConv2d(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = BasicConv2d(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = BasicConv2d(inputs, 448, 1)
        self.branch3x3dbl_2 = BasicConv2d(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = BasicConv2d(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = BasicConv2d(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = BasicConv2d(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = functional.max_pool2d(x, 3, 1, padding=1) if self.max_pool else _mean_pool(x)
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(once),
            self.branch3x3_2b(once),
            self.branch3x3dbl_3a(twice),
            self.branch3x3dbl_3b(twice),
            self.branch_pool(pooled),
        ]
        return torch.cat(branches, dim=1)


def _mean_pool(x: Tensor) -> Tensor:
    """3×3 average of the pixels that are there: TensorFlow does not count the padding."""
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def fuse(model: Inception) -> Inception:
    """A faster copy for CPUs: batch norm and ReLU run inside the convolutions."""
    twin = with_replaced(
        model,
        lambda part: (
            FusedConvolution(part.conv, part.bn) if isinstance(part, BasicConv2d) else None
        ),
    )
    assert isinstance(twin, Inception)
    return twin


def preprocess(frames: Tensor, resize: str) -> Tensor:
    """uint8 (n, H, W, 3) → float32 (n, 3, 299, 299), in the range that the network takes.

    That is [-1, 127/128], x / 128 − 1, in the graph of 2015; pytorch-fid has [-1, 1] in its place.
    """
    if resize == "legacy-tensorflow":  # clean-fid leaves this one to the published file
        return (tf1_bilinear(frames.permute(0, 3, 1, 2).to(torch.float32)) - 128) / 128
    resized = clean_fid_resizer(resize)(frames).permute(0, 3, 1, 2)
    if resize == "clean":
        return (resized - 128) / 128
    # pytorch-fid's memory layout, in which the last bits of the convolutions are its own
    return 2 * (resized.contiguous() / 255) - 1


def open_inception(spec: NetworkSpec, path: Path, device: torch.device) -> OpenedFile:
    """Inception with the weights of a file: the published TorchScript, a state dict, safetensors.

    It runs on uint8 (n, T, H, W, 3) and gives float32 (n, T, 2048). A state dict has the names of
    pytorch-fid's and torch-fidelity's files, with `fc` or without.

    Raises:
        InputError: the file is not one of these, damaged, or of another network.
    """
    if is_torchscript(path):
        module, model = files.open_torchscript(path, device), Inception(classifier=False)
        published = _frame_by_frame(_published(module, path, spec.resize), device)
        reference = Implementation(name=PUBLISHED, make=lambda: published)
        same = files.fill_if_same(model, module.state_dict())
        own, *faster = _implementations(model.to(device), spec.resize, device)
        others = (*faster, own) if same else ()
    else:
        tensors = files.read_state_dict(path)
        model = Inception(classifier=any(name.endswith("fc.weight") for name in tensors))
        files.fill(model, tensors, path)
        reference, *faster = _implementations(model.to(device), spec.resize, device)
        others = tuple(faster)
    classifier = None
    if model.fc is not None:
        # The Inception Score's original leaves the bias out, and all after it have.
        classifier = (model.fc.weight, torch.zeros_like(model.fc.bias))
    return OpenedFile(
        reference=reference,
        others=others,
        probes=noise_clips(PROBES, device),
        classifier=classifier,
    )


def _implementations(model: Inception, resize: str, device: torch.device) -> list[Implementation]:
    """Our network as it is written, then, on a CPU, a faster one."""
    makers = {OWN: lambda: model}
    if device.type == "cpu":
        makers[FUSED] = lambda: fuse(model)

    def forward(make: Callable[[], Inception]) -> Forward:
        network = make()
        return _frame_by_frame(lambda frames: network(preprocess(frames, resize)), device)

    return [Implementation(name=name, make=partial(forward, make)) for name, make in makers.items()]


def _frame_by_frame(features: FrameForward, device: torch.device) -> Forward:
    """From frames to clips. On a CPU a frame never shares a batch, so its bits depend on nothing.

    It costs nothing there: one frame at a time is as fast as eight.
    """
    step = 1 if device.type == "cpu" else GPU_FRAMES

    def forward(clips: Tensor) -> Tensor:
        rows = [features(part) for part in clips.flatten(0, 1).split(step)]
        return torch.cat(rows).unflatten(0, clips.shape[:2])

    return forward


def _published(module: nn.Module, path: Path, resize: str) -> FrameForward:
    """The scripted network, called as clean-fid and StyleGAN call it.

    Only "legacy-tensorflow" calls it whole: its own code resizes. The others call its `layers`.
    """
    if resize != "legacy-tensorflow" and not hasattr(module, "layers"):
        raise InputError(
            f"{path}: is TorchScript without `layers`, by which resize {resize!r} goes round the "
            "file's own resizing: give the published inception-2015-12-05.pt"
        )

    def call(frames: Tensor) -> object:
        if resize == "legacy-tensorflow":
            x = frames.permute(0, 3, 1, 2).contiguous()  # uint8 (n, 3, H, W)
            return module(x, return_features=True)
        return module.layers(preprocess(frames, resize))

    return checked_call(
        call,
        path,
        network="Inception",
        usage="x, return_features; layers",
        width=NUM_FEATURES,
        row="features for each frame",
    )
