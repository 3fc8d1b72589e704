"""`latte-bench speed generator`: our network beside the plain formulation and diffusers' blocks.

Ratios come from one run on one machine, in which all ways take turns; absolute times say on which
machine they were taken. Results are the same in all ways but for rounding: the tests see to that.
"""

import importlib.util
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.cells.provenance import this_run
from benchmarks.documents.tables import TableDocument, publish
from benchmarks.studies.speed.generator_jobs import (
    NUM_CLASSES,
    PASSES,
    SAMPLING_STEPS,
    Job,
    Precision,
    Task,
    Way,
    Workbench,
)
from benchmarks.studies.speed.timing import matrix_product, race
from latte.config import LatteConfig, preset
from latte.data.errors import InputError
from latte.model.cost import cost
from latte.sampling.faults import is_out_of_memory
from latte.sampling.processes import choose_device, this_process
from reports.provenance import Provenance
from reports.table import Cell, Column, Row, Table

MODELS = ("Latte-B/2", "Latte-XL/2")
GIGABYTE = 1e9
LARGE = 2e12  # FLOPs of a pass forward, above which a CPU carries out nothing more
PLAIN, OURS = Way("plain"), Way("ours")
WAYS = (
    PLAIN,
    Way("diffusers"),
    OURS,
    Way("ours", compiled=True),
    Way("plain", "bf16"),
    Way("diffusers", "bf16"),
    Way("ours", "bf16"),
    Way("ours", "bf16", compiled=True),
)
FEWER = tuple(way for way in WAYS if way not in (WAYS[3], WAYS[4], WAYS[5]))  # where it takes long
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
class Race:
    """The ways of one task on one model."""

    model: str
    task: Task
    flops: float  # of the task once, as our network counts them
    seconds: Mapping[Way, float]
    lacking: Mapping[Way, str]  # why a way has no time
    peak: Mapping[Precision, float]  # FLOP/s of a large matrix product, in the same run

    def rows(self) -> list[Row]:
        """Of the table, in the order of the ways."""
        section = f"{self.model}: {TITLES[self.task]}"
        made = [way for way in WAYS if way in self.seconds or way in self.lacking]
        return [Row(label=way.label, cells=self._cells(way), section=section) for way in made]

    @property
    def sentence(self) -> str:
        """How many times as fast as the others ours is, in float32."""
        others = {
            way.network: self.seconds[way] / self.seconds[OURS]
            for way in (PLAIN, Way("diffusers"))
            if way in self.seconds
        }
        times = " and ".join(f"{ratio:.2f} times as fast as {x}" for x, ratio in others.items())
        return f"{self.model}, {TITLES[self.task]}, fp32: ours is {times}."

    def _cells(self, way: Way) -> dict[str, Cell]:
        if way in self.lacking:
            return {column.key: Cell(reason=self.lacking[way]) for column in COLUMNS}
        time = self.seconds[way]
        share = self.flops / time / self.peak[way.precision]
        same = self.seconds.get(Way("plain", way.precision))
        return {
            "seconds": _number(time, 3),
            "times": _number(self.seconds[PLAIN] / time, 2),
            "same": Cell(reason="Not timed.") if same is None else _number(same / time, 2),
            "peak": _number(100 * share, 0),
        }


def _number(value: float, decimals: int) -> Cell:
    return Cell(value=value, text=f"{value:.{decimals}f}")


def run_race(
    bench: Workbench, model: str, task: Task, ways: Sequence[Way], repetitions: int
) -> Race:
    """Time a task in all ways, in turns, with the machine's peak in between."""
    torch.compiler.reset()  # too many kinds of input, and blocks would no longer be compiled
    lacking: dict[Way, str] = {}
    jobs: dict[Way, Job] = {}
    for way in ways:
        job = bench.job(task, way)
        reason = _warm_up(job)
        if reason is None:
            jobs[way] = job
        else:
            lacking[way] = reason
    size = PEAK_SIZES[bench.device.type]
    products = {name: matrix_product(dtype, bench.device, size) for name, dtype in DTYPES.items()}
    peaks = {name: job for name, (job, _) in products.items()}
    times = race({**jobs, **peaks}, repetitions, bench.device)
    return Race(
        model=model,
        task=task,
        flops=float(PASSES[task] * cost(bench.config).flops),
        seconds={way: times[way] for way in jobs},
        lacking=lacking,
        peak={name: flops / times[name] for name, (_, flops) in products.items()},
    )


def _warm_up(job: Job) -> str | None:
    """Run once; the reason if it cannot be compiled here."""
    try:
        job()
    except RuntimeError as error:
        if type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
            return "The network cannot be compiled here."
        raise
    return None


def plan(
    names: Sequence[str] | None, device: torch.device, quick: bool
) -> dict[str, tuple[LatteConfig, tuple[Task, ...]]]:
    """What is timed of which models: all tasks, but for large models on a CPU the first alone.

    Without names, those of MODELS for which there is memory.

    Raises:
        InputError: there is no such model, or not the memory for it.
    """
    free = free_bytes(device)
    planned: dict[str, tuple[LatteConfig, tuple[Task, ...]]] = {}
    for name in names or (MODELS[:1] if quick else MODELS):
        config = preset(name, num_classes=NUM_CLASSES)
        tasks: tuple[Task, ...] = ("forward", "training", "sampling")
        if device.type == "cpu" and cost(config).flops > LARGE:
            tasks = tasks[:1]
        if needed_bytes(config, tasks) > free:
            tasks = ("forward",)
        needed = needed_bytes(config, tasks)
        if needed <= free:
            planned[name] = config, tasks
        elif names or not planned:
            raise InputError(
                f"{name}: a pass forward in all ways takes about {needed / GIGABYTE:.1f} GB, and "
                f"{free / GIGABYTE:.1f} GB are free on {device}; choose a smaller --model"
            )
    return planned


def needed_bytes(config: LatteConfig, tasks: Sequence[Task]) -> float:
    """A rough estimate of the memory that all ways take together, in bytes."""
    numbers = 4.0 * cost(config).parameters
    layer = 4.0 * config.num_frames * config.patches_per_frame * config.hidden_size
    scores = 4.0 * config.num_frames * config.num_heads * config.patches_per_frame**2
    # Our weights, diffusers' copy of most, and those that autocast keeps in 16 bits.
    needed = 2.3 * numbers + 2 * (20 * layer + 3 * scores)
    if "training" in tasks:
        # Gradients, and for each of three networks AdamW's moments and the averages.
        needed += 10 * numbers + config.depth * (30 * layer + 1.5 * scores)
    return needed


def free_bytes(device: torch.device) -> float:
    """Free memory of the device; of a CPU as Linux says, and without limit elsewhere."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return 1024.0 * int(kilobytes)


def measure(
    planned: Mapping[str, tuple[LatteConfig, tuple[Task, ...]]],
    device: torch.device,
    ways: Sequence[Way],
    repetitions: int,
) -> list[Race]:
    """Every task of every model, one after the other."""
    races = []
    for name, (config, tasks) in planned.items():
        bench = Workbench(config, tuple(ways), device)
        large = cost(config).flops > LARGE
        for task in tasks:
            print(f"{name}: {TITLES[task]} …", file=sys.stderr)
            brief = device.type == "cpu" and (large or task != "forward")
            chosen = [way for way in ways if way in FEWER] if brief else ways
            races.append(run_race(bench, name, task, chosen, max(repetitions // (1 + brief), 1)))
    return races


def table(races: Sequence[Race], provenance: Provenance) -> Table:
    """One section for each task of each model."""
    return Table(
        title="Speed of the generator",
        caption="The same network with the same weights, computed in several ways; median times.",
        label_heading="Way",
        columns=COLUMNS,
        rows=tuple(row for race in races for row in race.rows()),
        remarks=(
            "plain: as the official code computes it. diffusers: its BasicTransformerBlock, the "
            "rest as plain. ours: `latte.model`, as `latte sample` and `latte train` run it.",
            "bf16: matrix products in bfloat16 (autocast).",
            "Share of peak: the FLOPs that our network needs, over the time, beside what a large "
            "matrix product of that type reached in the same run.",
        ),
        provenance=(provenance,),
    )


def run(
    *,
    out: Path,
    models: Sequence[str] | None = None,
    device: str = "auto",
    compiled: bool = True,
    quick: bool = False,
    repetitions: int = 5,
) -> None:
    """Time, write the documents of `speed_generator` into `out`, and print the table.

    Args:
        models: names of presets; by default MODELS, as far as there is memory.
        device: auto, cpu, cuda or cuda:N.
        compiled: also time our blocks compiled, which takes a C++ compiler on a CPU.
        quick: the first of MODELS alone, and fewer repetitions.

    Raises:
        InputError: a model or a device that is not there, or too little memory.
    """
    started = time.monotonic()
    chosen = choose_device(device, this_process())
    planned = plan(models, chosen, quick)
    left_out = {way for way in WAYS if way.compiled and not compiled}
    if importlib.util.find_spec("diffusers") is None:
        print("diffusers is not installed: its rows are left out", file=sys.stderr)
        left_out |= {way for way in WAYS if way.network == "diffusers"}
    ways = [way for way in WAYS if way not in left_out]
    try:
        with tensor_cores(chosen):
            races = measure(planned, chosen, ways, 2 if quick else repetitions)
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise InputError(f"memory of {chosen} has run out: choose a smaller --model") from error
        raise
    provenance = this_run(device=str(chosen), seconds=time.monotonic() - started)
    document = TableDocument(
        name="speed_generator",
        title="Speed of the generator",
        lead=" ".join(each.sentence for each in races),
        tables=[table(races, provenance)],
        section="speed-generator",  # as the folder
    )
    publish(document, out)


@contextmanager
def tensor_cores(device: torch.device) -> Iterator[None]:
    """TF32 for float32 on a GPU, for all ways, as the official scripts have it."""
    before = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
