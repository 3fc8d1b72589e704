"""Errors of torch that the user can fix, too little memory or no compiler, as sentences."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from latte.data.errors import InputError, first_line

_NO_MEMORY = re.compile("out of memory|not enough memory|can't allocate memory", re.IGNORECASE)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out.

    torch.OutOfMemoryError is a RuntimeError, and the CPU's allocator has no type of its own.
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None
    )


@contextmanager
def fixable_faults(memory_advice: str, compile_advice: str) -> Iterator[None]:
    """Turn torch's faults that the user can fix into InputError; others stay faults.

    Args:
        memory_advice: how the sentence on too little memory goes on.
        compile_advice: what to do where the network cannot be compiled.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise InputError(f"there is not enough memory {memory_advice}") from error
        if type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
            raise InputError(
                f"the network cannot be compiled here ({first_line(error)}): {compile_advice}"
            ) from error
        raise


@contextmanager
def fixable_when_sampling(device: torch.device, batch_size: int) -> Iterator[None]:
    """`fixable_faults` with advice for sampling."""
    if device.type == "cuda" and batch_size > 1:
        advice = f"for {batch_size} samples at a time: give --batch-size {batch_size // 2}"
    elif device.type == "cuda":
        advice = "for one sample: give --precision bf16, or use a GPU with more memory"
    else:
        advice = "for one sample at a time: close other programs, or use a larger machine"
    with fixable_faults(f"on {device} {advice}", "leave --compile out"):
        yield
