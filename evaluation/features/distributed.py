"""Processes that share a measurement: each extracts its part of the clips, the first one computes.

torchrun starts them (`torchrun --nproc-per-node 8 -m evaluation fvd …`; `latte-eval fvd --gpus 8`
starts torchrun), on one machine or many. What they tell each other lies in the memory of the host:
errors, which clips are missing, and rows of features where they share no folder of features. So
they talk by gloo, whatever device their networks run on.

All take the same steps, and each step in which they talk is an `agree`: an InputError in one of
them is raised in all of them at their next step, so that none waits for one that has given up. The
loss of a process is noticed by torchrun, which starts all of them again if it may
(`--max-restarts`); finished rows are in the store.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from latte.data.errors import FailedRunError, InputError
from latte.data.processes.rank import PATIENCE, Process, meeting_place, this_process

if TYPE_CHECKING:
    from evaluation.features.store import FeatureStore

T = TypeVar("T")
R = TypeVar("R")

ROWS_AT_ONCE = 512  # rows of one process that are under way to the first one


class Processes:
    """The processes of a measurement, seen from one of them; by default this one is alone.

    Args:
        process: this one among all.
        group: torch's group of them, if there are several.
    """

    def __init__(self, process: Process | None = None, group: Any = None) -> None:
        self.process = process or Process()
        self._group = group
        self._known: BaseException | None = None  # the error that all processes were told of

    @property
    def is_first(self) -> bool:
        """Whether this is the process that computes, writes and speaks."""
        return self.process.is_first

    def part(self, items: Sequence[T]) -> Sequence[T]:
        """The items of this process: neighbours, as many as of any other, or one more."""
        rank, world = self.process.rank, self.process.world
        return items[len(items) * rank // world : len(items) * (rank + 1) // world]

    def agree(self, step: str, value: T, error: InputError | None = None) -> list[T]:
        """Wait for all processes, and return the value of each, in the order of their ranks.

        Args:
            step: what they have done; the same in all of them.
            error: what went wrong in this one.

        Raises:
            InputError: the error of the first process that had one, or they are at another step.
            FailedRunError: another process has ended.
        """
        if self.process.world == 1:
            return [value]
        problem = None if error is None else str(error)
        messages: list[Any] = [None] * self.process.world
        with _while_all_live():
            _dist().all_gather_object(messages, (step, value, problem), group=self._group)
        problems = [problem for _, _, problem in messages if problem is not None]
        if problems:
            self._known = InputError(problems[0]) if error is None else error
            raise self._known
        if len({step for step, _, _ in messages}) > 1:
            steps = ", ".join(f"{rank}: {step}" for rank, (step, _, _) in enumerate(messages))
            self._known = InputError(
                f"the processes do not do the same ({steps}): start them with one command, where "
                "all find the same files"
            )
            raise self._known
        return [value for _, value, _ in messages]

    def first(self, step: str, function: Callable[[], T]) -> T:
        """What the function returns in the first process, which alone calls it; for all.

        Raises:
            InputError: what it raised; without the type of the error in the other processes.
        """
        if self.process.world == 1:
            return function()
        value: Any = None
        if self.is_first:
            try:
                value = function()
            except InputError as error:
                self.agree(step, value, error)
                raise
        return self.agree(step, value)[0]

    @contextmanager
    def ahead(self, step: str) -> Iterator[None]:
        """The first process enters alone, the others when it has left: it fetches, say.

        Raises:
            InputError: that of any process, in all.
        """
        if not self.is_first:
            self.agree(step, None)
        everywhere = f"{step} everywhere"
        try:
            yield
        except InputError as error:
            self.agree(step if self.is_first else everywhere, None, error)
            raise
        if self.is_first:
            self.agree(step, None)
        self.agree(everywhere, None)

    def map(
        self,
        step: str,
        function: Callable[[Sequence[T]], Sequence[R]],
        items: Sequence[T],
        name: Callable[[T], str] = str,
    ) -> list[R]:
        """What the function gives for all items, each of which one process hands to it.

        Args:
            name: of an item, the same in all processes.

        Raises:
            InputError: that of another process, or they have other items.
        """
        results_of_share = list(function(self.process.share(items)))
        if self.process.world == 1:
            return results_of_share
        names = sha256("\0".join(map(name, items)).encode("utf-8", "surrogatepass")).hexdigest()
        shares = self.agree(f"{step} ({len(items)} as {names[:8]})", results_of_share)
        results: list[Any] = [None] * len(items)
        for rank, share in enumerate(shares):
            results[rank :: self.process.world] = share
        return results

    def hand_over(self, stores: Sequence["FeatureStore"], keys: Sequence[bytes]) -> None:
        """Give the rows of these keys, once all have flushed them, to the stores of the first one.

        Rows in a folder that the processes share are read there. Others (no folder, or folders that
        one process cannot see of another, for the moment or at all) are sent to it.
        """
        if self.process.world == 1:
            return
        for number, store in enumerate(stores):
            step = f"rows of network {number}"
            if self.is_first:
                store.refresh()
            wanted = self.agree(step, [k for k in keys if k not in store] if self.is_first else [])
            held = [key for key in wanted[0] if key in store]
            most = max(self.agree(step, len(held)))
            for start in range(0, most, ROWS_AT_ONCE):
                part = held[start : start + ROWS_AT_ONCE]
                for sent in self._sent_to_first(list(zip(part, store.rows(part), strict=True))):
                    for key, row in sent:
                        store.add(key, row)
            if most and self.is_first:
                store.flush()

    def _sent_to_first(self, value: T) -> list[T]:
        """The values of all in the first process, nothing in the others."""
        values: list[Any] | None = [None] * self.process.world if self.is_first else None
        with _while_all_live():
            _dist().gather_object(value, values, dst=0, group=self._group)
        return values or []

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell the others of an InputError in the body, unless they know; wait for them at its end.

        Raises:
            InputError: that of the body, or of another process.
        """
        try:
            yield
        except InputError as error:
            if error is not self._known:
                self.agree("error", None, error)
            raise
        self.agree("end", None)


@contextmanager
def joined() -> Iterator[Processes]:
    """Take part with all processes that torchrun started, or of torch's group if there is one.

    Each of them must enter it, and take the same steps inside.

    Raises:
        InputError: that of the body in any process; RANK and WORLD_SIZE that are not torchrun's.
        FailedRunError: another process has ended.
    """
    process = this_process()
    begun = "torch.distributed" in sys.modules and _dist().is_initialized()
    if process.world == 1 and not begun:  # without torch, which takes seconds to import
        yield Processes()
        return
    dist = _dist()
    if not begun:
        dist.init_process_group(
            "gloo",
            store=meeting_place(process),
            rank=process.rank,
            world_size=process.world,
            timeout=PATIENCE,
        )
    try:
        place = Process(
            rank=dist.get_rank(), world=dist.get_world_size(), local_rank=process.local_rank
        )
        processes = Processes(place, dist.new_group(backend="gloo", timeout=PATIENCE))
        with processes.told():
            yield processes
    finally:
        if not begun:
            dist.destroy_process_group()


@contextmanager
def _while_all_live() -> Iterator[None]:
    """A connection that breaks is the end of another process, of which torchrun says more."""
    try:
        yield
    except RuntimeError as error:
        raise FailedRunError(
            "another process of this run has ended, so that this one has to end as well: finished "
            "features are kept, run the same command again",
            fixable=False,
        ) from error


def _dist() -> Any:
    import torch.distributed

    return torch.distributed
