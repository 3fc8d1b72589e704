"""Cells of tables and figures that are measured: one line each in a file, none measured twice.

A cell's key is a hash over everything that decides its value. A run that is interrupted goes on
with the cells that are not in the file; one that failed is told at the end, and costs no other.
Several commands may work on one file: a cell is made by one of them, the others wait for it.
"""

import errno
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import typer
from filelock import FileLock
from tqdm import tqdm

from latte.data.errors import FIXABLE_ERRNOS, BrokenVideoError, InputError, named
from latte.data.workers import map_in_order

FILE = "cells.jsonl"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # no cell can be written, whichever it is
NEEDED: Mapping[str, type | tuple[type, ...]] = {
    "key": str,
    "name": str,
    "value": (int, float),
    "interval": (list, type(None)),
    "details": dict,
    "seconds": (int, float),
    "provenance": dict,
}


class CellTask(Protocol):
    """Something to measure: small, frozen, and fit to travel to another process."""

    @property
    def key(self) -> str:
        """From `cell_key`."""

    @property
    def name(self) -> str:
        """For messages: "all tokens, seed 1"."""


TaskT = TypeVar("TaskT", bound=CellTask)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a cell's work gives."""

    value: float
    interval: tuple[float, float] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)  # JSON: all else that was measured
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FinishedCell(Measured):
    """A measured cell, as its line says."""

    key: str
    name: str
    seconds: float

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class FailedCell:
    """A cell that could not be measured: a sentence, and whether the user can mend it."""

    name: str
    reason: str
    mendable: bool


@dataclass(frozen=True, kw_only=True)
class Finished(Generic[TaskT]):
    """The end of a run: what is measured, by key, and what failed."""

    cells: Mapping[str, FinishedCell]
    failed: tuple[FailedCell, ...]

    def end_if_nothing(self) -> None:
        """End the command where every cell failed: what an earlier run has written stays.

        Raises:
            InputError, typer.Exit: as `end`.
        """
        if not self.cells:
            self.end()

    def end(self) -> None:
        """End the command as its cells did: quietly, or with a sentence for each that failed.

        Raises:
            InputError: some failed, and the user can mend all of them.
            typer.Exit: some failed by a fault of ours: code 1.
        """
        if not self.failed:
            return
        by_reason: dict[str, list[str]] = {}
        for each in self.failed:
            by_reason.setdefault(each.reason, []).append(each.name)
        lines = "".join(f"\n  - {'; '.join(of)}: {why}" for why, of in by_reason.items())
        count = "1 cell" if len(self.failed) == 1 else f"{len(self.failed)} cells"
        message = f"{count} could not be measured, the others are kept:{lines}"
        if all(each.mendable for each in self.failed):
            raise InputError(message)
        print(f"error: {message}", file=sys.stderr)
        raise typer.Exit(code=1)


def cell_key(**made_of: Any) -> str:
    """Hash over what decides a cell, given as JSON values; the order of the names is nothing."""
    text = json.dumps(made_of, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def read_cells(path: Path) -> dict[str, FinishedCell]:
    """The cells of a file, by key; none where there is no file yet.

    Raises:
        InputError: it cannot be read, a line is no cell, or two are of one key.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a file of measured cells ({error})") from None
    cells: dict[str, FinishedCell] = {}
    numbers: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        cell = _cell(f"{path}, line {number}", line)
        if cell.key in cells:
            raise InputError(
                f"{path}, lines {numbers[cell.key]} and {number}: two results for one cell "
                f"({cell.name}); remove one of them"
            )
        cells[cell.key], numbers[cell.key] = cell, number
    return cells


def finish(
    tasks: Sequence[TaskT],
    measure: Callable[[TaskT], Measured],
    path: Path,
    *,
    workers: int = 0,
    tidy: Callable[[TaskT], None] | None = None,
) -> Finished[TaskT]:
    """Measure the tasks that the file does not have, each in one process, and add them to it.

    Tasks of one key are one task. The number of processes cannot change a value.

    Args:
        measure: importable by name where there are workers, and deterministic.
        path: of the file; made with its folder where there is something to write.
        workers: processes; 0 works in this one.
        tidy: removes what `measure` worked with, when the line is written; importable likewise.

    Raises:
        InputError: the file has a broken line, or cannot be written.
        KeyboardInterrupt: stopped; what is finished is in the file.
    """
    wanted: dict[str, TaskT] = {}
    for task in tasks:
        wanted.setdefault(task.key, task)
    done = read_cells(path)
    waiting = [task for key, task in wanted.items() if key not in done]
    failed = []
    if waiting:
        with named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("ab").close()  # refused here if it may not be written, not after the work
        count = len(wanted)
        with tqdm(total=count, initial=count - len(waiting), unit="cell", file=sys.stderr) as bar:
            for ending in _endings(partial(_attempt, measure, tidy, path), waiting, workers):
                bar.update()
                if ending is not None:
                    failed.append(ending)
        done = read_cells(path)
    cells = {key: done[key] for key in wanted if key in done}
    return Finished(cells=cells, failed=tuple(failed))


@contextmanager
def alone_with(path: Path, key: str) -> Iterator[None]:
    """While no other process works on this cell; waits for one that does."""
    locks = path.parent / "locks"
    with named(locks):
        locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{key}.lock"):
        yield


def _endings(
    attempt: Callable[[TaskT], FailedCell | None], tasks: Sequence[TaskT], workers: int
) -> Iterator[FailedCell | None]:
    """How each task ended; a process that is lost costs its task alone."""
    endings = map_in_order(
        attempt,
        tasks,
        workers=min(workers, len(tasks)),
        timeout=math.inf,
        label=_name,
    )
    with closing(endings):
        for task, ending in zip(tasks, endings, strict=True):
            if isinstance(ending, BrokenVideoError):  # what the map makes of a lost process
                reason = f"its process was ended ({str(ending).partition(';')[0]})"
                yield FailedCell(name=task.name, reason=reason, mendable=False)
            else:
                yield ending


def _attempt(
    measure: Callable[[TaskT], Measured],
    tidy: Callable[[TaskT], None] | None,
    path: Path,
    task: TaskT,
) -> FailedCell | None:
    """Measure one cell, write its line, tidy up; a failure is returned, not raised."""
    with alone_with(path, task.key):
        failed = None
        if task.key not in read_cells(path):  # or another command has made it meanwhile
            failed = _measure(measure, path, task)
        if failed is None and tidy is not None:
            tidy(task)
    return failed


def _measure(measure: Callable[[TaskT], Measured], path: Path, task: TaskT) -> FailedCell | None:
    started = time.monotonic()
    try:
        measured = measure(task)
        cell = FinishedCell(
            key=task.key,
            name=task.name,
            value=measured.value,
            interval=measured.interval,
            details=measured.details,
            provenance=measured.provenance,
            seconds=round(time.monotonic() - started, 3),
        )
        line = cell.to_json()
    except InputError as error:
        return FailedCell(name=task.name, reason=str(error), mendable=True)
    except OSError as error:
        if error.errno in FULL:
            raise
        return FailedCell(name=task.name, reason=str(error), mendable=error.errno in FIXABLE_ERRNOS)
    except Exception as error:
        return FailedCell(name=task.name, reason=f"{type(error).__name__}: {error}", mendable=False)
    _append(path, line)
    return None


def _append(path: Path, line: str) -> None:
    """Add a line as a whole: several processes may add theirs at the same time."""
    data = line.encode() + b"\n"
    with named(path), path.open("ab", buffering=0) as file:
        if file.write(data) < len(data):
            raise OSError(f"{path}: the disk is full")


def _cell(where: str, line: str) -> FinishedCell:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise InputError(
            f"{where}: not JSON; remove that line, and its cell is measured again"
        ) from None
    sound = isinstance(record, dict) and record.keys() == NEEDED.keys()
    wrong = [key for key, kind in NEEDED.items() if not sound or not isinstance(record[key], kind)]
    if wrong or not _is_sound(record["value"], record["interval"]):
        raise InputError(
            f"{where}: not a measured cell of latte-bench; remove that line, and its cell is "
            "measured again"
        )
    interval = record["interval"]
    return FinishedCell(**{**record, "interval": tuple(interval) if interval else None})


def _is_sound(value: float, interval: list[Any] | None) -> bool:
    """Finite numbers, and an interval of two ends in their order."""
    ends = interval if interval is not None else [value, value]
    if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
        return False
    try:
        return all(math.isfinite(x) for x in (value, *ends)) and ends[0] <= ends[1]
    except OverflowError:  # an integer beyond all floats
        return False


def _name(task: CellTask) -> str:
    return task.name
