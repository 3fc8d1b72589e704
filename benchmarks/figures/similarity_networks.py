"""What is measured inside one network for Figures 6 and 8: a cell of the file of cells."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.cells.cache import CellValue, cell_key
from benchmarks.cells.threads import one_thread
from benchmarks.figures.similarity_clips import DATASET, Clips
from benchmarks.figures.trainings import Training, trained_network
from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.similarity import Difference, ModelSimilarity, SitePair
    from evaluation.similarity.hidden_states.checkpoint import OpenedModel

VERSION = 2  # raised by any change that moves a number, or what is measured
TIMESTEPS = (100, 500, 900)  # little noise, half way, almost nothing but noise

Part: TypeAlias = int | str  # a block by number, or a part by dotted path


@dataclass(frozen=True, kw_only=True)
class Look:
    """Where a figure of the paper looks, and in networks of which variant."""

    figure: str  # "figure6"
    variant: int
    parts: Callable[[int], tuple[Part, ...]]  # of a network of so many blocks
    # Of numbers of a network of so many blocks, at a timestep: what claims are judged by.
    differences: "Callable[[int, int], tuple[Difference, ...]]"


@dataclass(frozen=True, kw_only=True)
class SimilarityTask:
    """A network and where to look in it."""

    look: Look
    training: Training | None  # None: a checkpoint
    checkpoint: Path | None
    content: str  # what the network is: key of its training, or hash of its file
    clips: Clips
    device: str
    vae: str | None = None  # of a checkpoint, if not the one that it names
    encoder: str | None = None  # of a checkpoint: hash of its autoencoder, which decides

    @property
    def key(self) -> str:
        """Over all that decides what is measured, but the pixels of real data sets."""
        from latte.data import shapes

        return cell_key(
            cell="frame similarity",
            version=VERSION,
            figure=self.look.figure,
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
        """For messages."""
        network = self.training.name if self.training else str(self.checkpoint)
        return f"{self.look.figure}: {network}"


def measure_network(task: SimilarityTask) -> CellValue:
    """Show the clips to the network.

    Returns:
        The share of inverted relations, averaged over all parts and timesteps. In `details`: what
        `latte-eval similarity` writes (`sites`, `pairs`, `config`), the figure's "differences",
        and "fingerprint".

    Raises:
        InputError: the network cannot be trained, is not of the figure's variant, or was trained
            on another data set than the clips are of.
    """
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.similarity.hidden_states.checkpoint import open_model
    from evaluation.similarity.hidden_states.run import ModelRequest, measure_hidden_states

    look = task.look
    with one_thread(task.device), TemporaryDirectory() as scratch:
        path, autoencoder = task.checkpoint, task.vae
        if task.training is not None:
            path, autoencoder = trained_network(task.training)
        assert path is not None
        opened = open_model(path, autoencoder=autoencoder, device=task.device)
        depth = opened.model.config.depth
        _check_network(path, opened, task)
        result, found = measure_hidden_states(
            ModelRequest(
                opened=opened,
                videos=task.clips.videos(),
                protocol=task.clips.protocol,
                blocks=look.parts(depth),
                timesteps=TIMESTEPS,
                differences=tuple(
                    each for step in TIMESTEPS for each in look.differences(depth, step)
                ),
                at_least=task.clips.count if task.clips.dataset == "shapes" else 1,
                dataset=task.clips.dataset,
                model=task.name,
            ),
            ExtractionOptions(store=Path(scratch), device=task.device, workers=0, progress=False),
        )
    return CellValue(
        value=result.value,
        interval=result.interval,
        details={
            **result.details,
            "differences": _difference_records(found),
            "fingerprint": result.fingerprint,
            "num_clips": found.num_clips,
            "frame_size": opened.frame_size,
        },
        provenance={
            "date": result.date,
            "versions": dict(result.versions),
            "host": dict(result.host),
        },
    )


def place_name(where: "str | SitePair") -> str:
    """A part, or two parts with each other, as records of differences name it."""
    return where if isinstance(where, str) else f"{where.first} × {where.second}"


def _difference_records(found: "ModelSimilarity") -> list[dict[str, Any]]:
    """The number at the second place less that at the first, at one timestep."""
    from evaluation.similarity.record import number_record

    return [
        {
            "number": each.number,
            "first": place_name(each.first[0]),
            "second": place_name(each.second[0]),
            "timestep": each.second[1],
            **number_record(estimate),
        }
        for each, estimate in found.differences.items()
    ]


def _check_network(path: Path, opened: "OpenedModel", task: SimilarityTask) -> None:
    """Refuse a network that the figure is not about, and clips that the network is not."""
    from latte.data.datasets import DATASETS

    variant, wanted = opened.model.config.variant, task.look.variant
    if variant != wanted:
        raise InputError(
            f"{path}: is of variant {variant}, but {task.look.figure} looks into variant {wanted}: "
            "give another --checkpoint"
        )
    stated, shown = opened.dataset, task.clips.dataset
    if stated is None or stated == shown or (stated not in DATASETS and shown == DATASET):
        return  # a folder may well hold the data set of the paper
    otherwise = f"look into it with `latte-eval similarity --checkpoint {path}`"
    how = {DATASET: "give --scale paper", "shapes": "give --scale tiny"}.get(stated, otherwise)
    raise InputError(f"{path}: was trained on {stated}, but is shown clips of {shown}: {how}")
