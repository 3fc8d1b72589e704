"""Cells of published tables measured with the published weights, at the paper's settings.

Each cell samples from the model of its data set and measures the samples. Everything that is
missing is listed first, at once.
"""

import json
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks.cells.cache import FILE, CellValue, MeasuredCells, cell_key, measure_cells
from benchmarks.cells.executors import Job, resource_requirements, run_jobs
from benchmarks.cells.requirements import (
    Requirement,
    autoencoder_of,
    data_set,
    file,
    is_official,
    network_weights,
    package,
    require,
    unmet,
    vae_identity,
)
from benchmarks.tables.published import PublishedColumn, PublishedTable
from benchmarks.tables.request import Measurements, TableRequest
from evaluation.catalogue.registry import metric
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.choice import for_metric
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import LATTE, for_dataset
from evaluation.results.files import ResultLine
from evaluation.results.record import Result
from latte.autoencoder import DEFAULT_VAE
from latte.data.datasets import default_data_root, open_dataset
from latte.data.hashing import file_sha256
from latte.data.processes.cluster import Resources, run_command, torchrun
from latte.data.schema import convert
from latte.data.sources import VideoSet, open_video_set
from latte.sampling.official import official_options
from latte.sampling.plan import SampleRequest
from latte.sampling.run import sample

KIND = "measurement"  # kind of these jobs
REVISION = 2  # raised by any change of this module that changes a number
MODEL = "Latte, published weights"
# Files of https://huggingface.co/maxin-cn/Latte; others are called after their data set.
FILES = {"faceforensics": "ffs"}
HUB = "https://huggingface.co/maxin-cn/Latte"
OR_ELSE = (
    "leave --scale out for the published figures and those of --results, or add --only-available "
    "to measure what can be"
)


@dataclass(frozen=True, kw_only=True)
class MeasurementInputs:
    """What the file of a job says of its cell."""

    column: PublishedColumn
    request: TableRequest


@dataclass(frozen=True, kw_only=True)
class PaperTask:
    """A cell: one metric on one data set."""

    column: PublishedColumn
    protocol: Protocol
    checkpoint: Path
    vae: str | None
    vae_content: str | None  # digest of the files of a folder
    sha256: str  # hash of the checkpoint
    device: str

    @property
    def precision(self) -> str:
        """Precision of sampling; on a GPU that of the official samples."""
        return "fp32" if self.device == "cpu" else "fp16"

    @property
    def key(self) -> str:
        """Hash over all that decides the value but the pixels of the data set."""
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
            # What the checkpoint does not say itself; only models with classes use guidance.
            "official": asdict(official_options(self.column.dataset, num_classes=1)),
        }

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"{self.column.metric} on {self.column.dataset}"

    def sample_command(self, folder: Path, processes: int) -> list[str]:
        """The command that makes the samples; sample i is the same for any number of processes.

        Args:
            folder: of the cells.
            processes: each with a GPU of its own; 1 works on the device.
        """
        program = ["python", "-m", "latte"]
        if processes > 1:
            program = torchrun(Resources(gpus=processes))
        options = ["--dataset", self.column.dataset, "--num-samples", str(self.protocol.num_fake)]
        options += ["--precision", self.precision, "--device", self.device]
        options += [] if self.vae is None else ["--autoencoder", self.vae]
        out = str(self.samples_folder(folder))
        return [*program, "sample", str(self.checkpoint), *options, "--out", out]

    def samples_folder(self, folder: Path) -> Path:
        """Folder of the samples beside the cells, which all metrics of a model share."""
        return folder / "samples" / f"{self.column.dataset}-{cell_key(**self._sampling)[:8]}"


def measure_at_paper_scale(table: PublishedTable, request: TableRequest) -> Measurements:
    """Measure every cell of a table that is not in the folder of cells yet.

    Raises:
        InputError: something is missing: one message with all of it, before anything starts. With
            `only_available`, no cell can be measured.
    """
    path = request.folder / FILE
    needed = {column: requirements(column, request) for column in table.columns}
    measurable = [column for column in table.columns if not unmet(needed[column])]
    if not (request.only_available and measurable):
        every = [requirement for listed in needed.values() for requirement in listed]
        require(every, "paper", or_else="" if request.only_available else OR_ELSE)
    tasks = [paper_task(column, request) for column in measurable]
    if request.executor == "local":
        measured = measure_cells(tasks, partial(measure_cell, request=request), path)
    else:
        jobs = [measurement_job(task, request) for task in tasks]
        measured = run_jobs(jobs, path, request.resources)
    return Measurements(
        lines=[
            ResultLine(where=where, result=convert(measured.cells[task.key].details, Result, where))
            for task, where in ((task, f"{path} ({task.name})") for task in tasks)
            if task.key in measured.cells
        ],
        not_measured=[
            f"Not measured: {column.metric} on {column.title} lacks "
            f"{', '.join(requirement.name for requirement in unmet(needed[column]))}."
            for column in table.columns
            if column not in measurable
        ],
        cells=measured,
    )


def requirements(column: PublishedColumn, request: TableRequest) -> list[Requirement]:
    """What a cell needs."""
    checkpoint = _checkpoint(column.dataset, request.checkpoints)
    protocol = _protocol(column.dataset, request)
    real_videos = data_set(
        column.dataset,
        request.data_root or default_data_root(),
        min_frames=protocol.selection("real").min_frames,
        frame_size=None if protocol.recipe == "none" else protocol.size,
    )
    return [
        *([real_videos] if metric(column.command).needs_real else []),
        network_weights(column.network, trust=request.trust_weights),
        file(
            f"weights of Latte for {column.dataset}",
            checkpoint,
            f"fetch it from {HUB}, and name its folder with --checkpoints",
        ),
        package("diffusers", "sd"),
        *autoencoder_of(checkpoint, request.vae),
        *(resource_requirements(request.resources) if request.device is None else []),
    ]


def measurement_job(task: PaperTask, request: TableRequest) -> Job:
    """The cell as a job of its own."""
    root = request.data_root or default_data_root()
    resolved = replace(request, results=(), cells=request.folder, data_root=root)
    return Job.of(KIND, task, MeasurementInputs(column=task.column, request=resolved))


def measure_job(job: Job) -> MeasuredCells:
    """Measure the cell of a job, and write its line."""
    task, request = _task_of(job)
    return measure_cells([task], partial(measure_cell, request=request), request.folder / FILE)


def job_commands(job: Job) -> list[list[str]]:
    """The command that makes the samples; they are measured in the process of the job."""
    task, request = _task_of(job)
    return [task.sample_command(request.folder, max(1, _visible_gpus(request)))]


def _task_of(job: Job) -> tuple[PaperTask, TableRequest]:
    """The cell of a job.

    Raises:
        InputError: the inputs do not fit, or make another cell now than when they were written.
    """
    inputs = convert(job.inputs, MeasurementInputs, f"the job of {job.name}")
    task = paper_task(inputs.column, inputs.request)
    job.check(task.key)
    return task, inputs.request


def measure_cell(task: PaperTask, request: TableRequest) -> CellValue:
    """Sample, then measure; samples and features that are there already are not made again."""
    folder, root = request.folder, request.data_root or default_data_root()
    _sample(task, request)
    needs_real = metric(task.column.command).needs_real
    real = open_dataset(task.column.dataset, data_root=root) if needs_real else None
    fake = first_samples(open_video_set(task.samples_folder(folder)), task.protocol.num_fake)
    options = ExtractionOptions(
        store=request.store or folder / "features",
        device=task.device,
        workers=request.workers,
        trust_weights=request.trust_weights,
    )
    measurer = Measurer(
        task.protocol, (task.column.command,), Networks(options), dataset=task.column.dataset
    )
    (result,) = measurer.measure(real, fake, model=MODEL, out=folder / "results.jsonl")
    return CellValue(
        value=result.value,
        interval=result.interval,
        details=json.loads(result.to_json()),
        provenance={"command": result.command, "date": result.date},
    )


def _sample(task: PaperTask, request: TableRequest) -> None:
    """Make the samples that are not there, on all GPUs where there are several."""
    processes = _visible_gpus(request)
    if processes > 1:
        run_command(task.sample_command(request.folder, processes))
        return
    sample(
        SampleRequest(
            checkpoint=task.checkpoint,
            dataset=task.column.dataset,
            out=task.samples_folder(request.folder),
            num_samples=task.protocol.num_fake,
            autoencoder=task.vae,
            device=task.device,
            precision=task.precision,
        )
    )


def first_samples(videos: VideoSet, count: int) -> VideoSet:
    """Samples 0 … `count` − 1 of a folder that may hold more of them."""
    first = [video for video in videos.videos if int(PurePosixPath(video.name).name) < count]
    return replace(videos, videos=tuple(first))


def paper_task(column: PublishedColumn, request: TableRequest) -> PaperTask:
    """The cell of a column, whose checkpoint must be here."""
    path = _checkpoint(column.dataset, request.checkpoints)
    vae = request.vae or (DEFAULT_VAE if is_official(path) else None)
    return PaperTask(
        column=column,
        protocol=_protocol(column.dataset, request),
        checkpoint=path,
        vae=vae,
        vae_content=None if vae is None else vae_identity(vae),
        sha256=file_sha256(path),
        device=request.device or "cuda",
    )


def _visible_gpus(request: TableRequest) -> int:
    """GPUs that may all be used: none where a single device is named."""
    import torch

    return torch.cuda.device_count() if request.device in (None, "cuda") else 0


def _protocol(dataset: str, request: TableRequest) -> Protocol:
    protocol = for_dataset(LATTE, dataset)
    if request.num_videos is None:
        return protocol
    return replace(protocol, num_real=request.num_videos, num_fake=request.num_videos)


def _checkpoint(dataset: str, folder: Path) -> Path:
    """The model of a data set: as `latte convert` names it, else as it is published."""
    converted = folder / f"{dataset}.safetensors"
    return converted if converted.is_file() else folder / f"{FILES.get(dataset, dataset)}.pt"
