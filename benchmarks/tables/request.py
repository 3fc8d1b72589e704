"""What a table is asked to show, and what was measured for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells.cache import MeasuredCells
from benchmarks.cells.scale import Scale, name_at
from evaluation.results.files import ResultLine
from latte.data.errors import InputError
from latte.data.processes.cluster import Executor, Resources
from reports.table import Table

MIN_VIDEOS = 20  # clips in a set, below which intervals say nothing


@dataclass(frozen=True, kw_only=True)
class TableRequest:
    """Which results a table shows, what is measured besides, and how the work is done.

    Raises:
        InputError: too few videos.
    """

    results: tuple[str, ...] = ()  # files of `latte-eval`, or `[NAME=]FILE` of VBench
    scale: Scale | None = None  # None: nothing is measured
    cells: Path | None = None  # folder of measured cells, which tables share
    num_videos: int | None = None  # clips in each set; None: as many as the scale takes
    seeds: int = 1  # number of seeds, on shapes
    checkpoint: Path | None = None  # model of shapes; None: the bundled one
    workers: int = 0
    device: str | None = None  # None: the CPU on shapes, a GPU at `paper` scale
    store: Path | None = None  # folder of features; None: in the folder of the cells
    # What follows is for paper scale.
    checkpoints: Path = Path("checkpoints")  # folder of the published models
    data_root: Path | None = None
    vae: str | None = None
    trust_weights: bool = False  # run TorchScript even if its hash is not published
    executor: Executor = "local"
    gpus: int = 1  # GPUs of a job of Slurm; a run here takes all that are visible
    slurm: tuple[str, ...] = ()  # options of sbatch: "partition=gpu"
    only_available: bool = False

    def __post_init__(self) -> None:
        if self.num_videos is not None and self.num_videos < MIN_VIDEOS:
            raise InputError(f"--num-videos {self.num_videos}: must be at least {MIN_VIDEOS}")

    @property
    def resources(self) -> Resources:
        """Where jobs run, and what each of them has."""
        return Resources(executor=self.executor, gpus=self.gpus, slurm=self.slurm)

    @property
    def folder(self) -> Path:
        """Folder of the cells; results at different scales never mix."""
        return self.cells or Path("results") / name_at("methods", self.scale or "tiny")


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What was measured besides: more rows of the table, and tables below it."""

    lines: Sequence[ResultLine] = ()
    not_measured: Sequence[str] = ()  # sentences
    tables: Sequence[Table] = ()
    standings: Sequence[str] = ()  # sentences that say what these tables show
    cells: MeasuredCells | None = None
