"""I3D: the network behind the Fréchet video distance.

TorchScript files carry their own code, which is the definition of the number. Our folded network
takes its place only if it can be filled from the file's tensors and has reproduced the published
output on probe clips. A batch norm's epsilon is not among the tensors, and the probe detects it.
"""

import copy
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from evaluation.networks import files
from evaluation.networks.equivalence import (
    FOLDED,
    FUSED,
    OWN,
    PUBLISHED,
    checked_call,
    noise_clips,
)
from evaluation.networks.fused import FusedConvolution, folded, max_pool_positive, with_replaced
from evaluation.networks.resizing import bilinear
from evaluation.networks.spec import Forward, Implementation, NetworkSpec, OpenedFile
from evaluation.networks.weights import is_torchscript
from latte.data.errors import InputError

FRAME_SIZE = 224
NUM_LOGITS = 400
# Smaller and larger than the input, so that any other resizing shows (aligned corners,
# antialiasing), and of two lengths, so that both paddings of an axis occur.
PROBES = ((1, 16, 64, 80, 3), (1, 11, 256, 240, 3))


class I3D(nn.Module):
    """Inflated 3-D Inception, Kinetics-400 logits (Carreira & Zisserman, 2017).

    in      (N, 3, T, 224, 224) float32 in [-1, 1], T >= 10
    out     (N, 400) float32 logits, averaged over time; of `pooled`, the (N, 1024) before them
    source  TF-Hub i3d-kinetics-400/1, parameters named as in i3d_pretrained_400.pt

    For inference alone: it has no dropout and is in evaluation mode from the start.
    `batch_norm_eps` is 1e-3 in the original and 1e-5 in some copies, which changes every FVD.
    """

    def __init__(self, batch_norm_eps: float = 1e-3) -> None:
        super().__init__()
        eps = batch_norm_eps
        self.logits = nn.Sequential(OrderedDict(conv3d=nn.Conv3d(1024, 400, 1)))
        self.Conv3d_1a_7x7 = I3DUnit(3, 64, kernel=7, stride=2, eps=eps)
        self.Conv3d_2b_1x1 = I3DUnit(64, 64, kernel=1, eps=eps)
        self.Conv3d_2c_3x3 = I3DUnit(64, 192, kernel=3, eps=eps)
        self.Mixed_3b = Mixed(192, (64, 96, 128, 16, 32, 32), eps=eps)
        self.Mixed_3c = Mixed(256, (128, 128, 192, 32, 96, 64), eps=eps)
        self.Mixed_4b = Mixed(480, (192, 96, 208, 16, 48, 64), eps=eps)
        self.Mixed_4c = Mixed(512, (160, 112, 224, 24, 64, 64), eps=eps)
        self.Mixed_4d = Mixed(512, (128, 128, 256, 24, 64, 64), eps=eps)
        self.Mixed_4e = Mixed(512, (112, 144, 288, 32, 64, 64), eps=eps)
        self.Mixed_4f = Mixed(528, (256, 160, 320, 32, 128, 128), eps=eps)
        self.Mixed_5b = Mixed(832, (256, 160, 320, 32, 128, 128), eps=eps)
        self.Mixed_5c = Mixed(832, (384, 192, 384, 48, 128, 128), eps=eps)
        self.max_pool = max_pool_same
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(self._average(x)).flatten(2).mean(dim=2)  # (N, 400)

    def pooled(self, x: Tensor) -> Tensor:
        """(N, 1024): the averages that the logits are made of, averaged over time."""
        return self._average(x).flatten(2).mean(dim=2)

    def _average(self, x: Tensor) -> Tensor:
        x = self.Conv3d_1a_7x7(x)  # (N, 64, T/2, 112, 112)
        x = self.max_pool(x, kernel=(1, 3, 3), stride=(1, 2, 2))  # (N, 64, T/2, 56, 56)
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x))  # (N, 192, T/2, 56, 56)
        x = self.max_pool(x, kernel=(1, 3, 3), stride=(1, 2, 2))  # (N, 192, T/2, 28, 28)
        x = self.Mixed_3c(self.Mixed_3b(x))  # (N, 480, T/2, 28, 28)
        x = self.max_pool(x, kernel=(3, 3, 3), stride=(2, 2, 2))  # (N, 480, T/4, 14, 14)
        x = self.Mixed_4d(self.Mixed_4c(self.Mixed_4b(x)))  # (N, 512, T/4, 14, 14)
        x = self.Mixed_4f(self.Mixed_4e(x))  # (N, 832, T/4, 14, 14)
        x = self.max_pool(x, kernel=(2, 2, 2), stride=(2, 2, 2))  # (N, 832, T/8, 7, 7)
        x = self.Mixed_5c(self.Mixed_5b(x))  # (N, 1024, T/8, 7, 7)
        return functional.avg_pool3d(x, (2, 7, 7), stride=1)  # (N, 1024, T/8 - 1, 1, 1)


class I3DUnit(nn.Module):
    """Convolution with TensorFlow's "SAME" padding, batch norm, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int = 1, eps: float
    ) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride=stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv3d
        padding = same_padding(x.shape[2:], conv.kernel_size, conv.stride)
        if all(before == after for before, after in padding):
            # The convolution pads by itself: the same numbers without a copy.
            both = [before for before, _ in padding]
            x = functional.conv3d(x, conv.weight, conv.bias, conv.stride, both)
        else:
            x = conv(pad(x, padding))
        return functional.relu(self.bn(x), inplace=True)


class FusedUnit(FusedConvolution):
    """The same in one operation."""

    def __init__(self, unit: I3DUnit) -> None:
        super().__init__(unit.conv3d, unit.bn)
        self.kernel_size = unit.conv3d.kernel_size

    def forward(self, x: Tensor) -> Tensor:
        padding = same_padding(x.shape[2:], self.kernel_size, self.stride)
        if all(before == after for before, after in padding):
            return self.padded(x, [before for before, _ in padding])
        return self.padded(pad(x, padding), [0, 0, 0])


class Mixed(nn.Module):
    """Inception block: four branches side by side, concatenated along the channels."""

    def __init__(self, inputs: int, outputs: Sequence[int], *, eps: float) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = outputs
        self.b0 = I3DUnit(inputs, b0, kernel=1, eps=eps)
        self.b1a = I3DUnit(inputs, b1a, kernel=1, eps=eps)
        self.b1b = I3DUnit(b1a, b1b, kernel=3, eps=eps)
        self.b2a = I3DUnit(inputs, b2a, kernel=1, eps=eps)
        self.b2b = I3DUnit(b2a, b2b, kernel=3, eps=eps)
        self.b3b = I3DUnit(inputs, b3b, kernel=1, eps=eps)
        self.max_pool = max_pool_same

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.max_pool(x, kernel=(3, 3, 3), stride=(1, 1, 1))
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)]
        return torch.cat(branches, dim=1)


def same_padding(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int]
) -> list[tuple[int, int]]:
    """Zeros before and after each axis, as TensorFlow's "SAME" has them: the odd one at the end."""
    padding = []
    for size, k, s in zip(sizes, kernel, stride, strict=True):
        total = max(k - (size % s or s), 0)
        padding.append((total // 2, total - total // 2))
    return padding


def pad(x: Tensor, padding: Sequence[tuple[int, int]]) -> Tensor:
    """`x` (N, C, T, H, W) with zeros before and after T, H and W."""
    # torch wants the last axis first.
    return functional.pad(x, [zeros for axis in reversed(padding) for zeros in axis])


def max_pool_same(x: Tensor, *, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Max pooling over windows that TensorFlow's "SAME" padding has filled with zeros, not −∞."""
    return functional.max_pool3d(
        pad(x, same_padding(x.shape[2:], kernel, stride)), tuple(kernel), tuple(stride)
    )


def preprocess(clips: Tensor) -> Tensor:
    """uint8 (N, T, H, W, 3) → float32 (N, 3, T, 224, 224) in [-1, 1].

    Frame by frame bilinear, without antialiasing and without keeping the aspect, on the values 0
    to 255: the resizing inside the published TorchScript file.
    """
    x = bilinear(clips.permute(0, 1, 4, 2, 3).to(torch.float32), (FRAME_SIZE, FRAME_SIZE))
    return (x / 255 * 2 - 1).transpose(1, 2).contiguous()


def preprocess_crop(clips: Tensor) -> Tensor:
    """uint8 (N, T, H, W, 3) → float32 (N, 3, T, 224, 224) in [-1, 1], keeping the aspect.

    The short side becomes 224, the long side is rounded up; bilinear, without antialiasing, on
    values 0 to 1; then the middle is cropped, the odd pixel at the end.
    Source: `preprocess_single` in VideoGPT's fvd.py and in common_metrics_on_video_quality.
    """
    height, width = clips.shape[2:4]
    scale = FRAME_SIZE / min(height, width)
    if height < width:
        size = (FRAME_SIZE, math.ceil(width * scale))
    else:
        size = (math.ceil(height * scale), FRAME_SIZE)
    x = bilinear(clips.permute(0, 1, 4, 2, 3).to(torch.float32) / 255, size)
    top, left = (size[0] - FRAME_SIZE) // 2, (size[1] - FRAME_SIZE) // 2
    x = x[..., top : top + FRAME_SIZE, left : left + FRAME_SIZE]
    return ((x - 0.5) * 2).transpose(1, 2).contiguous()


def fold_batch_norms(model: I3D) -> I3D:
    """A faster copy with the same outputs to rounding: batch norms inside the convolutions.

    Its memory format is channels-last, which is what the CPU and tensor cores like.
    """
    twin = copy.deepcopy(model)
    for unit in twin.modules():
        if isinstance(unit, I3DUnit):
            unit.conv3d, unit.bn = _folded_convolution(unit), nn.Identity()
    return twin.to(memory_format=torch.channels_last_3d).requires_grad_(False)


def fuse(model: I3D) -> I3D:
    """A copy for CPUs that is faster still: batch norm and ReLU run inside the convolutions."""
    twin = with_replaced(model, lambda part: FusedUnit(part) if isinstance(part, I3DUnit) else None)
    for part in twin.modules():
        if isinstance(part, I3D | Mixed):
            part.max_pool = max_pool_positive
    assert isinstance(twin, I3D)
    return twin


def open_i3d(
    spec: NetworkSpec, path: Path, device: torch.device, *, batch_norm_eps: float = 1e-3
) -> OpenedFile:
    """I3D with the weights of a file: TorchScript, state dict or safetensors.

    `batch_norm_eps` is that of our own network; a TorchScript file has its own. Such a file gives
    logits alone: `pooled` features (1024, the averages before them) come from our own network, once
    it has reproduced the file's logits.

    Raises:
        InputError: the file is not one of these, damaged, of another network, or does not give
            the output of the spec.
    """
    model, clips = I3D(batch_norm_eps), noise_clips(PROBES, device)
    output, resize = spec.output, spec.resize
    # A 1×1×1 convolution maps pooled features to logits; averaging over time commutes with it.
    last = model.logits.conv3d
    classifier = None if output == "logits" else (last.weight.flatten(1), last.bias)
    if not is_torchscript(path):
        files.fill(model, files.read_state_dict(path), path)
        own, *faster = _implementations(model.to(device), output, resize, compared=output)
        return OpenedFile(reference=own, others=tuple(faster), probes=clips, classifier=classifier)
    module = files.open_torchscript(path, device)
    scripted = _published(module, path, resize)
    published = Implementation(name=PUBLISHED, make=lambda: scripted)
    same = files.fill_if_same(model, module.state_dict())
    # Whatever the output, the file can be compared by its logits.
    own, *faster = _implementations(model.to(device), output, resize, compared="logits")
    if output == "logits":
        others = tuple(faster) if same else ()
        return OpenedFile(reference=published, others=others, probes=clips)

    def refusal(difference: float | None) -> InputError:
        reason = (
            "its tensors have other names than our network's"
            if difference is None
            else f"its logits differ from our network's by {difference:.1e}"
        )
        return InputError(
            f"{path}: is TorchScript that gives logits alone, and our own network, which gives "
            f"{output} features, cannot take its place ({reason}): use output logits, or "
            "give i3d_pretrained_400.pt"
        )

    return OpenedFile(
        reference=published,
        others=(*faster, own) if same else (),
        probes=clips,
        classifier=classifier,
        refusal=refusal,
    )


def open_i3d_videogpt(spec: NetworkSpec, path: Path, device: torch.device) -> OpenedFile:
    """`open_i3d` with the epsilon of VideoGPT's copy."""
    return open_i3d(spec, path, device, batch_norm_eps=1e-5)


def _implementations(
    model: I3D, output: str, resize: str, *, compared: str
) -> list[Implementation]:
    """Our network as it is written, then faster ones; `compared` is the output that is compared."""
    on_cpu = next(model.parameters()).device.type == "cpu"
    makers = {OWN: lambda: model}
    if on_cpu:
        makers[FUSED] = lambda: fuse(model)
    makers[FOLDED] = lambda: fold_batch_norms(model)

    def forward(make: Callable[[], I3D], output: str) -> Forward:
        network = make()
        features = network if output == "logits" else network.pooled
        return lambda clips: features(PREPROCESS[resize](clips))

    return [
        Implementation(
            name=name,
            make=partial(forward, make, output),
            make_compared=partial(forward, make, compared),
        )
        for name, make in makers.items()
    ]


def _published(module: nn.Module, path: Path, resize: str) -> Forward:
    """The scripted network: resizing by itself, as StyleGAN-V calls it, or after our crop."""
    logits = scripted_logits(module, path, inside=resize == "squash")
    if resize == "squash":
        return lambda clips: logits(clips.permute(0, 4, 1, 2, 3).contiguous())  # uint8 NCTHW
    return lambda clips: logits(PREPROCESS[resize](clips))


def scripted_logits(module: nn.Module, path: Path, *, inside: bool) -> Callable[[Tensor], Tensor]:
    """Logits of the scripted network, float32 (N, 400).

    Args:
        inside: it resizes and scales its input itself; otherwise it takes float32
            (N, 3, T, 224, 224) as it is.
    """
    return checked_call(
        lambda x: module(x, rescale=inside, resize=inside, return_features=True),
        path,
        network="I3D",
        usage="x, rescale, resize, return_features",
        width=NUM_LOGITS,
        row="features for each clip",
    )


def _folded_convolution(unit: I3DUnit) -> nn.Conv3d:
    conv = unit.conv3d
    weight, bias = folded(conv, unit.bn)
    twin = nn.Conv3d(
        conv.in_channels, conv.out_channels, conv.kernel_size, stride=conv.stride, bias=True
    )
    twin.load_state_dict({"weight": weight, "bias": bias})
    return twin.to(conv.weight.device)


PREPROCESS: dict[str, Callable[[Tensor], Tensor]] = {"squash": preprocess, "crop": preprocess_crop}
