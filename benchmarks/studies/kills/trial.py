"""One measurement that is killed: which process, at which moment, and what is left of it."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import safe_open

from benchmarks.cells.cache import CellValue, cell_key
from benchmarks.studies.speed.processes import group_of
from benchmarks.studies.torture.commands import ROOT
from latte.data.processes.signals import held_back

PARENT, RANK, WORKER = "parent", "process of torchrun", "worker"
UNFINISHED = (".partial-*", ".writing-*", ".time-*")  # names of files that are being written
ATTEMPTS = 4  # starts of one command: the one that is killed, and those after it
LIMIT = 600.0  # seconds for one of them, after which it hangs
HUNG = 124  # exit code of one that was ended then
AT_WORK = 120.0  # seconds that processes without their parent have to notice it


@dataclass(frozen=True, kw_only=True)
class KillTask:
    """A measurement of the sets in `folder`, in so many processes, with one SIGKILL."""

    seed: int
    processes: int
    clips: int
    folder: Path  # holds the folders `real` and `fake`
    value: float  # what a run that is not killed gives
    seconds: float  # what such a run takes
    source: str  # hash of the code: another code is tried again

    @property
    def key(self) -> str:
        """Key of the cell."""
        return cell_key(
            kill=self.seed, processes=self.processes, clips=self.clips, source=self.source
        )

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"kill {self.seed}, {self.processes} process{'es' * (self.processes > 1)}"


@dataclass(frozen=True, kw_only=True)
class KillTrial:
    """What became of it."""

    seed: int
    processes: int
    target: str  # the process that was killed; empty where the run had ended before
    seconds: float  # from the start to the kill
    code: int  # how the command ended that was killed, or whose process was
    starts: int  # of the command, until one ended well
    hung: bool  # one took too long and was ended
    rows: int  # rows of features on the disk when it had ended
    made_again: int  # rows that were on the disk and were made once more
    lost: int  # files of rows that were there after the kill, and are not in the end
    # The value is that of a run that is not killed, to the last bit, and no start wrote it twice.
    same: bool
    left_files: int  # unfinished files in the end
    left_processes: int  # processes that went on without their parent for too long
    said: str  # the last lines of the commands, where something is not as it should be

    @property
    def failed(self) -> bool:
        """Whether something is not as it should be."""
        work_lost = self.made_again + self.lost
        left_behind = self.left_files + self.left_processes
        return work_lost > 0 or left_behind > 0 or self.hung or not self.same


def try_kill(task: KillTask) -> CellValue:
    """Start a measurement, kill one of its processes, and start it again until it ends."""
    choose = random.Random(f"kill {task.seed} {task.processes}")
    for scale in (1.0, 0.5, 0.25, 0.125):  # it may end sooner than the one that was not killed
        with tempfile.TemporaryDirectory(prefix="latte-kills-") as folder:
            trial = _try_once(task, choose, scale * task.seconds, Path(folder).resolve())
        if trial.target:
            break
    return CellValue(value=int(trial.failed), details=asdict(trial))


def _try_once(task: KillTask, choose: random.Random, seconds: float, place: Path) -> KillTrial:
    process = start(task, place)
    try:
        target, moment = _kill_one(process, choose, seconds)
        code, orphans = _wait_for_all(process)
    finally:
        _end_family(process)
    rows, files = stored_rows(place), _files(place)
    starts, ended = 1, code
    while ended not in (0, HUNG) and starts < ATTEMPTS:
        ended, starts = measure(task, place)[0], starts + 1
    made, values = stored_rows(place), _values(place)
    trial = KillTrial(
        seed=task.seed,
        processes=task.processes,
        target=target,
        seconds=round(moment, 2),
        code=code,
        starts=starts,
        hung=ended == HUNG,
        rows=len(set(rows)),
        made_again=len(made) - len(set(made)),
        lost=len(files - _files(place)),
        same=set(values) == {task.value} and len(values) <= starts,
        left_files=sum(1 for name in UNFINISHED for _ in place.rglob(name)),
        left_processes=orphans,
        said="",
    )
    log = (place / "log").read_text(encoding="utf-8", errors="replace")
    return replace(trial, said=log[-2000:]) if trial.failed else trial


def measure(task: KillTask, place: Path) -> tuple[int, float]:
    """Carry out the measurement to its end; its exit code, or HUNG, and its time in seconds."""
    started = time.monotonic()
    process = start(task, place)
    code = HUNG
    try:
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(LIMIT)
    finally:
        _end_family(process)
    return code, time.monotonic() - started


def value_of(place: Path) -> float:
    """The value of the first result in a folder."""
    return _values(place)[0]


def start(task: KillTask, place: Path) -> "subprocess.Popen[bytes]":
    """Start the measurement, with its store and its results in a folder."""
    command = [sys.executable, "-m", "evaluation", "fvd", "--protocol", "shapes", "--quiet"]
    command += ["--real", str(task.folder / "real"), "--fake", str(task.folder / "fake")]
    command += ["--num-videos", str(task.clips), "--resamples", "0", "--workers", "2"]
    command += ["--store", str(place / "store"), "--out", str(place / "results.jsonl")]
    if task.processes > 1:
        command += ["--gpus", str(task.processes), "--device", "cpu"]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with held_back(), (place / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=place,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def stored_rows(place: Path) -> list[bytes]:
    """The keys of all rows on the disk, twice where a row is there twice."""
    keys: list[bytes] = []
    for path in (place / "store").glob("*/[!.]*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            keys += [np.asarray(key).tobytes() for key in file.get_tensor("keys")]
    return keys


def _files(place: Path) -> set[str]:
    return {path.name for path in (place / "store").glob("*/[!.]*.safetensors")}


def _values(place: Path) -> list[float]:
    """The values of all results that were written."""
    path = place / "results.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line)["value"] for line in lines]


def _kill_one(
    process: "subprocess.Popen[bytes]", choose: random.Random, seconds: float
) -> tuple[str, float]:
    """Kill the command or one of its processes, at a random moment of the time that it takes."""
    started, moment = time.monotonic(), choose.uniform(0, seconds)
    wanted, pick = choose.random(), choose.random()
    with suppress(subprocess.TimeoutExpired):
        process.wait(moment)
        return "", time.monotonic() - started
    kinds: dict[str, list[int]] = {PARENT: [process.pid]}
    for number, kind in descendants(process.pid).items():
        kinds.setdefault(kind, []).append(number)
    names = [name for name in (PARENT, RANK, WORKER) if name in kinds]
    name = names[int(wanted * len(names))]
    numbers = sorted(kinds[name])
    with suppress(ProcessLookupError):
        os.kill(numbers[int(pick * len(numbers))], signal.SIGKILL)
    return name, time.monotonic() - started


def _wait_for_all(process: "subprocess.Popen[bytes]") -> tuple[int, int]:
    """How the command ended, and how many of its processes went on for too long without it.

    Where it hangs, it and all its processes are ended.
    """
    family = {process.pid, *group_of(process.pid)}
    limit = time.monotonic() + LIMIT
    code: int | None = None
    while code is None:
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(0.2)
        family.update(group_of(process.pid))
        if code is None and time.monotonic() > limit:
            _end_family(process)
            code = HUNG
    end = time.monotonic() + AT_WORK
    while (alive := [number for number in family if _is_alive(number)]) and time.monotonic() < end:
        time.sleep(0.2)
    for number in alive:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return code, len(alive)


def descendants(process: int) -> Mapping[int, str]:
    """The processes that a process has started, and those that these have: id → kind."""
    kinds = {child: _kind(child) for child in group_of(process)[1:]}
    return {child: kind for child, kind in kinds.items() if kind}


def _kind(process: int) -> str:
    """What a process of a measurement is; empty for helpers of Python and torchrun itself."""
    words: list[bytes] = []
    with suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    if any(b"spawn_main" in word for word in words):
        return WORKER
    if b"evaluation" in words and not any(b"torch" in word for word in words):
        return RANK
    return ""


def _is_alive(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _end_family(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing at work, if this is interrupted."""
    family = group_of(process.pid)
    if process.poll() is None:
        for number in family:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
    process.wait()
