"""The processes that torchrun starts, from the view of one of them. Imports nothing heavy."""

import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from latte.data.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Process:
    """One of `world` processes."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0  # rank among the processes of this machine

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """The part of this process, whether or not some of it is finished."""
        return items[self.rank :: self.world]


def this_process(environment: Mapping[str, str] = os.environ) -> Process:
    """This process by torchrun's RANK, WORLD_SIZE and LOCAL_RANK; else the only one.

    Raises:
        InputError: they are not what torchrun writes.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    texts = [environment.get(name, default) for name, default in zip(names, "010", strict=True)]
    try:
        rank, world, local_rank = map(int, texts)
    except ValueError:
        rank, world, local_rank = 0, 0, 0
    if not 0 <= rank < world or local_rank < 0:
        settings = ", ".join(f"{name}={text}" for name, text in zip(names, texts, strict=True))
        raise InputError(f"{settings}: not set by torchrun: unset them, or start with torchrun")
    return Process(rank=rank, world=world, local_rank=local_rank)


def end_with_parent() -> None:
    """End this process soon after the one that started it: nothing may work on without torchrun."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
