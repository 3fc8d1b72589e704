"""How figures are made: scale, seeds, folders, devices; jobs at paper scale; clips to look at."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.cells.executors import training_resources
from benchmarks.cells.scale import Scale, name_at
from benchmarks.figures.designs import DATASET, SETUPS, VARIANTS
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import LATTE, SHAPES
from latte.data.datasets import default_data_root, open_dataset
from latte.data.processes.cluster import Executor, Resources
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet

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
    data_root: Path | None = None  # used at paper scale
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
        InputError: as `training_resources`.
    """

    # All of it is for paper scale.
    initialise_from: Path | None = None  # the file of DiT-XL/2
    executor: Executor = "local"
    nodes: int = 1
    gpus: int | None = None  # GPUs of each node; None: as many as the paper's batch takes
    slurm: tuple[str, ...] = ()  # options of sbatch: "partition=gpu"
    only_available: bool = False

    def __post_init__(self) -> None:
        _ = self.resources

    @property
    def resources(self) -> Resources:
        """Where jobs run, and what each of them has."""
        return training_resources(self.executor, self.nodes, self.gpus, self.slurm)


@dataclass(frozen=True, kw_only=True)
class SimilarityRequest(FigureRequest):
    """How figures that look into trained networks are made, and the clips that these are shown."""

    num_clips: int | None = None  # None: 256 on shapes, else 64
    checkpoint: Path | None = None  # network to look into, in place of trainings

    @property
    def dataset(self) -> str:
        """The data set whose held-out clips networks are shown."""
        return DATASET if self.scale == "paper" else "shapes"

    @property
    def protocol(self) -> Protocol:
        """How clips are taken; their length and size are the network's."""
        base, count = (LATTE, 64) if self.scale == "paper" else (SHAPES, 256)
        stride = SETUPS[self.scale].config_of(VARIANTS[2]).data.stride
        return replace(base, num_real=self.num_clips or count, real_stride=stride)

    def videos(self) -> VideoSet:
        """The videos that clips are taken from; of `shapes` no more than are needed."""
        if self.scale == "paper":
            return open_dataset(DATASET, data_root=self.root)
        return shapes_video_set(SHAPES.split, num_videos=self.protocol.num_real)
