"""Curves of distances over training: the figures that show them, and how they are measured.

Distances are positive and scatter by factors, so means over seeds are geometric, and designs are
compared by the ratio of their distances, seed by seed: seeds that share everything but the design
share their data and noise, which cancels in the ratio.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeAlias

import numpy as np
from msgspec import Meta

from benchmarks.cells.cache import FILE, CellRecord
from benchmarks.cells.requirements import gpus, require
from benchmarks.documents.claims import Claim
from benchmarks.documents.numbers import BoundedNumber, geometric_mean
from benchmarks.figures.designs import SETUPS, Design, DesignCells
from benchmarks.figures.paper.cells import measure_paper_cells
from benchmarks.figures.requests import TrainingRequest
from benchmarks.figures.trainings import Training, run_trainings
from latte.data.schema import Positive, convert
from latte.sampling.devices import choose_device

END = -1  # index of the last checkpoint
# Steps with values and the ends of their intervals, for each interval of the real clips.
Rows: TypeAlias = Annotated[list[tuple[int, Positive, Positive, Positive]], Meta(min_length=1)]
Points: TypeAlias = Annotated[list[Rows], Meta(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The curves of a figure."""

    steps: tuple[int, ...]  # training steps of the checkpoints
    # Values with intervals, one for each checkpoint, by label and seed; no seeds: not measured.
    designs: Mapping[str, Mapping[int, Sequence[BoundedNumber]]]

    def shared(self, *labels: str) -> list[int]:
        """Seeds that all of these designs have."""
        return sorted(set.intersection(*(set(self.designs.get(label, {})) for label in labels)))

    def mean(self, label: str, place: int) -> BoundedNumber | None:
        """Mean of a design at a checkpoint; None where it was not measured."""
        values = [curve[place].value for curve in self.designs.get(label, {}).values()]
        return geometric_mean(values) if values else None

    def point(self, label: str, place: int) -> BoundedNumber | None:
        """Mean with its interval; that of one seed alone is the interval of its samples."""
        mean, seeds = self.mean(label, place), self.designs.get(label, {})
        if mean is None or len(seeds) > 1:
            return mean
        (curve,) = seeds.values()
        return replace(curve[place], value=mean.value)

    def ratios(self, first: str, second: str, places: Sequence[int]) -> dict[int, float]:
        """log(second ÷ first) of each seed that has both, its mean over checkpoints."""
        a, b = self.designs[first], self.designs[second]
        return {
            seed: float(
                np.mean([math.log(b[seed][place].value / a[seed][place].value) for place in places])
            )
            for seed in self.shared(first, second)
        }


@dataclass(frozen=True, kw_only=True)
class CurveFigure:
    """A figure of the paper: designs by the labels that it gives them, and what it claims."""

    name: str  # begins the names of the files: "figure5a"
    title: str  # heads the drawing and the tables: "Patch embedding"
    heading: str  # heads the section: "Figure 5a: Patch embedding"
    designs: Mapping[str, Design]
    claims: tuple[Claim[Curves], ...]
    remarks: tuple[str, ...] = ()  # how this differs from the paper's figure
    # A remark that follows from the cells.
    computed: Callable[["CurveFigure", "DesignCells"], str] | None = None
    letter: str = ""  # letter of a panel

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
    setup, device, folder = SETUPS[request.scale], request.run_device, request.folder
    or_else = "--device cpu takes days" if request.device is None else ""
    require([gpus()] if device.startswith("cuda") else [], request.scale, or_else=or_else)
    choose_device(device)  # refused once, not for each cell
    # All designs of a seed come before those of the next: an interruption leaves whole comparisons.
    trainings = {
        (design, seed): Training(
            design=design, setup=setup, seed=seed, folder=folder, device=device
        )
        for seed in range(request.num_seeds)
        for design in designs
    }
    measured = run_trainings(list(trainings.values()), workers=request.max_workers)
    measured.raise_if_empty()
    keys = {place: training.key for place, training in trainings.items()}
    return DesignCells(measured=measured, keys=keys)


def detail(cell: CellRecord, name: str, kind: Any) -> Any:
    """Something that a cell has in its details, of this type.

    Raises:
        InputError: the file of cells was changed by hand.
    """
    where = f"{FILE}, {cell.key} ({cell.name}): remove its line, and it is measured again"
    return convert(cell.details.get(name), kind, where)


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
            points: list[Rows] = detail(cell, "points", Points)
            # A cell whose own interval is the usual one has one list of points for both.
            rows = points[min(stride, len(points) - 1)]
            steps = tuple(step for step, *_ in rows)
            designs[label][seed] = [
                BoundedNumber(value=value, low=low, high=high) for _, value, low, high in rows
            ]
    return Curves(steps=steps, designs=designs)
