"""Where a command runs: here, in processes that torchrun starts, or as a job of Slurm.

submitit hands jobs to Slurm, and hands one that reaches the limit of its time to it again.
"""

import logging
import os
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from latte.data.errors import InputError, nearest
from latte.data.processes.children import Child, Ended, only_our_packages, run_child
from latte.data.processes.signals import held_back

if TYPE_CHECKING:
    import submitit

logger = logging.getLogger(__name__)

Executor = Literal["local", "slurm"]
TIME_LIMIT = 24 * 60  # minutes of one stay in Slurm's queue; a job that reaches it is queued again
STOP_TIME = 600  # seconds before that limit at which a job is asked to stop
CPUS_PER_GPU = 4
PROGRAMS: Mapping[str, Sequence[str]] = {  # options of the interpreter
    "python": (),
    "torchrun": ("-m", "latte.data.processes.torchrun"),
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


@dataclass
class SubmittedCommand:
    """A command as submitit runs it: at the limit of its time it is stopped and queued again."""

    command: Sequence[str]
    output: Path | None = None  # file for what it prints on stdout
    child: Child | None = field(default=None, repr=False)

    def __call__(self) -> Ended:
        try:
            with held_back():
                self.child = Child(self.command, output=self.output)
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
        return submitit.helpers.DelayedSubmission(SubmittedCommand(self.command, self.output))


def run_through_submitit(
    names: Sequence[str],
    commands: Sequence[Sequence[str]],
    folder: Path,
    resources: Resources,
    outputs: Sequence[Path] = (),
) -> list[Ended]:
    """Run commands as jobs to their ends: all at once, as far as the scheduler has nodes for them.

    Args:
        names: what the jobs are called.
        folder: place of their logs, which all nodes see; its name is that of submitit's executor.
        outputs: files for what each prints on stdout, in place of its log.

    Raises:
        InputError: sbatch refused a job.
        KeyboardInterrupt: interrupted; the jobs are cancelled, and resume when they run again.
    """
    import submitit

    executor = _executor(folder, resources)
    before = dict(os.environ)
    variables = only_our_packages()
    os.environ.update(variables)  # which a job has from its submitter
    submitted: list[submitit.Job[Ended]] = []
    name = ""
    try:
        for index, (name, command) in enumerate(zip(names, commands, strict=True)):
            executor.update_parameters(name=name)
            output = outputs[index] if outputs else None
            queued = executor.submit(SubmittedCommand(command, output))
            submitted.append(queued)
            logger.info("%s: job %s, log %s", name, queued.job_id, queued.paths.stderr)
        poll = 10 if folder.name == "slurm" else 0.2  # seconds
        for queued in submitit.helpers.as_completed(submitted, poll_frequency=poll):
            logger.info("job %s ended: %s", queued.job_id, _ended(queued).error or "done")
    except submitit.core.utils.FailedJobError as error:
        raise InputError(f"sbatch refused the job {name} ({error})") from error
    finally:  # nothing is left to cancel unless this was interrupted
        for variable in variables:
            os.environ.pop(variable)
        os.environ.update(before)
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


def torchrun(resources: Resources, module: str = "latte", *options: str) -> list[str]:
    """A command line of ours in processes with a GPU each: here, or on all nodes of a Slurm job.

    Args:
        module: the package whose command line it is.
        options: more options of torchrun.

    Where the nodes meet is only known inside the job, and is a placeholder outside of it.
    """
    processes = f"--nproc_per_node={resources.gpus}"
    if resources.nodes == 1:
        return ["torchrun", "--standalone", processes, *options, "-m", module]
    identity, endpoint = _rendezvous()
    return [
        *("srun", "--overlap", f"--nodes={resources.nodes}", f"--ntasks={resources.nodes}"),
        *("--ntasks-per-node=1", f"--gpus-per-node={resources.gpus}", "--kill-on-bad-exit=1"),
        # The signal that ends the stay of a job is for the process that started this one.
        *("env", "--ignore-signal=USR2", "torchrun", f"--nnodes={resources.nodes}", processes),
        *("--rdzv-backend=c10d", f"--rdzv-id={identity}", f"--rdzv-endpoint={endpoint}"),
        *(*options, "-m", module),
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


def in_this_python(command: Sequence[str]) -> list[str]:
    """A command of `torchrun` or `python` as one of the interpreter of this process."""
    place = next(index for index, word in enumerate(command) if word in PROGRAMS)
    program = [sys.executable, *PROGRAMS[command[place]]]
    return [*command[:place], *program, *command[place + 1 :]]


def run_command(command: Sequence[str]) -> None:
    """Run a command of `torchrun` or `python` by the interpreter of this process.

    Raises:
        InputError: it failed.
    """
    run_child(in_this_python(command), command)
