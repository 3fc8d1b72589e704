"""Cells of published tables measured with the published weights, at the paper's settings.

Each cell samples from the model of its data set and measures what it made. What is missing is said
first, all of it at once.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks.cells import cache as finished
from benchmarks.cells.cache import FILE, MeasuredCells, cell_key
from benchmarks.cells.executors import Resources, run_command, torchrun
from benchmarks.cells.requirements import (
    Requirement,
    autoencoder_of,
    data_set,
    default_data_root,
    file,
    gpus,
    is_official,
    network_weights,
    package,
    require,
    unmet,
    vae_identity,
)
from benchmarks.tables.measured_results import Measured
from benchmarks.tables.published import PublishedColumn
from evaluation.catalogue.networks import for_metric
from evaluation.catalogue.registry import metric
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from evaluation.networks.downloads import digest
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import LATTE, for_dataset
from evaluation.results.record import Result
from evaluation.results.writing import append_result
from latte.autoencoder import DEFAULT_VAE
from latte.data.datasets import open_dataset
from latte.data.sources import VideoSet, open_video_set
from latte.sampling.official import official_options
from latte.sampling.plan import SampleRequest
from latte.sampling.run import sample

REVISION = 2  # raised by any change of this module that moves a number
MODEL = "Latte, published weights"
# Of https://huggingface.co/maxin-cn/Latte; others are called after their data set.
FILES = {"faceforensics": "ffs"}
HUB = "https://huggingface.co/maxin-cn/Latte"
OR_ELSE = (
    "leave --scale out for the published figures and those of --results, or add --only-available "
    "to measure what is here"
)


@dataclass(frozen=True, kw_only=True)
class PaperRequest:
    """Where the requirements are, and how the work is done."""

    checkpoints: Path  # folder of the published models, one for each data set
    data_root: Path | None = None
    vae: str | None = None  # folder or hub name of Stable Diffusion's VAE
    num_videos: int | None = None  # None: as the protocol
    device: str | None = None  # None: a GPU
    workers: int = 0
    store: Path | None = None
    only_available: bool = False

    @property
    def root(self) -> Path:
        """Of the data sets."""
        return self.data_root or default_data_root()

    @property
    def place(self) -> str:
        """The device."""
        return self.device or "cuda"

    @property
    def visible(self) -> int:
        """GPUs that may all be used: none where a single device is named."""
        import torch

        return torch.cuda.device_count() if self.place == "cuda" else 0


@dataclass(frozen=True, kw_only=True)
class PaperTask:
    """A cell: one metric on one data set."""

    column: PublishedColumn
    protocol: Protocol
    checkpoint: Path
    vae: str | None
    vae_content: str | None  # of a folder the digest of its files
    sha256: str  # of the checkpoint
    device: str

    @property
    def precision(self) -> str:
        """Of sampling; on a GPU that of the official samples."""
        return "fp32" if self.device == "cpu" else "fp16"

    @property
    def samples(self) -> str:
        """Name of their folder, which all metrics share: over all that decides a sample."""
        made_by = cell_key(**self._sampling)
        return f"{self.column.dataset}-{made_by[:8]}"

    @property
    def key(self) -> str:
        """Over all that decides the value but the pixels of the data set."""
        return cell_key(
            cell="published weights",
            revision=REVISION,
            metric=self.column.command,
            dataset=self.column.dataset,
            protocol=for_metric(self.protocol, metric(self.column.command)).fingerprint,
            **self._sampling,
        )

    @property
    def _sampling(self) -> dict[str, Any]:
        return {
            "model": self.sha256,
            "vae": self.vae_content,
            "device": self.device.partition(":")[0],
            "precision": self.precision,
            # What the checkpoint does not say itself; guidance is for those with classes alone.
            "official": asdict(official_options(self.column.dataset, num_classes=1)),
        }

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.column.metric} on {self.column.dataset}"

    def sample_command(self, folder: Path, processes: int) -> list[str]:
        """The samples as a command: sample i is the same in any number of processes.

        Args:
            folder: of the cells.
            processes: each with a GPU of its own; 1 works on the device.
        """
        count = str(self.protocol.num_fake)
        what = ["--dataset", self.column.dataset, "--num-samples", count]
        what += ["--precision", self.precision, "--device", self.device]
        what += [] if self.vae is None else ["--autoencoder", self.vae]
        program = ["python", "-m", "latte"]
        if processes > 1:
            program = torchrun(Resources(gpus=processes))
        out = str(self.samples_folder(folder))
        return [*program, "sample", str(self.checkpoint), *what, "--out", out]

    def samples_folder(self, folder: Path) -> Path:
        """Where its samples are, beside the cells."""
        return folder / "samples" / self.samples


def measure_at_paper_scale(
    columns: Sequence[PublishedColumn], request: PaperRequest, folder: Path
) -> tuple[list[Measured], list[str], MeasuredCells]:
    """Measure every cell of the columns that is not in `folder`/cells.jsonl yet.

    Returns:
        The results, a sentence for each cell that could not be measured for want of something, and
        how the run ended.

    Raises:
        InputError: something is missing: one message with all of it, before anything starts. With
            `only_available`, no cell can be measured.
    """
    needed = {column: requirements(column, request) for column in columns}
    every = [each for found in needed.values() for each in found]
    measurable = [column for column in columns if not unmet(needed[column])]
    if not (request.only_available and measurable):
        require(every, "paper", or_else="" if request.only_available else OR_ELSE)
    missing = [
        f"Not measured: {column.metric} on {column.title} lacks "
        f"{', '.join(each.name for each in unmet(needed[column]))}."
        for column in columns
        if column not in measurable
    ]
    wanted = [paper_task(column, request) for column in measurable]
    ended = finished.measure_cells(
        wanted, partial(measure_cell, request=request, folder=folder), folder / FILE
    )
    results = [
        Measured(where=f"{folder / FILE} ({task.name})", record=ended.cells[task.key].details)
        for task in wanted
        if task.key in ended.cells
    ]
    return results, missing, ended


def requirements(column: PublishedColumn, request: PaperRequest) -> list[Requirement]:
    """What a cell needs, and whether it is here."""
    checkpoint = _checkpoint(column.dataset, request.checkpoints)
    chosen = metric(column.command)
    return [
        *([_real_videos(column.dataset, request)] if chosen.needs_real else []),
        network_weights(column.network),
        file(
            f"weights of Latte for {column.dataset}",
            checkpoint,
            f"fetch it from {HUB}, and name its folder with --checkpoints",
        ),
        package("diffusers", "sd"),
        *autoencoder_of(checkpoint, request.vae),
        *([gpus()] if request.device is None else []),
    ]


def measure_cell(task: PaperTask, request: PaperRequest, folder: Path) -> finished.CellValue:
    """Sample, then measure; samples and features that are there already are not made again."""
    _sample(task, request, folder)
    needs_real = metric(task.column.command).needs_real
    options = ExtractionOptions(
        store=request.store or folder / "features", device=task.device, workers=request.workers
    )
    measurer = Measurer(
        task.protocol, (task.column.command,), Networks(options), dataset=task.column.dataset
    )
    (result,) = measurer.measure(
        open_dataset(task.column.dataset, data_root=request.root) if needs_real else None,
        first_samples(open_video_set(task.samples_folder(folder)), task.protocol.num_fake),
        model=MODEL,
    )
    append_result(folder / "results.jsonl", result)
    return _as_cell(result)


def _sample(task: PaperTask, request: PaperRequest, folder: Path) -> None:
    """Make the samples that are not there: on all GPUs, where there are several."""
    if request.visible > 1:
        command = task.sample_command(folder, request.visible)
        run_command(command)
        return
    sample(
        SampleRequest(
            checkpoint=task.checkpoint,
            dataset=task.column.dataset,
            out=task.samples_folder(folder),
            num_samples=task.protocol.num_fake,
            autoencoder=task.vae,
            device=task.device,
            precision=task.precision,
        )
    )


def first_samples(videos: VideoSet, count: int) -> VideoSet:
    """Samples 0 … `count` − 1 of a folder that may hold more of them."""
    chosen = (each for each in videos.videos if int(PurePosixPath(each.name).name) < count)
    return replace(videos, videos=tuple(chosen))


def _as_cell(result: Result) -> finished.CellValue:
    return finished.CellValue(
        value=result.value,
        interval=result.interval,
        details=json.loads(result.to_json()),
        provenance={"command": result.command, "date": result.date},
    )


def paper_task(column: PublishedColumn, request: PaperRequest) -> PaperTask:
    """The cell of a column, whose checkpoint is here."""
    path = _checkpoint(column.dataset, request.checkpoints)
    chosen = request.vae or (DEFAULT_VAE if is_official(path) else None)
    return PaperTask(
        column=column,
        protocol=_protocol(column.dataset, request),
        checkpoint=path,
        vae=chosen,
        vae_content=None if chosen is None else vae_identity(chosen),
        sha256=digest(path).sha256,
        device=request.place,
    )


def _protocol(dataset: str, request: PaperRequest) -> Protocol:
    protocol = for_dataset(LATTE, dataset)
    if request.num_videos is None:
        return protocol
    return replace(protocol, num_real=request.num_videos, num_fake=request.num_videos)


def _real_videos(dataset: str, request: PaperRequest) -> Requirement:
    """The data set, of which a video must be long enough, with frames of the protocol's size."""
    protocol = _protocol(dataset, request)
    return data_set(
        dataset,
        request.root,
        min_frames=protocol.real_selection().min_frames,
        frame_size=None if protocol.recipe == "none" else protocol.size,
    )


def _checkpoint(dataset: str, folder: Path) -> Path:
    """The model of a data set: as `latte convert` names it, else as it is published."""
    converted = folder / f"{dataset}.safetensors"
    return converted if converted.is_file() else folder / f"{FILES.get(dataset, dataset)}.pt"
