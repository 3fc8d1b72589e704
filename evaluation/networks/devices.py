"""Devices by name. torch, which takes seconds to import, is asked only about GPUs."""

import sys
from importlib.metadata import version
from pathlib import Path

from latte.data.errors import InputError

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


def check_device(name: str) -> str:
    """What a device is called that is here: "cpu", or the name of a GPU.

    Raises:
        InputError: torch knows no such device, or its driver is missing.
    """
    if name == "cpu":
        return name
    import torch

    try:
        place = torch.empty(0, device=torch.device(name)).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {name} cannot be used here ({str(error).splitlines()[0]}): use cpu"
        ) from None
    return str(torch.cuda.get_device_name(place)) if place.type == "cuda" else place.type
