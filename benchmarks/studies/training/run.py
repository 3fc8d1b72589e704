"""`latte-bench training RUN`: what a run of `latte train` did."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from benchmarks.shapes.distortions import NUM_VIDEOS
from benchmarks.shapes.generated import SAMPLING, generated_videos, sampling_text
from benchmarks.shapes.measuring import FVD, RESAMPLES, WorkOptions
from benchmarks.shapes.training_fvd import real_clips
from benchmarks.studies.training.report import CheckpointFvd, write_training_report
from benchmarks.studies.training.run_folder import TrainingRun, open_run
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from latte.data.errors import InputError


@dataclass(frozen=True, kw_only=True)
class TrainingReportRequest(WorkOptions):
    """Which run to report on, and what is measured of its checkpoints."""

    folder: Path
    fvd: bool = False  # measure FVD-shapes of every checkpoint; the fields below are for that
    num_videos: int = NUM_VIDEOS  # samples of each checkpoint
    steps: int | None = None  # DDIM steps; None: the demo's
    guidance_scale: float | None = None  # None: the demo's
    resamples: int = RESAMPLES


def run(out: Path, request: TrainingReportRequest) -> None:
    """Report on a run; write the documents into `out`, print the facts and the paths.

    Raises:
        InputError: not the folder of a run, or one that cannot be measured.
    """
    started = time.monotonic()
    training = open_run(request.folder)
    measured = fvd_of_checkpoints(training, request, out) if request.fvd else None
    seconds = time.monotonic() - started
    write_training_report(out, training, measured, seconds=seconds)


def fvd_of_checkpoints(
    run: TrainingRun, request: TrainingReportRequest, out: Path
) -> CheckpointFvd:
    """Measure the first samples of each checkpoint against as many videos of the test split.

    The table `training_fvd.csv` in `out` is written anew after each checkpoint, and stored features
    are found again, so an interrupted measurement resumes.

    Raises:
        InputError: no checkpoint yet, or the run is of another data set.
    """
    data, count = run.config.data, request.num_videos
    if data.dataset != "shapes":
        raise InputError(
            f"{run.folder}: was trained on {data.dataset}, but --fvd measures FVD-shapes: use "
            "`latte-eval fvd --checkpoint FILE`"
        )
    if not run.checkpoints:
        raise InputError(f"{run.folder}: has no checkpoint yet that could be measured")
    guidance = SAMPLING.guidance_scale if run.config.model.class_conditional else 1.0
    sampling = replace(
        SAMPLING,
        steps=request.steps or SAMPLING.steps,
        guidance_scale=guidance if request.guidance_scale is None else request.guidance_scale,
    )
    protocol, real = real_clips(data, data.stride, count)
    measurer = Measurer(
        replace(protocol, num_real=count, num_fake=count),
        ("fvd",),
        Networks(request.extraction(out)),
        dataset="shapes",
        resamples=request.resamples,
        at_least=count,
        notes=False,
    )
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for step, checkpoint in run.checkpoints.items():
        videos = generated_videos(checkpoint, count, sampling)
        (result,) = measurer.measure(real, videos, model=f"{run.name}, step {step}")
        rows.append((step, result.value, *(result.interval or (None, None))))
        table = pd.DataFrame(rows, columns=["step", FVD, f"{FVD} low", f"{FVD} high"])
        table.to_csv(out / "training_fvd.csv", index=False, lineterminator="\n")
    return CheckpointFvd(
        table,
        f"FVD-shapes: {count} samples against as many videos of the test split; "
        f"{sampling_text(sampling)}; protocol fingerprint {result.fingerprint}.",
    )
