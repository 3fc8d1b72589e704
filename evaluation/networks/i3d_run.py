"""How I3D is run: as published, or as fast as is proven to be the same.

TorchScript files carry their own code, which is the definition of the number. Our folded network
takes its place only if it can be filled from the file's tensors and has reproduced the published
output on probe clips. A batch norm's epsilon is not among the tensors: the probe finds it out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evaluation.networks import files
from evaluation.networks.extractor import Forward, OpenedNetwork, relative_difference, run_exactly
from evaluation.networks.i3d import I3D, fold_batch_norms, preprocess, preprocess_crop
from latte.data.errors import InputError

NUM_LOGITS = 400
TOLERANCE = 1e-3  # largest difference on the probe, relative to the largest output
PUBLISHED, PLAIN, FOLDED = "torchscript as published", "own network", "own network, folded"
PREPROCESS: dict[str, Callable[[Tensor], Tensor]] = {
    "squash": preprocess,
    "crop": preprocess_crop,
}


def open_i3d(
    path: Path,
    device: torch.device,
    *,
    batch_norm_eps: float,
    output: str = "logits",
    resize: str = "squash",
) -> OpenedNetwork:
    """I3D with the weights of a file: TorchScript, state dict or safetensors.

    Args:
        path: the file.
        device: where it runs.
        batch_norm_eps: that of our own network; a TorchScript file has its own.
        output: "logits" (400) or "pooled" (1024, the averages before them), which a TorchScript
            file does not give: our own network does, once it has reproduced the file's logits.
        resize: "squash" (to 224×224, whatever the aspect) or "crop" (short side to 224, middle).

    Raises:
        InputError: the file is not one of these, damaged, of another network, or does not give
            this output.
    """
    if files.is_torchscript(path):
        return _published_or_folded(path, device, batch_norm_eps, output, resize)
    model = I3D(batch_norm_eps)
    files.fill(model, files.read_state_dict(path), path)
    plain = _own(model.to(device), output, resize)
    folded = _own(fold_batch_norms(model), output, resize)
    differences = _differences(plain, folded, device)
    agrees = _agree(differences)
    return OpenedNetwork(
        forward=folded if agrees else plain,
        path_taken=FOLDED if agrees else PLAIN,
        probe_difference=max(differences),
        classifier=_classifier(model, output),
    )


def open_published(path: Path, device: torch.device) -> Callable[[Tensor], Tensor]:
    """A TorchScript file's logits of frames that are prepared already.

    What it returns takes float32 (N, 3, T, 224, 224), given to the file as it is (`rescale` and
    `resize` off), and gives float32 (N, 400).

    Raises:
        InputError: the file is not TorchScript, or damaged.
    """
    if not files.is_torchscript(path):
        raise InputError(f"{path}: is not TorchScript: give i3d_torchscript.pt")
    return _caller(files.open_torchscript(path, device), path, inside=False)


def probe_clips(device: torch.device) -> list[Tensor]:
    """Clips on which two ways of running a network must agree: uint8 (1, T, H, W, 3).

    Noise smaller and larger than the network's input, so that any other resizing shows (aligned
    corners, antialiasing), and two lengths, so that both paddings of an axis occur.
    """
    random = np.random.default_rng(0)
    shapes = ((1, 16, 64, 80, 3), (1, 11, 256, 240, 3))
    return [
        torch.from_numpy(random.integers(0, 256, shape, dtype=np.uint8)).to(device)
        for shape in shapes
    ]


def _published_or_folded(
    path: Path, device: torch.device, batch_norm_eps: float, output: str, resize: str
) -> OpenedNetwork:
    module = files.open_torchscript(path, device)
    published = _published(module, path, resize)
    model = I3D(batch_norm_eps)
    if not files.fill_if_same(model, module.state_dict()):
        for clip in probe_clips(device):
            run_exactly(published, clip)  # fails now rather than after the first video is decoded
        _check_has(output, path, "its tensors have other names than those that we know")
        return OpenedNetwork(forward=published, path_taken=PUBLISHED)
    folded = fold_batch_norms(model.to(device))
    # Whatever the output, the logits are what the file can be held against.
    differences = _differences(published, _own(folded, "logits", resize), device)
    difference = max(differences)
    if _agree(differences):
        return OpenedNetwork(
            forward=_own(folded, output, resize),
            path_taken=FOLDED,
            probe_difference=difference,
            classifier=_classifier(model, output),
        )
    _check_has(output, path, f"its logits differ from our network's by {difference:.1e}")
    return OpenedNetwork(forward=published, path_taken=PUBLISHED, probe_difference=difference)


def _check_has(output: str, path: Path, reason: str) -> None:
    if output != "logits":
        raise InputError(
            f"{path}: is TorchScript that gives logits alone, and our own network, which gives "
            f"{output} features, cannot take its place ({reason}): use output logits, or give "
            "i3d_pretrained_400.pt"
        )


def _differences(reference: Forward, other: Forward, device: torch.device) -> list[float]:
    return [
        relative_difference(run_exactly(reference, clip), run_exactly(other, clip))
        for clip in probe_clips(device)
    ]


def _agree(differences: list[float]) -> bool:
    return all(each <= TOLERANCE for each in differences)  # which a NaN is not, wherever it stands


def _classifier(model: I3D, output: str) -> tuple[Tensor, Tensor] | None:
    """From pooled features to logits: a 1×1×1 convolution, which averaging over time passes."""
    convolution = model.logits.conv3d
    if output == "logits" or convolution.bias is None:
        return None
    return convolution.weight.flatten(1), convolution.bias


def _own(model: I3D, output: str, resize: str) -> Forward:
    prepare = PREPROCESS[resize]
    layer = model if output == "logits" else model.pooled

    def forward(clips: Tensor) -> Tensor:
        return layer(prepare(clips))

    return forward


def _published(module: Any, path: Path, resize: str) -> Forward:
    """The scripted network: resizing by itself, as StyleGAN-V calls it, or after our crop."""
    logits = _caller(module, path, inside=resize == "squash")

    def forward(clips: Tensor) -> Tensor:
        if resize == "squash":
            return logits(clips.permute(0, 4, 1, 2, 3).contiguous())  # uint8 (N, 3, T, H, W)
        return logits(PREPROCESS[resize](clips))

    return forward


def _caller(module: Any, path: Path, *, inside: bool) -> Callable[[Tensor], Tensor]:
    """Calls the scripted network and checks what comes back; `inside`: it resizes and scales."""

    def logits(x: Tensor) -> Tensor:
        try:
            features = module(x, rescale=inside, resize=inside, return_features=True)
        except RuntimeError as error:
            if "out of memory" in str(error):
                raise
            raise InputError(
                f"{path}: is TorchScript, but cannot be called as the published I3D is "
                f"(x, rescale, resize, return_features): {files.first_line(error)}"
            ) from None
        if not isinstance(features, Tensor) or features.numel() != len(x) * NUM_LOGITS:
            raise InputError(
                f"{path}: is TorchScript, but does not give {NUM_LOGITS} features for each "
                "clip: it is another network"
            )
        # A file that drops axes of size 1 also drops that of a single clip.
        return features.reshape(len(x), NUM_LOGITS)

    return logits
