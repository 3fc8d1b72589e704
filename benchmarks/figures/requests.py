"""How figures are made: scale, seeds, folders, devices, and at paper scale the executor."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells.executors import Executor, Resources
from benchmarks.cells.scale import Scale, name_at
from benchmarks.figures.designs import PAPER_GPUS, SETUPS
from latte.data.errors import InputError
from latte.data.layouts import default_data_root

MAX_ON_A_GPU = 4
DEFAULT_SEEDS: Mapping[Scale, int] = {"tiny": 3, "small": 3, "paper": 1}


@dataclass(frozen=True, kw_only=True)
class FigureRequest:
    """How a figure is made from trained networks."""

    scale: Scale = "tiny"
    seeds: int | None = None  # None: 3, and 1 at paper scale
    workers: int = 0
    cells: Path | None = None  # folder of trainings and cells, which all figures share
    device: str | None = None  # None: that of the scale
    data_root: Path | None = None  # for paper scale
    vae: str | None = None  # autoencoder, if another: folder or name on the hub

    @property
    def num_seeds(self) -> int:
        """Networks of each design."""
        return self.seeds or DEFAULT_SEEDS[self.scale]

    @property
    def folder(self) -> Path:
        """Folder of trainings and cells: results at different scales never mix."""
        return self.cells or Path("results") / name_at("trainings", self.scale)

    @property
    def root(self) -> Path:
        """Folder of the data sets."""
        return self.data_root or default_data_root()

    @property
    def run_device(self) -> str:
        """The device that networks run on."""
        return self.device or SETUPS[self.scale].device

    @property
    def max_workers(self) -> int:
        """Cells at a time: small ones leave most of a GPU idle, but not all of it."""
        on_gpu = self.run_device.startswith("cuda")
        return min(self.workers, MAX_ON_A_GPU) if on_gpu else self.workers


@dataclass(frozen=True, kw_only=True)
class TrainingRequest(FigureRequest):
    """How figures that compare trained designs are made.

    Raises:
        InputError: the paper's batch cannot be divided among so many processes.
    """

    # All of it is for paper scale.
    initialise_from: Path | None = None  # the file of DiT-XL/2
    executor: Executor = "local"
    nodes: int = 1
    gpus: int | None = None  # GPUs of each node; None: as many as the paper's batch takes
    slurm: tuple[str, ...] = ()  # options of sbatch: "partition=gpu"
    only_available: bool = False

    def __post_init__(self) -> None:
        resources = self.resources
        if PAPER_GPUS % resources.processes:
            raise InputError(
                f"--nodes {resources.nodes} --gpus {resources.gpus}: the paper's batch is of "
                f"{PAPER_GPUS} processes, so nodes × GPUs must divide {PAPER_GPUS}"
            )

    @property
    def resources(self) -> Resources:
        """Where jobs run, and what each of them has."""
        gpus = self.gpus or max(1, PAPER_GPUS // self.nodes)
        return Resources(executor=self.executor, nodes=self.nodes, gpus=gpus, slurm=self.slurm)
