"""Files that belong to a live process: whoever finds one can tell whether its owner still works.

An owner keeps its file locked (`flock`), which ends with the process however that ends. On the
same machine the lock is the whole answer. A network file system may keep locks to each machine, so
the name of the file says which machine its owner is on, and files of other machines count as
abandoned once nobody has touched them for a while, by the file system's own clock.
"""

import hashlib
import os
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BufferedRandom
from pathlib import Path

from latte.data.errors import named
from latte.data.locks import lock

ATTEMPTS = 3


@cache
def machine() -> str:
    """Hash of this machine and its last start; locks are known to hold within it."""
    boot = Path("/proc/sys/kernel/random/boot_id")  # containers of one kernel share locks and this
    name = boot.read_text() if boot.exists() else platform.node()
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def owned_name(prefix: str, suffix: str) -> str:
    """A name that no other file has, with the machine of its owner."""
    return f"{prefix}{machine()}-{uuid.uuid4().hex[:12]}{suffix}"


@contextmanager
def owned_file(path: Path) -> Iterator[BufferedRandom]:
    """A new file of that name, owned while the block runs; the block may rename or remove it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x+b") as file:
        lock(file.fileno())
        yield file


def open_to_lock(path: Path) -> int:
    """Open a file that is there to be locked; it is made if need be.

    NFS has exclusive locks only for who may write. Users who share a store may not where the file
    is its first user's: they open it for reading, for which other file systems have locks as well.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return os.open(path, os.O_RDONLY | os.O_CREAT, 0o666)


@contextmanager
def lock_now(path: Path) -> Iterator[bool]:
    """Hold the lock of a file while the block runs; whether it could be had at once.

    The file is made if need be, and stays, so that all who ask lock the same one.
    """
    descriptor = open_to_lock(path)
    try:
        yield lock(descriptor, wait=False) is not False
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool | None:
    """Whether an owner holds the lock of a file; None where there are no locks."""
    with path.open("rb") as file:
        free = lock(file.fileno(), shared=True, wait=False)
    return None if free is None else not free


def is_abandoned(path: Path, machine_of_owner: str, lease: float, now: float) -> bool:
    """Whether the owner of a file has ended.

    Args:
        path: the file.
        machine_of_owner: as its name has it.
        lease: seconds for which a file of another machine is believed without being touched.
        now: the file system's time.
    """
    try:
        locked = is_locked(path) if machine_of_owner == machine() else None
        return now - path.stat().st_mtime > lease if locked is None else not locked
    except FileNotFoundError:  # the owner ended well, and tidied up
        return False


def write_owned(final: Path, content: bytes) -> None:
    """Write one file that appears complete or not at all, and is on the disk when it does.

    What a killed process leaves of it is found by `remove_leftovers`.
    """
    for attempt in range(ATTEMPTS):
        partial = final.with_name(owned_name(".partial-", f"-{final.name}"))
        try:
            with named(final), owned_file(partial) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                partial.replace(final)
            return
        except FileNotFoundError:  # taken for a leftover in the moment before it was locked
            if attempt == ATTEMPTS - 1:
                raise
        finally:
            partial.unlink(missing_ok=True)


def remove_leftovers(folder: Path, lease: float) -> list[Path]:
    """Remove unfinished files of killed runs, but none that is being written; those removed."""
    removed = []
    leftovers = [*folder.glob(".partial-*"), *folder.glob(".writing-*")]
    for path in leftovers:
        owner = path.name.removeprefix(".partial-").partition("-")[0]
        with suppress(OSError):
            if is_abandoned(path, owner, lease, file_system_time(folder)):
                path.unlink()
                removed.append(path)
    return removed


def file_system_time(folder: Path) -> float:
    """The time by the clock that stamps the files of a folder, which may be a server's."""
    with suppress(OSError):  # read-only: whoever may only look at it may be a little wrong
        os.utime(folder)
        return folder.stat().st_mtime
    return time.time()
