"""Objects from one process to another; their arrays go through shared memory, without a copy.

On Linux the arrays of a message lie in an anonymous file (memfd), whose descriptor follows the
message through the pipe. It has no name, so nothing can stay in /dev/shm: the kernel frees it when
the last process that has it lets go, or is killed. Elsewhere arrays are pickled with the rest.
"""

import mmap
import os
import pickle
import sys
import weakref
from collections.abc import Iterable, Iterator
from multiprocessing import reduction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MIN_SHARED_BYTES = 1 << 16  # a smaller array is pickled: it is there sooner
MAX_SHARED = 512  # messages whose arrays stay in shared memory; those of further ones are copied
ALIGNMENT = 64  # bytes
_HAS_MEMFD = hasattr(os, "memfd_create")


def send(connection: Connection, value: Any) -> None:
    """Send an object to the process that reads the other end with an `Inbox`.

    Raises:
        pickle.PicklingError, TypeError, AttributeError: it cannot be pickled; nothing was sent.
    """
    arrays: list[memoryview] = []

    def is_pickled(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < MIN_SHARED_BYTES:
            return True
        arrays.append(raw)
        return False

    content = pickle.dumps(value, protocol=5, buffer_callback=is_pickled if _HAS_MEMFD else None)
    try:
        file = _memory_file(arrays) if arrays else None
    except OSError:  # no more files, or none of this size: they are pickled after all
        arrays, file, content = [], None, pickle.dumps(value, protocol=5)
    try:
        connection.send_bytes(pickle.dumps((content, [array.nbytes for array in arrays])))
        if file is not None:
            reduction.send_handle(connection, file, None)
    finally:
        if file is not None:
            os.close(file)


def _memory_file(arrays: list[memoryview]) -> int:
    """The descriptor of an anonymous file with the content of these arrays."""
    file = os.memfd_create("latte", os.MFD_CLOEXEC)
    try:
        for array, (start, end) in zip(arrays, _spans(map(len, arrays)), strict=True):
            while start < end:
                start += os.pwrite(file, array[start - end :], start)
    except BaseException:
        os.close(file)
        raise
    return file


class Inbox:
    """Receives what `send` sent.

    Arrays are views of shared memory, for as long as anybody refers to them. So that a consumer may
    keep as many as it likes, they are copied where `MAX_SHARED` messages are in use, or those in
    use have half of the descriptors that this process had left.
    """

    def __init__(self) -> None:
        self._most = min(MAX_SHARED, _free_files() // 2)
        self._in_use: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

    def receive(self, connection: Connection) -> Any:
        """The next object.

        Raises:
            EOFError, OSError: the other process has ended.
        """
        content, sizes = pickle.loads(connection.recv_bytes())
        if not sizes:
            return pickle.loads(content)
        file = reduction.recv_handle(connection)
        spans = list(_spans(sizes))
        try:
            memory = mmap.mmap(file, spans[-1][1], flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
        finally:
            os.close(file)
        whole = memoryview(memory)
        arrays: list[memoryview | bytearray] = [whole[start:end] for start, end in spans]
        if len(self._in_use) >= self._most:
            arrays = [bytearray(array) for array in arrays]
        else:
            self._in_use.add(memory)
        return pickle.loads(content, buffers=arrays)


def _free_files() -> int:
    """Descriptors that this process may still have."""
    if not _HAS_MEMFD:
        return MAX_SHARED
    import resource  # Linux has it; Windows has neither

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(0, limit - sum(1 for _ in Path("/proc/self/fd").iterdir()))


def _spans(sizes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Where arrays of these sizes (bytes) begin and end in the file: each aligned."""
    start = 0
    for size in sizes:
        yield start, start + size
        start += -(-size // ALIGNMENT) * ALIGNMENT
