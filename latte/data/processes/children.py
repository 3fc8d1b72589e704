"""Commands that a run carries out as processes of their own: how they stop, why they fail."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from latte.data.errors import FAILURE_FILE, Failure, InputError
from latte.data.processes.signals import handed_to, polite_signals
from latte.data.schema import decode_json

# Time for the processes of torchrun to write what they have: the state of a large model takes a
# while, and after half a minute torchrun would end them. Seconds, as text for the environment.
PATIENCE: Mapping[str, str] = {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "600"}
LAST_REQUEST = 3  # a request to stop that is not polite any more
STOP_REQUEST = None  # the event that a signal leaves in the queue


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    error: str | None  # the message of the `Failure` that it left


class Child:
    """A command under way, in a session of its own, so that Ctrl-C reaches it once and not twice.

    Args:
        command: program and options.
        environment: variables beside those of this process.
        log: file for what it prints, which passes through otherwise.
        output: file for what it prints on stdout, instead.
        on_end: called from another thread when the command has ended.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        log: Path | None = None,
        output: Path | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.environment = environment or {}
        self._folder = tempfile.TemporaryDirectory(prefix="latte-", ignore_cleanup_errors=True)
        self._failure = Path(self._folder.name) / "failure.json"
        self._error: str | None = None
        self._process = self._start(command, log, output)
        self._requests = 0
        self._waiter = Thread(target=self._wait, args=(on_end,), daemon=True)
        self._waiter.start()

    def _start(
        self, command: Sequence[str], log: Path | None, output: Path | None
    ) -> "subprocess.Popen[bytes]":
        variables = {**self.environment, FAILURE_FILE: str(self._failure)}
        try:
            with ExitStack() as files:
                errors = None if log is None else files.enter_context(log.open("ab"))
                result = None if output is None else files.enter_context(output.open("wb"))
                return subprocess.Popen(
                    command,
                    stdout=result or errors,
                    stderr=errors,
                    start_new_session=True,
                    env={**PATIENCE, **os.environ, **only_our_packages(), **variables},
                )
        except OSError:
            self._folder.cleanup()
            raise

    def request_stop(self) -> None:
        """Ask the command to stop; the third time everything that it started is killed."""
        self._requests += 1
        with suppress(ProcessLookupError):
            if self._requests < LAST_REQUEST:
                self._process.terminate()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self) -> Ended:
        """Wait for its end."""
        self._waiter.join()
        return Ended(code=self._process.returncode, error=self._error)

    def _wait(self, on_end: Callable[[], None]) -> None:
        self._process.wait()
        with self._folder:
            self._error = _message(self._failure)
        on_end()


def only_our_packages() -> dict[str, str]:
    """Variables by which `python -m` of a child finds our packages, not those of its folder.

    Somebody else's folder may hold packages called evaluation or latte. Python looks there first,
    unless PYTHONSAFEPATH (`python -P`) is set.
    """
    variables = {"PYTHONSAFEPATH": "1"}
    own = Path(__file__).parents[2]
    first = None if sys.flags.safe_path else Path(sys.path[0] or ".").resolve()
    if own == first:  # this process found them so: `python -m evaluation` in a checkout
        others = os.environ.get("PYTHONPATH")
        variables["PYTHONPATH"] = os.pathsep.join([str(own), *([others] if others else [])])
    return variables


def run_child(command: Sequence[str], shown: Sequence[str] | None = None) -> None:
    """Run a command to its end; see `run_children`.

    Args:
        command: program and options.
        shown: the command for a reader, if it is another.

    Raises:
        InputError: it ended with another code than 0; the sentence has the message that it left.
        KeyboardInterrupt: this process was stopped; the command has ended.
    """
    (ended,) = run_children([command])
    if ended.code:
        raise InputError(
            f"`{shlex.join(shown or command)}` ended with code {ended.code}: "
            f"{ended.error or 'its own message is above'}"
        )


def run_children(
    commands: Sequence[Sequence[str]],
    environments: Sequence[Mapping[str, str]] = ({},),
    logs: Sequence[Path] = (),
) -> list[Ended]:
    """Run commands to their ends, whatever these are; what they print passes through.

    They are stopped with this process, politely, and waited for: nothing that they started is left
    working. A second request is passed on, which trainings take as "at once"; a third kills them.
    Signals are held back from before a command starts until it has ended.

    Args:
        environments: one for each command that may run at a time.
        logs: files for what each prints, in place of passing it through.

    Raises:
        KeyboardInterrupt: this process was stopped; the commands have ended.
    """
    events: SimpleQueue[int | None] = SimpleQueue()
    waiting, free = deque(range(len(commands))), list(environments)
    running: dict[int, Child] = {}
    ended: dict[int, Ended] = {}
    stopped = False
    # A signal that would raise an exception becomes an event: no moment is left unguarded.
    with handed_to(lambda number: events.put(STOP_REQUEST), polite_signals()):
        try:
            while running or (waiting and not stopped):
                while waiting and free and not stopped:
                    index = waiting.popleft()
                    running[index] = Child(
                        commands[index],
                        free.pop(0),
                        log=logs[index] if logs else None,
                        on_end=partial(events.put, index),
                    )
                event = events.get()
                if event is STOP_REQUEST:
                    stopped = True
                    for child in running.values():
                        child.request_stop()
                else:
                    free.append(running[event].environment)
                    ended[event] = running.pop(event).wait()
        finally:  # a command that cannot be started ends the others
            for child in running.values():
                child.request_stop()
            for child in running.values():
                child.wait()
    if stopped:
        raise KeyboardInterrupt
    return [ended[index] for index in range(len(commands))]


def _message(path: Path) -> str | None:
    """The message of the failure in a file; None if there is none that can be read."""
    try:
        return decode_json(path.read_bytes(), Failure, str(path)).message
    except (OSError, InputError):  # it was killed before it had written all
        return None
