"""`latte-bench demo`: the whole suite in minutes, on any machine.

Real videos of the embedded data set against samples of the bundled Latte, and against "generators"
that need no training: held-out real videos, and real videos with known distortions. A sound metric
puts the held-out videos first and grows with the strength of a distortion; a sound model lies
between. The expectations in the report say whether it is so.
"""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.demo.report import DemoRun, write_demo_report
from benchmarks.shapes.distortions import GENERATORS, NUM_VIDEOS, REAL, real_videos
from benchmarks.shapes.generated import (
    NO_MODEL,
    SAMPLING,
    SampledModel,
    model_of_shapes,
    with_clips,
)
from benchmarks.shapes.measuring import RESAMPLES, ShapesMeasurer, WorkOptions
from evaluation.measuring.networks import Networks
from evaluation.protocol.presets import SHAPES
from latte.data.errors import InputError
from latte.data.shapes import NUM_CLASSES
from latte.data.sources import VideoSet
from latte.sampling.generate import SamplingOptions
from reports.files import write_files

MIN_VIDEOS = 10  # a smaller set is refused
NUM_SHOWN = NUM_CLASSES  # samples of the model: one of each class
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DemoRequest(WorkOptions):
    """What to measure, and how the work is done.

    Raises:
        InputError: too few videos.
    """

    num_videos: int = NUM_VIDEOS  # size of each set
    seed: int = 0
    checkpoint: Path | None = None  # a model of shapes; None: the bundled one
    sampling: SamplingOptions = SAMPLING  # its seed is replaced
    resamples: int = RESAMPLES

    def __post_init__(self) -> None:
        if self.num_videos < MIN_VIDEOS:
            raise InputError(f"--num-videos {self.num_videos}: must be at least {MIN_VIDEOS}")


def demo_sets(count: int, model: SampledModel | None, workers: int) -> dict[str, VideoSet]:
    """Every set by its row: the real videos, held-out ones, the model, the distorted ones."""
    held_out, *distorted = (generator.videos(count, count) for generator in GENERATORS)
    sets = [real_videos(0, count), held_out]
    if model:
        sets.append(with_clips(model.videos(count), min(count, NUM_SHOWN), workers=workers))
    return {videos.name: videos for videos in (*sets, *distorted)}


def run(out: Path, request: DemoRequest) -> None:
    """Measure every generator, write the report into `out`, print the table and the path.

    Raises:
        InputError: the given file is not a model of shapes.
    """
    started = time.monotonic()
    count = request.num_videos
    model = model_of_shapes(request.checkpoint, replace(request.sampling, seed=request.seed))
    if model is None:
        logger.warning("%s", NO_MODEL)
    sets = demo_sets(count, model, request.workers)
    protocol = replace(SHAPES, num_real=count, num_fake=count, seed=request.seed)
    networks = Networks(request.extraction(out))
    measurer = ShapesMeasurer(sets[REAL], protocol, networks, request.resamples)
    results, recognised = [], {}
    for label, videos in sets.items():
        measured = measurer.real if label == REAL else measurer.extract(videos, "fake")
        results += measurer.results(label, measured)
        if (accuracy := measurer.accuracy(measured)) is not None:
            recognised[label] = accuracy
    write_files(out, {"results.jsonl": "".join(result.to_json() + "\n" for result in results)})
    seconds = time.monotonic() - started
    demo = DemoRun(results=results, recognised=recognised, sets=sets, model=model, seconds=seconds)
    print(write_demo_report(out, demo))
