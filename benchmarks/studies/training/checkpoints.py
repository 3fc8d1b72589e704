"""FVD-shapes of every checkpoint that a run kept, from samples that each makes."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from benchmarks.shapes.generated import generated_videos, sampling_text
from benchmarks.shapes.measuring import FVD, RESAMPLES
from benchmarks.studies.training.run_folder import TrainingRun
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from evaluation.protocol.presets import SHAPES
from latte.data.errors import InputError
from latte.data.shapes import shapes_video_set
from latte.sampling.generate import SamplingOptions

COLUMNS = ["step", FVD, f"{FVD} low", f"{FVD} high"]


@dataclass(frozen=True, kw_only=True)
class CheckpointFvd:
    """FVD-shapes of checkpoints, and how it is measured."""

    table: pd.DataFrame  # columns COLUMNS, intervals of 95 %
    num_videos: int  # size of each set
    sampling: SamplingOptions
    fingerprint: str  # the protocol's

    def __str__(self) -> str:
        return (
            f"FVD-shapes: {self.num_videos} samples against as many videos of the test split; "
            f"{sampling_text(self.sampling)}; protocol fingerprint {self.fingerprint}."
        )


def fvd_of_checkpoints(
    run: TrainingRun,
    count: int,
    sampling: SamplingOptions,
    options: ExtractionOptions,
    path: Path,
    *,
    resamples: int = RESAMPLES,
) -> CheckpointFvd:
    """Measure each checkpoint's samples 0 … `count` − 1 against as many videos of the test split.

    The table is written anew after each checkpoint, and stored features are found again, so an
    interrupted measurement resumes.

    Args:
        path: file for the table.

    Raises:
        InputError: no checkpoint yet, or the run is of another data set.
    """
    data = run.config.data
    if data.dataset != "shapes":
        raise InputError(
            f"{run.folder}: was trained on {data.dataset}, but --fvd measures FVD-shapes: use "
            "`latte-eval fvd --checkpoint FILE`"
        )
    if not run.checkpoints:
        raise InputError(f"{run.folder}: has no checkpoint yet that could be measured")
    protocol = replace(
        SHAPES, num_real=count, num_fake=count, num_frames=data.num_frames, real_stride=data.stride
    )
    measurer = Measurer(
        protocol,
        ("fvd",),
        Networks(options),
        dataset="shapes",
        resamples=resamples,
        at_least=count,
        notes=False,
    )
    real = shapes_video_set("test", num_videos=count, size=data.size)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for step, checkpoint in run.checkpoints.items():
        videos = generated_videos(checkpoint, count, sampling, dataset="shapes")
        (result,) = measurer.measure(real, videos, model=f"{run.name}, step {step}")
        rows.append((step, result.value, *(result.interval or (None, None))))
        table = pd.DataFrame(rows, columns=COLUMNS)
        table.to_csv(path, index=False, lineterminator="\n")
    return CheckpointFvd(
        table=table, num_videos=count, sampling=sampling, fingerprint=result.fingerprint
    )
