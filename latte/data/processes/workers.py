"""A map over tasks in worker processes: a task that kills or hangs its process costs itself alone.

The pools of the standard library lose all work when one process dies, and cannot stop a task that
hangs. Decoders do both, on broken files. pebble's pool waits three seconds for each worker that
ignores SIGTERM, as ours must, so that closing it or a timeout takes seconds.
"""

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, TypeVar

from latte.data.errors import SKIP, BrokenVideoError, InputError, LostProcessError
from latte.data.processes.pool import Function, Pool, Task, Worker, pickled

T = TypeVar("T")
R = TypeVar("R")

TASKS_AHEAD = 4  # tasks that one process is given at a time, so that it need not wait for this one
MAX_BYTES_AHEAD = 1 << 14  # only smaller tasks are given ahead: they fit into the pipe
MAX_STARTS = 3  # processes in a row that may be killed before their first task


def default_workers() -> int:
    """As many processes as this one has cores, up to 8."""
    return min(own_cores(), 8)


def usable_cores() -> int:
    """The cores that this process may use: a container or a batch system may lend it a few."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def own_cores() -> int:
    """The usable cores of this process alone: torchrun's processes of one machine share them."""
    processes = os.environ.get("LOCAL_WORLD_SIZE", "1")
    sharing = int(processes) if processes.isdigit() else 1
    return max(usable_cores() // max(sharing, 1), 1)


def map_in_order(
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    workers: "int | Pool",
    timeout: float = 120.0,
    label: Callable[[T], str] = str,
    together: Callable[[T], Hashable] | None = None,
    lookahead: int | None = None,
    limited: bool = False,
) -> Generator[R | BrokenVideoError, None, None]:
    """Yield `function(task)` for each task, in the order of the tasks.

    A BrokenVideoError of one task is yielded in its place, not raised; so is its taking longer than
    `timeout` seconds, or the death of two processes that worked on it: one may have been killed
    from outside. Any other exception ends the map. Closing the generator, Ctrl-C or the end of this
    process ends all processes at once. The number of workers does not affect the results; few more
    tasks than that are begun ahead of the consumer. Large arrays in results lie in memory that the
    processes share (latte.data.processes.handover).

    Args:
        function: importable by name (processes are spawned); its results can be pickled. Each
            process has a copy of its own, which may keep what later tasks need.
        workers: number of processes; 0 works in this process, where nothing guards against
            crashes and hangs. Or a pool, whose processes stay for the next map.
        timeout: seconds that one task may take.
        label: names a task in messages.
        together: tasks in a row for which it gives the same value go to one process, in order.
        lookahead: tasks that are begun and not yet yielded, at most; some more than workers.
        limited: whether each process is held to the limit of memory (latte.data.limits), as those
            that read videos should be; a pool says so itself.

    Raises:
        InputError: workers is negative, or processes are killed before they take a task.
    """
    pool = workers if isinstance(workers, Pool) else Pool(workers, limited=limited)
    if pool.size == 0:
        for task in tasks:
            try:
                yield function(task)
            except BrokenVideoError as error:
                yield error
        return
    running = _Map(pool, pickled(Function(function)), timeout, label, together)
    try:
        yield from running.run(tasks, lookahead or 2 * pool.size + 2)
    finally:
        pool.end_busy()
        if pool is not workers:
            pool.close()


@dataclass(eq=False)
class _Map:
    """One map in a pool: its tasks, and the results not yet yielded."""

    pool: Pool
    function: bytes  # pickled
    timeout: float
    label: Callable[[Any], str]
    together: Callable[[Any], Hashable] | None
    queue: deque[Task] = field(default_factory=deque)  # tasks that no process has yet
    results: dict[int, Any] = field(default_factory=dict)
    killed: int = 0  # processes that were killed before they were ready, in a row

    def run(self, tasks: Iterable[Any], lookahead: int) -> Iterator[Any]:
        """Yield results in order; at most `lookahead` tasks are begun and not yet yielded."""
        pending = enumerate(tasks)
        begun = yielded = 0
        while True:
            while begun - yielded < lookahead and (item := next(pending, None)) is not None:
                key = self.together(item[1]) if self.together else None
                self.queue.append(Task(*item, key, pickled(item[1])))
                begun += 1
            if begun == yielded:
                return
            self._receive(patience=0.0)
            self._hand_out()
            while yielded not in self.results:
                self._receive()
                self._hand_out()
            result = self.results.pop(yielded)
            yielded += 1
            yield result

    def _hand_out(self) -> None:
        """Give waiting tasks to processes that have few of them; start more if there are few."""
        workers = self.pool.workers
        keys = {worker.key for worker in workers}
        new = {task if task.key is None else task.key for task in self.queue} - keys
        idle = sum(not worker.tasks for worker in workers)
        for _ in range(min(self.pool.size - len(workers), len(new) - idle)):
            self.pool.start()
        for worker in workers:
            if worker.function != self.function:
                worker.prepare(self.function)
        waiting, self.queue = self.queue, deque()
        for task in waiting:
            if (chosen := self._worker_for(task)) is not None:
                chosen.give(task, self.timeout)
            else:
                self.queue.append(task)

    def _worker_for(self, task: Task) -> Worker | None:
        """The process for a task; None while it has to wait."""
        workers = self.pool.workers
        if task.key is not None:
            workers = [each for each in workers if each.key == task.key] or workers
        fewest = min(len(each.tasks) for each in workers)
        ready = (each for each in workers if each.ready and len(each.tasks) == fewest)
        is_small = len(task.content) <= MAX_BYTES_AHEAD
        return next(ready, None) if fewest < (TASKS_AHEAD if is_small else 1) else None

    def _receive(self, patience: float = float("inf")) -> None:
        """Receive messages, until one arrives or a task exceeds its time."""
        workers = self.pool.workers
        deadline = min((worker.deadline for worker in workers), default=float("inf"))
        patience = min(patience, max(0.0, deadline - time.monotonic()))
        connections = [worker.connection for worker in workers]
        readable = wait(connections, None if patience == float("inf") else patience)
        now = time.monotonic()
        for worker in list(workers):
            if worker.connection in readable:
                self._receive_from(worker)
            elif worker.deadline <= now:
                worker.end()
                self._lose(worker, f"took longer than {self.timeout:g} s and was stopped")

    def _receive_from(self, worker: Worker) -> None:
        try:
            kind, value = worker.inbox.receive(worker.connection)
        except (EOFError, OSError):
            # It is ending by itself: its own exit code says why.
            self._ended(worker, worker.end(grace=10.0))
            return
        if kind == "ready":
            worker.ready, self.killed = True, 0
        elif kind == "fault":
            error, trace = value
            what = f"worked on {self.label(worker.tasks[0].task)}" if worker.tasks else "began"
            error.add_note(f"in the process that {what}:\n{trace}")
            raise error
        else:
            self.results[worker.finish(self.timeout).index] = value

    def _ended(self, worker: Worker, code: int | None) -> None:
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
        self._lose(worker, f"ended its process ({ending})", again=True)

    def _lose(self, worker: Worker, what: str, *, again: bool = False) -> None:
        """Blame the loss of a process on its task; another process starts when needed.

        Args:
            again: the task is tried once more first.
        """
        self.pool.workers.remove(worker)
        if worker.tasks and (worker.tasks[0].tried or not again):
            task = worker.tasks.popleft()
            self.results[task.index] = LostProcessError(
                f"{self.label(task.task)}: decoding it {what}",
                f"replace the file, which may be damaged, or {SKIP}",
                ending=what,
            )
        elif worker.tasks:
            worker.tasks[0].tried = True
        self.queue.extendleft(reversed(worker.tasks))


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
