"""How FID's Inception is run: as published, or through our own network; one frame at a time.

The modes are clean-fid's. "clean" filters before it drops pixels; "legacy-tensorflow" is what
TTUR's and StyleGAN's FID do, "legacy-pytorch" is pytorch-fid. The weights are the same in all of
them, from TensorFlow's archive of 2015-12-05.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evaluation.networks import files
from evaluation.networks.extractor import Forward, OpenedNetwork, relative_difference, run_exactly
from evaluation.networks.inception import NUM_FEATURES, Inception
from evaluation.networks.resizing import clean_resize, tf1_bilinear, torch_bilinear
from latte.data.errors import InputError

RESIZES = ("clean", "legacy-tensorflow", "legacy-pytorch")
TOLERANCE = 1e-3  # largest difference on the probe, relative to the largest feature
GPU_FRAMES = 32  # at once; bounds the memory

FrameForward = Callable[[Tensor], Tensor]  # uint8 (n, H, W, 3) → float32 (n, 2048)


def open_inception(path: Path, device: torch.device, *, resize: str) -> OpenedNetwork:
    """Inception with the weights of a file: the published TorchScript, a state dict, safetensors.

    What it runs takes uint8 (n, T, H, W, 3) and gives float32 (n, T, 2048). `resize` is one of
    `RESIZES`. A state dict has the names of pytorch-fid's and torch-fidelity's files, with `fc`
    or without.

    Raises:
        InputError: the file is not one of these, damaged, or of another network; an unknown
            `resize`.
    """
    if resize not in RESIZES:
        raise InputError(f"inception cannot resize as {resize!r}: choose {', '.join(RESIZES)}")
    if files.is_torchscript(path):
        return _published_or_own(path, device, resize)
    tensors = files.read_state_dict(path)
    model = Inception(classifier=any(name.endswith("fc.weight") for name in tensors))
    files.fill(model, tensors, path)
    return _run_own(model.to(device), device, resize)


def preprocess(frames: Tensor, resize: str) -> Tensor:
    """uint8 (n, H, W, 3) → float32 (n, 3, 299, 299), in the range that the network takes.

    That is [-1, 127/128], x / 128 − 1, in the graph of 2015; pytorch-fid has [-1, 1] in its place.
    """
    if resize == "clean":
        resized = torch.from_numpy(clean_resize(frames.cpu().numpy())).to(frames.device)
        return (resized.permute(0, 3, 1, 2) - 128) / 128
    x = frames.permute(0, 3, 1, 2).to(torch.float32)
    if resize == "legacy-tensorflow":
        return (tf1_bilinear(x) - 128) / 128
    return 2 * (torch_bilinear(x) / 255) - 1


def probe_clips(device: torch.device) -> list[Tensor]:
    """Frames on which two ways of running the network must agree: uint8 (1, 1, H, W, 3).

    Noise smaller than, larger than and of the size of the network's input.
    """
    random = np.random.default_rng(0)
    shapes = ((1, 1, 64, 80, 3), (1, 1, 320, 400, 3), (1, 1, 299, 299, 3))
    return [
        torch.from_numpy(random.integers(0, 256, shape, dtype=np.uint8)).to(device)
        for shape in shapes
    ]


def _published_or_own(path: Path, device: torch.device, resize: str) -> OpenedNetwork:
    module = files.open_torchscript(path, device)
    published = _frame_by_frame(_published(module, path, resize), device)
    clips = probe_clips(device)
    expected = [run_exactly(published, clip) for clip in clips]  # a wrong file fails now
    model = Inception(classifier=False)
    if not files.fill_if_same(model, module.state_dict()):
        return OpenedNetwork(forward=published, path_taken="torchscript as published")
    own = _frame_by_frame(_own(model.to(device), resize), device)
    differences = [
        relative_difference(reference, run_exactly(own, clip))
        for reference, clip in zip(expected, clips, strict=True)
    ]
    agrees = all(each <= TOLERANCE for each in differences)  # which a NaN is not
    return OpenedNetwork(
        forward=own if agrees else published,
        path_taken="own network" if agrees else "torchscript as published",
        probe_difference=max(differences),
    )


def _run_own(model: Inception, device: torch.device, resize: str) -> OpenedNetwork:
    classifier = None
    if model.fc is not None:
        # The Inception Score's original leaves the bias out, and all after it have.
        classifier = (model.fc.weight, torch.zeros_like(model.fc.bias))
    return OpenedNetwork(
        forward=_frame_by_frame(_own(model, resize), device),
        path_taken="own network",
        classifier=classifier,
    )


def _frame_by_frame(features: FrameForward, device: torch.device) -> Forward:
    """From frames to clips. On a CPU a frame never shares a batch, so its bits depend on nothing.

    It costs nothing there: one frame at a time is as fast as eight.
    """
    step = 1 if device.type == "cpu" else GPU_FRAMES

    def forward(clips: Tensor) -> Tensor:
        rows = [features(part) for part in clips.flatten(0, 1).split(step)]
        return torch.cat(rows).unflatten(0, clips.shape[:2])

    return forward


def _own(model: Inception, resize: str) -> FrameForward:
    def features(frames: Tensor) -> Tensor:
        return model(preprocess(frames, resize))

    return features


def _published(module: Any, path: Path, resize: str) -> FrameForward:
    """The scripted network, called as clean-fid and StyleGAN call it; checks what comes back.

    Only "legacy-tensorflow" calls it whole: its own code resizes. The others call its `layers`.
    """
    inside = resize == "legacy-tensorflow"
    if not inside and not hasattr(module, "layers"):
        raise InputError(
            f"{path}: is TorchScript without `layers`, by which resize {resize!r} goes round the "
            "file's own resizing: give the published inception-2015-12-05.pt"
        )

    def features(frames: Tensor) -> Tensor:
        try:
            if inside:
                x = frames.permute(0, 3, 1, 2).contiguous()  # uint8 (n, 3, H, W)
                found = module(x, return_features=True)
            else:
                found = module.layers(preprocess(frames, resize))
        except RuntimeError as error:
            if "out of memory" in str(error):
                raise
            raise InputError(
                f"{path}: is TorchScript, but cannot be called as the published Inception is "
                f"(x, return_features; layers): {files.first_line(error)}"
            ) from None
        if not isinstance(found, Tensor) or found.numel() != len(frames) * NUM_FEATURES:
            raise InputError(
                f"{path}: is TorchScript, but does not give {NUM_FEATURES} features for each "
                "frame: it is another network"
            )
        return found.reshape(len(frames), NUM_FEATURES)

    return features
