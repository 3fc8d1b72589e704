"""Which networks Figures 6 and 8 look into, and what is measured in each: a cell.

At the small scales the networks are cells of Figure 5f: trained once, by whoever comes first, and
kept. Documents are made of the cells alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from benchmarks.cells.cache import FILE, CellValue, MeasuredCells, cell_key, measure_cells
from benchmarks.cells.provenance import software_of
from benchmarks.cells.requirements import (
    Requirement,
    autoencoder_of,
    data_set,
    file,
    gpus,
    package,
    require,
)
from benchmarks.cells.threads import one_thread
from benchmarks.documents.claims import Claim
from benchmarks.figures.designs import DATASET, SETUPS, VARIANTS
from benchmarks.figures.paper.training import PaperTraining
from benchmarks.figures.requests import SimilarityRequest, TrainingRequest
from benchmarks.figures.similarity.numbers import Part, Probed, part_name
from benchmarks.figures.trainings import Training, trained_network
from evaluation.features.extraction import ExtractionOptions
from evaluation.similarity import Difference
from evaluation.similarity.hidden_states.checkpoint import OpenedModel, encoder_identity, open_model
from evaluation.similarity.hidden_states.noised import TIMESTEPS
from evaluation.similarity.hidden_states.run import ModelRequest, measure_hidden_states
from latte.data import shapes
from latte.data.datasets import DATASETS
from latte.data.errors import InputError
from latte.data.hashing import file_sha256
from latte.sampling.devices import choose_device

VERSION = 2  # raised by any change that affects a number, or what is measured

Change: TypeAlias = tuple[str, Part, Part]  # a number at the second part less that at the first


@dataclass(frozen=True, kw_only=True)
class SimilarityFigure:
    """What a figure of the paper shows of networks of one depth."""

    title: str
    parts: Mapping[str, Part]  # drawn, by label
    beside: Mapping[str, Part] = field(default_factory=dict)  # only the table has these
    curves: Mapping[int, str] = field(default_factory=dict)  # drawn as curves, by block
    changes: tuple[Change, ...]  # the claims rest on these
    claims: tuple[Claim[Probed], ...]
    numbers: tuple[str, ...]  # columns of the table
    remarks: tuple[str, ...]  # how this differs from the paper's figure
    matrices_first: bool = False  # the figure of that name shows matrices, not distributions
    axes: tuple[str, str] | None = None  # columns and rows of the matrices of pairs

    @property
    def paths(self) -> tuple[str, ...]:
        """Parts that are measured; a pair is measured where both of its parts are."""
        parts = (*self.beside.values(), *self.curves.values(), *self.parts.values())
        return tuple(dict.fromkeys(part for part in parts if isinstance(part, str)))


@dataclass(frozen=True, kw_only=True)
class ProbeSpec:
    """A figure of the paper that looks into networks of one variant."""

    name: str  # begins the names of its files and cells: "figure6"
    variant: int
    at_depth: Callable[[int], SimilarityFigure]  # takes the number of blocks


@dataclass(frozen=True, kw_only=True)
class ProbeTask:
    """A network and where to look in it."""

    spec: ProbeSpec
    request: SimilarityRequest
    source: Training | Path  # a training, or the file of a network

    @cached_property
    def key(self) -> str:
        """Over all that decides what is measured, but the pixels of real data sets."""
        request, source, encoder = self.request, self.source, None
        if isinstance(source, Path):
            encoder = encoder_identity(source, autoencoder=request.vae)
        return cell_key(
            cell="frame similarity",
            version=VERSION,
            figure=self.spec.name,
            network=file_sha256(source) if isinstance(source, Path) else source.key,
            encoder=encoder,
            drawn=shapes.VERSION if request.dataset == "shapes" else None,
            dataset=request.dataset,
            count=request.protocol.num_real,
            stride=request.protocol.real_stride,
            timesteps=TIMESTEPS,
            device=request.run_device.partition(":")[0],
        )

    @property
    def name(self) -> str:
        """Name for messages."""
        source = self.source
        return f"{self.spec.name}: {source if isinstance(source, Path) else source.name}"


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
    choose_device(request.run_device)  # refused once, not for each network
    tasks, path = probe_tasks(spec, request), request.folder / FILE
    return measure_cells(tasks, probe_network, path, workers=request.max_workers)


def probe_tasks(spec: ProbeSpec, request: SimilarityRequest) -> list[ProbeTask]:
    """One for each seed; of a checkpoint a single one."""
    sources: list[Training | Path] = [
        Training(
            design=VARIANTS[spec.variant],
            setup=SETUPS[request.scale],
            seed=seed,
            folder=request.folder,
            device=request.run_device,
        )
        for seed in range(request.num_seeds)
    ]
    if request.checkpoint is not None or request.scale == "paper":
        sources = [*checkpoints(spec, request).values()]
    return [ProbeTask(spec=spec, request=request, source=source) for source in sources]


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


def probe_network(task: ProbeTask) -> CellValue:
    """Show the clips to the network.

    Returns:
        The share of inverted relations, averaged over all parts and timesteps. In `details`: what
        `latte-eval similarity` writes (`sites`, `pairs`, `config`), the figure's "differences",
        and "fingerprint".

    Raises:
        InputError: the network cannot be trained, is not of the figure's variant, or was trained
            on another data set than the clips are of.
    """
    request, device, source = task.request, task.request.run_device, task.source
    with one_thread(device), TemporaryDirectory() as scratch:
        if isinstance(source, Path):
            path, autoencoder = source, request.vae
        else:
            path, autoencoder = trained_network(source)
        opened = open_model(path, autoencoder=autoencoder, device=device)
        _check_network(path, opened, task)
        figure = task.spec.at_depth(opened.model.config.depth)
        result, similarity = measure_hidden_states(
            ModelRequest(
                opened=opened,
                videos=request.videos(),
                protocol=request.protocol,
                blocks=figure.paths,
                timesteps=TIMESTEPS,
                differences=tuple(
                    Difference(number, (first, step), (second, step))
                    for step in TIMESTEPS
                    for number, first, second in figure.changes
                ),
                at_least=request.protocol.num_real if request.dataset == "shapes" else 1,
                dataset=request.dataset,
                model=task.name,
            ),
            ExtractionOptions(store=Path(scratch), device=device, workers=0, progress=False),
        )
    details = {
        **result.details,
        "differences": [
            {
                "number": difference.number,
                "first": part_name(difference.first[0]),
                "second": part_name(difference.second[0]),
                "timestep": difference.second[1],
                **asdict(estimate),
            }
            for difference, estimate in similarity.differences.items()
        ],
        "fingerprint": result.fingerprint,
        "num_clips": similarity.num_clips,
        "frame_size": opened.frame_size,
    }
    return CellValue(
        value=result.value,
        interval=result.interval,
        details=details,
        provenance=software_of(result),
    )


def _check_network(path: Path, opened: OpenedModel, task: ProbeTask) -> None:
    """Refuse a network that the figure is not about, and one trained on other videos."""
    variant, expected = opened.model.config.variant, task.spec.variant
    if variant != expected:
        raise InputError(
            f"{path}: is of variant {variant}, but {task.spec.name} looks into variant {expected}: "
            "give another --checkpoint"
        )
    stated, shown = opened.dataset, task.request.dataset
    if stated is None or stated == shown or (stated not in DATASETS and shown == DATASET):
        return  # a folder may well hold the data set of the paper
    otherwise = f"look into it with `latte-eval similarity --checkpoint {path}`"
    advice = {DATASET: "give --scale paper", "shapes": "give --scale tiny"}.get(stated, otherwise)
    raise InputError(f"{path}: was trained on {stated}, but is shown clips of {shown}: {advice}")
