"""The processes of a run that talk to each other: one, or those that torchrun starts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from latte.data.errors import FailedRunError
from latte.data.processes.rank import PATIENCE, meeting_place, this_process
from latte.sampling.devices import choose_device


@dataclass(frozen=True, kw_only=True)
class Group:
    """The processes of a run, from the view of one of them."""

    rank: int = 0
    world_size: int = 1
    device: torch.device  # device of this process
    meeting: Any = None  # torch's group of all processes, with more patience than its default one

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes."""
        if self.world_size == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total / self.world_size

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process."""
        if self.world_size == 1:
            return flag
        raised = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return bool(raised.item())

    def wait(self) -> None:
        """Wait until all processes arrive."""
        if self.world_size > 1:
            dist.barrier(group=self.meeting)


@contextmanager
def join_group(device: str) -> Iterator[Group]:
    """Take part in the run: alone, or with torchrun's other processes (gloo, or nccl on GPUs).

    Raises:
        InputError: the device is not there.
        FailedRunError: another process has ended.
    """
    process = this_process()
    place = choose_device(device, process.local_rank)
    if "WORLD_SIZE" not in os.environ:
        yield Group(device=place)
        return
    if place.type == "cuda":
        torch.cuda.set_device(place)
    dist.init_process_group(
        "nccl" if place.type == "cuda" else "gloo",
        store=meeting_place(process),
        rank=process.rank,
        world_size=process.world,
    )
    try:
        # While the first process samples, evaluates or writes, the others wait for it.
        meeting = dist.new_group(backend="gloo", timeout=PATIENCE)
        yield Group(rank=process.rank, world_size=process.world, device=place, meeting=meeting)
    except RuntimeError as error:
        # gloo has no type of its own, but names its file.
        if isinstance(error, dist.DistError) or "/gloo/" in str(error):
            raise FailedRunError(
                "another process of this run has ended, so that this one has to end as well: run "
                "the same command again to go on from the last checkpoint",
                fixable=False,
            ) from error
        raise
    finally:
        dist.destroy_process_group()
