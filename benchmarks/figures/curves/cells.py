"""Figures that compare designs by a distance over training: their cells and curves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from benchmarks.cells.cache import FILE
from benchmarks.cells.requirements import gpus, require
from benchmarks.documents.claims import Claim
from benchmarks.documents.numbers import BoundedNumber
from benchmarks.figures.curves.claims import Curves
from benchmarks.figures.designs import SETUPS, Design, DesignCells
from benchmarks.figures.paper.cells import measure_paper_cells
from benchmarks.figures.requests import TrainingRequest
from benchmarks.figures.trainings import Training, run_trainings
from latte.data.schema import Positive, convert
from latte.sampling.processes import choose_device

Point: TypeAlias = tuple[int, Positive, Positive, Positive]  # step, value and its interval's ends


@dataclass(frozen=True, kw_only=True)
class CurveFigure:
    """A figure of the paper: designs by the labels that it gives them, and what it claims."""

    name: str  # name of the command: "figure5a"
    title: str
    designs: Mapping[str, Design]
    claims: tuple[Claim[Curves], ...]
    remarks: tuple[str, ...] = ()  # how this differs from the paper's figure
    # A remark that follows from the cells.
    computed: Callable[["CurveFigure", "DesignCells"], str] | None = None
    letter: str = ""  # letter of a panel

    @property
    def heading(self) -> str:
        """ "Figure 5a: Patch embedding", or the title alone of what is no figure of the paper."""
        number = self.name.removeprefix("figure")
        return self.title if number == self.name else f"Figure {number}: {self.title}"

    @property
    def panel_title(self) -> str:
        """The title with the paper's letter: "(a) Patch embedding"."""
        return f"({self.letter}) {self.title}" if self.letter else self.title


def measure_designs(figures: Sequence[CurveFigure], request: TrainingRequest) -> DesignCells:
    """Train and measure every design of these figures, from every seed, each once.

    Raises:
        InputError: something is missing that the scale needs: one message with all of it, before
            anything starts.
        FailedCellsError: no cell could be measured.
    """
    designs = list(dict.fromkeys(d for figure in figures for d in figure.designs.values()))
    if request.scale == "paper":
        return measure_paper_cells(designs, request)
    setup, device = SETUPS[request.scale], request.run_device
    or_else = "--device cpu takes days" if request.device is None else ""
    require([gpus()] if device.startswith("cuda") else [], request.scale, or_else=or_else)
    choose_device(device)  # refused once, not for each cell
    trainings = {
        design: Training(design=design, setup=setup, folder=request.folder, device=device)
        for design in designs
    }
    measured = run_trainings(
        list(trainings.values()), request.num_seeds, request.folder, workers=request.max_workers
    )
    measured.raise_if_empty()
    keys = {
        (design, seed): replace(training, seed=seed).key
        for design, training in trainings.items()
        for seed in range(request.num_seeds)
    }
    return DesignCells(measured=measured, keys=keys)


def curves_of(figure: CurveFigure, cells: DesignCells, *, stride: int = 0) -> Curves:
    """The curves that a figure shows.

    Args:
        stride: index of the real clips' sampling interval in a cell's `strides`.

    Raises:
        InputError: the file of cells was changed by hand.
    """
    steps: tuple[int, ...] = ()
    designs: dict[str, dict[int, list[BoundedNumber]]] = {}
    for label, design in figure.designs.items():
        designs[label] = {}
        for seed, cell in cells.of(design).items():
            where = f"{FILE}, {cell.key} ({cell.name}): remove its line, and it is measured again"
            points = convert(cell.details.get("points"), list[list[Point]], where)
            # A cell whose own interval is the usual one has one list of points for both.
            rows = points[min(stride, len(points) - 1)]
            steps = tuple(step for step, *_ in rows)
            designs[label][seed] = [
                BoundedNumber(value=value, low=low, high=high) for _, value, low, high in rows
            ]
    return Curves(steps=steps, designs=designs)
