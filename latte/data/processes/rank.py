"""The processes that torchrun starts, from the view of one of them. Imports nothing heavy."""

import atexit
import gc
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from latte.data.errors import InputError

T = TypeVar("T")

PARENT = "LATTE_PARENT"  # environment: process that started this one, as a number

# One process may have much more to do than the others. That one has ended is noticed by torchrun.
PATIENCE = timedelta(days=2)


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
    """End this process soon after the one that started it: nothing may work on without torchrun.

    That one may have ended already, and says by PARENT which it was.
    """
    parent = int(os.environ.pop(PARENT, os.getppid()))

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def end_quickly() -> None:
    """Spare the end of this process a search for garbage: with torch it takes seconds."""
    atexit.register(gc.freeze)


def meeting_place(process: Process) -> Any:
    """torchrun's store, where the processes find each other.

    That of PyTorch 2.14 still has the addresses of processes that were killed, when they are
    started again. Agents of several machines count starts differently: there
    TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 gives each start a store of its own.

    Raises:
        InputError: torchrun's variables are there in part.
    """
    from torch import distributed

    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise InputError(
            f"RANK={process.rank} and WORLD_SIZE={process.world}, but no {' and '.join(missing)}: "
            "not set by torchrun: unset them, or start with torchrun"
        )
    store, _, _ = next(distributed.rendezvous("env://", timeout=PATIENCE))
    if os.environ.get("LOCAL_WORLD_SIZE") != str(process.world):
        return store
    start = os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)
    return distributed.PrefixStore(f"start {start}", store)
