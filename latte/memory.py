"""Telling too little memory from other faults."""

import re

_NO_MEMORY = re.compile("out of memory|not enough memory|can't allocate memory", re.IGNORECASE)


def is_too_little(error: BaseException) -> bool:
    """Whether an error says that memory has run out.

    torch.OutOfMemoryError is a RuntimeError, and the CPU's allocator has no type of its own.
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None
    )
