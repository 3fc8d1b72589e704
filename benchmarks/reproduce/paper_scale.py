"""What the runners need at paper scale, and what they cost, before anything starts."""

import logging
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cells.requirements import Requirement, require, unmet
from benchmarks.figures import figure5, figure6, figure7, figure8, masks
from benchmarks.figures.curves.curves import CurveFigure
from benchmarks.figures.designs import VARIANTS, Design
from benchmarks.figures.paper.cells import remaining_cost
from benchmarks.figures.paper.cells import requirements as requirements_of_designs
from benchmarks.figures.requests import SimilarityRequest, TrainingRequest
from benchmarks.figures.similarity.probes import ProbeSpec, checkpoints
from benchmarks.figures.similarity.probes import requirements as requirements_of_probe
from benchmarks.reproduce.request import ReproduceRequest
from benchmarks.tables import table3, table5
from benchmarks.tables.paper_scale import requirements as requirements_of_column
from benchmarks.tables.request import TableRequest
from benchmarks.tables.table4 import RESULTS_OF_VBENCH
from benchmarks.tables.vbench import read_models

logger = logging.getLogger(__name__)

Parts = list[list[Requirement]]  # a part of a runner is run where its requirements are met


def runners_left_out(results: Path, request: ReproduceRequest) -> list[str]:
    """Say what there is to train, and which runners cannot run because something is missing.

    Returns:
        With `only_available`, the runners of which no part can be run.

    Raises:
        InputError: something is missing, and `only_available` is not given: one message with all of
            it. Or the results of VBench cannot be read, or the paper's batch cannot be divided.
    """
    trainings = training_request(results, request)
    needed = requirements_of_runners(trainings, request)
    every = [requirement for parts in needed.values() for part in parts for requirement in part]
    figures = [figure for group in _curve_figures().values() for figure in group]
    logger.info("%s", remaining_cost(_designs(*figures), trainings))
    if not request.only_available:
        require(every, "paper", or_else="--only-available runs what can be run")
    left_out = [name for name, parts in needed.items() if all(map(unmet, parts))]
    if left_out:
        lines = "".join(f"\n  - {requirement.line}" for requirement in unmet(every))
        logger.warning("left out: %s; missing:%s", ", ".join(left_out), lines)
    return left_out


def requirements_of_runners(
    trainings: TrainingRequest, request: ReproduceRequest
) -> dict[str, Parts]:
    """What each runner needs, part by part.

    Raises:
        InputError: the results of VBench cannot be read.
    """
    tables = TableRequest(
        scale="paper",
        checkpoints=request.checkpoints or Path("checkpoints"),
        data_root=request.data_root,
        vae=request.vae,
    )
    vbench = [] if read_models(request.vbench) else [RESULTS_OF_VBENCH]
    of_tables = {
        table.name: [requirements_of_column(column, tables) for column in table.columns]
        for table in (table3.TABLE, table5.TABLE)
    }
    of_curves = {
        name: [*requirements_of_designs(_designs(*figures), trainings).values()]
        for name, figures in _curve_figures().items()
    }
    of_similarities = {
        spec.name: [_requirements_of_probe(spec, trainings)]
        for spec in (figure6.SPEC, figure8.SPEC)
    }
    return {**of_tables, "table4": [vbench], **of_curves, **of_similarities}


def training_request(results: Path, request: ReproduceRequest) -> TrainingRequest:
    """The request of the figures whose networks are trained."""
    return TrainingRequest(
        scale="paper",
        seeds=request.seeds,
        cells=request.trainings(results),
        data_root=request.data_root,
        initialise_from=request.initialise_from,
        vae=request.vae,
        executor=request.executor or "local",
        nodes=request.nodes or 1,
        gpus=request.gpus,
        slurm=request.slurm,
    )


def _curve_figures() -> dict[str, list[CurveFigure]]:
    return {
        "figure5": [*figure5.figures("paper").values()],
        "figure7": [figure7.figure("paper")],
        "intext": [masks.figure("paper")],
    }


def _designs(*figures: CurveFigure) -> Sequence[Design]:
    return list(dict.fromkeys(d for figure in figures for d in figure.designs.values()))


def _requirements_of_probe(spec: ProbeSpec, trainings: TrainingRequest) -> list[Requirement]:
    """What probes networks that Figure 5f trained, or what trains them where some are missing."""
    request = SimilarityRequest(
        scale="paper",
        seeds=trainings.num_seeds,
        cells=trainings.cells,
        data_root=trainings.data_root,
        vae=trainings.vae,
    )
    if all(path.is_file() for path in checkpoints(spec, request).values()):
        return requirements_of_probe(spec, request)
    design = VARIANTS[spec.variant]
    return requirements_of_designs([design], trainings)[design]
