"""A map over tasks in worker processes: a task that kills or hangs its process costs itself alone.

The pools of the standard library lose all work when one process dies, and cannot stop a task that
hangs. Decoders do both, on broken files. pebble's pool waits three seconds for each worker that
ignores SIGTERM, as ours must, so that closing it or a timeout takes seconds.
"""

import atexit
import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from tqdm import tqdm

from latte.data.errors import SKIP, BrokenVideoError, InputError, LostProcessError
from latte.data.signals import polite_signals

T = TypeVar("T")
R = TypeVar("R")
MAX_STARTS = 3  # processes that may be killed in a row before one of them takes a task


def default_workers() -> int:
    """As many processes as cores, up to 8; torchrun's processes share the cores."""
    processes = os.environ.get("LOCAL_WORLD_SIZE", "1")
    sharing = int(processes) if processes.isdigit() else 1
    return min(max((os.cpu_count() or 1) // max(sharing, 1), 1), 8)


def map_in_order(
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    workers: int,
    timeout: float = 120.0,
    label: Callable[[T], str] = str,
) -> Generator[R | BrokenVideoError, None, None]:
    """Yield `function(task)` for each task, in the order of the tasks.

    A BrokenVideoError of one task is yielded in its place, not raised; so is its taking longer than
    `timeout` seconds, or the death of two processes that worked on it: one may have been killed
    from outside. Any other exception ends the map. Closing the generator, Ctrl-C or the end of this
    process ends all processes at once. The number of workers does not affect the results; few more
    tasks than that are begun ahead of the consumer.

    Args:
        function: importable by name (processes are spawned); its results can be pickled.
        workers: number of processes; 0 works in this process, where nothing guards against
            crashes and hangs.
        timeout: seconds that one task may take.
        label: names a task in messages.

    Raises:
        InputError: workers is negative, or processes are killed before they take a task.
    """
    if workers < 0:
        raise InputError(f"workers = {workers}: give 0 or more")
    if workers == 0:
        for task in tasks:
            try:
                yield function(task)
            except BrokenVideoError as error:
                yield error
        return
    crew = _Crew(function, workers, timeout, label)
    # The exit handler of multiprocessing waits for processes that ignore SIGTERM, as these do. An
    # exception that is on its way out keeps this generator from being closed before.
    atexit.register(crew.stop)
    try:
        yield from crew.run(tasks, lookahead=2 * workers + 2)
    finally:
        crew.stop()
        atexit.unregister(crew.stop)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, remote = context.Pipe()
        self.process = context.Process(target=_work, args=(remote, function), daemon=True)
        self.process.start()
        remote.close()
        self.ready = False
        self.index: int | None = None  # index of the task under way
        self.task: Any = None
        self.name = ""
        self.deadline = float("inf")

    def give(self, index: int, name: str, task: Any, timeout: float) -> None:
        self.index, self.name, self.task = index, name, task
        self.deadline = time.monotonic() + timeout
        # A process that is already dead is noticed, like any other, when its pipe is read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(task)

    def end(self, *, grace: float = 0.0) -> int | None:
        """Kill the process, if it lives on after `grace` seconds, and return how it ended."""
        self.process.join(grace)
        self.process.kill()
        self.process.join()
        code = self.process.exitcode
        self.process.close()
        self.connection.close()
        return code


@dataclass
class _Crew:
    """Workers, their tasks, and the results not yet yielded."""

    function: Callable[[Any], Any]
    size: int
    timeout: float
    label: Callable[[Any], str]
    workers: list[_Worker] = field(default_factory=list)
    results: dict[int, Any] = field(default_factory=dict)
    queue: deque[tuple[int, Any]] = field(default_factory=deque)  # tasks that no worker has yet
    tried: set[int] = field(default_factory=set)  # tasks that have cost a process
    killed: int = 0  # processes that were killed, since one was last ready

    def run(self, tasks: Iterable[Any], lookahead: int) -> Iterator[Any]:
        """Yield results in order; at most `lookahead` tasks are begun and not yet yielded."""
        pending = enumerate(tasks)
        begun = yielded = 0
        while True:
            while begun - yielded < lookahead and (item := next(pending, None)) is not None:
                self.queue.append(item)
                begun += 1
            if begun == yielded:
                return
            self._hand_out()
            while yielded not in self.results:
                self._wait()
                self._hand_out()
            result = self.results.pop(yielded)
            yielded += 1
            yield result

    def stop(self) -> None:
        """End all processes at once."""
        for worker in self.workers:
            with contextlib.suppress(ValueError):  # it has ended already
                worker.process.kill()
        for worker in self.workers:
            with contextlib.suppress(ValueError):
                worker.end()
        self.workers.clear()

    def _hand_out(self) -> None:
        """Give waiting tasks to idle processes; start processes while there are too few."""
        free = sum(worker.index is None for worker in self.workers)
        for _ in range(min(self.size - len(self.workers), len(self.queue) - free)):
            with _interrupts_blocked():
                self.workers.append(_Worker(self.function))
        for worker in self.workers:
            if self.queue and worker.ready and worker.index is None:
                index, task = self.queue.popleft()
                worker.give(index, self.label(task), task, self.timeout)

    def _wait(self) -> None:
        """Receive messages, until one arrives or a task exceeds its time."""
        deadline = min(worker.deadline for worker in self.workers)
        patience = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
        readable = wait([worker.connection for worker in self.workers], patience)
        now = time.monotonic()
        for worker in list(self.workers):
            if worker.connection in readable:
                self._receive(worker)
            elif worker.deadline <= now:
                worker.end()
                self._lose(worker, f"took longer than {self.timeout:g} s and was stopped")

    def _receive(self, worker: _Worker) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            # It is ending by itself: its own exit code says why.
            self._ended(worker, worker.end(grace=10.0))
            return
        kind, value = message
        if kind == "ready":
            worker.ready, self.killed = True, 0
        elif kind == "fault":
            error, trace = value
            error.add_note(f"in the process that worked on {worker.name}:\n{trace}")
            raise error
        elif worker.index is not None:
            self.results[worker.index] = value
            worker.index, worker.task, worker.deadline = None, None, float("inf")

    def _ended(self, worker: _Worker, code: int | None) -> None:
        """Replace a process that has ended by itself; the second time, blame its task."""
        ending, was_killed = _ending(code), code is not None and code < 0
        if not worker.ready and not was_killed:
            raise RuntimeError(
                f"a worker process ended before its first task ({ending}), with the message above: "
                "--workers 0 works without processes"
            ) from None
        if not worker.ready:
            self.killed += 1
            if self.killed == MAX_STARTS:
                raise InputError(
                    f"{MAX_STARTS} worker processes in a row were ended before their first task "
                    f"({ending}): free memory, or give a smaller --workers (0 works without them)"
                ) from None
        if worker.index is not None and worker.index not in self.tried:
            self.tried.add(worker.index)
            self.queue.appendleft((worker.index, worker.task))
            worker.index = None
        self._lose(worker, f"ended its process ({ending})")

    def _lose(self, worker: _Worker, what: str) -> None:
        """Blame the loss of a process on its task; another process starts when needed."""
        self.workers.remove(worker)
        if worker.index is not None:
            self.results[worker.index] = LostProcessError(
                f"{worker.name}: decoding it {what}",
                f"replace the file, which may be damaged, or {SKIP}",
                ending=what,
            )


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Hide signals from processes begun here: Ctrl-C and schedulers signal whole groups."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # unblocks the signal if it has to start by itself
    before = signal.pthread_sigmask(signal.SIG_BLOCK, polite_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, function: Callable[[Any], Any]) -> None:
    """Run in the process: one task after the other, until the pipe closes."""
    for number in polite_signals():  # the parent gets them too, and ends this process
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # tqdm's own lock is a semaphore of the system, which a killed process leaves behind.
    tqdm.set_lock(threading.RLock())
    # Nobody can be told when there is no consumer.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(("ready", None))
        while True:
            outcome = _outcome(function, connection.recv())
            try:
                connection.send(outcome)
            except (TypeError, AttributeError, pickle.PicklingError) as error:
                connection.send(_fault(error))


def _end_with_parent() -> None:
    """End this process when its parent has ended, were it killed: a task may take for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        wait([parent.sentinel])
        os._exit(1)


def _outcome(function: Callable[[Any], Any], task: Any) -> tuple[str, Any]:
    try:
        return "result", function(task)
    except BrokenVideoError as error:
        return "result", BrokenVideoError(error.problem, error.advice)
    except Exception as error:
        return _fault(error)


def _fault(error: Exception) -> tuple[str, Any]:
    """An error as a type that can surely be unpickled, with its trace."""
    copy: Exception = RuntimeError(f"{type(error).__name__}: {error}")
    if isinstance(error, InputError):
        copy = InputError(str(error))
    elif isinstance(error, OSError) and error.errno is not None:
        copy = OSError(error.errno, error.strerror, error.filename)
    return "fault", (copy, traceback.format_exc())
