"""One network in several ways: as the suite runs it, plain, as TorchScript, by inductor."""

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.studies.speed.timing import time_in_turns
from benchmarks.studies.speed.timings import OURS, PLAIN
from evaluation.networks.i3d import I3D, preprocess
from evaluation.networks.registry import build
from evaluation.networks.shapes import ShapesVideoNet, save_network
from latte.data.processes.workers import own_cores
from latte.data.tensor_files import read_any

BATCH, FRAMES = 4, 16  # clips that other code gives a network at once
ONE, SCRIPTED, INDUCTOR = "one", "torchscript", "inductor"
SIZES = {"i3d": 256, "shapes": 32}  # pixels
TRACED = 256


class PlainNetwork(nn.Module):
    """A network as its paper's code has it: uint8 (N, T, H, W, 3) → (N, D)."""

    def __init__(self, name: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = I3D(1e-5) if name == "i3d" else ShapesVideoNet()
        if name == "i3d":
            for parameter in self.model.parameters():
                if parameter.ndim > 1:  # features that differ from clip to clip
                    nn.init.kaiming_normal_(parameter)
        self.eval().requires_grad_(False)

    def forward(self, clips: Tensor) -> Tensor:
        if isinstance(self.model, I3D):
            logits: Tensor = self.model(preprocess(clips))
            return logits
        features: Tensor = self.model.features(clips)
        return features


def write_weights(name: str, folder: Path) -> tuple[Path, Path]:
    """Random weights as a state dict, and the network with them as TorchScript: two files."""
    network = PlainNetwork(name)
    weights, script = folder / f"{name}.weights", folder / f"{name}-torchscript.pt"
    if name == "i3d":
        torch.save(network.model.state_dict(), weights)
    else:
        save_network(network.model, weights, {})
    # Tracing makes a constant of whether frames are resized: these are, as those of videos.
    clips = torch.zeros((BATCH, FRAMES, TRACED, TRACED, 3), dtype=torch.uint8)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing: sizes become constants, which is meant
        torch.jit.trace(network, clips, check_trace=False).save(str(script))
    return weights, script


def time_ways(
    name: str, weights: Path, script: Path, repetitions: int
) -> tuple[Mapping[str, list[float]], Mapping[str, str], str]:
    """Seconds of each way for `clips_at_once` clips, in turns; why a way has none; and our way.

    The suite gets the clips as bytes and returns NumPy rows, like the others here.
    """
    size, num_clips = SIZES[name], clips_at_once()
    clips = np.random.default_rng(0).integers(0, 256, (num_clips, FRAMES, size, size, 3), np.uint8)
    extractor = build("i3d-videogpt" if name == "i3d" else name, weights)
    plain = PlainNetwork(name)
    tensors, _ = read_any(weights)
    plain.model.load_state_dict({name: value.float() for name, value in tensors.items()})
    tensor, missing = torch.from_numpy(clips), {}
    jobs: dict[str, Callable[[], object]] = {
        OURS: partial(extractor, clips),
        PLAIN: partial(_rows, plain, tensor),
        ONE: partial(_rows, plain, tensor, 1),
        SCRIPTED: partial(_rows, torch.jit.load(str(script)), tensor),
    }
    with torch.inference_mode():
        try:
            jobs[INDUCTOR] = partial(_rows, _compiled(plain, tensor[:BATCH]), tensor)
        except RuntimeError as error:
            if not type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
                raise
            missing[INDUCTOR] = "It cannot be compiled here: there is no C++ compiler."
        for job in jobs.values():
            for _ in range(2):  # the first calls compile, trace and allocate
                job()
        times = time_in_turns(jobs, repetitions)
    return times, missing, extractor.implementation


def clips_at_once() -> int:
    """A batch for each core: the suite computes one on each of them."""
    return BATCH * own_cores()


def _rows(network: Callable[[Tensor], Tensor], clips: Tensor, batch: int = BATCH) -> np.ndarray:
    return np.concatenate([network(part).numpy() for part in clips.split(batch)])


def _compiled(network: nn.Module, clips: Tensor) -> Callable[[Tensor], Tensor]:
    """By inductor, with the weights as constants."""
    import torch._inductor.config as inductor

    with inductor.patch(freezing=True):
        compiled: Callable[[Tensor], Tensor] = torch.compile(network)
        compiled(clips)
    return compiled
