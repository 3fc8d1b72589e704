"""Methods on the embedded data set: the shipped Latte, and stand-ins whose faults are known.

What tables of published figures show at the scales `tiny` and `small`: the same questions, asked of
what any machine can measure, by metrics with names of their own. Each method is a cell of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.cells.cache import FILE, Finished, FinishedCell, Measured, cell_key, finish
from benchmarks.cells.provenance import of_cells, source_commit
from benchmarks.cells.scale import Scale
from benchmarks.demo.run import (
    GENERATORS,
    GIVEN,
    NUM_VIDEOS,
    REAL,
    SAMPLING,
    SHIPPED,
    Generator,
    generator_videos,
    measure_sets,
)
from benchmarks.documents.claims import geometric_mean
from benchmarks.shapes.dimensions import (
    STAND_INS,
    SUFFIX,
    mean_interval,
    measure_dimensions,
    share_interval,
)
from benchmarks.shapes.dimensions import VERSION as DIMENSIONS_VERSION
from benchmarks.shapes.generated import GeneratedVideo, described, generated_videos
from benchmarks.shapes.networks import embedded_networks
from evaluation.features.extraction import ExtractionOptions
from evaluation.protocol.presets import SHAPES
from evaluation.results.record import Result
from latte.data.errors import InputError
from latte.data.shapes import VERSION, shapes_video_set
from latte.data.sources import VideoSet
from latte.model.checkpoints import shipped_checkpoint
from latte.sampling.generate import SamplingOptions
from latte.sampling.processes import Process, choose_device
from reports.provenance import Provenance
from reports.tables import Cell

FVD, FID, IS = "FVD-shapes", "FID-shapes", "IS-shapes"
RESAMPLES = 500  # of the intervals, as in the demo
REVISION = 2  # raised by any change of this module that moves a number
NO_MODEL = "This installation lacks the model that ships with the package."


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What a scale spends on each method."""

    num_videos: int  # of each set
    sampling: SamplingOptions


EFFORTS: Mapping[Scale, Effort] = MappingProxyType(
    {
        # As the demo, so that a store that both are given has the features already.
        "tiny": Effort(num_videos=NUM_VIDEOS, sampling=SAMPLING),
        "small": Effort(num_videos=4 * NUM_VIDEOS, sampling=replace(SAMPLING, steps=100)),
    }
)


@dataclass(frozen=True, kw_only=True)
class ShapesRequest:
    """What to measure, and how the work is done; how it is done moves no number."""

    effort: Effort
    seeds: int = 1  # repetitions: other real videos, other samples
    checkpoint: Path | None = None  # None: the shipped model
    workers: int = 0
    device: str = "cpu"
    store: Path | None = None  # None: in the folder of the cells


@dataclass(frozen=True, kw_only=True)
class Method:
    """What makes the videos of a row: a model, a distortion of real videos, or nothing at all."""

    label: str
    model: Path | None = None
    made_of: tuple[str, ...] = ()  # hashes of the model's file and of what decodes its latents
    stand_in: Generator | None = None


@dataclass(frozen=True, kw_only=True)
class MethodTask:
    """One method, measured once."""

    method: Method
    effort: Effort
    seed: int
    device: str = "cpu"

    @property
    def key(self) -> str:
        """Over all that decides the numbers."""
        return cell_key(
            cell="method on shapes",
            revision=REVISION,
            shapes=VERSION,
            networks=embedded_networks(),
            model=self.method.made_of,
            sampling=asdict(self.effort.sampling) if self.method.model else None,
            stand_in=asdict(self.method.stand_in) if self.method.stand_in else None,
            num_videos=self.effort.num_videos,
            resamples=RESAMPLES,
            dimensions=DIMENSIONS_VERSION,
            seed=self.seed,
            device=self.device.partition(":")[0],
        )

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.method.label}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class OnShapes:
    """What was measured of every method."""

    num_videos: int  # of each set
    methods: tuple[str, ...]  # rows, the model first
    cells: Mapping[str, Sequence[FinishedCell]]  # of each method, one for each seed
    reasons: Mapping[str, str]  # why a method has none
    model: str  # its row
    sampled: str  # how its samples are made; "" without a model
    finished: Finished[MethodTask]

    def cell(self, method: str, metric: str, **settings: Any) -> Cell:
        """A value with its interval; or why there is none.

        One seed has the bootstrap interval over its clips; of several the geometric mean is shown,
        with the interval that Student's t gives from their logarithms.
        """
        found = [cell.details[metric] for cell in self.cells.get(method, ())]
        if not found:
            return Cell(reason=self.reasons[method])
        if len(found) == 1:
            low, high = found[0]["interval"]
            return Cell(value=found[0]["value"], low=low, high=high, **settings)
        mean = geometric_mean([each["value"] for each in found])
        return Cell(value=mean.value, low=mean.low, high=mean.high, **settings)

    def percent(self, method: str, dimension: str, **settings: Any) -> Cell:
        """A share in percent with its interval; or why there is none.

        Of several seeds: Student's t over them, but of yes and no Wilson's over all their clips.
        """
        found = [cell.details[dimension] for cell in self.cells.get(method, ())]
        if not found:
            return Cell(reason=self.reasons[method])
        values = [each["value"] for each in found]
        low, high = found[0]["interval"]
        if len(found) > 1 and STAND_INS[dimension.removesuffix(SUFFIX)].yes_or_no:
            count = round(sum(values) * self.num_videos)
            low, high = share_interval(count, len(found) * self.num_videos)
        elif len(found) > 1:
            low, high = mean_interval(values)
        shown = {"value": 100 * float(np.mean(values)), "low": 100 * low, "high": 100 * high}
        return Cell(**shown, **settings)

    def provenance(self, metrics: Collection[str]) -> tuple[Provenance, ...]:
        """Command, model, fingerprints, versions, hardware, date and seconds of the work."""
        every = [cell for cells in self.cells.values() for cell in cells]
        if not every:
            return ()
        prints = sorted(
            {
                f"{metric} {found['fingerprint']}"
                for cell in every
                for metric, found in cell.details.items()
                if metric in metrics
            }
        )
        model = {self.model: self.sampled} if self.sampled else {}
        return (of_cells(every, {**model, "protocol fingerprints": ", ".join(prints)}),)


def measure_on_shapes(request: ShapesRequest, folder: Path) -> OnShapes:
    """Measure every method that is not in `folder`/cells.jsonl yet.

    Raises:
        InputError: the checkpoint is no model of shapes, or the file of cells is broken.
    """
    methods, reasons, sampled = _methods(request)
    tasks = [
        MethodTask(method=method, effort=request.effort, seed=seed, device=request.device)
        for method in methods
        for seed in range(request.seeds)
    ]
    options = ExtractionOptions(
        store=request.store or folder / "features", device=request.device, workers=request.workers
    )
    choose_device(request.device, Process())  # refused once, not for each method
    finished = finish(tasks, partial(measure_method, options=options), folder / FILE)
    finished.end_if_nothing()
    cells: dict[str, list[FinishedCell]] = {}
    for task in tasks:
        if task.key in finished.cells:
            cells.setdefault(task.method.label, []).append(finished.cells[task.key])
    failed = {cell.name.rpartition(", seed ")[0]: cell.reason for cell in finished.failed}
    model = GIVEN if request.checkpoint else SHIPPED
    labels = [method.label for method in methods]
    return OnShapes(
        num_videos=request.effort.num_videos,
        methods=tuple(dict.fromkeys((model, *labels))),
        cells=cells,
        reasons={**reasons, **{label: f"Failed: {why}" for label, why in failed.items()}},
        model=model,
        sampled=sampled,
        finished=finished,
    )


def measure_method(task: MethodTask, options: ExtractionOptions) -> Measured:
    """FVD-shapes, FID-shapes, IS-shapes and VBench's dimensions of one method.

    Of the real videos IS-shapes and the dimensions alone.
    """
    count = task.effort.num_videos
    first = 2 * count * task.seed  # no two seeds share a video
    real = replace(shapes_video_set("test", num_videos=count, start=first), name=REAL)
    sets = {REAL: real}
    if task.method.label != REAL:
        sets[task.method.label] = replace(_videos(task, first + count), name=task.method.label)
    if task.method.model is None:
        options = replace(options, workers=0)  # drawing shapes takes less than starting processes
    protocol = replace(SHAPES, num_real=count, num_fake=count, seed=task.seed)
    dimensions = measure_dimensions(sets[task.method.label], protocol, options)
    results, _ = measure_sets(sets, protocol, options, resamples=RESAMPLES)
    own = {result.metric: result for result in results if result.model == task.method.label}
    shown = own.get(FVD, own[IS])
    return Measured(
        value=shown.value,
        interval=shown.interval,
        details={**{metric: _entry(result) for metric, result in own.items()}, **dimensions},
        provenance={
            "command": shown.command,
            "date": shown.date,
            "versions": dict(shown.versions),
            "host": dict(shown.host),
            "commit": source_commit(),
        },
    )


def _methods(request: ShapesRequest) -> tuple[list[Method], dict[str, str], str]:
    """Every row with what makes it, why others have nothing, and how the model is sampled.

    Raises:
        InputError: the file that is given is no model of shapes.
    """
    known = [Method(label=each.label, stand_in=each) for each in GENERATORS]
    known.append(Method(label=REAL))
    try:
        path = request.checkpoint or shipped_checkpoint()
    except InputError:
        return known, {SHIPPED: NO_MODEL}, ""
    sampling = request.effort.sampling
    (first,) = generated_videos(path, 1, sampling, dataset="shapes").videos  # or refuse it
    assert isinstance(first, GeneratedVideo)
    label = GIVEN if request.checkpoint else SHIPPED
    model = Method(label=label, model=path, made_of=(first.sha256, first.autoencoder))
    return [model, *known], {}, described(path, sampling)


def _videos(task: MethodTask, first: int) -> VideoSet:
    """The "generated" videos of a task."""
    method, count = task.method, task.effort.num_videos
    if method.model is not None:
        sampling = replace(task.effort.sampling, seed=task.seed)
        return generated_videos(method.model, count, sampling, dataset="shapes")
    assert method.stand_in is not None
    return generator_videos(method.stand_in, first, count)


def _entry(result: Result) -> dict[str, Any]:
    return {
        "value": result.value,
        "interval": list(result.interval) if result.interval else [result.value, result.value],
        "fingerprint": result.fingerprint,
    }
