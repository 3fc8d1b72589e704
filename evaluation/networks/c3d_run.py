"""How C3D is run: as published, or through our own network where that is proven to be the same."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evaluation.networks import files
from evaluation.networks.c3d import C3D, NUM_CLASSES, NUM_FRAMES, check_length
from evaluation.networks.extractor import Forward, OpenedNetwork, run_exactly
from latte.data.errors import InputError

TOLERANCE = 1e-3  # largest difference on the probe
SMALLEST = 1e-30  # probabilities below this are noise of the last bits


def open_c3d(path: Path, device: torch.device) -> OpenedNetwork:
    """C3D with the weights of a file: StyleGAN-V's TorchScript, a state dict or safetensors.

    What it runs takes uint8 (n, 16, H, W, 3) and gives class probabilities float32 (n, 101). A
    state dict has the names of `C3D`, `mean` among them.

    Raises:
        InputError: the file is not one of these, damaged, or of another network.
    """
    if not files.is_torchscript(path):
        tensors = files.read_state_dict(path)
        model = C3D()
        files.fill(model, tensors, path)
        return OpenedNetwork(forward=model.to(device).probabilities, path_taken="own network")
    module = files.open_torchscript(path, device)
    published = _published(module, path)
    clip = probe_clip(device)
    expected = run_exactly(published, clip)  # fails now rather than after the first video
    model = C3D()
    if not files.fill_if_same(model, module.state_dict()):
        return OpenedNetwork(forward=published, path_taken="torchscript as published")
    own = model.to(device).probabilities
    difference = probe_difference(expected, run_exactly(own, clip))
    if difference <= TOLERANCE:  # which a NaN is not
        return OpenedNetwork(forward=own, path_taken="own network", probe_difference=difference)
    return OpenedNetwork(
        forward=published, path_taken="torchscript as published", probe_difference=difference
    )


def probe_clip(device: torch.device) -> Tensor:
    """A clip on which two ways of running the network must agree: uint8 (1, 16, 96, 160, 3).

    Noise that is lower and wider than the network's input, so that any other resizing shows,
    upwards and downwards; and brighter from frame to frame, so that their order shows.
    """
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (1, NUM_FRAMES, 96, 160, 3))
    rise = np.linspace(0.4, 1, NUM_FRAMES).reshape(1, -1, 1, 1, 1)
    return torch.from_numpy((noise * rise).astype(np.uint8)).to(device)


def probe_difference(reference: Tensor, other: Tensor) -> float:
    """How far two sets of probabilities (n, 101) are apart.

    In the probabilities, and in their logarithms relative to the largest: a network that is sure
    of one class gives it 1 whatever its input was multiplied by, and only the others tell.
    """
    logs, other_logs = (each.clamp_min(SMALLEST).log() for each in (reference, other))
    relative = (logs - other_logs).abs().max() / logs.abs().max()
    return float(torch.maximum(relative, (reference - other).abs().max()))


def _published(module: Any, path: Path) -> Forward:
    """The scripted network, called as StyleGAN-V calls it; checks what comes back."""

    def forward(clips: Tensor) -> Tensor:
        check_length(clips)
        try:
            found = module(clips.permute(0, 4, 1, 2, 3).contiguous())  # uint8 (N, 3, 16, H, W)
        except RuntimeError as error:
            if "out of memory" in str(error):
                raise
            raise InputError(
                f"{path}: is TorchScript, but cannot be called as the published C3D is (uint8 "
                f"clips alone): {files.first_line(error)}"
            ) from None
        if not isinstance(found, Tensor) or found.numel() != len(clips) * NUM_CLASSES:
            raise InputError(
                f"{path}: is TorchScript, but does not give {NUM_CLASSES} probabilities for each "
                "clip: it is another network"
            )
        probabilities = found.reshape(len(clips), NUM_CLASSES).float()
        if not _are_probabilities(probabilities):
            raise InputError(
                f"{path}: gives {NUM_CLASSES} numbers for each clip that are not probabilities: "
                "it is another network, or one without its softmax"
            )
        return probabilities

    return forward


def _are_probabilities(rows: Tensor) -> bool:
    sums = rows.sum(dim=1)
    return bool((rows >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
