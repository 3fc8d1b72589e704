"""Measured cells of tables and figures: one line each in a file, none measured twice.

A cell's key is a hash over everything that decides its value. A run that is interrupted resumes
with the cells that are not in the file. A cell that fails costs no other and is reported at the
end. Several commands may work on one file: one of them measures a cell, the others wait for it.
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
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol, TypeVar

from filelock import FileLock
from tqdm import tqdm

from latte.data.errors import (
    FIXABLE_ERRNOS,
    BrokenVideoError,
    FailedRunError,
    InputError,
    LostProcessError,
    named,
)
from latte.data.files import append_line, read_text
from latte.data.processes.workers import map_in_order
from latte.data.schema import decode_json

FILE = "cells.jsonl"
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # then no cell can be written


class CellTask(Protocol):
    """Something to measure: small, frozen, and fit to travel to another process."""

    @property
    def key(self) -> str:
        """Hash from `cell_key`."""

    @property
    def name(self) -> str:
        """Name for messages: "all tokens, seed 1"."""


TaskT = TypeVar("TaskT", bound=CellTask)


@dataclass(frozen=True, kw_only=True)
class CellValue:
    """What measuring a cell gives."""

    value: float
    interval: tuple[float, float] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)  # JSON: everything else measured
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CellRecord(CellValue):
    """A measured cell, as its line in the file has it.

    Raises:
        ValueError: the ends of the interval are not in order.
    """

    key: str
    name: str
    seconds: float

    def __post_init__(self) -> None:
        if self.interval is not None and self.interval[0] > self.interval[1]:
            raise ValueError("the lower end of the interval is above its upper end")

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class FailedCell:
    """A cell that could not be measured, and whether the user can fix the reason."""

    key: str
    name: str
    reason: str
    fixable: bool

    @classmethod
    def of(cls, task: CellTask, reason: str, *, fixable: bool) -> "FailedCell":
        """The failure of a task."""
        return cls(key=task.key, name=task.name, reason=reason, fixable=fixable)


class FailedCellsError(FailedRunError):
    """Some cells could not be measured; those that could are kept.

    Args:
        failed: at least one cell.
    """

    def __init__(self, failed: Sequence[FailedCell]) -> None:
        self.failed = tuple(failed)
        names: dict[str, list[str]] = {}
        for cell in failed:
            names.setdefault(cell.reason, []).append(cell.name)
        lines = "".join(f"\n  - {', '.join(of)}: {reason}" for reason, of in names.items())
        count = "1 cell" if len(failed) == 1 else f"{len(failed)} cells"
        super().__init__(
            f"{count} could not be measured, the others are kept:{lines}",
            fixable=all(cell.fixable for cell in failed),
        )


@dataclass(frozen=True, kw_only=True)
class MeasuredCells:
    """The outcome of a run: the measured cells by key, and those that failed."""

    cells: Mapping[str, CellRecord]
    failed: tuple[FailedCell, ...] = ()

    def raise_if_empty(self) -> None:
        """Raise where every cell failed, so that documents of an earlier run stay.

        Raises:
            FailedCellsError: no cell was measured.
        """
        if not self.cells:
            self.raise_if_failed()

    def raise_if_failed(self) -> None:
        """Raise where cells failed, once the documents of the others are written.

        Raises:
            FailedCellsError: some failed.
        """
        if self.failed:
            raise FailedCellsError(self.failed)


def cell_key(**decisive: Any) -> str:
    """Hash over what decides a cell, given as JSON values; the order of the names has no effect."""
    text = json.dumps(decisive, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def read_cells(path: Path) -> dict[str, CellRecord]:
    """The cells of a file, by key; none where there is no file yet.

    Raises:
        InputError: the file cannot be read, a line is no cell, or two have one key.
    """
    if not path.exists() and not path.parent.is_file():
        return {}
    lines = read_text(path, "a file of measured cells", "remove it").split("\n")
    cells: dict[str, CellRecord] = {}
    numbers: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}: remove it, and its cell is measured again"
        cell = decode_json(line, CellRecord, where)
        if cell.key in cells:
            raise InputError(
                f"{path}, lines {numbers[cell.key]} and {number}: two results for one cell "
                f"({cell.name}): remove one of them"
            )
        cells[cell.key], numbers[cell.key] = cell, number
    return cells


def measure_cells(
    tasks: Sequence[TaskT],
    measure: Callable[[TaskT], CellValue],
    path: Path,
    *,
    workers: int = 0,
    tidy: Callable[[TaskT], None] | None = None,
) -> MeasuredCells:
    """Measure the tasks that the file does not have, and add them to it.

    Tasks with the same key are one task. The number of processes cannot change a value.

    Args:
        measure: deterministic, and importable by name where there are workers.
        path: file of the cells, created with its folder where there is something to write.
        workers: processes that measure a cell each; 0 works in this one.
        tidy: removes what `measure` worked with, once the line is written.

    Raises:
        InputError: the file has a broken line, or cannot be written.
        KeyboardInterrupt: interrupted; the cells that are complete are in the file.
    """
    waiting = unmeasured(tasks, path)
    failed = []
    if waiting:
        with named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("ab").close()  # refused here if it may not be written, not after the work
        count = len({task.key for task in tasks})
        with tqdm(total=count, initial=count - len(waiting), unit="cell", file=sys.stderr) as bar:
            for outcome in _outcomes(partial(_attempt, measure, tidy, path), waiting, workers):
                bar.update()
                if outcome is not None:
                    failed.append(outcome)
    return MeasuredCells(cells=cells_of(tasks, path), failed=tuple(failed))


def unmeasured(tasks: Sequence[TaskT], path: Path) -> list[TaskT]:
    """The tasks whose cells the file does not have; the first task of a key counts."""
    done = read_cells(path)
    first = {task.key: task for task in reversed(tasks)}
    return [first[key] for key in dict.fromkeys(task.key for task in tasks) if key not in done]


def cells_of(tasks: Sequence[CellTask], path: Path) -> dict[str, CellRecord]:
    """The cells of these tasks that the file has, in the order of the tasks."""
    done = read_cells(path)
    return {task.key: done[task.key] for task in tasks if task.key in done}


@contextmanager
def alone_with(path: Path, key: str) -> Iterator[None]:
    """Wait until no other process works on this cell, and keep them waiting meanwhile."""
    locks = path.parent / "locks"
    with named(locks):
        locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{key}.lock"):
        yield


def _outcomes(
    attempt: Callable[[TaskT], FailedCell | None], tasks: Sequence[TaskT], workers: int
) -> Iterator[FailedCell | None]:
    """The failure of each task, or None; a process that is lost costs its task alone."""
    workers = min(workers, len(tasks))
    outcomes = map_in_order(
        attempt, tasks, workers=workers, timeout=math.inf, label=attrgetter("name")
    )
    with closing(outcomes):
        for task, outcome in zip(tasks, outcomes, strict=True):
            if isinstance(outcome, LostProcessError):
                reason = f"its process was ended ({outcome.ending})"
                yield FailedCell.of(task, reason, fixable=False)
            elif isinstance(outcome, BrokenVideoError):
                yield FailedCell.of(task, str(outcome), fixable=True)
            else:
                yield outcome


def _attempt(
    measure: Callable[[TaskT], CellValue],
    tidy: Callable[[TaskT], None] | None,
    path: Path,
    task: TaskT,
) -> FailedCell | None:
    """Measure one cell, write its line, tidy up; a failure is returned, not raised."""
    with alone_with(path, task.key):
        if task.key not in read_cells(path):  # another command may have measured it meanwhile
            try:
                line = _measured_line(measure, task)
            except InputError as error:
                return FailedCell.of(task, str(error), fixable=True)
            except OSError as error:
                if error.errno in UNWRITABLE:
                    raise
                return FailedCell.of(task, str(error), fixable=error.errno in FIXABLE_ERRNOS)
            except Exception as error:
                return FailedCell.of(task, f"{type(error).__name__}: {error}", fixable=False)
            append_line(path, line.encode())
        if tidy is not None:
            tidy(task)
    return None


def _measured_line(measure: Callable[[TaskT], CellValue], task: TaskT) -> str:
    started = time.monotonic()
    value = measure(task)
    seconds = round(time.monotonic() - started, 3)
    return CellRecord(key=task.key, name=task.name, seconds=seconds, **vars(value)).to_json()
