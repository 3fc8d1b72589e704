"""FVD-shapes of every checkpoint that a run kept, from samples that each makes."""

import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.shapes.generated import generated_videos, sampling_text
from benchmarks.studies.training.run_folder import TrainingRun
from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import MeasuredSet, measure_set, plan_set
from evaluation.measuring.results import Comparison, frechet_result
from evaluation.networks.registry import build
from evaluation.protocol.presets import SHAPES
from latte.data.clips import Selection
from latte.data.errors import InputError
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet
from latte.sampling.generate import SamplingOptions


def fvd_of_checkpoints(
    run: TrainingRun,
    count: int,
    sampling: SamplingOptions,
    options: ExtractionOptions,
    table: Path,
    *,
    resamples: int = 500,
) -> tuple[pd.DataFrame, str]:
    """Measure each checkpoint's samples 0 … `count` − 1 against as many videos of the test split.

    The table is written anew after each; features that are in the store are not made again, so an
    interrupted measurement goes on where it was.

    Returns:
        Columns step, "FVD-shapes", "FVD-shapes low" and "FVD-shapes high" (95 %), and a sentence
        that says how it was measured.

    Raises:
        InputError: no checkpoint yet, or the run is of another data set.
    """
    data = run.config.data
    if data.dataset != "shapes":
        raise InputError(
            f"{run.folder}: was trained on {data.dataset}, but --fvd measures FVD-shapes; use "
            "`latte-eval fvd --checkpoint FILE`"
        )
    if not run.checkpoints:
        raise InputError(f"{run.folder}: has no checkpoint yet that could be measured")
    protocol = replace(
        SHAPES,
        num_real=count,
        num_fake=count,
        num_frames=data.num_frames,
        real_stride=data.stride,
    )
    network = StoredNetwork.open(build("shapes", device=options.device), options.store)

    def measured(videos: VideoSet, selection: Selection) -> MeasuredSet:
        planned = plan_set(
            videos, selection, protocol.preparation(), options, label=videos.name, at_least=count
        )
        return measure_set(planned, [network], options)

    real_videos = shapes_video_set("test", num_videos=count, size=data.size)
    real = measured(real_videos, protocol.real_selection())
    table.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for step, path in run.checkpoints.items():
        comparison = Comparison(
            protocol=protocol,
            dataset="shapes",
            model=f"{run.name}, step {step}",
            resamples=resamples,
            started=time.monotonic(),
        )
        videos = generated_videos(path, count, sampling, dataset="shapes")
        fake = measured(replace(videos, name=f"step {step}"), protocol.fake_selection())
        result = frechet_result(real, fake, network, comparison)
        low, high = result.interval or (None, None)
        rows.append((step, result.value, low, high))
        frame = pd.DataFrame(
            rows, columns=["step", "FVD-shapes", "FVD-shapes low", "FVD-shapes high"]
        )
        frame.to_csv(table, index=False, lineterminator="\n")
    return frame, (
        f"FVD-shapes: {count} samples against as many videos of the test split; "
        f"{sampling_text(sampling)}; protocol fingerprint {result.fingerprint}."
    )
