"""`latte sample`: a checkpoint to a folder of videos, from wherever it was interrupted."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from latte.autoencoder import Autoencoder, open_autoencoder
from latte.data.errors import InputError
from latte.memory import is_too_little
from latte.model import Latte
from latte.model.checkpoints import Checkpoint, build_model, load_checkpoint, shipped_checkpoint
from latte.sampling.folder import SampleFolder
from latte.sampling.generate import generate_clips, open_diffusion
from latte.sampling.plan import SamplePlan, SampleRequest, make_plan
from latte.sampling.preview import ROWS, preview_path, save_preview
from latte.sampling.processes import choose_device, this_process

SHIPPED_DATASET = "shapes"


@dataclass(frozen=True, kw_only=True)
class SampleReport:
    """What a run ended with."""

    out: Path
    wanted: int  # samples asked for
    made: int  # by this process, now
    present: int  # of those asked for
    extra: int  # samples in the folder besides, from earlier runs
    num_frames: int
    size: int  # of the square frames, pixels
    preview: Path | None  # None: some samples are still missing

    def text(self) -> str:
        """One line for a person."""
        what = f"{self.num_frames} frames, {self.size}×{self.size}: {self.out}"
        if self.preview is None:
            return (
                f"{self.present} of {self.wanted} samples of {what}; the others are with other "
                "processes"
            )
        more = f" (and {self.extra} more from before)" if self.extra else ""
        return f"{self.wanted} samples of {what}{more}; preview: {self.preview}"


def sample(request: SampleRequest) -> SampleReport:
    """Make the samples of this process that are not there yet.

    Under torchrun each process makes its share and none waits; whichever sees all samples there
    makes the preview.

    Raises:
        InputError: whatever the user can mend, before anything is computed where that can be.
    """
    process = this_process()
    device = choose_device(request.device, process)
    path = _checkpoint_path(request)
    checkpoint = load_checkpoint(path, request.num_heads)
    plan = make_plan(request, checkpoint)
    diffusion = open_diffusion(plan.options, num_steps=plan.num_steps, schedule=plan.schedule)
    folder = _folder(plan)
    with _mendable(device, request.batch_size):
        autoencoder = _open_autoencoder(checkpoint, plan, device)
        claimed = folder.claim(_settings(request, plan, path, device), _made_by(checkpoint))
        try:
            there = folder.present()
            missing = [index for index in process.share(plan.indices) if index not in there]
            if missing:
                show = request.progress and process.rank == 0
                if show:
                    print(_intention(plan, path, device), file=sys.stderr)
                clips = generate_clips(
                    _network(checkpoint, device, compiled=request.compile),
                    diffusion,
                    autoencoder,
                    missing,
                    None if plan.labels is None else list(map(plan.labels.label, missing)),
                    plan.options,
                    batch_size=request.batch_size,
                    device=device,
                    precision=plan.precision,
                    progress=show,
                )
                for index, clip in zip(missing, clips, strict=True):
                    folder.write(index, clip)
        except BaseException:
            if claimed and process.world == 1:
                folder.release()
            raise
    size = checkpoint.config.input_size * autoencoder.factor
    return _report(plan, folder, len(missing), checkpoint.config.num_frames, size)


def _folder(plan: SamplePlan) -> SampleFolder:
    return SampleFolder(
        root=plan.out,
        file_format=plan.file_format,
        fps=plan.fps,
        classes=plan.classes,
        label=plan.label,
    )


def _report(
    plan: SamplePlan, folder: SampleFolder, made: int, num_frames: int, size: int
) -> SampleReport:
    there = folder.present()
    present = there & set(plan.indices)
    preview = None
    if len(present) == len(plan.indices):
        preview = preview_path(plan.out)
        shown = sorted(plan.indices[:ROWS], key=lambda index: plan.label(index) or 0)
        save_preview(preview, [(_row_label(plan, index), folder.read(index)) for index in shown])
    return SampleReport(
        out=plan.out,
        wanted=len(plan.indices),
        made=made,
        present=len(present),
        extra=len(there - present),
        num_frames=num_frames,
        size=size,
        preview=preview,
    )


def _row_label(plan: SamplePlan, index: int) -> str:
    label = plan.label(index)
    if label is None:
        return str(index)
    name = f"class {label}" if plan.classes is None else plan.classes[label]
    return f"{name} · {index}"


def _checkpoint_path(request: SampleRequest) -> Path:
    if request.checkpoint is not None:
        return request.checkpoint
    if request.dataset not in (None, SHIPPED_DATASET):
        raise InputError(
            f"no checkpoint of {request.dataset} comes with the package; give one: "
            f"latte sample FILE --dataset {request.dataset}"
        )
    return shipped_checkpoint()


def _open_autoencoder(
    checkpoint: Checkpoint, plan: SamplePlan, device: torch.device
) -> Autoencoder:
    """In float32 whatever the precision: it takes a small part of the time."""
    autoencoder = open_autoencoder(plan.autoencoder, plan.autoencoder_path, device=device)
    channels = checkpoint.config.in_channels
    if autoencoder.channels != channels:
        raise InputError(
            f"{checkpoint.path}: works on latents of {channels} channels, but the autoencoder "
            f"{plan.autoencoder_path or plan.autoencoder} has {autoencoder.channels}; give the one "
            "it was trained with: --autoencoder"
        )
    size = checkpoint.config.input_size * autoencoder.factor
    if plan.file_format == "mp4" and size % 2:
        raise InputError(f"--format mp4: H.264 needs even sides, not {size}×{size}; choose mkv")
    return autoencoder


def _network(checkpoint: Checkpoint, device: torch.device, *, compiled: bool) -> Latte:
    model = build_model(checkpoint, device)
    if compiled:
        model.compile()
    return model


def _settings(
    request: SampleRequest, plan: SamplePlan, path: Path, device: torch.device
) -> dict[str, Any]:
    """All that a sample's bits depend on besides its number (and, on a GPU, the batch size)."""
    with path.open("rb") as file:
        checkpoint = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "checkpoint": checkpoint,
        "autoencoder": " ".join(filter(None, (plan.autoencoder, plan.autoencoder_path))),
        "labels": None if plan.labels is None else plan.labels.rule,
        **asdict(plan.options),
        "precision": plan.precision,
        "compile": request.compile,
        "device": device.type,
        "format": plan.file_format,
        "fps": plan.fps,
    }


def _made_by(checkpoint: Checkpoint) -> dict[str, Any]:
    """For the reader of the record."""
    return {
        "checkpoint": checkpoint.path.name,
        "dataset": checkpoint.settings.get("dataset"),
        "step": checkpoint.settings.get("step"),
        "num_frames": checkpoint.config.num_frames,
        "latte-eval": version("latte-eval"),
        "torch": torch.__version__,
    }


def _intention(plan: SamplePlan, path: Path, device: torch.device) -> str:
    options = plan.options
    parts = [f"{path.name} on {device}", f"{options.method}, {options.steps} steps"]
    if options.is_guided:
        parts.append(f"guidance {options.guidance_scale:g}")
    parts.append(plan.precision)
    if plan.autoencoder_path is not None:
        parts.append(f"decoded by {plan.autoencoder_path}")
    return ", ".join(parts)


@contextmanager
def _mendable(device: torch.device, batch_size: int) -> Iterator[None]:
    """Turn what torch says of too little memory, or no compiler, into one sentence."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text, family = str(error), type(error).__module__
        if is_too_little(error):
            raise InputError(_memory_advice(device, batch_size)) from error
        if family.startswith(("torch._inductor", "torch._dynamo")):
            reason = text.partition("\n")[0]
            raise InputError(
                f"the network cannot be compiled here ({reason}); leave --compile out"
            ) from error
        raise


def _memory_advice(device: torch.device, batch_size: int) -> str:
    if device.type == "cuda" and batch_size > 1:
        advice = f"for {batch_size} samples at a time; give --batch-size {batch_size // 2}"
    elif device.type == "cuda":
        advice = "for one sample; give --precision bf16, or take a GPU with more memory"
    else:
        advice = "for one sample at a time; close other programs, or take a machine with more"
    return f"there is not enough memory on {device} {advice}"
