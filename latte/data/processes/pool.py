"""Worker processes that stay from one map to the next, and what runs in each of them."""

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
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any

from tqdm import tqdm

from latte.data.errors import BrokenVideoError, InputError
from latte.data.limits import check_worker_limit, limit_memory
from latte.data.processes import handover
from latte.data.processes.signals import polite_signals


class Pool:
    """Worker processes, started when they are needed and kept from one map to the next.

    They end when the pool is closed; with this process at the latest, however that ends.

        with Pool(4) as pool:
            sizes = list(map_in_order(probe, videos, workers=pool))
            clips = list(map_in_order(load, sizes, workers=pool))

    Args:
        size: number of processes; 0 for none.
        limited: whether each process is held to the limit of memory (latte.data.limits) and to one
            thread, as those that decode should be.
    """

    def __init__(self, size: int, *, limited: bool = False) -> None:
        if size < 0:
            raise InputError(f"workers = {size}: give 0 or more")
        if limited and size:
            check_worker_limit()
        self.size, self.limited = size, limited
        self.workers: list[Worker] = []
        self._inbox = handover.Inbox()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Add one process."""
        # The exit handler of multiprocessing waits for processes that ignore SIGTERM, as these do.
        # An exception that is on its way out keeps a generator that uses them from being closed.
        atexit.unregister(self.close)
        atexit.register(self.close)
        with _interrupts_blocked():
            self.workers.append(Worker(self._inbox, limited=self.limited))

    def close(self) -> None:
        """End all processes at once."""
        self._end(self.workers)
        atexit.unregister(self.close)

    def end_busy(self) -> None:
        """End the processes that have tasks whose results nobody wants any more."""
        self._end([worker for worker in self.workers if worker.tasks or not worker.ready])

    def _end(self, workers: "list[Worker]") -> None:
        ending = list(workers)
        for worker in ending:
            with contextlib.suppress(ValueError):  # it has ended already
                worker.process.kill()
        for worker in ending:
            with contextlib.suppress(ValueError):
                worker.end()
        self.workers = [worker for worker in self.workers if worker not in ending]


@dataclass(eq=False)
class Task:
    """A task, its place among the results, and whether it has cost a process."""

    index: int
    task: Any
    key: Hashable  # tasks of one key in a row go to one process; None is no key
    content: bytes  # pickled
    tried: bool = False


@dataclass(frozen=True)
class Function:
    """What a process applies to the tasks that follow."""

    function: Callable[[Any], Any]


class Worker:
    """One process and the pipe to it; what it sends is received with an inbox of all."""

    def __init__(self, inbox: handover.Inbox, *, limited: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, remote = context.Pipe()
        self.process = context.Process(target=_work, args=(remote, limited), daemon=True)
        self.process.start()
        remote.close()
        self.inbox = inbox
        self.function: bytes | None = None  # pickled; what it was given last
        self.ready = False  # it has that function
        self.tasks: deque[Task] = deque()  # the first is under way
        self.key: Hashable = None  # the last task that it was given has this one
        self.deadline = float("inf")

    def prepare(self, function: bytes) -> None:
        """Give it a pickled `Function`; it is ready for tasks after its answer."""
        self.function, self.ready, self.key = function, False, None
        self._send(function)

    def give(self, task: Task, timeout: float) -> None:
        """Give it a task, to work on after those that it has."""
        if not self.tasks:
            self.deadline = time.monotonic() + timeout
        self.tasks.append(task)
        self.key = task.key
        self._send(task.content)

    def finish(self, timeout: float) -> Task:
        """The task whose result has come; the time of the next one begins."""
        task = self.tasks.popleft()
        self.deadline = time.monotonic() + timeout if self.tasks else float("inf")
        return task

    def end(self, *, grace: float = 0.0) -> int | None:
        """Kill the process, if it lives on after `grace` seconds, and return how it ended."""
        self.process.join(grace)
        self.process.kill()
        self.process.join()
        code = self.process.exitcode
        self.process.close()
        self.connection.close()
        return code

    def _send(self, content: bytes) -> None:
        # A process that is already dead is noticed, like any other, when its pipe is read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send_bytes(content)


def pickled(value: Any) -> bytes:
    """A task or a `Function` as a process takes it."""
    return bytes(ForkingPickler.dumps(value))


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


def _work(connection: Connection, limited: bool) -> None:
    """Run in the process: one task after the other, until the pipe closes."""
    if limited:  # it decodes beside others: threads of torch, once imported, would be too many
        os.environ["OMP_NUM_THREADS"] = "1"
    for number in polite_signals():  # the parent gets them too, and ends this process
        signal.signal(number, signal.SIG_IGN)
    # tqdm's own lock is a semaphore of the system, which a killed process leaves behind.
    tqdm.set_lock(threading.RLock())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Nobody can be told when there is no consumer.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        function: Any = None
        is_free = limited
        while True:
            content = connection.recv_bytes()
            try:
                message = pickle.loads(content)
                outcome: tuple[str, Any] = "ready", None
                if isinstance(message, Function):
                    function = message.function
                    if is_free:  # until the libraries that it needs have been imported
                        limit_memory()
                        is_free = False
                else:
                    outcome = "result", function(message)
            except BrokenVideoError as error:
                outcome = "result", BrokenVideoError(error.problem, error.advice)
            except Exception as error:
                outcome = _fault(error)
            try:
                handover.send(connection, outcome)
            except (TypeError, AttributeError, pickle.PicklingError) as error:
                handover.send(connection, _fault(error))
            del outcome  # its arrays need not stay while the next task is worked on


def _end_with_parent() -> None:
    """End this process when its parent has ended, were it killed: a task may take for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        wait([parent.sentinel])
        os._exit(1)


def _fault(error: Exception) -> tuple[str, Any]:
    """An error as a type that can surely be unpickled, with its trace."""
    copy: Exception = RuntimeError(f"{type(error).__name__}: {error}")
    if isinstance(error, InputError):
        copy = InputError(str(error))
    elif isinstance(error, OSError) and error.errno is not None:
        copy = OSError(error.errno, error.strerror, error.filename)
    return "fault", (copy, traceback.format_exc())
