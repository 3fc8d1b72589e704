"""What torch says of too little memory, or of no compiler, as a sentence that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from latte.data.errors import InputError
from latte.memory import is_too_little


@contextmanager
def mendable(device: torch.device, batch_size: int) -> Iterator[None]:
    """Turn the faults that the user can mend into InputError; others stay faults."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_too_little(error):
            raise InputError(_memory_advice(device, batch_size)) from error
        if type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
            reason = str(error).partition("\n")[0]
            raise InputError(
                f"the network cannot be compiled here ({reason}); leave --compile out"
            ) from error
        raise


def _memory_advice(device: torch.device, batch_size: int) -> str:
    if device.type == "cuda" and batch_size > 1:
        advice = f"for {batch_size} samples at a time; give --batch-size {batch_size // 2}"
    elif device.type == "cuda":
        advice = "for one sample; give --precision bf16, or take a GPU with more memory"
    else:
        advice = "for one sample at a time; close other programs, or take a machine with more"
    return f"there is not enough memory on {device} {advice}"
