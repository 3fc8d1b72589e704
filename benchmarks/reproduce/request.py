"""What `latte-bench reproduce` is asked to run, and with what."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells.scale import Scale, name_at
from latte.data.processes.cluster import Executor

TRAININGS = "trainings"  # folder of the cells that all figures share


@dataclass(frozen=True, kw_only=True)
class ReproduceRequest:
    """What is run, and at `paper` scale with what."""

    scale: Scale = "tiny"
    seeds: int | None = None
    workers: int | None = None
    only_available: bool = False
    # These apply at `paper` scale; None: as the runners have it.
    data_root: Path | None = None
    checkpoints: Path | None = None  # folder of the published models
    vae: str | None = None
    initialise_from: Path | None = None  # the file of DiT-XL/2
    executor: Executor | None = None
    nodes: int | None = None
    gpus: int | None = None
    slurm: tuple[str, ...] = ()
    vbench: tuple[str, ...] = ()  # results of VBench, `[NAME=]FILE`

    def trainings(self, results: Path) -> Path:
        """Folder of the trainings and cells that all figures share."""
        return results / name_at(TRAININGS, self.scale)
