"""`latte-bench speed-generator`: our network beside the plain formulation and diffusers' blocks.

Ratios come from one run on one machine, in which all implementations take turns; absolute times say
on which machine they were taken. Results are the same but for rounding, which tests check.
"""

import importlib.util
import logging
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from benchmarks.cells.provenance import this_run
from benchmarks.documents.tables import TableDocument, publish
from benchmarks.studies.speed.generator_jobs import (
    NUM_CLASSES,
    PASSES,
    SAMPLING_STEPS,
    Implementation,
    Job,
    Precision,
    Task,
    Workbench,
)
from benchmarks.studies.speed.timing import time_in_turns
from latte.config import LatteConfig, preset
from latte.data.errors import InputError
from latte.data.processes.rank import this_process
from latte.model.cost import cost
from latte.sampling.devices import choose_device
from latte.sampling.faults import is_out_of_memory
from reports.cells import Cell, Column, Row
from reports.provenance import Provenance
from reports.table import Table

logger = logging.getLogger(__name__)

MODELS = ("Latte-B/2", "Latte-XL/2")
REPETITIONS, QUICK_REPETITIONS = 5, 2
GIGABYTE = 1e9
LARGE = 2e12  # FLOPs of a pass forward; a CPU times no other task of larger models
PLAIN, OURS = Implementation("plain"), Implementation("ours")
IMPLEMENTATIONS = (
    PLAIN,
    Implementation("diffusers"),
    OURS,
    Implementation("ours", compiled=True),
    Implementation("plain", "bf16"),
    Implementation("diffusers", "bf16"),
    Implementation("ours", "bf16"),
    Implementation("ours", "bf16", compiled=True),
)
FEWER = (*IMPLEMENTATIONS[:3], *IMPLEMENTATIONS[6:])  # timed where a task takes long
PEAK_SIZES = {"cpu": 2048, "cuda": 8192}  # square matrices that reach a machine's peak
DTYPES: Mapping[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}
TITLES: Mapping[Task, str] = {
    "forward": "a pass forward over one clip",
    "training": "a training step on one clip",
    "sampling": f"{SAMPLING_STEPS} steps of DDIM for one clip, with guidance",
}
COLUMNS = (
    Column(key="seconds", title="Seconds"),
    Column(key="times", title="Times as fast as plain, fp32"),
    Column(key="same", title="as plain, same type"),
    Column(key="peak", title="Share of peak, %"),
)


@dataclass(frozen=True, kw_only=True)
class GeneratorSpeedRequest:
    """What is timed, and on which device."""

    models: tuple[str, ...] = ()  # presets; without names MODELS, as far as there is memory
    device: str = "auto"
    compiled: bool = True  # times compiled blocks too; a CPU needs a C++ compiler
    quick: bool = False  # the first of MODELS alone, and fewer repetitions


@dataclass(frozen=True, kw_only=True)
class TaskTiming:
    """One task on one model by every implementation."""

    model: str
    task: Task
    flops: float  # our network's, for the task once
    seconds: Mapping[Implementation, float]
    missing: Mapping[Implementation, str]  # why an implementation has no time
    peak: Mapping[Precision, float]  # FLOP/s of a large matrix product, in the same run

    def rows(self) -> list[Row]:
        """Rows of the table, in the order of the implementations."""
        rows = []
        for one in IMPLEMENTATIONS:
            if one in self.seconds:
                time = self.seconds[one]
                share = self.flops / time / self.peak[one.precision]
                same = self.seconds.get(Implementation("plain", one.precision))
                cells = {
                    "seconds": Cell.fixed(time, 3),
                    "times": Cell.fixed(self.seconds[PLAIN] / time, 2),
                    "same": Cell.fixed(same / time, 2) if same else Cell(reason="Not timed."),
                    "peak": Cell.fixed(100 * share, 0),
                }
            elif one in self.missing:
                cells = {column.key: Cell(reason=self.missing[one]) for column in COLUMNS}
            else:
                continue
            section = f"{self.model}: {TITLES[self.task]}"
            rows.append(Row(label=one.label, cells=cells, section=section))
        return rows

    @property
    def sentence(self) -> str:
        """How many times as fast as the others ours is, in float32."""
        ratios = {
            other.network: self.seconds[other] / self.seconds[OURS]
            for other in (PLAIN, Implementation("diffusers"))
            if other in self.seconds
        }
        times = " and ".join(f"{ratio:.2f} times as fast as {x}" for x, ratio in ratios.items())
        return f"{self.model}, {TITLES[self.task]}, fp32: ours is {times}."


def time_task(
    bench: Workbench,
    model: str,
    task: Task,
    implementations: Sequence[Implementation],
    repetitions: int,
) -> TaskTiming:
    """Time a task by all implementations, in turns, with the machine's peak in between."""
    torch.compiler.reset()  # torch stops compiling after too many kinds of input
    missing: dict[Implementation, str] = {}
    jobs: dict[Implementation | Precision, Job] = {}
    for one in implementations:
        job = bench.job(task, one)
        try:
            job()
            jobs[one] = job
        except RuntimeError as error:
            if not type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
                raise
            missing[one] = "The network cannot be compiled here."
    size = PEAK_SIZES[bench.device.type]
    for precision, dtype in DTYPES.items():
        a, b = torch.rand((2, size, size), device=bench.device).to(dtype)
        jobs[precision] = partial(torch.mm, a, b, out=torch.empty_like(a))
    times = {
        name: statistics.median(runs) for name, runs in time_in_turns(jobs, repetitions).items()
    }
    return TaskTiming(
        model=model,
        task=task,
        flops=float(PASSES[task] * cost(bench.config).flops),
        seconds={one: times[one] for one in implementations if one in times},
        missing=missing,
        peak={name: 2.0 * size**3 / times[name] for name in DTYPES},
    )


def plan(
    names: Sequence[str], device: torch.device, quick: bool
) -> dict[str, tuple[LatteConfig, tuple[Task, ...]]]:
    """The tasks of each model: all of them, but for large models on a CPU the first alone.

    Without names, those of MODELS for which there is memory.

    Raises:
        InputError: an unknown model, or not the memory for it.
    """
    free = free_bytes(device)
    planned: dict[str, tuple[LatteConfig, tuple[Task, ...]]] = {}
    for name in names or (MODELS[:1] if quick else MODELS):
        config = preset(name, num_classes=NUM_CLASSES)
        tasks: tuple[Task, ...] = ("forward", "training", "sampling")
        large = device.type == "cpu" and cost(config).flops > LARGE
        if large or needed_bytes(config, tasks) > free:
            tasks = ("forward",)
        needed = needed_bytes(config, tasks)
        if needed <= free:
            planned[name] = config, tasks
        elif names or not planned:
            raise InputError(
                f"{name}: a pass forward takes about {needed / GIGABYTE:.1f} GB for all "
                f"implementations, and {free / GIGABYTE:.1f} GB are free on {device}: choose a "
                "smaller --model"
            )
    return planned


def needed_bytes(config: LatteConfig, tasks: Sequence[Task]) -> float:
    """A rough estimate of the memory that all implementations take together, in bytes."""
    numbers = 4.0 * cost(config).parameters
    layer = 4.0 * config.num_frames * config.patches_per_frame * config.hidden_size
    scores = 4.0 * config.num_frames * config.num_heads * config.patches_per_frame**2
    # Our weights, diffusers' copy of most of them, and autocast's copies in 16 bits.
    needed = 2.3 * numbers + 2 * (20 * layer + 3 * scores)
    if "training" in tasks:
        # Gradients, and for each of three networks AdamW's moments and the averages.
        needed += 10 * numbers + config.depth * (30 * layer + 1.5 * scores)
    return needed


def free_bytes(device: torch.device) -> float:
    """Free memory of the device; without a limit for a CPU where the system is not Linux."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return 1024.0 * int(kilobytes)


def timing_table(timings: Sequence[TaskTiming], provenance: Provenance) -> Table:
    """One section for each task of each model."""
    return Table(
        title="Speed of the generator",
        caption="The same network with the same weights, by several implementations; median times.",
        label_heading="Implementation",
        columns=COLUMNS,
        rows=tuple(row for timing in timings for row in timing.rows()),
        remarks=(
            "plain: as the official code computes it. diffusers: its BasicTransformerBlock, the "
            "rest as plain. ours: `latte.model`, as `latte sample` and `latte train` run it.",
            "bf16: matrix products in bfloat16 (autocast).",
            "Share of peak: the FLOPs that our network needs, over the time, beside what a large "
            "matrix product of that type reached in the same run.",
        ),
        provenance=(provenance,),
    )


def run(out: Path, request: GeneratorSpeedRequest) -> None:
    """Time, write the documents of `speed_generator` into `out`, and print the table.

    Raises:
        InputError: a model or a device that is not available, or too little memory.
    """
    started = time.monotonic()
    device = choose_device(request.device, this_process().local_rank)
    planned = plan(request.models, device, request.quick)
    left_out = {one for one in IMPLEMENTATIONS if one.compiled and not request.compiled}
    if importlib.util.find_spec("diffusers") is None:
        logger.warning("diffusers is not installed: its rows are left out")
        left_out |= {one for one in IMPLEMENTATIONS if one.network == "diffusers"}
    implementations = tuple(one for one in IMPLEMENTATIONS if one not in left_out)
    repetitions = QUICK_REPETITIONS if request.quick else REPETITIONS
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32, as in the official scripts
    timings = []
    try:
        for name, (config, tasks) in planned.items():
            bench = Workbench(config, implementations, device)
            for task in tasks:
                logger.info("%s: %s …", name, TITLES[task])
                long = task != "forward" or cost(config).flops > LARGE
                brief = device.type == "cpu" and long
                timed = [one for one in implementations if one in FEWER or not brief]
                count = max(repetitions // (1 + brief), 1)
                timings.append(time_task(bench, name, task, timed, count))
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise InputError(f"memory of {device} has run out: choose a smaller --model") from error
        raise
    record = this_run(device=str(device), seconds=time.monotonic() - started)
    document = TableDocument(
        name="speed_generator",
        title="Speed of the generator",
        lead=" ".join(timing.sentence for timing in timings),
        tables=[timing_table(timings, record)],
        section="speed-generator",  # the folder's name
    )
    publish(document, out)
