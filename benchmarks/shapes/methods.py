"""Methods on the embedded data set: the bundled Latte, and stand-ins with known distortions.

The methods of published tables are not available at the scales `tiny` and `small`. Any machine can
measure these instead, by metrics with names of their own. Each method is one cell.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cells.cache import (
    FILE,
    CellRecord,
    CellValue,
    MeasuredCells,
    cell_key,
    measure_cells,
)
from benchmarks.cells.provenance import of_cells, software_of, source_commit
from benchmarks.cells.scale import Scale
from benchmarks.documents.numbers import geometric_mean
from benchmarks.shapes.dimensions import (
    STAND_INS,
    SUFFIX,
    YES_OR_NO,
    mean_interval,
    open_pixel_scores,
    score_dimensions,
)
from benchmarks.shapes.dimensions import VERSION as DIMENSIONS_VERSION
from benchmarks.shapes.distortions import GENERATORS, NUM_VIDEOS, REAL, Generator, real_videos
from benchmarks.shapes.generated import BUNDLED, NO_MODEL, SAMPLING, SampledModel, model_of_shapes
from benchmarks.shapes.measuring import FID, FVD, IS, RESAMPLES, ShapesMeasurer, WorkOptions
from benchmarks.shapes.networks import embedded_networks
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.networks import Networks
from evaluation.protocol.presets import SHAPES
from evaluation.results.record import Result
from latte.data.shapes import VERSION
from latte.sampling.devices import choose_device
from latte.sampling.generate import SamplingOptions
from reports.cells import Cell
from reports.provenance import Provenance

REVISION = 2  # raised by any change of this module that changes a number


@dataclass(frozen=True, kw_only=True)
class ShapesRequest(WorkOptions):
    """What to measure, and how the work is done, which does not affect results."""

    num_videos: int = NUM_VIDEOS  # size of each set
    sampling: SamplingOptions = SAMPLING  # its seed is replaced
    seeds: int = 1  # repetitions: other real videos, other samples
    checkpoint: Path | None = None  # None: the bundled model


SCALES: Mapping[Scale, ShapesRequest] = {
    "tiny": ShapesRequest(),  # shares features with the demo
    "small": ShapesRequest(num_videos=4 * NUM_VIDEOS, sampling=replace(SAMPLING, steps=100)),
}


@dataclass(frozen=True, kw_only=True)
class MethodTask:
    """One method, measured once."""

    source: SampledModel | Generator | None  # None: the real videos themselves
    num_videos: int
    seed: int
    device: str = "cpu"

    @property
    def key(self) -> str:
        """Hash over everything that decides the numbers."""
        model = self.source if isinstance(self.source, SampledModel) else None
        stand_in = self.source if isinstance(self.source, Generator) else None
        return cell_key(
            cell="method on shapes",
            revision=REVISION,
            shapes=VERSION,
            networks=embedded_networks(),
            model=model.hashes if model else (),
            sampling=asdict(model.options) if model else None,
            stand_in=asdict(stand_in) if stand_in else None,
            num_videos=self.num_videos,
            resamples=RESAMPLES,
            dimensions=DIMENSIONS_VERSION,
            seed=self.seed,
            device=self.device.partition(":")[0],
        )

    @property
    def label(self) -> str:
        """Row of the tables."""
        return REAL if self.source is None else self.source.label

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"{self.label}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class MeasuredMethods:
    """What was measured of every method."""

    num_videos: int  # size of each set
    # Each method, the model first, has one for each seed, none where it could not be measured.
    cells: Mapping[str, Sequence[CellRecord]]
    reasons: Mapping[str, str]  # why a method has no cells
    model: str  # row of the model
    sampled: str  # how its samples are made; "" without a model
    finished: MeasuredCells

    def cell(self, method: str, name: str) -> Cell:
        """A metric, or a dimension in percent, with its interval, or why there is none.

        One seed has the interval over its clips. Several have, of a metric, the geometric mean and
        Student's t on logarithms; of a dimension, the mean and Student's t over the seeds, or
        Wilson's interval over all their clips where a clip scores 0 or 1.
        """
        if method == REAL and name in (FVD, FID):
            return Cell(reason="The reference that the others are measured against.")
        measured = [cell.details[name] for cell in self.cells[method]]
        if not measured:
            return Cell(reason=self.reasons[method])
        values, dimension = [seed["value"] for seed in measured], name.removesuffix(SUFFIX)
        interval = measured[0]["interval"]
        if dimension not in STAND_INS:
            if len(values) > 1:
                return geometric_mean(values).cell
            return Cell.measured(values[0], interval)
        if len(values) > 1:
            yes_or_no = dimension in YES_OR_NO
            interval = mean_interval(values, yes_or_no=yes_or_no, clips=self.num_videos)
        low, high = interval
        return Cell(value=100 * float(np.mean(values)), low=100 * low, high=100 * high)

    def provenance(self, metrics: Collection[str]) -> tuple[Provenance, ...]:
        """Command, model, fingerprints, versions, hardware, date and seconds of the work."""
        measured = [cell for cells in self.cells.values() for cell in cells]
        if not measured:
            return ()
        prints = sorted(
            {
                f"{metric} {value['fingerprint']}"
                for cell in measured
                for metric, value in cell.details.items()
                if metric in metrics
            }
        )
        model = {self.model: self.sampled} if self.sampled else {}
        return (of_cells(measured, {**model, "protocol fingerprints": ", ".join(prints)}),)


def measure_on_shapes(request: ShapesRequest, folder: Path) -> MeasuredMethods:
    """Measure every method that is not in `folder`/cells.jsonl yet.

    Raises:
        InputError: the checkpoint is not a model of shapes, or the file of cells is broken.
    """
    model = model_of_shapes(request.checkpoint, request.sampling)
    sources = [*([model] if model else []), *GENERATORS, None]
    tasks = [
        MethodTask(source=source, num_videos=request.num_videos, seed=seed, device=request.device)
        for source in sources
        for seed in range(request.seeds)
    ]
    options = request.extraction(folder)
    choose_device(request.device)  # refused once, not for each method
    finished = measure_cells(tasks, partial(measure_method, options=options), folder / FILE)
    finished.raise_if_empty()
    label = model.label if model else BUNDLED
    reasons = {} if model else {label: NO_MODEL}
    failed = {cell.key: cell.reason for cell in finished.failed}
    cells: dict[str, list[CellRecord]] = {x: [] for x in (label, *(task.label for task in tasks))}
    for task in tasks:
        if task.key in finished.cells:
            cells[task.label].append(finished.cells[task.key])
        elif task.key in failed:
            reasons[task.label] = f"Failed: {failed[task.key]}"
    return MeasuredMethods(
        num_videos=request.num_videos,
        cells=cells,
        reasons=reasons,
        model=label,
        sampled=model.description if model else "",
        finished=finished,
    )


def measure_method(task: MethodTask, options: ExtractionOptions) -> CellValue:
    """FVD-shapes, FID-shapes, IS-shapes and VBench's dimensions of one method.

    The real videos have IS-shapes and the dimensions alone.
    """
    source, count = task.source, task.num_videos
    first = 2 * count * task.seed  # no two seeds share a video
    real = videos = real_videos(first, count)
    if isinstance(source, SampledModel):
        seeded = replace(source, options=replace(source.options, seed=task.seed))
        videos = seeded.videos(count)
    else:
        options = replace(options, workers=0)  # drawing shapes takes less than starting processes
    if isinstance(source, Generator):
        videos = source.videos(first + count, count)
    protocol = replace(SHAPES, num_real=count, num_fake=count, seed=task.seed)
    measurer = ShapesMeasurer(real, protocol, Networks(options), RESAMPLES)
    pixels = open_pixel_scores(options.store)
    measured = measurer.extract(videos, "fake", also=[pixels])
    dimensions = score_dimensions(measured, measurer, pixels)
    own = {result.metric: result for result in measurer.results(task.label, measured)}
    main = own.get(FVD, own[IS])
    return CellValue(
        value=main.value,
        interval=main.interval,
        details={**{metric: _entry(result) for metric, result in own.items()}, **dimensions},
        provenance={"command": main.command, **software_of(main), "commit": source_commit()},
    )


def _entry(result: Result) -> dict[str, Any]:
    return {"value": result.value, "interval": list(result.ends), "fingerprint": result.fingerprint}
