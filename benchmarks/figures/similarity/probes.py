"""What is measured inside one network for Figures 6 and 8: a cell of the file of cells."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from benchmarks.cells.cache import CellValue, cell_key
from benchmarks.cells.provenance import software_of
from benchmarks.cells.threads import one_thread
from benchmarks.figures.paper.training import DATASET
from benchmarks.figures.similarity.request import Clips
from benchmarks.figures.trainings import Training, trained_network
from evaluation.features.extraction import ExtractionOptions
from evaluation.similarity import Difference, ModelSimilarity, SitePair
from evaluation.similarity.hidden_states.checkpoint import OpenedModel, open_model
from evaluation.similarity.hidden_states.run import ModelRequest, measure_hidden_states
from evaluation.similarity.record import number_record
from latte.data import shapes
from latte.data.datasets import DATASETS
from latte.data.errors import InputError

VERSION = 2  # raised by any change that affects a number, or what is measured
TIMESTEPS = (100, 500, 900)  # little noise, half way, almost nothing but noise

Part: TypeAlias = int | str  # a block by number, or a part by dotted path


@dataclass(frozen=True, kw_only=True)
class ProbeSpec:
    """Where a figure of the paper looks, and in networks of which variant."""

    figure: str  # "figure6"
    variant: int
    parts: Callable[[int], tuple[Part, ...]]  # parts of a network, given its number of blocks
    # Differences of numbers, by which claims are judged: (blocks of the network, timestep) → all.
    differences: Callable[[int, int], tuple[Difference, ...]]


@dataclass(frozen=True, kw_only=True)
class ProbeTask:
    """A network and where to look in it."""

    spec: ProbeSpec
    training: Training | None  # None: a checkpoint
    checkpoint: Path | None
    content: str  # identity of the network: key of its training, or hash of its file
    clips: Clips
    device: str
    vae: str | None = None  # autoencoder of a checkpoint, if not the one that it names
    encoder: str | None = None  # hash of a checkpoint's autoencoder, which affects results

    @property
    def key(self) -> str:
        """Over all that decides what is measured, but the pixels of real data sets."""
        return cell_key(
            cell="frame similarity",
            version=VERSION,
            figure=self.spec.figure,
            network=self.content,
            encoder=self.encoder,
            drawn=shapes.VERSION if self.clips.dataset == "shapes" else None,
            dataset=self.clips.dataset,
            count=self.clips.count,
            stride=self.clips.stride,
            timesteps=TIMESTEPS,
            device=self.device.partition(":")[0],
        )

    @property
    def name(self) -> str:
        """Name for messages."""
        network = self.training.name if self.training else str(self.checkpoint)
        return f"{self.spec.figure}: {network}"


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
    spec, clips = task.spec, task.clips
    with one_thread(task.device), TemporaryDirectory() as scratch:
        path, autoencoder = task.checkpoint, task.vae
        if task.training is not None:
            path, autoencoder = trained_network(task.training)
        assert path is not None
        opened = open_model(path, autoencoder=autoencoder, device=task.device)
        depth = opened.model.config.depth
        _check_network(path, opened, task)
        result, similarity = measure_hidden_states(
            ModelRequest(
                opened=opened,
                videos=clips.videos(),
                protocol=clips.protocol,
                blocks=spec.parts(depth),
                timesteps=TIMESTEPS,
                differences=tuple(x for step in TIMESTEPS for x in spec.differences(depth, step)),
                at_least=clips.count if clips.dataset == "shapes" else 1,
                dataset=clips.dataset,
                model=task.name,
            ),
            ExtractionOptions(store=Path(scratch), device=task.device, workers=0, progress=False),
        )
    details = {
        **result.details,
        "differences": _difference_records(similarity),
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


def place_name(where: str | SitePair) -> str:
    """A part, or two parts with each other, as records of differences name it."""
    return where if isinstance(where, str) else f"{where.first} × {where.second}"


def _difference_records(similarity: ModelSimilarity) -> list[dict[str, Any]]:
    """The number at the second place less that at the first, at one timestep."""
    return [
        {
            "number": difference.number,
            "first": place_name(difference.first[0]),
            "second": place_name(difference.second[0]),
            "timestep": difference.second[1],
            **number_record(estimate),
        }
        for difference, estimate in similarity.differences.items()
    ]


def _check_network(path: Path, opened: OpenedModel, task: ProbeTask) -> None:
    """Refuse a network that the figure is not about, and one trained on other videos."""
    variant, wanted = opened.model.config.variant, task.spec.variant
    if variant != wanted:
        raise InputError(
            f"{path}: is of variant {variant}, but {task.spec.figure} looks into variant {wanted}: "
            "give another --checkpoint"
        )
    stated, shown = opened.dataset, task.clips.dataset
    if stated is None or stated == shown or (stated not in DATASETS and shown == DATASET):
        return  # a folder may well hold the data set of the paper
    otherwise = f"look into it with `latte-eval similarity --checkpoint {path}`"
    advice = {DATASET: "give --scale paper", "shapes": "give --scale tiny"}.get(stated, otherwise)
    raise InputError(f"{path}: was trained on {stated}, but is shown clips of {shown}: {advice}")
