"""Processes of torchrun share the samples: each makes its own, and none talks to another."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from latte.data.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Process:
    """One of `world` processes."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0  # rank among the processes of this machine

    def share(self, indices: Sequence[int]) -> Sequence[int]:
        """The part of this process, whether or not some of it is finished."""
        return indices[self.rank :: self.world]


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


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """auto, cpu, cuda (the process's own GPU) or cuda:N.

    Raises:
        InputError: no such device here.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if count else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"--device {name}: give auto, cpu, cuda or cuda:N")
    if device.type == "cpu":
        return device
    number = local_rank if device.index is None else device.index
    if number >= count:
        raise InputError(
            f"--device {name}: GPU {number} is wanted, but there are {count}: give --device cpu, "
            "or start fewer processes"
        )
    return torch.device("cuda", number)
