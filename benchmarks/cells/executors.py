"""Jobs: cells that are commands of their own, run here or through Slurm.

A job is a command and the file of its inputs: `latte-bench cell FILE` measures one cell, writes its
line and ends, and can be given by hand as well. It holds the lock of its cell, so that no two
processes work on one, and resumes where an earlier one was stopped.
"""

import logging
import os
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from benchmarks.cells.cache import CellTask, FailedCell, MeasuredCells, cells_of, unmeasured
from benchmarks.cells.requirements import Requirement, gpus, package, slurm
from latte.data.children import Child, Ended, run_child, run_children
from latte.data.errors import InputError, nearest
from latte.data.files import write_atomically
from latte.data.schema import decode_json

if TYPE_CHECKING:
    import submitit

logger = logging.getLogger(__name__)

Executor = Literal["local", "slurm"]
CLUSTER = "slurm"  # submitit's name; "local" runs its jobs as processes here
JOBS = "jobs"  # folder beside the cells, of inputs and logs
TIME_LIMIT = 24 * 60  # minutes of one stay in Slurm's queue; a job that reaches it is queued again
STOP_TIME = 600  # seconds before that limit at which a job is asked to stop
CPUS_PER_GPU = 4
PAPER_GPUS = 8  # GPUs of a training; fewer make the same batch in several passes
PROGRAMS: Mapping[str, Sequence[str]] = {  # options of the interpreter
    "python": (),
    "torchrun": ("-m", "torch.distributed.run"),
}
PORTS = range(20_000, 60_000)  # the processes of several nodes meet at one of them


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Where jobs run, and what each of them has.

    Raises:
        InputError: there is no such executor, several nodes are asked for without Slurm, or an
            option of Slurm has no value.
    """

    executor: Executor = "local"
    nodes: int = 1
    gpus: int = 1  # GPUs of each node
    slurm: tuple[str, ...] = ()  # options of sbatch: "partition=gpu"

    def __post_init__(self) -> None:
        if self.executor not in get_args(Executor):
            raise InputError(
                f"--executor {self.executor}: {nearest(self.executor, get_args(Executor))}"
            )
        if self.executor == "local" and (self.nodes > 1 or self.slurm):
            raise InputError("--nodes and --slurm need --executor slurm")
        for option in self.slurm:
            if "=" not in option:
                raise InputError(f"--slurm {option}: must be NAME=VALUE, as partition=gpu")

    @property
    def processes(self) -> int:
        """Processes of one job, with a GPU each."""
        return self.nodes * self.gpus

    def requirements(self) -> list[Requirement]:
        """What has to be on this machine: the GPUs, or what hands jobs to those that have them."""
        if self.executor == "local":
            return [gpus(self.gpus)]
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
    try:
        return decode_json(path.read_bytes(), Job, str(path))
    except OSError as error:
        raise InputError(f"{path}: not a job ({error.strerror})") from None


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
        ended = _run_through_submitit(waiting, commands, folder / CLUSTER, resources)
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


@dataclass
class SubmittedCommand:
    """A command as submitit runs it: at the limit of its time it is stopped and queued again."""

    command: Sequence[str]
    child: Child | None = field(default=None, repr=False)

    def __call__(self) -> Ended:
        self.child = Child(self.command)
        try:
            return self.child.wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Let the command write what it has."""
        if self.child is not None:
            self.child.request_stop()
            self.child.wait()

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """What submitit queues in place of this: the same command, which resumes."""
        import submitit

        self.stop()
        return submitit.helpers.DelayedSubmission(SubmittedCommand(self.command))


def _run_through_submitit(
    jobs: Sequence[Job], commands: Sequence[Sequence[str]], folder: Path, resources: Resources
) -> list[Ended]:
    """All at the same time, as far as the scheduler has nodes for them."""
    import submitit

    executor = _executor(folder, resources)
    submitted: list[submitit.Job[Ended]] = []
    try:
        for job, command in zip(jobs, commands, strict=True):
            executor.update_parameters(name=f"latte-bench {job.name}")
            submitted.append(executor.submit(SubmittedCommand(command)))
            queued = submitted[-1]
            logger.info("%s: job %s, log %s", job.name, queued.job_id, queued.paths.stderr)
        poll = 10 if folder.name == "slurm" else 0.2  # seconds
        for queued in submitit.helpers.as_completed(submitted, poll_frequency=poll):
            logger.info("job %s ended: %s", queued.job_id, _ended(queued).error or "done")
    except submitit.core.utils.FailedJobError as error:
        raise InputError(f"sbatch refused the job of {job.name} ({error})") from error
    finally:  # nothing is left to cancel unless this was interrupted
        for queued in submitted:
            if not queued.done():
                queued.cancel(check=False)
    return [_ended(queued) for queued in submitted]


def _executor(folder: Path, resources: Resources) -> "submitit.AutoExecutor":
    """What submits jobs, with what each of them has."""
    import submitit

    executor = submitit.AutoExecutor(folder, cluster=folder.name, slurm_max_num_timeout=10_000)
    # One process of the job starts those of all nodes: see `torchrun`.
    srun = ["--nodes=1", "--ntasks=1", "--overlap"] if resources.nodes > 1 else []
    executor.update_parameters(
        nodes=resources.nodes,
        tasks_per_node=1,
        gpus_per_node=resources.gpus,
        cpus_per_task=CPUS_PER_GPU * resources.gpus,
        timeout_min=TIME_LIMIT,
        slurm_signal_delay_s=STOP_TIME,
        slurm_srun_args=srun,
        slurm_setup=["export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK"],  # srun takes one otherwise
        slurm_additional_parameters=dict(option.split("=", 1) for option in resources.slurm),
    )
    return executor


def _ended(job: "submitit.Job[Ended]") -> Ended:
    """How the command of a job ended; one that was cancelled or lost left no result."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        return job.result()
    except (FailedJobError, UncompletedJobError):
        where = f"its log is {job.paths.stderr}"
        return Ended(code=1, error=f"job {job.job_id} did not run to its end ({where})")


def torchrun(resources: Resources) -> list[str]:
    """`latte` in processes with a GPU each: of this machine, or of all nodes of a Slurm job.

    Where the nodes meet is only known inside the job, and is a placeholder outside of it.
    """
    processes = f"--nproc_per_node={resources.gpus}"
    if resources.nodes == 1:
        return ["torchrun", "--standalone", processes, "-m", "latte"]
    identity, endpoint = _rendezvous()
    return [
        *("srun", "--overlap", f"--nodes={resources.nodes}", f"--ntasks={resources.nodes}"),
        *("--ntasks-per-node=1", f"--gpus-per-node={resources.gpus}", "--kill-on-bad-exit=1"),
        # The signal that ends the stay of a job is for the process that started this one.
        *("env", "--ignore-signal=USR2", "torchrun", f"--nnodes={resources.nodes}", processes),
        *("--rdzv-backend=c10d", f"--rdzv-id={identity}", f"--rdzv-endpoint={endpoint}"),
        *("-m", "latte"),
    ]


def _rendezvous() -> tuple[str, str]:
    """Number of the Slurm job, and a port of its first node."""
    try:
        import submitit

        environment = submitit.JobEnvironment()
    except (ImportError, RuntimeError):  # this process is no job
        return "JOB", "FIRST_NODE:PORT"
    identity = environment.job_id
    port = PORTS[zlib.crc32(identity.encode()) % len(PORTS)]
    return identity, f"{environment.hostnames[0]}:{port}"


def run_command(command: Sequence[str]) -> None:
    """Run a command of `torchrun` or `python` by the interpreter of this process.

    Raises:
        InputError: it failed.
    """
    place = next(index for index, word in enumerate(command) if word in PROGRAMS)
    program = [sys.executable, *PROGRAMS[command[place]]]
    run_child([*command[:place], *program, *command[place + 1 :]], command)
