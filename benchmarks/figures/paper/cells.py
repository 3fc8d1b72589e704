"""Cells at the paper's settings, each a job: what it needs, what it costs, and how it is measured.

A cell is a training of `latte train`, then for every checkpoint 2048 samples of `latte sample` and
their FVD by `latte-eval fvd`; of the last checkpoint FID as well. All resume where they were
interrupted.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from benchmarks.cells.cache import FILE, MeasuredCells, measure_cells, read_cells
from benchmarks.cells.executors import Job, resource_requirements, run_jobs
from benchmarks.cells.requirements import (
    Requirement,
    data_set,
    file,
    network_weights,
    package,
    require,
    unmet,
    vae,
)
from benchmarks.figures.designs import BASELINE, DATASET, PAPER, Design, DesignCells
from benchmarks.figures.paper.training import DIT, PaperTraining, measure_paper_training, tidy
from benchmarks.figures.requests import TrainingRequest
from evaluation.protocol.presets import LATTE
from latte.autoencoder import DEFAULT_VAE
from latte.data.errors import InputError
from latte.data.schema import convert

logger = logging.getLogger(__name__)

KIND = "training"  # kind of these jobs
# 40,000 steps of Latte-XL/2 in 36 hours on 8 A100.
GPU_HOURS_PER_STEP = 8 * 36 / 40_000
RATE_SOURCE = "Latte-XL/2 on 8 A100, https://github.com/Vchitect/Latte/issues/54"


def measure_paper_cells(designs: Sequence[Design], request: TrainingRequest) -> DesignCells:
    """Run a job for each design and seed whose requirements are met, and say first what it costs.

    Raises:
        InputError: something is missing: one message with all of it, before anything starts; with
            `only_available`, only if no design can be trained. Or an option has no effect here.
        FailedCellsError: no cell could be measured.
    """
    if request.device is not None:
        raise InputError(
            f"--device {request.device}: at paper scale torchrun takes the GPUs of --gpus, so "
            "leave it out"
        )
    path, folder = request.folder / FILE, request.folder
    tasks, needed = _trainings(designs, request), requirements(designs, request)
    missing = {design: unmet(needed[design]) for design in designs}
    begins = request.only_available and not all(missing.values())
    runnable = [x for place, x in tasks.items() if not (begins and missing[place[0]])]
    done = read_cells(path)
    logger.info("%s", training_cost(runnable, done))
    if not begins:
        files = [training_job(task).write(folder) for task in runnable]
        hint = "" if request.only_available else ", and --only-available runs what can be run"
        or_else = (
            f"the jobs are in {files[0].parent}: `latte-bench cell --show FILE` prints the "
            f"commands of one{hint}"
        )
        require([part for parts in needed.values() for part in parts], "paper", or_else=or_else)
    for task in runnable:
        if task.key in done:  # stopped before it was tidied up
            tidy(task)
    jobs = [training_job(task) for task in runnable]
    measured = run_jobs(jobs, path, request.resources)
    measured.raise_if_empty()
    keys = {place: task.key for place, task in tasks.items()}
    return DesignCells(measured=measured, keys=keys, lacking=missing)


@dataclass(frozen=True, kw_only=True)
class RemainingCost:
    """What is left to train."""

    steps: int  # steps of all trainings that are left
    left: int
    trainings: int  # number of all trainings

    @property
    def gpu_hours(self) -> float:
        """At the rate of the largest model: an upper bound for the smaller ones."""
        return self.steps * GPU_HOURS_PER_STEP

    def __str__(self) -> str:
        return (
            f"{self.steps:,} steps in {self.left} of {self.trainings} trainings, about "
            f"{self.gpu_hours:,.0f} GPU hours without sampling and measuring (rate of "
            f"{RATE_SOURCE})"
        )


def training_cost(tasks: Collection[PaperTraining], done: Iterable[str] = ()) -> RemainingCost:
    """What is left to train; designs that are one training count once.

    Args:
        done: keys of measured cells.
    """
    trainings = {task.training_key: task for task in tasks}
    measured = {task.training_key for task in tasks if task.key in set(done)}
    left = [
        task for key, task in trainings.items() if key not in measured and not task.weights.exists()
    ]
    steps = sum(task.steps[-1] for task in left)
    return RemainingCost(steps=steps, left=len(left), trainings=len(trainings))


def remaining_cost(designs: Sequence[Design], request: TrainingRequest) -> RemainingCost:
    """What is left to train of all designs, whether or not their requirements are met."""
    return training_cost(_trainings(designs, request).values(), read_cells(request.folder / FILE))


def training_job(task: PaperTraining) -> Job:
    """The cell of a training as a job, whose folders are the same wherever it runs."""
    request = replace(task.request, cells=task.request.folder, data_root=task.request.root)
    return Job.of(KIND, task, replace(task, request=request))


def training_of_job(job: Job) -> PaperTraining:
    """The training of a job.

    Raises:
        InputError: the inputs do not fit, or make another cell now than when they were written.
    """
    task = convert(job.inputs, PaperTraining, f"the job of {job.name}")
    job.check(task.key)
    return task


def measure_job(job: Job) -> MeasuredCells:
    """Measure the cell of a job, and write its line."""
    task = training_of_job(job)
    return measure_cells([task], measure_paper_training, task.request.folder / FILE, tidy=tidy)


def job_commands(job: Job) -> list[list[str]]:
    """The commands of a job, in the order in which it runs them."""
    task = training_of_job(job)
    commands = [task.train_command()]
    for step in task.steps:
        commands += [task.sample_command(step), *task.measure_commands(step).values()]
    return commands


def _trainings(
    designs: Sequence[Design], request: TrainingRequest
) -> dict[tuple[Design, int], PaperTraining]:
    """Every design of a seed, then those of the next."""
    return {
        (design, seed): PaperTraining(design=design, seed=seed, request=request)
        for seed in range(request.num_seeds)
        for design in designs
    }


def requirements(
    designs: Sequence[Design], request: TrainingRequest
) -> dict[Design, list[Requirement]]:
    """What each design needs, and whether it is available."""
    baseline = PAPER.config_of(BASELINE)
    common = [
        package("diffusers", "sd"),
        vae(request.vae or baseline.autoencoder.path or DEFAULT_VAE),
        network_weights("i3d"),
        network_weights("inception"),
        *resource_requirements(request.resources),
    ]
    dit = file(
        "DiT-XL/2's weights",
        request.initialise_from,
        f"fetch {DIT}, and name it with --initialise-from",
    )
    # Designs are measured at their own interval and at the baseline's: the longer clips decide.
    strides = {design: max(PAPER.strides_of(design)) for design in designs}
    # FVD's real clips are the longest; trainings take shorter videos as well.
    videos = {
        stride: data_set(
            DATASET,
            request.root,
            min_frames=replace(LATTE, real_stride=stride).selection("real").min_frames,
            frame_size=LATTE.size,
        )
        for stride in set(strides.values())
    }
    return {
        design: [videos[strides[design]], *([dit] if design.starts_from_images else []), *common]
        for design in designs
    }
