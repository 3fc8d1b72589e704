"""`--gpus` and `--executor`: the same command line in processes of torchrun, or in a job of Slurm.

The processes see from torchrun's variables, and a job from submitit's, that they are such. So they
are given the command line as it is.
"""

import os
import shutil
import sys
import uuid
from pathlib import Path

import typer

from latte.data.errors import LAUNCHED, FailedRunError, InputError
from latte.data.processes.children import Ended, run_children
from latte.data.processes.cluster import Resources, in_this_python, run_through_submitit, torchrun
from latte.data.processes.rank import PARENT
from latte.data.processes.workers import usable_cores

MODULE = "evaluation"
CLUSTER = "slurm"  # submitit's name; "local" runs a job as a process here
JOBS = Path("jobs")  # logs of jobs, and what they print: a folder that all nodes see
RESTARTS = 3  # times that processes are started again after one of them was lost


def launched(resources: Resources, device: str) -> bool:
    """Run this command line elsewhere, to its end, if that is asked for.

    Returns:
        Whether it was run; otherwise this process has to.

    Raises:
        InputError: there are not so many GPUs, Slurm is not here, or the processes' own error.
        FailedRunError: the processes were lost, or have a fault.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:  # this is one of the processes
        return False
    if resources.executor == "slurm" and "SUBMITIT_EXECUTOR" not in os.environ:
        _run_as_job(resources)
        return True
    if resources.processes == 1:
        return False
    _check_gpus(resources.gpus, device)
    command = in_this_python(torchrun(resources, MODULE, f"--max-restarts={RESTARTS}"))
    # torchrun would give each process one thread. Rows and values do not depend on it, but the
    # first process computes intervals on all cores, while the others wait.
    threads = os.environ.get("OMP_NUM_THREADS", str(usable_cores()))
    variables = {LAUNCHED: "1", "OMP_NUM_THREADS": threads}
    if resources.nodes == 1:  # otherwise srun is between
        variables[PARENT] = str(os.getpid())
    (ended,) = run_children([[*command, *sys.argv[1:]]], [variables])
    _raise_if_failed(ended)
    return True


def _check_gpus(number: int, device: str) -> None:
    if device == "cpu":
        return
    if device not in ("auto", "cuda"):
        raise InputError(f"--device {device}: with --gpus give cuda, auto or cpu")
    import torch

    count = torch.cuda.device_count()
    if count < number:
        raise InputError(
            f"--gpus {number}: this machine has {count} GPUs: give a smaller number, or --device "
            "cpu for processes without GPUs"
        )


def _run_as_job(resources: Resources) -> None:
    """Hand this command line to Slurm, wait for its end and print what it printed."""
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise InputError(
            "--executor slurm: needs submitit: pip install 'latte-eval[slurm]'"
        ) from None
    if CLUSTER == "slurm" and shutil.which("sbatch") is None:
        raise InputError("--executor slurm: there is no sbatch here: run it on a login node")
    folder = JOBS / CLUSTER
    folder.mkdir(parents=True, exist_ok=True)
    output = (JOBS / f"{uuid.uuid4().hex}.out").absolute()
    command = [sys.executable, "-m", MODULE, *sys.argv[1:]]
    (ended,) = run_through_submitit(["latte-eval"], [command], folder, resources, [output])
    if output.exists():
        typer.echo(output.read_text(encoding="utf-8"), nl=False)
        output.unlink()
    _raise_if_failed(ended)


def _raise_if_failed(ended: Ended) -> None:
    if ended.error is not None and ended.code in (0, 2):
        raise InputError(ended.error)
    if ended.code == 2:
        raise KeyboardInterrupt
    if ended.code:
        raise FailedRunError(
            f"{ended.error or 'the processes of this run were lost'} (their messages are above); "
            "finished features are kept",
            fixable=False,
        )
