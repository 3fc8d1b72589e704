"""A command as a process of its own: its time, and the peak memory of it and all that it starts."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

ROOT = Path(__file__).parents[3]
EVERY = 0.2  # seconds between two looks at the memory
KILOBYTES = 1024.0  # in a megabyte


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a command took and printed."""

    seconds: float
    megabytes: float | None  # peak of the whole group; None where the system does not say
    output: str


def run_timed(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Finished:
    """Run `python COMMAND` to its end.

    Raises:
        RuntimeError: it ends with another code than 0; with what it said on stderr.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak, ended = [0.0], Event()
    watcher = Thread(target=_watch, args=(process.pid, peak, ended), daemon=True)
    watcher.start()
    try:
        output, errors = process.communicate()
        seconds = time.perf_counter() - started
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        ended.set()
        watcher.join()
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {process.returncode}:\n{errors[-3000:]}"
        )
    return Finished(seconds=seconds, megabytes=peak[0] or None, output=output)


def _watch(pid: int, peak: list[float], ended: Event) -> None:
    """Keep the largest memory of a process and its descendants until it has ended."""
    while not ended.wait(EVERY):
        with suppress(OSError):
            peak[0] = max(peak[0], sum(map(_megabytes, group_of(pid))))


def group_of(pid: int) -> list[int]:
    """A process and all that it started and that have not ended, as /proc tells."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name of the program, in parentheses, may hold anything.
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    group, waiting = [], [pid]
    while waiting:
        group.append(waiting.pop())
        waiting += children.get(group[-1], [])
    return group


def _megabytes(pid: int) -> float:
    """Memory of a process; what several share is divided between them."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / KILOBYTES
    return 0.0
