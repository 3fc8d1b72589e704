"""Everything before the first sample. Errors are found here; nothing is written."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from latte.autoencoder import Autoencoder, open_autoencoder
from latte.data.errors import InputError
from latte.data.hashing import file_sha256
from latte.diffusion import GaussianDiffusion
from latte.model.checkpoints import Checkpoint, bundled_checkpoint, load_checkpoint
from latte.sampling.faults import fixable_when_sampling
from latte.sampling.folder import SampleFolder
from latte.sampling.generate import open_diffusion
from latte.sampling.plan import SamplePlan, SampleRequest, make_plan
from latte.sampling.processes import Process, choose_device, this_process

BUNDLED_DATASET = "shapes"


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """A request with its parts, which go together."""

    request: SampleRequest
    process: Process
    device: torch.device
    checkpoint: Checkpoint
    plan: SamplePlan
    diffusion: GaussianDiffusion
    autoencoder: Autoencoder
    folder: SampleFolder
    settings: Mapping[str, Any]  # all that decides a sample besides its number

    @property
    def num_frames(self) -> int:
        """Frames of a sample."""
        return self.checkpoint.config.num_frames

    @property
    def size(self) -> int:
        """Side of the square frames, in pixels."""
        return self.checkpoint.config.input_size * self.autoencoder.factor


def prepare(request: SampleRequest) -> Sampling:
    """Open what a request needs, and see that its folder is that of such samples.

    Raises:
        InputError: something is missing, or does not fit together.
    """
    process = this_process()
    device = choose_device(request.device, process)
    path = _checkpoint_path(request)
    checkpoint = load_checkpoint(path, request.num_heads)
    plan = make_plan(request, checkpoint)
    diffusion = open_diffusion(plan.options, plan.diffusion)
    with fixable_when_sampling(device, request.batch_size):
        autoencoder = planned_autoencoder(plan, checkpoint, device)
    sampling = Sampling(
        request=request,
        process=process,
        device=device,
        checkpoint=checkpoint,
        plan=plan,
        diffusion=diffusion,
        autoencoder=autoencoder,
        folder=SampleFolder(
            root=plan.out,
            file_format=plan.file_format,
            fps=plan.fps,
            classes=plan.classes,
            label=plan.label,
        ),
        settings=_settings(request, plan, autoencoder, path, device),
    )
    if plan.file_format == "mp4" and sampling.size % 2:
        size = f"{sampling.size}×{sampling.size}"
        raise InputError(f"--format mp4: H.264 needs even sides, not {size}, so choose mkv")
    sampling.folder.check(sampling.settings)
    return sampling


def planned_autoencoder(
    plan: SamplePlan, checkpoint: Checkpoint, device: torch.device | str = "cpu"
) -> Autoencoder:
    """The plan's autoencoder, in float32: it takes a small part of the time.

    Raises:
        InputError: it cannot be opened, makes other latents, or is not the one of the training.
    """
    autoencoder = open_autoencoder(plan.autoencoder, plan.autoencoder_path, device=device)
    where = plan.autoencoder_path or plan.autoencoder
    channels = checkpoint.config.in_channels
    if autoencoder.channels != channels:
        raise InputError(
            f"{checkpoint.path}: works on latents of {channels} channels, but the autoencoder "
            f"{where} has {autoencoder.channels}: give the one it was trained with by --autoencoder"
        )
    if plan.autoencoder_digest not in (None, autoencoder.digest):
        raise InputError(
            f"{checkpoint.path}: was trained with another autoencoder than {where} is now: bring "
            f"that one back, or take this one all the same with --autoencoder {where}"
        )
    return autoencoder


def _checkpoint_path(request: SampleRequest) -> Path:
    if request.checkpoint is not None:
        return request.checkpoint
    if request.dataset not in (None, BUNDLED_DATASET):
        raise InputError(
            f"no checkpoint of {request.dataset} comes with the package, so give one: "
            f"latte sample FILE --dataset {request.dataset}"
        )
    return bundled_checkpoint()


def _settings(
    request: SampleRequest,
    plan: SamplePlan,
    autoencoder: Autoencoder,
    path: Path,
    device: torch.device,
) -> dict[str, Any]:
    """Everything a sample depends on besides its number (and, on a GPU, the batch size)."""
    return {
        "checkpoint": file_sha256(path),
        "autoencoder": plan.autoencoder,
        "autoencoder_digest": autoencoder.digest,
        "labels": None if plan.labels is None else plan.labels.rule,
        **asdict(plan.options),
        "precision": plan.precision,
        "compile": request.compile,
        "device": device.type,
        "format": plan.file_format,
        "fps": plan.fps,
    }
