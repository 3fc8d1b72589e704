"""Tasks for worker processes, which import them by name."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from tqdm import tqdm

from latte.data.errors import BrokenVideoError, InputError


def square(task):
    return task * task


def process_id(task):
    return os.getpid()


def large_array(task):
    return np.full((64, 128, 128, 3), task, dtype=np.uint8)


def columns(task):
    """Arrays of several sizes, one of them not in one piece."""
    grid = np.arange(task * 90_000, dtype=np.int64).reshape(-1, 300)
    return {"grid": grid, "odd": grid.astype(np.uint8)[:, 1::2], "few": grid[:2, :3].copy()}


def number_of_memory_files(task):
    """Shared arrays that this process still has open."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself
            links.append(str(entry.readlink()))
    return sum("memfd:latte" in link for link in links)


def write_into(pipe):
    """Write to a named pipe, if there is one."""
    if pipe is not None:
        pipe.write_text("done")


def act(task):
    """Do what the task's name says."""
    match task:
        case "exit":
            os._exit(7)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            time.sleep(3600)
        case "broken":
            raise BrokenVideoError("this video is broken")
        case "input":
            raise InputError("this folder is empty")
        case "bug":
            raise KeyError("a fault of ours")
        case "disk":
            raise OSError(28, "No space left on device", "features")
        case "unpicklable":
            return lambda: None
    return task


def be_killed_once(marker):
    """Be killed from outside, unless another process was before."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return marker.name


def print_process_id_and_hang(task):
    os.write(1, f"{os.getpid()}\n".encode())
    time.sleep(3600)


def show_a_bar(task):
    list(tqdm([task], disable=True))
    return task
