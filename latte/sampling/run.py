"""`latte sample`: a checkpoint to a folder of videos, from wherever it was interrupted."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from latte.model.checkpoints import build_model
from latte.sampling.faults import fixable_when_sampling
from latte.sampling.generate import Sampler
from latte.sampling.plan import SamplePlan, SampleRequest
from latte.sampling.prepare import Sampling, prepare
from latte.sampling.preview import ROWS, preview_path, save_preview

logger = logging.getLogger(__name__)


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

    def text(self) -> str:
        """One line for the user."""
        what = f"{self.num_frames} frames, {self.size}×{self.size}: {self.out}"
        if self.preview is None:
            return (
                f"{self.present} of {self.wanted} samples of {what} (the others are with other "
                "processes)"
            )
        more = f" (and {self.extra} more from before)" if self.extra else ""
        return f"{self.wanted} samples of {what}{more}; preview: {self.preview}"


def sample(request: SampleRequest) -> SampleReport:
    """Make the samples of this process that are not there yet.

    Under torchrun each process makes its share and none waits; whichever sees all samples there
    makes the preview.

    Raises:
        InputError: anything the user can fix, if possible before anything is computed.
    """
    return carry_out(prepare(request))


def carry_out(sampling: Sampling) -> SampleReport:
    """Make the samples of a request that has been prepared.

    Raises:
        InputError: memory, a compiler or a sample's numbers are not as they should be.
    """
    there = sampling.folder.present()
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
    labels = None if plan.labels is None else list(map(plan.labels.label, missing))
    clips = sampler.clips(missing, labels, progress=show)
    with sampling.folder.claimed(sampling.settings, _made_by(sampling), alone=alone):
        for index, clip in zip(missing, clips, strict=True):
            sampling.folder.write(index, clip)


def _report(sampling: Sampling, made: int) -> SampleReport:
    plan, folder = sampling.plan, sampling.folder
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
        num_frames=sampling.num_frames,
        size=sampling.size,
        preview=preview,
    )


def _row_label(plan: SamplePlan, index: int) -> str:
    label = plan.label(index)
    if label is None:
        return str(index)
    name = f"class {label}" if plan.classes is None else plan.classes[label]
    return f"{name} · {index}"


def _made_by(sampling: Sampling) -> dict[str, Any]:
    """How the samples were made, for whoever reads the record."""
    checkpoint = sampling.checkpoint
    return {
        "checkpoint": checkpoint.path.name,
        "dataset": checkpoint.settings.get("dataset"),
        "step": checkpoint.settings.get("step"),
        "num_frames": checkpoint.config.num_frames,
        "autoencoder_path": sampling.plan.autoencoder_path,
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
    if plan.autoencoder_path is not None:
        parts.append(f"decoded by {plan.autoencoder_path}")
    return ", ".join(parts)
