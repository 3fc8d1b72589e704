"""Figures 6 and 8: which networks are looked into, and a run that writes the documents.

At the small scales the networks are cells of Figure 5f: trained once, by whoever comes first, and
kept. One line of the file of cells has all that was measured in a network; documents are made of
these lines alone.
"""

from pathlib import Path

from benchmarks.cells.cache import FILE, MeasuredCells, measure_cells
from benchmarks.cells.requirements import (
    Requirement,
    autoencoder_of,
    data_set,
    file,
    gpus,
    package,
    require,
)
from benchmarks.documents.claims import JudgedClaim
from benchmarks.documents.figures import write_figure_document
from benchmarks.figures.designs import DATASET, SETUPS, VARIANTS
from benchmarks.figures.paper.training import PaperTraining
from benchmarks.figures.requests import SimilarityRequest, TrainingRequest
from benchmarks.figures.similarity.documents import similarity_document
from benchmarks.figures.similarity.probes import ProbeSpec, ProbeTask, probe_network
from benchmarks.figures.trainings import Training
from evaluation.similarity.hidden_states.checkpoint import encoder_identity
from latte.data.errors import InputError
from latte.data.hashing import file_sha256
from latte.sampling.processes import Process, choose_device


def run_similarity(spec: ProbeSpec, out: Path, request: SimilarityRequest) -> list[JudgedClaim]:
    """Measure what is not measured yet, and write a figure's documents into `out`.

    Returns:
        The paper's claims, judged at each timestep.

    Raises:
        InputError: something is missing that the scale needs, or there is no such device.
        FailedCellsError: networks could not be measured; the documents of the others are written
            before.
    """
    measured = probe_networks(spec, request)
    claims: tuple[JudgedClaim, ...] = ()
    if measured.cells:
        document = similarity_document(spec, [*measured.cells.values()], request)
        write_figure_document(document, out)
        claims = document.claims
    measured.raise_if_failed()
    return list(claims)


def probe_networks(spec: ProbeSpec, request: SimilarityRequest) -> MeasuredCells:
    """Measure every network that a figure shows, each once; train those that are not trained yet.

    Returns:
        A cell for each network that could be measured, by seed.

    Raises:
        InputError: something is missing that the scale needs: one message with all of it, before
            anything starts; or there is no such device.
    """
    if request.vae is not None and request.checkpoint is None and request.scale != "paper":
        raise InputError("--vae is the autoencoder of a --checkpoint, and none is given")
    if request.checkpoint is not None and request.checkpoint.is_dir():
        raise InputError(f"{request.checkpoint} is a folder: --checkpoint takes a file")
    require(requirements(spec, request), request.scale)
    choose_device(request.run_device, Process())  # refused once, not for each network
    tasks, path = probe_tasks(spec, request), request.folder / FILE
    return measure_cells(tasks, probe_network, path, workers=request.max_workers)


def probe_tasks(spec: ProbeSpec, request: SimilarityRequest) -> list[ProbeTask]:
    """One for each seed; of a checkpoint a single one."""
    if request.checkpoint is not None or request.scale == "paper":
        return [
            ProbeTask(
                spec=spec,
                request=request,
                source=path,
                content=file_sha256(path),
                encoder=encoder_identity(path, autoencoder=request.vae),
            )
            for path in checkpoints(spec, request).values()
        ]
    trainings = [
        Training(
            design=VARIANTS[spec.variant],
            setup=SETUPS[request.scale],
            seed=seed,
            folder=request.folder,
            device=request.run_device,
        )
        for seed in range(request.num_seeds)
    ]
    return [ProbeTask(spec=spec, request=request, source=x, content=x.key) for x in trainings]


def checkpoints(spec: ProbeSpec, request: SimilarityRequest) -> dict[str, Path]:
    """Files of networks that are looked into, by name, whether they exist or not.

    The one of --checkpoint, else those that Figure 5f trains at `paper` scale, one for each seed.
    """
    name = f"a trained network of variant {spec.variant}"
    if request.checkpoint is not None:
        return {name: request.checkpoint}
    trainings = TrainingRequest(
        scale="paper", cells=request.folder, data_root=request.data_root, vae=request.vae
    )
    design = VARIANTS[spec.variant]
    return {
        f"{name}, seed {seed}": PaperTraining(design=design, seed=seed, request=trainings).weights
        for seed in range(request.num_seeds)
    }


def requirements(spec: ProbeSpec, request: SimilarityRequest) -> list[Requirement]:
    """What a figure needs to look into networks, and whether it is available."""
    needed = []
    if request.scale == "paper" or request.checkpoint is not None:
        advice, networks = _advice(spec, request), checkpoints(spec, request)
        needed += [file(name, path, advice) for name, path in networks.items()]
    if request.scale == "paper":
        first = next(iter(networks.values()))
        needed += [
            data_set(DATASET, request.root),
            package("diffusers", "sd"),
            *autoencoder_of(first, request.vae),
        ]
    if request.run_device.startswith("cuda"):
        needed.append(gpus())
    return needed


def _advice(spec: ProbeSpec, request: SimilarityRequest) -> str:
    """How to get a network that the clips of the scale fit."""
    if request.scale == "paper":
        return (
            f"`latte-bench figure5f --scale paper` trains it, with its cells in {request.folder}, "
            "or give fewer --seeds, or another network with --checkpoint"
        )
    config = SETUPS[request.scale].config
    return (
        f"`latte train {config} --set model.variant={spec.variant}` makes one, or "
        "leave --checkpoint out, and networks are trained for this figure"
    )
