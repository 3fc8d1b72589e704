"""`latte-bench kills`: measurements whose processes are killed at random moments, by seeds.

After each SIGKILL the same command is started again until it ends. Its value must be that of a run
that is not killed, to the last bit, no row of features that had reached the disk may be made again,
and neither files nor processes may be left.
"""

import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from benchmarks.cells.cache import FILE, measure_cells
from benchmarks.cells.provenance import this_run
from benchmarks.documents.tables import csv_text, publish_report
from benchmarks.studies.kills.trial import (
    PARENT,
    RANK,
    WORKER,
    KillTask,
    KillTrial,
    measure,
    try_kill,
    value_of,
)
from benchmarks.studies.torture.run import source_hash
from latte.data.errors import FailedRunError, InputError
from latte.data.export import export_videos
from latte.data.schema import convert
from latte.data.shapes import FPS, shapes_video_set
from reports.blocks import ProvenanceBlock, TableBlock
from reports.cells import Cell, Column, Row
from reports.document import Report
from reports.provenance import Provenance
from reports.table import Table

PROCESSES = (1, 2)  # how many measure, in turn: one alone, and two that torchrun starts
TITLES = {
    "kills": "Kills",
    "same": "Same value",
    "goes_on": "Ended well at once",
    "starts": "Most starts",
    "hung": "Hung",
    "rows": "Rows kept, on average",
    "made_again": "Kept rows made again",
    "lost": "Files of rows lost",
    "left_files": "Files left",
    "left_processes": "Processes left",
}


@dataclass(frozen=True, kw_only=True)
class KillsRequest:
    """How many kills, of measurements of how many clips."""

    kills: int = 50  # half of them of runs of two processes
    num_videos: int = 300  # in each set; 256 rows make a file


def run(out: Path, request: KillsRequest) -> None:
    """Kill, and write `kills.md`, `.html`, `.csv` and `.report.json` into `out`.

    Kills that were tried with the same code are not tried again.

    Raises:
        InputError: this is not Linux, whose /proc says which processes there are.
        FailedRunError: a value changed, work was lost, or something was left.
    """
    if sys.platform != "linux":
        raise InputError("kills: needs /proc of Linux, to find the processes of a measurement")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="latte-kills-") as folder:
        tasks = kill_tasks(Path(folder).resolve(), request)
        measured = measure_cells(tasks, try_kill, out / FILE)
    cells = [measured.cells[task.key] for task in tasks if task.key in measured.cells]
    trials = [convert(cell.details, KillTrial, cell.name) for cell in cells]
    report = kills_report(trials, this_run(seconds=time.monotonic() - started))
    print(report.markdown())
    frame = pd.DataFrame([vars(trial) for trial in trials])
    publish_report(report, out, "kills", texts={"csv": csv_text(frame)})
    measured.raise_if_failed()
    if failed := [trial for trial in trials if trial.failed]:
        raise FailedRunError(
            f"{len(failed)} of {len(trials)} kills changed a value, cost finished work, hung or "
            f"left something: see kill {failed[0].seed} in {out / 'kills.csv'}",
            fixable=False,
        )


def kill_tasks(folder: Path, request: KillsRequest) -> list[KillTask]:
    """Write both sets, measure them without a kill, and plan the kills."""
    for name, split in (("real", "test"), ("fake", "train")):
        videos = shapes_video_set(split, num_videos=request.num_videos)
        export_videos(videos, folder / name, file_format="mkv", fps=FPS, progress=False)
    plain = KillTask(
        seed=0,
        processes=1,
        clips=request.num_videos,
        folder=folder,
        value=math.nan,
        seconds=0.0,
        source=source_hash(),
    )
    whole = {number: _without_kill(replace(plain, processes=number)) for number in PROCESSES}
    return [
        replace(whole[PROCESSES[seed % len(PROCESSES)]], seed=seed) for seed in range(request.kills)
    ]


def _without_kill(task: KillTask) -> KillTask:
    """The task with its value and its time, from a run that is not killed."""
    place = task.folder / str(task.processes)
    place.mkdir()
    code, seconds = measure(task, place)
    if code:
        log = (place / "log").read_text(encoding="utf-8", errors="replace")
        raise FailedRunError(
            f"a measurement that nobody kills ends with {code}: {log}", fixable=False
        )
    return replace(task, value=value_of(place), seconds=seconds)


def counts(trials: Sequence[KillTrial]) -> dict[str, float]:
    """What became of some kills."""
    return {
        "kills": len(trials),
        "same": sum(trial.same for trial in trials),
        "goes_on": sum(trial.code == 0 for trial in trials),
        "starts": max(trial.starts for trial in trials),
        "hung": sum(trial.hung for trial in trials),
        "rows": round(sum(trial.rows for trial in trials) / len(trials)),
        "made_again": sum(trial.made_again for trial in trials),
        "lost": sum(trial.lost for trial in trials),
        "left_files": sum(trial.left_files for trial in trials),
        "left_processes": sum(trial.left_processes for trial in trials),
    }


def kills_report(trials: Sequence[KillTrial], provenance: Provenance) -> Report:
    """A row for each process that was killed, alone and with others."""
    killed = [trial for trial in trials if trial.target]
    same = sum(trial.same for trial in killed)
    lead = (
        f"{len(killed)} SIGKILLs at random moments: {same} times the value of a run that is not "
        "killed, to the last bit."
    )
    rows = []
    for number in PROCESSES:
        for target in (PARENT, RANK, WORKER):
            some = [x for x in killed if (x.processes, x.target) == (number, target)]
            if some:
                cells = {key: Cell.fixed(count, 0) for key, count in counts(some).items()}
                section = "one process" if number == 1 else f"{number} processes of torchrun"
                rows.append(Row(label=target, cells=cells, section=section))
    table = Table(
        title="Killed measurements",
        caption="After each kill the same command was started again, until it ended well.",
        label_heading="Killed",
        columns=tuple(Column(key=key, title=title) for key, title in TITLES.items()),
        rows=tuple(rows),
        remarks=(
            "Rows kept: features on the disk when all processes had ended. A run that is killed "
            "loses the rows of one unfinished file at most, those of ten seconds or 256 clips, in "
            "each of its processes.",
        ),
    )
    return Report(
        title="Killed measurements",
        lead=lead,
        blocks=(TableBlock(table=table), ProvenanceBlock(records=(provenance,))),
    )
