"""Jobs: cells that are commands of their own, run here or through Slurm.

A job is a command and the file of its inputs: `latte-bench cell FILE` measures one cell, writes its
line and ends, and can be given by hand as well. It holds the lock of its cell, so that no two
processes work on one, and resumes where an earlier one was stopped.
"""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.cells.cache import CellTask, FailedCell, MeasuredCells, cells_of, unmeasured
from benchmarks.cells.requirements import Requirement, gpus, package, slurm
from latte.data.errors import InputError
from latte.data.files import read_bytes, write_atomically
from latte.data.processes.children import Ended, run_children
from latte.data.processes.cluster import Executor, Resources, run_through_submitit
from latte.data.schema import decode_json

logger = logging.getLogger(__name__)

CLUSTER = "slurm"  # submitit's name; "local" runs its jobs as processes here
JOBS = "jobs"  # folder beside the cells, of inputs and logs
PAPER_GPUS = 8  # GPUs of a training; fewer make the same batch in several passes


def resource_requirements(resources: Resources) -> list[Requirement]:
    """What has to be on this machine: the GPUs, or what hands jobs to those that have them."""
    if resources.executor == "local":
        return [gpus(resources.gpus)]
    return [package("submitit", "slurm"), slurm()]


def training_resources(
    executor: Executor = "local",
    nodes: int = 1,
    gpus: int | None = None,
    slurm: tuple[str, ...] = (),
) -> Resources:
    """What a training at the paper's settings has; by default as many GPUs as its batch takes.

    Raises:
        InputError: as `Resources`, or the paper's batch cannot be divided among the processes.
    """
    number = gpus or max(1, PAPER_GPUS // nodes)
    resources = Resources(executor=executor, nodes=nodes, gpus=number, slurm=slurm)
    if PAPER_GPUS % resources.processes:
        raise InputError(
            f"--nodes {nodes} --gpus {number}: the paper's batch is of {PAPER_GPUS} processes, so "
            f"nodes × GPUs must divide {PAPER_GPUS}"
        )
    return resources


@dataclass(frozen=True, kw_only=True)
class Job:
    """A cell that a command measures from a file of inputs."""

    kind: str  # names the function that measures it
    key: str  # key of the cell
    name: str  # name for messages
    inputs: Mapping[str, Any]  # JSON: the fields of the record that the function takes

    @classmethod
    def of(cls, kind: str, task: CellTask, inputs: Any) -> "Job":
        """The job that measures a cell.

        Args:
            inputs: a dataclass.
        """
        plain = msgspec.to_builtins(inputs, enc_hook=str)
        return cls(kind=kind, key=task.key, name=task.name, inputs=plain)

    def write(self, folder: Path) -> Path:
        """Write the file of inputs into the folder of the cells."""
        path = folder / JOBS / f"{self.key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.format(msgspec.json.encode(self)))
        return path

    def check(self, key: str) -> None:
        """Refuse a job whose inputs make another cell now than when they were written.

        Raises:
            InputError: the keys differ.
        """
        if key != self.key:
            raise InputError(
                f"job {self.name} no longer matches its inputs or the settings: run the command of "
                "its figure or table again"
            )


def read_job(path: Path) -> Job:
    """The job of a file.

    Raises:
        InputError: the file cannot be read, or is no job.
    """
    return decode_json(read_bytes(path, "a job"), Job, str(path))


def job_command(path: Path) -> list[str]:
    """The command that measures the cell of a job."""
    return [sys.executable, "-m", "benchmarks", "cell", str(path)]


def run_jobs(jobs: Sequence[Job], cells: Path, resources: Resources) -> MeasuredCells:
    """Run the jobs whose cells are not in the file yet, each in processes of its own.

    Jobs of one key are one job. One that fails costs no other.

    Args:
        cells: file of the cells, to which the jobs add their lines.

    Raises:
        KeyboardInterrupt: interrupted; the jobs were stopped, and resume when they are run again.
    """
    waiting = unmeasured(jobs, cells)
    commands = [job_command(job.write(cells.parent)) for job in waiting]
    folder = cells.parent / JOBS
    if not waiting:
        ended = []
    elif resources.executor == "local":
        ended = _run_here(waiting, commands, folder, resources)
    else:
        names = [f"latte-bench {job.name}" for job in waiting]
        ended = run_through_submitit(names, commands, folder / CLUSTER, resources)
    done = cells_of(jobs, cells)
    return MeasuredCells(
        cells=done,
        failed=tuple(
            FailedCell.of(
                job,
                end.error or f"its command ended with code {end.code}",
                fixable=end.code == 2,
            )
            for job, end in zip(waiting, ended, strict=True)
            if job.key not in done
        ),
    )


def _run_here(
    jobs: Sequence[Job], commands: Sequence[Sequence[str]], folder: Path, resources: Resources
) -> list[Ended]:
    """One after the other, or several at a time where there are GPUs for several."""
    places = gpu_places(resources.gpus)
    if len(places) == 1 or len(jobs) == 1:
        return run_children(commands)
    logger.info("%d jobs at a time, with their logs in %s", len(places), folder)
    return run_children(commands, places, [folder / f"{job.key}.log" for job in jobs])


def gpu_places(count: int) -> list[dict[str, str]]:
    """Environments for jobs that run at the same time, each with so many of the visible GPUs."""
    import torch

    number = torch.cuda.device_count()
    if number < 2 * count:
        return [{}]
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    names = names if len(names) >= number else [str(index) for index in range(number)]
    groups = [names[first : first + count] for first in range(0, number - count + 1, count)]
    return [{"CUDA_VISIBLE_DEVICES": ",".join(group)} for group in groups]
