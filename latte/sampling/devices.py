"""The device of a process: each process of torchrun has a GPU of its own."""

import torch

from latte.data.errors import InputError


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
