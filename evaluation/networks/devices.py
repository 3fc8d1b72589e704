"""Devices by name. torch, which takes seconds to import, is asked only about GPUs."""

import re
import sys
from importlib.metadata import version
from pathlib import Path

from latte.data.errors import InputError, first_line

# What a driver puts there: NVIDIA's, its container's, the Windows subsystem's, AMD's.
DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")


def default_device() -> str:
    """ "cuda" if torch finds such a GPU, else "cpu"."""
    if version("torch").endswith("+cpu") or sys.platform == "darwin":
        return "cpu"
    if sys.platform == "linux" and not any(Path(driver).exists() for driver in DRIVERS):
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def find_device(name: str) -> tuple[str, str]:
    """A device that is here: its one name, and the processor's: "cpu" twice, or that of a GPU.

    >>> find_device("cpu:0")
    ('cpu', 'cpu')

    Raises:
        InputError: networks run on no such device, or its driver is missing.
    """
    match = re.fullmatch(r"(cpu|cuda)(:[0-9]{1,3})?", name)
    if match is None:
        raise InputError(f"networks run on no device {name!r}: give cpu, cuda or cuda:N")
    if match[1] == "cpu":  # torch takes cpu:0 for it as well
        return "cpu", "cpu"
    import torch

    try:
        place = torch.empty(0, device=torch.device(name)).device
        return name, str(torch.cuda.get_device_name(place))
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {name} cannot be used here ({first_line(error)}): use cpu"
        ) from None
