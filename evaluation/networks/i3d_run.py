"""How I3D is run: as published, or as fast as is proven to be the same.

TorchScript files carry their own code, which is the definition of the number. Our folded network
takes its place only if it can be filled from the file's tensors and has reproduced the published
output on probe clips. A batch norm's epsilon is not among the tensors: the probe finds it out.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evaluation.networks import files
from evaluation.networks.extractor import Forward, Run, run_exactly
from evaluation.networks.i3d import I3D, fold_batch_norms, preprocess
from latte.data.errors import InputError

NUM_FEATURES = 400
TOLERANCE = 1e-3  # largest difference on the probe, relative to the largest output


def open_i3d(path: Path, device: torch.device, *, batch_norm_eps: float) -> Run:
    """I3D with the weights of a file: TorchScript, state dict or safetensors.

    `batch_norm_eps` is that of our own network; a TorchScript file has its own.

    Raises:
        InputError: the file is not one of these, damaged, or of another network.
    """
    if files.is_torchscript(path):
        return _published_or_folded(path, device, batch_norm_eps)
    model = I3D(batch_norm_eps)
    files.fill(model, files.read_state_dict(path), path)
    plain = _own(model.to(device))
    folded = _own(fold_batch_norms(model))
    return _faster(plain, folded, device, slower_name="own network")


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


def _published_or_folded(path: Path, device: torch.device, batch_norm_eps: float) -> Run:
    module = files.open_torchscript(path, device)
    published = _published(module, path)
    model = I3D(batch_norm_eps)
    if files.fill_if_same(model, module.state_dict()):
        folded = _own(fold_batch_norms(model.to(device)))
        return _faster(published, folded, device, slower_name="torchscript as published")
    for clip in probe_clips(device):
        run_exactly(published, clip)  # fails now rather than after the first video is decoded
    return Run(forward=published, path_taken="torchscript as published")


def _faster(plain: Forward, folded: Forward, device: torch.device, *, slower_name: str) -> Run:
    """The folded network if it gives what the plain one gives."""
    differences = [
        _difference(run_exactly(plain, clip), run_exactly(folded, clip))
        for clip in probe_clips(device)
    ]
    difference = max(differences)
    if all(each <= TOLERANCE for each in differences):  # which a NaN is not, wherever it stands
        return Run(forward=folded, path_taken="own network, folded", probe_difference=difference)
    return Run(forward=plain, path_taken=slower_name, probe_difference=difference)


def _difference(reference: Tensor, other: Tensor) -> float:
    largest = reference.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    return float((reference - other).abs().max() / largest)


def _own(model: I3D) -> Forward:
    def forward(clips: Tensor) -> Tensor:
        return model(preprocess(clips))

    return forward


def _published(module: Any, path: Path) -> Forward:
    """The scripted network, called as StyleGAN-V calls it; checks what comes back."""

    def forward(clips: Tensor) -> Tensor:
        x = clips.permute(0, 4, 1, 2, 3).contiguous()  # (N, 3, T, H, W)
        try:
            features = module(x, rescale=True, resize=True, return_features=True)
        except RuntimeError as error:
            if "out of memory" in str(error):
                raise
            raise InputError(
                f"{path}: is TorchScript, but cannot be called as the published I3D is "
                f"(x, rescale, resize, return_features): {files.first_line(error)}"
            ) from None
        if not isinstance(features, Tensor) or features.numel() != len(clips) * NUM_FEATURES:
            raise InputError(
                f"{path}: is TorchScript, but does not give {NUM_FEATURES} features for each "
                "clip: it is another network"
            )
        # A file that drops axes of size 1 also drops that of a single clip.
        return features.reshape(len(clips), NUM_FEATURES)

    return forward
