"""`latte-bench training RUN`: what a run of `latte train` did."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.shapes.generated import SAMPLING
from benchmarks.shapes.measuring import WorkOptions
from benchmarks.shapes.stand_ins import NUM_VIDEOS
from benchmarks.studies.training.checkpoints import CheckpointFvd, fvd_of_checkpoints
from benchmarks.studies.training.report import write_training_report
from benchmarks.studies.training.run_folder import TrainingRun, open_run


@dataclass(frozen=True, kw_only=True)
class TrainingReportRequest(WorkOptions):
    """Which run to report on, and what is measured of its checkpoints."""

    folder: Path
    fvd: bool = False  # measure FVD-shapes of every checkpoint; the fields below are for that
    num_videos: int = NUM_VIDEOS  # samples of each checkpoint
    steps: int | None = None  # DDIM steps; None: the demo's
    guidance_scale: float | None = None  # None: the demo's


def run(out: Path, request: TrainingReportRequest) -> None:
    """Report on a run; write the documents into `out`, print the facts and the paths.

    Raises:
        InputError: not the folder of a run, or one that cannot be measured.
    """
    started = time.monotonic()
    training = open_run(request.folder)
    measured = measure_checkpoints(training, request, out) if request.fvd else None
    seconds = time.monotonic() - started
    write_training_report(out, training, measured, seconds=seconds)


def measure_checkpoints(
    training: TrainingRun, request: TrainingReportRequest, out: Path
) -> CheckpointFvd:
    """FVD-shapes of every checkpoint, also as a table in `out`.

    Raises:
        InputError: see `fvd_of_checkpoints`.
    """
    guidance = SAMPLING.guidance_scale if training.config.model.class_conditional else 1.0
    sampling = replace(
        SAMPLING,
        steps=request.steps or SAMPLING.steps,
        guidance_scale=guidance if request.guidance_scale is None else request.guidance_scale,
    )
    options, path = request.extraction(out), out / "training_fvd.csv"
    return fvd_of_checkpoints(training, request.num_videos, sampling, options, path)
