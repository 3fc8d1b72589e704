"""`latte sample`: a checkpoint to a folder of videos, from wherever it was interrupted.

Errors are found before the first sample, and before anything is written.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from latte.autoencoder import Autoencoder
from latte.data.errors import InputError
from latte.data.files import writing_in
from latte.data.hashing import file_sha256
from latte.data.processes.rank import Process, this_process
from latte.diffusion import GaussianDiffusion
from latte.model.checkpoints import (
    Checkpoint,
    build_model,
    bundled_checkpoint,
    load_checkpoint,
    with_num_frames,
)
from latte.sampling.devices import choose_device
from latte.sampling.faults import fixable_when_sampling
from latte.sampling.folder import SampleFolder
from latte.sampling.generate import Sampler, open_diffusion
from latte.sampling.plan import SamplePlan, SampleRequest, make_plan, planned_autoencoder
from latte.sampling.preview import ROWS, preview_path, save_preview

BUNDLED_DATASET = "shapes"
logger = logging.getLogger(__name__)


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
    settings: Mapping[str, Any]  # all that decides a sample besides its number

    @property
    def num_frames(self) -> int:
        """Frames of a sample."""
        return self.checkpoint.config.num_frames

    @property
    def size(self) -> int:
        """Side of the square frames, in pixels."""
        return self.checkpoint.config.input_size * self.autoencoder.factor


@dataclass(frozen=True, kw_only=True)
class SampleReport:
    """Result of a run."""

    out: Path
    wanted: int  # samples asked for
    made: int  # made now, by this process
    present: int  # requested samples that exist
    extra: int  # other samples in the folder, from earlier runs
    num_frames: int
    size: int  # side of the square frames, in pixels
    preview: Path | None  # None: some samples are still missing


def sample(request: SampleRequest) -> SampleReport:
    """Make the samples of this process that are not there yet.

    Under torchrun each process makes its share and none waits; whichever sees all samples there
    makes the preview.

    Raises:
        InputError: anything the user can fix, if possible before anything is computed.
    """
    return carry_out(prepare(request))


def prepare(request: SampleRequest) -> Sampling:
    """Open what a request needs, and see that its folder is that of such samples.

    Raises:
        InputError: something is missing, or does not fit together.
    """
    process = this_process()
    device = choose_device(request.device, process.local_rank)
    checkpoint = load_checkpoint(_checkpoint_path(request), request.num_heads)
    trained_on = checkpoint.config.num_frames
    if request.num_frames is not None:
        checkpoint = with_num_frames(checkpoint, request.num_frames)
    num_frames = checkpoint.config.num_frames
    if num_frames != trained_on and process.rank == 0:
        logger.warning(
            "%s: was trained on clips of %d frames, and has not seen any of %d",
            checkpoint.path, trained_on, num_frames,
        )  # fmt: skip
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
        # And, on a GPU, the batch size.
        settings={
            "checkpoint": file_sha256(checkpoint.path),
            "autoencoder": plan.autoencoder["name"],
            "autoencoder_digest": autoencoder.digest,
            "labels": plan.labels,
            **asdict(plan.options),
            "precision": plan.precision,
            "compile": request.compile,
            "device": device.type,
            "format": plan.folder.file_format,
            "fps": plan.folder.fps,
            # Folders of earlier versions do not state the usual number.
            **({"num_frames": num_frames} if num_frames != trained_on else {}),
        },
    )
    if plan.folder.file_format == "mp4" and sampling.size % 2:
        size = f"{sampling.size}×{sampling.size}"
        raise InputError(f"--format mp4: H.264 needs even sides, not {size}, so choose mkv")
    plan.folder.check(sampling.settings)
    return sampling


def _checkpoint_path(request: SampleRequest) -> Path:
    if request.checkpoint is not None:
        return request.checkpoint
    if request.dataset not in (None, BUNDLED_DATASET):
        raise InputError(
            f"no checkpoint of {request.dataset} comes with the package, so give one: "
            f"latte sample FILE --dataset {request.dataset}"
        )
    return bundled_checkpoint()


def carry_out(sampling: Sampling) -> SampleReport:
    """Make the samples of a request that has been prepared.

    Raises:
        InputError: memory, a compiler or a sample's numbers are not as they should be.
    """
    there = sampling.plan.folder.present()
    share = sampling.process.share(sampling.plan.indices)
    missing = [index for index in share if index not in there]
    if missing:
        with fixable_when_sampling(sampling.device, sampling.request.batch_size):
            _make(sampling, missing)
    return _report(sampling, len(missing))


def _make(sampling: Sampling, missing: Sequence[int]) -> None:
    request, plan, alone = sampling.request, sampling.plan, sampling.process.world == 1
    show = request.progress and sampling.process.rank == 0
    if show:
        logger.info(_intention(sampling))
    model = build_model(sampling.checkpoint, sampling.device)
    if request.compile:
        model.compile()
    sampler = Sampler(
        model=model,
        diffusion=sampling.diffusion,
        autoencoder=sampling.autoencoder,
        options=plan.options,
        batch_size=request.batch_size,
        precision=plan.precision,
    )
    labels = [label for index in missing if (label := plan.folder.label(index)) is not None]
    clips = sampler.clips(missing, labels or None, progress=show)
    with plan.folder.claimed(sampling.settings, _made_by(sampling), alone=alone):
        for index, clip in zip(missing, clips, strict=True):
            plan.folder.write(index, clip)


def _report(sampling: Sampling, made: int) -> SampleReport:
    indices, folder = sampling.plan.indices, sampling.plan.folder
    there = folder.present()
    present = there & set(indices)
    preview = None
    if len(present) == len(indices):
        preview = preview_path(folder.root)
        shown = sorted(indices[:ROWS], key=lambda index: folder.label(index) or 0)
        with writing_in(folder.root):
            rows = [(_row_label(folder, index), folder.read(index)) for index in shown]
            save_preview(preview, rows)
    return SampleReport(
        out=folder.root,
        wanted=len(indices),
        made=made,
        present=len(present),
        extra=len(there - present),
        num_frames=sampling.num_frames,
        size=sampling.size,
        preview=preview,
    )


def _row_label(folder: SampleFolder, index: int) -> str:
    label = folder.label(index)
    if label is None:
        return str(index)
    name = f"class {label}" if folder.classes is None else folder.classes[label]
    return f"{name} · {index}"


def _made_by(sampling: Sampling) -> dict[str, Any]:
    """How the samples were made, for whoever reads the record."""
    checkpoint = sampling.checkpoint
    return {
        "checkpoint": checkpoint.path.name,
        "dataset": checkpoint.settings.get("dataset"),
        "step": checkpoint.settings.get("step"),
        "num_frames": checkpoint.config.num_frames,
        "autoencoder_path": sampling.plan.autoencoder.get("path"),
        "latte-eval": version("latte-eval"),
        "torch": torch.__version__,
    }


def _intention(sampling: Sampling) -> str:
    plan, options = sampling.plan, sampling.plan.options
    parts = [f"{sampling.checkpoint.path.name} on {sampling.device}"]
    parts.append(f"{options.method}, {options.steps} steps")
    if options.is_guided:
        parts.append(f"guidance {options.guidance_scale:g}")
    parts.append(plan.precision)
    if "path" in plan.autoencoder:
        parts.append(f"decoded by {plan.autoencoder['path']}")
    return ", ".join(parts)
