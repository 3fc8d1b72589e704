"""Figures that compare designs over training: what they show, and how their cells are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells.cache import FILE, CellRecord, MeasuredCells
from benchmarks.cells.requirements import (
    gpus,
    require,
)
from benchmarks.cells.scale import Scale, name_at
from benchmarks.documents.claims import Claim, Outcome, Points
from benchmarks.figures.designs import SETUPS, Design, training_of
from benchmarks.figures.paper_commands import GPUS
from benchmarks.figures.trainings import Training, run_trainings, with_seed
from latte.data.errors import InputError

MOST_ON_A_GPU = 4  # cells at a time: small ones leave most of a GPU idle
# Of which the paper's batch can be made; see `--gpus`.
NUMBERS_OF_GPUS = tuple(count for count in range(1, GPUS + 1) if GPUS % count == 0)


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """A figure of the paper: designs by the labels that it gives them, and what it claims."""

    name: str  # of the command: "figure5a"
    title: str
    designs: Mapping[str, Design]
    claims: tuple[Claim, ...]
    remarks: tuple[str, ...] = ()  # how this differs from the paper's figure


@dataclass(frozen=True, kw_only=True)
class Request:
    """How a figure is made.

    Raises:
        InputError: the paper's batch cannot be made on so many GPUs.
    """

    scale: Scale = "tiny"
    seeds: int = 3
    workers: int = 0
    cells: Path | None = None  # folder of the cells, which all figures share
    device: str | None = None  # None: that of the scale
    data_root: Path | None = None  # at `paper` scale
    initialise_from: Path | None = None  # at `paper` scale: the file of DiT-XL/2
    vae: str | None = None  # at `paper` scale: folder or hub name of Stable Diffusion's, if another
    gpus: int = GPUS  # at `paper` scale
    only_available: bool = False

    def __post_init__(self) -> None:
        if self.gpus not in NUMBERS_OF_GPUS:
            few, most = NUMBERS_OF_GPUS[:-1], NUMBERS_OF_GPUS[-1]
            raise InputError(
                f"--gpus {self.gpus}: the paper's batch is of {GPUS} processes; give "
                f"{', '.join(map(str, few))} or {most}"
            )

    @property
    def folder(self) -> Path:
        """Where cells are: results at different scales never mix."""
        return self.cells or Path("results") / name_at("trainings", self.scale)


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The cells of some figures."""

    finished: MeasuredCells
    keys: Mapping[tuple[Design, int], str]  # by design and seed
    reasons: Mapping[Design, str]  # why a design was not trained

    def of(self, design: Design) -> dict[int, CellRecord]:
        """What is measured of a design, by seed."""
        found = {seed: key for (each, seed), key in self.keys.items() if each == design}
        return {
            seed: self.finished.cells[key]
            for seed, key in found.items()
            if key in self.finished.cells
        }


def make_cells(ablations: Sequence[Ablation], request: Request) -> Cells:
    """Train and measure every design of these figures, from every seed, each once.

    Raises:
        InputError: something is missing that the scale needs: one message with all of it, before
            anything starts.
    """
    designs = list(dict.fromkeys(d for each in ablations for d in each.designs.values()))
    if request.scale == "paper":
        from benchmarks.figures.paper_trainings import make_paper_cells

        return make_paper_cells(designs, request)
    setup = SETUPS[request.scale]
    on_gpu = (request.device or setup.device).startswith("cuda")
    or_else = "--device cpu takes days" if request.device is None else ""
    require([gpus()] if on_gpu else [], request.scale, or_else=or_else)
    from latte.sampling.processes import Process, choose_device

    choose_device(request.device or setup.device, Process())  # refused once, not for each cell
    workers = min(request.workers, MOST_ON_A_GPU) if on_gpu else request.workers
    trainings = {
        design: training_of(design, setup, request.folder, device=request.device)
        for design in designs
    }
    finished = run_trainings(
        list(trainings.values()), request.seeds, request.folder, workers=workers
    )
    finished.raise_if_empty()
    return Cells(finished=finished, keys=_keys(trainings, request.seeds), reasons={})


def outcome(ablation: Ablation, cells: Cells, *, stride: int = 0) -> Outcome:
    """What a figure shows.

    Args:
        stride: the place of the real clips' sampling interval in a cell's `strides`.
    """
    found = {label: cells.of(design) for label, design in ablation.designs.items()}
    steps: tuple[int, ...] = ()
    designs: dict[str, dict[int, Points]] = {}
    for label, by_seed in found.items():
        designs[label] = {}
        for seed, cell in by_seed.items():
            rows = _rows(cell, stride)
            steps = tuple(int(row[0]) for row in rows)
            values, low, high = (tuple(row[i] for row in rows) for i in (1, 2, 3))
            designs[label][seed] = Points(values=values, low=low, high=high)
    return Outcome(steps=steps, designs=designs)


def _rows(cell: CellRecord, stride: int) -> list[list[float]]:
    """[step, value, low, high] of each checkpoint.

    Raises:
        InputError: the file was changed by hand.
    """
    try:
        every = cell.details["points"]
        # A cell whose own interval is the usual one has one list of points for both.
        rows: list[list[float]] = every[min(stride, len(every) - 1)]
        if rows and all(len(row) == 4 and min(row[1:]) > 0 for row in rows):
            return rows
    except (KeyError, TypeError, IndexError):
        pass
    raise InputError(
        f"the cell {cell.key} ({cell.name}) holds no distances over training: remove its line from "
        f"{FILE}, and it is measured again"
    )


def _keys(trainings: Mapping[Design, Training], seeds: int) -> dict[tuple[Design, int], str]:
    return {
        (design, seed): with_seed(training, seed).key
        for design, training in trainings.items()
        for seed in range(seeds)
    }
