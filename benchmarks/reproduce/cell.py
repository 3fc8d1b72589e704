"""One cell of the scale `paper` as a command of its own: what a job runs."""

import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.cells.executors import Job, read_job
from latte.data.errors import FailedRunError, InputError, nearest

# Modules by the kind of their jobs, with `measure_job(job)` and `job_commands(job)`.
KINDS = {
    "training": "benchmarks.figures.paper.cells",
    "measurement": "benchmarks.tables.paper_scale",
}


def measure_cell(path: Path) -> None:
    """Measure the cell of a job, unless its line is there already.

    Raises:
        InputError: it is not a job, or the cell failed for a reason that the user can fix.
        FailedRunError: it failed otherwise.
    """
    job = read_job(path)
    for failed in _module(job).measure_job(job).failed:
        if failed.fixable:
            raise InputError(failed.reason)
        raise FailedRunError(failed.reason, fixable=False)


def commands(path: Path) -> list[str]:
    """The commands of a job, as lines of a shell."""
    job = read_job(path)
    return [shlex.join(command) for command in _module(job).job_commands(job)]


def _module(job: Job) -> Any:
    if job.kind not in KINDS:
        raise InputError(f"no kind of job is called {job.kind!r}: {nearest(job.kind, [*KINDS])}")
    return import_module(KINDS[job.kind])
