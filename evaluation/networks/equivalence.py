"""Whether a faster implementation may stand in for the reference one, decided on probe clips.

A TorchScript file carries its own code, which defines the number. Our own network takes its place
only after it has reproduced the file's output on clips where any other resizing or constant shows.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evaluation.networks.spec import Forward, OpenedNetwork
from latte.data.errors import InputError, first_line

TOLERANCE = 1e-3  # largest accepted difference on the probe clips
PUBLISHED, OWN, FOLDED = "torchscript as published", "own network", "own network, folded"


def run_exactly(forward: Forward, clips: Tensor) -> Tensor:
    """Run without gradients, in full float32, with deterministic algorithms."""
    with settings_of_exact_runs(), torch.inference_mode():
        return forward(clips)


@contextmanager
def settings_of_exact_runs() -> Iterator[None]:
    """Settings of the whole process: entered before threads that enter them as well."""
    with (
        torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ),
        torch.jit.optimized_execution(False),
    ):
        yield


@contextmanager
def single_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """So many threads, each of which computes with itself alone."""
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # new threads inherit the last setting of any thread


def relative_difference(reference: Tensor, other: Tensor) -> float:
    """Largest difference between two outputs, relative to the largest reference value."""
    largest = reference.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    return float((reference - other).abs().max() / largest)


def faster_if_same(
    reference: OpenedNetwork,
    faster: OpenedNetwork | None,
    clips: Sequence[Tensor],
    difference: Callable[[Tensor, Tensor], float] = relative_difference,
) -> OpenedNetwork:
    """The faster implementation if it reproduces the reference on the probe clips, else that one.

    The largest difference is noted in either. Without a faster one the reference runs all the same,
    so a file of another network fails here and not after the first video is decoded.
    """
    expected = [run_exactly(reference.forward, clip) for clip in clips]
    if faster is None:
        return reference
    rows = [run_exactly(faster.forward, clip) for clip in clips]
    largest = float(np.max([difference(*pair) for pair in zip(expected, rows, strict=True)]))
    taken = faster if largest <= TOLERANCE else reference  # NaN is no agreement
    return replace(taken, probe_difference=largest)


def noise_clips(shapes: Sequence[tuple[int, ...]], device: torch.device) -> list[Tensor]:
    """Clips of uniform noise, uint8 of these shapes; the same on every machine."""
    random = np.random.default_rng(0)
    clips = [random.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    return [torch.from_numpy(clip).to(device) for clip in clips]


def checked_call(
    call: Callable[[Tensor], object], path: Path, *, network: str, usage: str, width: int, row: str
) -> Callable[[Tensor], Tensor]:
    """Call a scripted network and check its output: (n, `width`), one row for each input.

    Args:
        call: how the published code calls the file.
        path, network, usage, row: for messages: the file, the network's name, the arguments of the
            published call, and what a row is ("features for each clip").

    Raises:
        InputError: when called, if the file cannot be called so or its output has another size.
    """

    def checked(x: Tensor) -> Tensor:
        try:
            output = call(x)
        except RuntimeError as error:
            if "out of memory" in str(error):  # TorchScript has no type of its own for it
                raise
            raise InputError(
                f"{path}: is TorchScript, but cannot be called as the published {network} is "
                f"({usage}): {first_line(error)}"
            ) from None
        if not isinstance(output, Tensor) or output.numel() != len(x) * width:
            raise InputError(
                f"{path}: is TorchScript, but does not give {width} {row}: it is another network"
            )
        # A file that drops axes of size 1 also drops that of a single input.
        return output.reshape(len(x), width)

    return checked
