"""How a training at the paper's settings is measured: its commands, each resumed or skipped."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.cells.cache import CellValue
from benchmarks.cells.executors import run_command
from benchmarks.cells.provenance import software_of
from benchmarks.figures.paper.training import PaperTraining
from evaluation.results.files import read_results
from evaluation.results.record import Result
from latte.data.errors import InputError


def measure_paper_training(task: PaperTraining) -> CellValue:
    """Run the commands whose results are not there yet.

    Raises:
        InputError: one of them failed, a file of results has a broken line, or weights that are
            to be measured were removed.
    """
    missing = {step: list(_missing(task, step)) for step in task.steps}
    if any(missing.values()) and not task.weights.exists():
        run_command(task.train_command())
        _remove_unmeasured(task)
    _require_checkpoints(task, [step for step, commands in missing.items() if commands])
    for step, commands in missing.items():
        for command in [task.sample_command(step), *commands] if commands else []:
            run_command(command)
        _remove(task.samples(step))
    rows = [
        [
            [step, result.value, *result.ends]
            for step in task.steps
            for result in [_record(task.results(step, stride))]
        ]
        for stride in task.strides
    ]
    last, fid = _record(task.results(task.steps[-1], task.strides[0])), _record(task.fid)
    files = [path for step in task.steps for path in task.measure_commands(step)]
    deviations = dict.fromkeys(part for path in files for part in _record(path).deviations)
    return CellValue(
        value=last.value,
        interval=last.ends,
        details={
            "points": rows,
            "fid": [fid.value, *fid.ends],
            "fingerprint": last.fingerprint,
            "num_real": last.num_real,
            "num_fake": last.num_fake,
            "deviations": [asdict(part) for part in deviations],
        },
        provenance=software_of(last),
    )


def tidy(task: PaperTraining) -> None:
    """Keep the weights of a measured training that are measured, beside its log and results."""
    if task.weights.exists():
        _remove_unmeasured(task)
    for path in (task.state, *map(task.samples, task.steps)):
        _remove(path)


def _remove_unmeasured(task: PaperTraining) -> None:
    """Checkpoints in between are for resuming after a hard stop alone."""
    kept = {task.checkpoint(step).parent for step in task.steps}
    for folder in sorted(task.checkpoints.glob("*")):
        if folder not in kept:
            _remove(folder)


def _require_checkpoints(task: PaperTraining, steps: Iterable[int]) -> None:
    gone = [step for step in steps if not task.checkpoint(step).exists()]
    if gone:
        raise InputError(
            f"{task.run}: is trained, but its weights of step {gone[0]:,} are gone: bring them "
            "back, or remove the folder to have it trained again"
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _missing(task: PaperTraining, step: int) -> Iterator[list[str]]:
    for path, command in task.measure_commands(step).items():
        if not _records(path):
            yield command


def _record(path: Path) -> Result:
    records = _records(path)
    if not records:
        raise InputError(f"{path}: a command ended well, but left no result there: run it again")
    return records[-1]


def _records(path: Path) -> list[Result]:
    """The results of a file, which need not be there."""
    return read_results(path) if path.exists() else []
