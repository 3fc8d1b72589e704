"""What a number was made with: date, command, versions and machine."""

import os
import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def provenance(device: str) -> dict[str, Any]:
    """`date`, `command`, `versions` and `host` of this run.

    `torch_threads` is None where all features were in the store, so that torch was not imported.
    """
    from latte.data.video import decoder_version

    packages = ["latte-eval", "torch", "clean-fid", "numpy", "scipy", "pillow"]
    versions = {name: _version(name) for name in packages}
    versions |= {"python": platform.python_version(), "decoder": decoder_version()}
    used = sys.modules.get("torch")
    threads = None if used is None else used.get_num_threads()
    host: dict[str, Any] = {**machine(), "torch_threads": threads, "device": device}
    if device.startswith("cuda"):
        import torch

        host["device_name"] = torch.cuda.get_device_name(device)
    program = Path(sys.argv[0])
    # `python -m evaluation` runs evaluation/__main__.py.
    command = (
        ["python", "-m", program.parent.name] if program.stem == "__main__" else [program.name]
    )
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join([*command, *sys.argv[1:]]),
        "versions": versions,
        "host": host,
    }


@cache
def machine() -> Mapping[str, Any]:
    """The hardware and system, as far as they affect results or speed.

    Nothing identifies a single machine, because results are published.
    """
    return {
        "system": f"{platform.system()} {platform.machine()}".strip(),
        "processor": _processor(),
        "memory_gib": _memory_gib(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    """The model of the CPU, as Linux names it; elsewhere what Python knows of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    parts = (line.partition(":") for line in lines)
    models = (value.strip() for key, _, value in parts if key.strip() == "model name")
    return next(models, "") or platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    """Memory of the whole machine; None where the system does not say."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows lacks it
        return None
    return round(size / 2**30, 1) if size > 0 else None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
