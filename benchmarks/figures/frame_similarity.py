"""How alike frames are inside trained networks, for Figures 6 and 8: which ones, and a run.

At the small scales the networks are cells of Figure 5f: trained once, by whoever comes first, and
kept. One line of the file of cells has all that was measured in a network; documents are made of
these lines alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cells.cache import FILE, CellRecord, MeasuredCells, measure_cells
from benchmarks.cells.requirements import (
    Requirement,
    autoencoder_of,
    data_set,
    default_data_root,
    file,
    gpus,
    package,
    require,
)
from benchmarks.cells.scale import Scale, name_at
from benchmarks.documents.claims import JudgedClaim
from benchmarks.figures.curves import MAX_ON_A_GPU
from benchmarks.figures.designs import SETUPS, VARIANTS, training_of
from benchmarks.figures.requests import TrainingRequest
from benchmarks.figures.similarity_clips import DATASET, Clips
from benchmarks.figures.similarity_networks import Look, SimilarityTask, measure_network
from benchmarks.figures.trainings import with_seed
from latte.data.errors import InputError

if TYPE_CHECKING:
    from benchmarks.figures.similarity_drawings import SimilarityFigure


@dataclass(frozen=True, kw_only=True)
class SimilarityRequest:
    """How a figure is made."""

    scale: Scale = "tiny"
    seeds: int = 3
    num_clips: int | None = None  # None: 256 on shapes, else 64
    workers: int = 0
    cells: Path | None = None  # folder of trainings and cells, which all figures share
    device: str | None = None  # as of `device_or_default`; None: that of the scale
    checkpoint: Path | None = None  # in place of trainings
    vae: str | None = None  # of the networks, if not the one that they name
    data_root: Path | None = None  # at `paper` scale

    @property
    def folder(self) -> Path:
        """Where trainings and cells are: results at different scales never mix."""
        return self.cells or Path("results") / name_at("trainings", self.scale)

    @property
    def place(self) -> str:
        """The device."""
        return self.device or ("cuda" if self.scale == "paper" else SETUPS[self.scale].device)

    @property
    def clips(self) -> Clips:
        """What networks are shown at this scale."""
        if self.scale == "paper":
            return Clips(
                dataset=DATASET,
                count=self.num_clips or 64,
                stride=SETUPS["paper"].config_of(VARIANTS[2]).data.stride,
                data_root=self.data_root,
            )
        stride = SETUPS[self.scale].config_of(VARIANTS[2]).data.stride
        return Clips(dataset="shapes", count=self.num_clips or 256, stride=stride)


def run_similarity(
    look: Look,
    figure: Callable[[Sequence[CellRecord]], "SimilarityFigure"],
    out: Path,
    request: SimilarityRequest,
) -> list[JudgedClaim]:
    """Measure what is not measured yet, and write a figure's documents into `out`.

    Args:
        figure: what it shows, given the networks that could be measured.
    """
    cells, ended = look_into_networks(look, request)
    found: list[JudgedClaim] = []
    if cells:
        from benchmarks.figures.similarity_documents import write_similarity

        found = write_similarity(figure(cells), cells, request, out)
    ended.raise_if_failed()
    return found


def look_into_networks(
    look: Look, request: SimilarityRequest
) -> tuple[list[CellRecord], MeasuredCells]:
    """Measure every network that a figure shows, each once; train those that are not trained yet.

    Returns:
        A cell for each network that could be measured, by seed, and how the run ended.

    Raises:
        InputError: something is missing that the scale needs: one message with all of it, before
            anything starts; or there is no such device.
    """
    _require(look, request)
    tasks = similarity_tasks(look, request)
    most = MAX_ON_A_GPU if request.place.startswith("cuda") else request.workers
    workers = min(request.workers, most)
    ended = measure_cells(tasks, measure_network, request.folder / FILE, workers=workers)
    return [ended.cells[task.key] for task in tasks if task.key in ended.cells], ended


def similarity_tasks(look: Look, request: SimilarityRequest) -> list[SimilarityTask]:
    """One for each seed; of a checkpoint a single one."""
    common: dict[str, Any] = {
        "look": look,
        "clips": request.clips,
        "device": request.place,
    }
    if request.checkpoint is not None or request.scale == "paper":
        return [
            _of_checkpoint(path, request, common) for path in checkpoints(look, request).values()
        ]
    setup = SETUPS[request.scale]
    training = training_of(VARIANTS[look.variant], setup, request.folder, device=request.place)
    trainings = [with_seed(training, seed) for seed in range(request.seeds)]
    return [
        SimilarityTask(training=each, checkpoint=None, content=each.key, **common)
        for each in trainings
    ]


def checkpoints(look: Look, request: SimilarityRequest) -> dict[str, Path]:
    """Files of networks that are looked into, by name, whether they are there or not.

    The one that is given, else those that Figure 5f trains at `paper` scale, one for each seed.
    """
    name = f"a trained network of variant {look.variant}"
    if request.checkpoint is not None:
        return {name: request.checkpoint}
    from benchmarks.figures.paper_cells import paper_training

    trainings = TrainingRequest(
        scale="paper", cells=request.folder, data_root=request.data_root, vae=request.vae
    )
    return {
        f"{name}, seed {seed}": paper_training(VARIANTS[look.variant], seed, trainings).weights
        for seed in range(request.seeds)
    }


def _of_checkpoint(
    path: Path, request: SimilarityRequest, common: Mapping[str, Any]
) -> SimilarityTask:
    from evaluation.networks.downloads import digest
    from evaluation.similarity.hidden_states.checkpoint import encoder_identity

    return SimilarityTask(
        training=None,
        checkpoint=path,
        content=digest(path).sha256,
        vae=request.vae,
        encoder=encoder_identity(path, autoencoder=request.vae),
        **common,
    )


def _require(look: Look, request: SimilarityRequest) -> None:
    from latte.sampling.processes import Process, choose_device

    if request.vae is not None and request.checkpoint is None and request.scale != "paper":
        raise InputError("--vae is the autoencoder of a --checkpoint, and none is given")
    if request.checkpoint is not None and request.checkpoint.is_dir():
        raise InputError(f"{request.checkpoint} is a folder: --checkpoint takes a file")
    require(requirements(look, request), request.scale)
    choose_device(request.place, Process())  # refused once, not for each network


def requirements(look: Look, request: SimilarityRequest) -> list[Requirement]:
    """What a figure needs to look into networks, and whether it is here."""
    needed = []
    if request.scale == "paper" or request.checkpoint is not None:
        how = _how_to_get(look, request)
        networks = checkpoints(look, request)
        needed += [file(name, path, how) for name, path in networks.items()]
    if request.scale == "paper":
        first = next(iter(networks.values()))
        needed += [
            data_set(DATASET, request.data_root or default_data_root()),
            package("diffusers", "sd"),
            *autoencoder_of(first, request.vae),
        ]
    if request.place.startswith("cuda"):
        needed.append(gpus())
    return needed


def _how_to_get(look: Look, request: SimilarityRequest) -> str:
    """How to come by a network that the clips of the scale fit."""
    if request.scale == "paper":
        return (
            f"`latte-bench figure5f --scale paper` trains it, with its cells in {request.folder}; "
            "or give fewer --seeds, or another network with --checkpoint"
        )
    config = SETUPS[request.scale].config
    return (
        f"`latte train {config} --set model.variant={look.variant}` makes one; without "
        "--checkpoint networks are trained for this figure"
    )
