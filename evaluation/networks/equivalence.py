"""Whether a faster implementation may stand in for the reference one, decided on probe clips.

A TorchScript file carries its own code, which defines the number. Our own network takes its place
only after it has reproduced the file's output on clips where any other resizing or constant shows.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evaluation.networks.spec import Forward, Implementation, OpenedFile, OpenedNetwork
from latte.data.errors import InputError, first_line

logger = logging.getLogger(__name__)

TOLERANCE = 1e-3  # largest accepted difference on the probe clips
SLOWER = 1.25  # times the published path's: more than chance, less than any gain is worth
PUBLISHED, OWN = "torchscript as published", "own network"
FOLDED, FUSED = "own network, folded", "own network, fused"


def run_exactly(forward: Forward, clips: Tensor) -> Tensor:
    """Run without gradients, in full float32, with deterministic algorithms.

    Whatever the caller has set for its own networks: an evaluation may be called by a training.
    """
    own_type = torch.autocast(clips.device.type, enabled=False)
    with settings_of_exact_runs(), own_type, torch.inference_mode():
        return forward(clips)


@contextmanager
def settings_of_exact_runs() -> Iterator[None]:
    """Settings of the whole process: entered before threads that enter them as well."""
    cudnn = torch.backends.cudnn
    with (
        _full_float32(),
        _defaults_of_torch(),
        _changed(cudnn, enabled=True, benchmark=False, deterministic=True),
        torch.jit.optimized_execution(False),
    ):
        yield


@contextmanager
def _defaults_of_torch() -> Iterator[None]:
    """Tensors are made as float32 on the CPU where nothing else is said."""
    kind = torch.get_default_dtype()
    on_cpu = torch.get_default_device().type == "cpu"
    torch.set_default_dtype(torch.float32)
    try:
        with nullcontext() if on_cpu else torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(kind)


@contextmanager
def _full_float32() -> Iterator[None]:
    """No TF32 and no bfloat16 within float32 operations.

    torch has two interfaces to this, and refuses questions by the old one where somebody has used
    the new one, which PyTorch before 2.9 does not have.
    """
    backends: Any = torch.backends
    newer = hasattr(backends.cuda.matmul, "fp32_precision")
    names = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv")
    operations = [attrgetter(name)(backends) for name in names] if newer else []
    products, convolutions = "highest", True  # as torch has them by itself
    with suppress(RuntimeError):
        products = torch.get_float32_matmul_precision()
    with suppress(RuntimeError):
        convolutions = backends.cudnn.allow_tf32
    before = [operation.fp32_precision for operation in operations]
    try:
        torch.set_float32_matmul_precision("highest")
        backends.cudnn.allow_tf32 = False
        for operation in operations:
            operation.fp32_precision = "ieee"
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        backends.cudnn.allow_tf32 = convolutions
        for operation, precision in zip(operations, before, strict=True):
            operation.fp32_precision = precision


@contextmanager
def _changed(place: Any, **values: object) -> Iterator[None]:
    before = {name: getattr(place, name) for name in values}
    try:
        for name, value in values.items():
            setattr(place, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(place, name, value)


@contextmanager
def single_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """So many threads, each of which computes with itself alone.

    An interruption does not wait for what they are computing, which may take a minute.
    """
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
        pool.shutdown()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        torch.set_num_threads(threads)  # new threads inherit the last setting of any thread


def relative_difference(reference: Tensor, other: Tensor) -> float:
    """Largest difference between two outputs, relative to the largest reference value."""
    largest = reference.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    return float((reference - other).abs().max() / largest)


def choose(file: OpenedFile, *, exact: bool = False) -> tuple[OpenedNetwork, dict[str, float]]:
    """The first implementation that reproduces the published path, and is no slower.

    The difference on the probe clips is noted, whether it is small enough or not. The published
    path runs in any case, so a file of another network fails here and not after the first video is
    decoded.

    Args:
        exact: take the published path itself, and where it cannot give these features, our plain
            network.

    Returns:
        The network, and the seconds that the first probe clip takes each implementation tried.

    Raises:
        InputError: the file cannot be called as the published one, or cannot give these features.
    """
    reference = _compared(file.reference)
    expected = [run_exactly(reference, clip) for clip in file.probes]
    others = file.others
    if exact:
        others = () if file.refusal is None else file.others[-1:]
    noted: float | None = None
    seconds: dict[str, float] = {}
    for other in others:
        try:
            forward = _compared(other)
            rows = [run_exactly(forward, clip) for clip in file.probes]
        except InputError:
            raise
        except Exception as error:  # this torch was built without its operations, say
            logger.info("%s cannot run here (%s)", other.name, first_line(error))
            continue
        difference = file.difference or relative_difference
        pairs = zip(expected, rows, strict=True)
        largest = float(np.max([difference(*pair) for pair in pairs]))
        noted = largest if noted is None else noted
        if not largest <= TOLERANCE:  # NaN is no agreement
            continue
        seconds |= _seconds({file.reference.name: reference, other.name: forward}, file.probes[0])
        slower = seconds[other.name] > SLOWER * seconds[file.reference.name]
        if not slower or file.refusal is not None:
            return replace(opened(file, other.name), probe_difference=largest), seconds
    if file.refusal is not None:
        raise file.refusal(noted)
    return replace(opened(file, file.reference.name), probe_difference=noted), seconds


def opened(file: OpenedFile, name: str) -> OpenedNetwork:
    """One of the implementations, by its name, without a comparison."""
    chosen = {each.name: each for each in (file.reference, *file.others)}[name]
    return OpenedNetwork(forward=chosen.make(), implementation=name, classifier=file.classifier)


def _compared(implementation: Implementation) -> Forward:
    return (implementation.make_compared or implementation.make)()


def _seconds(forwards: Mapping[str, Forward], clip: Tensor) -> dict[str, float]:
    """Seconds for a clip, the best of two turns: of this thread, or of a GPU until it has ended."""
    best = dict.fromkeys(forwards, math.inf)
    on_gpu = clip.device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.thread_time  # of this program alone
    for name in [*forwards] * 2:
        _wait_for(clip.device)
        started = clock()
        run_exactly(forwards[name], clip)
        _wait_for(clip.device)
        best[name] = min(best[name], clock() - started)
    return best


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


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
