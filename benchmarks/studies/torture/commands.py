"""Commands of the suite on damaged files: carried out, stopped in time, and judged.

A process that has imported everything forks for each command, which then runs as from a terminal:
its own folder, output, exit code. That takes a tenth of the time of a new interpreter.
"""

import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Literal, NoReturn

from latte.data.processes.signals import held_back

MODULES: Mapping[str, str] = {
    "latte-eval": "evaluation",
    "latte": "latte",
    "latte-bench": "benchmarks",
}
# What the commands import when they run, imported once before the forks.
PRELOADED = (
    *("torch._dynamo", "evaluation.cli.app", "evaluation.measuring.api", "latte.cli.app"),
    *("evaluation.comparison.api", "evaluation.statistics.foreign", "latte.training.run"),
)
GIGABYTE = 1 << 30
MORE_MEMORY = 6 * GIGABYTE  # address space beside what was there before
MAX_FILE = GIGABYTE
ROOT = Path(__file__).parents[3]
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TRACE = re.compile(r'File "[^"]*?/((?:latte|evaluation|benchmarks|reports)/[^"]*)", line (\d+)')

Outcome = Literal["measured", "refused", "crashed", "hung"]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended. A negative code is the signal that ended it."""

    code: int
    output: str
    errors: str
    seconds: float
    megabytes: float  # peak memory, of the process alone

    @property
    def outcome(self) -> Outcome:
        """A result, one sentence with exit code 2, no end, or else a crash."""
        if self.code == -signal.SIGALRM:
            return "hung"
        if "Traceback (most recent call last)" not in self.errors:
            if self.code == 0:
                return "measured"
            if self.code == 2 and len(self.refusals) == 1 and not CONTROL.search(self.refusals[0]):
                return "refused"
        return "crashed"

    @property
    def refusals(self) -> list[str]:
        return [line for line in self.errors.split("\n") if line.startswith("error: ")]

    @property
    def notes(self) -> frozenset[str]:
        """Notes on stderr, each for what it says of any file."""
        return frozenset(line for line in self.errors.split("\n") if line.startswith("note: "))

    @property
    def reason(self) -> str:
        """The refusal, or the error of a traceback with the innermost line of ours."""
        lines = [line for line in self.errors.split("\n") if line.strip()]
        if self.outcome == "refused":
            return self.refusals[0]
        if self.outcome == "measured":
            return ""
        if self.code < 0:
            return f"signal {signal.Signals(-self.code).name}"
        places = _TRACE.findall(self.errors)
        where = f" ({places[-1][0]}:{places[-1][1]})" if places else ""
        return f"exit code {self.code}: {lines[-1] if lines else 'no message'}{where}"[:500]


def carry_out(command: str, folder: Path) -> str:
    """What a command prints that must succeed.

    Raises:
        RuntimeError: it does not.
    """
    ended = run_forked(command, folder, limit=120)
    if ended.outcome != "measured":
        raise RuntimeError(f"{command}: {ended.reason}\n{ended.errors}")
    return ended.output


def preload() -> None:
    """Import what the commands need, once."""
    for name in PRELOADED:
        with suppress(ModuleNotFoundError):  # then the commands import it themselves
            import_module(name)


def run_forked(command: str, folder: Path, *, limit: float) -> Ended:
    """Carry out a command of ours in a fork of this process, with the folder as its own.

    Args:
        limit: seconds after which it is stopped.
    """
    preload()
    return in_fork(partial(_main, shlex.split(command)), folder, limit=limit)


def _main(words: list[str]) -> None:
    sys.argv = words
    import_module(f"{MODULES[words[0]]}.cli.app").main()


def in_fork(work: Callable[[], None], folder: Path, *, limit: float) -> Ended:
    """Do some work in a fork of this process, whose end costs nothing here."""
    output, errors = folder.with_suffix(".out"), folder.with_suffix(".err")
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become(work, folder, (output, errors), limit)
    _, status, usage = os.wait4(pid, 0)
    return Ended(
        code=os.waitstatus_to_exitcode(status),
        output=_text(output),
        errors=_text(errors),
        seconds=time.monotonic() - started,
        megabytes=usage.ru_maxrss / 1024,
    )


def _become(
    work: Callable[[], None], folder: Path, streams: tuple[Path, Path], limit: float
) -> NoReturn:
    """In the fork: do the work, and end."""
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, whatever it is doing
        signal.alarm(int(limit))
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, path in enumerate(streams, 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = (os.fdopen(n, "w", errors="backslashreplace") for n in (1, 2))
        os.environ["LATTE_STORE"] = _store(folder)
        _limit_memory()
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _limit_memory() -> None:
    """Bombs end here, and not with the machine."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE, MAX_FILE))
    with suppress(OSError):  # where the system says how much there is
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + MORE_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def run_alone(command: str, folder: Path, *, limit: float) -> Ended:
    """Carry out a command as a user does: by an interpreter of its own, with a worker process."""
    words = shlex.split(command.replace("--workers 0", "--workers 1"))
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    started = time.monotonic()
    process: subprocess.Popen[bytes] | None = None
    try:
        with held_back():
            process = subprocess.Popen(
                [sys.executable, "-m", MODULES[words[0]], *words[1:]],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": path, "LATTE_STORE": _store(folder)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        output, errors = process.communicate(timeout=limit)
        code = process.returncode
    except BaseException as error:
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        code = -signal.SIGALRM
    return Ended(
        code=code,
        output=output.decode(errors="replace"),
        errors=errors.decode(errors="replace"),
        seconds=time.monotonic() - started,
        megabytes=0.0,
    )


def _store(folder: Path) -> str:
    """Where features are kept: beside the folder, so that sound files are measured once."""
    return str(folder.parent / "features")


def _text(path: Path) -> str:
    """The last megabyte of a file: decoders may fill the disk with complaints."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - (1 << 20), 0))
        return file.read().decode(errors="replace")
