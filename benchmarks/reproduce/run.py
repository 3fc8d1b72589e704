"""`latte-bench reproduce`: every runner in turn, then the report of all.

Each runner is a process of its own, so that its provenance says the command that repeats it alone,
and one that fails costs no other.
"""

import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from benchmarks.cells.executors import Executor
from benchmarks.cells.processes import run_children
from benchmarks.cells.requirements import (
    Requirement,
    require,
    unmet,
)
from benchmarks.cells.scale import Scale, name_at
from benchmarks.runners import Runner, reproduced
from latte.data.errors import FailedRunError

if TYPE_CHECKING:
    from benchmarks.figures.requests import TrainingRequest
    from benchmarks.figures.similarity_probes import ProbeSpec

TRAININGS = "trainings"  # folder of the cells that all figures share


@dataclass(frozen=True, kw_only=True)
class ReproduceRequest:
    """What is run, and at `paper` scale with what."""

    scale: Scale = "tiny"
    seeds: int | None = None
    workers: int | None = None
    only_available: bool = False
    # At `paper` scale; None: as the runners have it.
    data_root: Path | None = None
    checkpoints: Path | None = None  # folder of the published models
    vae: str | None = None
    initialise_from: Path | None = None  # the file of DiT-XL/2
    executor: Executor | None = None
    nodes: int | None = None
    gpus: int | None = None
    slurm: tuple[str, ...] = ()
    vbench: tuple[str, ...] = ()  # results of VBench, `[NAME=]FILE`


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a runner ended."""

    name: str
    code: int
    seconds: float

    @property
    def words(self) -> str:
        """For the table that is printed."""
        return {0: "done", 2: "bad input, or stopped"}.get(self.code, f"failed ({self.code})")


def run(out: Path, request: ReproduceRequest) -> None:
    """Run everything at a scale into the folder of results, then `latte-bench report`.

    Everything goes on where it was: what is measured is kept.

    Raises:
        InputError: at `paper` scale something is missing, before anything starts: one message with
            all that any runner lacks.
        FailedRunError: some runners failed.
    """
    without = runners_without_requirements(out, request) if request.scale == "paper" else ()
    commands = runner_commands(out, request, without=without)
    endings = []
    for number, (name, options) in enumerate(commands, 1):
        print(f"[{number}/{len(commands)}] latte-bench {' '.join([name, *options])}", flush=True)
        endings.append(_run(name, options))
    rows = [(ending.name, ending.words, f"{ending.seconds:.0f} s") for ending in endings]
    print(tabulate(rows, headers=("runner", "ended", "took"), disable_numparse=True))
    _end(endings)


def runners_without_requirements(results: Path, request: ReproduceRequest) -> list[str]:
    """With `only_available`, the runners of which nothing can be run; they are told, and left out.

    Raises:
        InputError: something is missing, and `only_available` is not given.
    """
    needed = needed_at_paper_scale(results, request)
    every = [each for parts in needed.values() for part in parts for each in part]
    if not request.only_available:
        require(every, "paper", or_else="--only-available runs what can be run")
    left_out = [name for name, parts in needed.items() if all(map(unmet, parts))]
    if left_out:
        lines = "".join(f"\n  - {each.line}" for each in unmet(every))
        print(f"left out: {', '.join(left_out)}; not here:{lines}", file=sys.stderr, flush=True)
    return left_out


def needed_at_paper_scale(
    results: Path, request: ReproduceRequest
) -> dict[str, list[list[Requirement]]]:
    """What each runner needs, part by part: a part is run where all that it needs is here.

    Args:
        results: the folder of results: of what is trained there the weights are enough.

    Raises:
        InputError: the results of VBench cannot be read, or the batch cannot be made on the GPUs.
    """
    # What follows opens networks and data sets: most runs need none of it.
    from benchmarks.figures import figure5, figure6, figure7, figure8, masks, paper_cells
    from benchmarks.figures.curves import CurveFigure
    from benchmarks.figures.requests import TrainingRequest
    from benchmarks.tables import table3 as table3_fvd
    from benchmarks.tables import table5 as table5_is_fid
    from benchmarks.tables.paper_scale import requirements as requirements_of_column
    from benchmarks.tables.published import PublishedTable
    from benchmarks.tables.request import TableRequest

    trainings = TrainingRequest(
        scale="paper",
        seeds=request.seeds,
        cells=results / name_at(TRAININGS, "paper"),
        data_root=request.data_root,
        initialise_from=request.initialise_from,
        vae=request.vae,
        executor=request.executor or "local",
        nodes=request.nodes or 1,
        gpus=request.gpus,
        slurm=request.slurm,
    )
    measurements = TableRequest(
        checkpoints=request.checkpoints or Path("checkpoints"),
        data_root=request.data_root,
        vae=request.vae,
    )

    def of_figures(*figures: CurveFigure) -> list[list[Requirement]]:
        designs = [design for figure in figures for design in figure.designs.values()]
        return [*paper_cells.requirements(designs, trainings).values()]

    def of_table(table: PublishedTable) -> list[list[Requirement]]:
        return [requirements_of_column(each, measurements) for each in table.columns]

    return {
        "table3": of_table(table3_fvd.TABLE),
        "table4": [[_vbench_results(request)]],
        "table5": of_table(table5_is_fid.TABLE),
        "figure5": of_figures(*(figure5.figure(letter, "paper") for letter in figure5.LETTERS)),
        "figure6": [_to_look(figure6.SPEC, trainings)],
        "figure7": of_figures(figure7.figure("paper")),
        "figure8": [_to_look(figure8.SPEC, trainings)],
        "intext": of_figures(masks.figure("paper")),
    }


def _to_look(spec: "ProbeSpec", trainings: "TrainingRequest") -> list[Requirement]:
    """What looks into networks that Figure 5f has trained; if some are not, what trains them."""
    from benchmarks.figures import paper_cells, similarity
    from benchmarks.figures.designs import VARIANTS
    from benchmarks.figures.requests import SimilarityRequest

    request = SimilarityRequest(
        scale="paper",
        seeds=trainings.num_seeds,
        cells=trainings.cells,
        data_root=trainings.data_root,
        vae=trainings.vae,
    )
    if all(path.is_file() for path in similarity.checkpoints(spec, request).values()):
        return similarity.requirements(spec, request)
    design = VARIANTS[spec.variant]
    return paper_cells.requirements([design], trainings)[design]


def _vbench_results(request: ReproduceRequest) -> Requirement:
    from benchmarks.tables.vbench import read_models

    return Requirement(
        name="a results file of VBench",
        met=bool(read_models(request.vbench)),
        advice="`latte-bench table4 --scale paper` says how to make one; give it with --vbench",
    )


def runner_commands(
    results: Path, request: ReproduceRequest, *, without: Collection[str] = ()
) -> list[tuple[str, list[str]]]:
    """Names of runners with their options, the report at the end."""
    commands = [
        (runner.name, options_of(runner, results, request))
        for runner in reproduced()
        if runner.name not in without
    ]
    return [*commands, ("report", ["--results", str(results), "--scale", request.scale])]


def options_of(runner: Runner, results: Path, request: ReproduceRequest) -> list[str]:
    """What a runner is given of the request: the options that it takes."""
    scale = request.scale if runner.scales else "tiny"
    cells = "methods" if runner.kind == "table" else TRAININGS
    words: dict[str, tuple[str, object]] = {  # by option
        "scale": ("--scale", scale),
        "optional_scale": ("--scale", scale),
        "out": ("--out", results / name_at(runner.name, scale)),
        "workers": ("--workers", request.workers),
        # One store: the demo, the tables and the sensitivity measure the same real videos.
        "store": ("--store", results / "features"),
        "cells": ("--cells", results / name_at(cells, scale)),
        "seeds": ("--seeds", request.seeds if runner.kind == "figure" else None),
        "data_root": ("--data-root", request.data_root),
        "checkpoints": ("--checkpoints", request.checkpoints),
        "vae": ("--vae", request.vae),
        "network_vae": ("--vae", request.vae),
        "initialise_from": ("--initialise-from", request.initialise_from),
        "executor": ("--executor", request.executor),
        "nodes": ("--nodes", request.nodes),
        "gpus": ("--gpus", request.gpus),
    }
    taken = [words[option] for option in runner.options if option in words]
    if "vbench_results" in runner.options:
        taken += [("--results", file) for file in request.vbench]
    if "slurm" in runner.options:
        taken += [("--slurm", option) for option in request.slurm]
    options = [part for flag, value in taken if value is not None for part in (flag, str(value))]
    if request.only_available and "only_available" in runner.options:
        options.append("--only-available")
    return [*options, *runner.reproduce_options]


def _run(name: str, options: Sequence[str]) -> Ending:
    started = time.monotonic()
    # The name of the command, for the provenance, is that of the file that is run.
    program = Path(sys.executable).with_name("latte-bench")
    command = [str(program)] if program.exists() else [sys.executable, "-m", "benchmarks"]
    (ended,) = run_children([[*command, name, *options]])
    return Ending(name=name, code=ended.code, seconds=time.monotonic() - started)


def _end(endings: Sequence[Ending]) -> None:
    failed = [ending for ending in endings if ending.code]
    if failed:
        names = ", ".join(ending.name for ending in failed)
        raise FailedRunError(
            f"{names} ended early, as said above; the others are kept: give the command again",
            fixable=all(ending.code == 2 for ending in failed),
        )
