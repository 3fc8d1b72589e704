"""How alike frames are inside trained networks, for Figures 6 and 8: which networks, which clips.

At the small scales the networks are cells of Figure 5f: trained once, by whoever comes first, and
kept. One line of the file of cells has all that was measured in a network; documents are made of
these lines alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.ablations import MOST_ON_A_GPU
from benchmarks.claims import Finding
from benchmarks.designs import SETUPS, VARIANTS, training_of
from benchmarks.finished import FILE, Finished, FinishedCell, Measured, cell_key, finish
from benchmarks.scale import (
    Scale,
    autoencoder_of,
    data_set,
    default_data_root,
    file,
    gpus,
    name_at,
    package,
    require,
)
from benchmarks.threads import one_thread
from benchmarks.trainings import Training, trained_network, with_seed
from latte.data.errors import InputError

if TYPE_CHECKING:
    from benchmarks.similarity_drawings import SimilarityFigure
    from evaluation.protocol import Protocol
    from evaluation.similarity import ModelSimilarity
    from evaluation.similarity.generated import OpenedModel
    from latte.data.sources import VideoSet

VERSION = 1  # raised by any change of this module that moves a number
TIMESTEPS = (100, 500, 900)  # little noise, half way, almost nothing but noise
DATASET = "faceforensics"  # of the paper's ablations
CHANGES = ("mean", "variance", "inverted")

Part: TypeAlias = int | str  # a block by number, or a part by dotted path


@dataclass(frozen=True, kw_only=True)
class Look:
    """Where a figure of the paper looks, and in networks of which variant."""

    figure: str  # "figure6"
    variant: int
    parts: Callable[[int], tuple[Part, ...]]  # of a network of so many blocks
    in_order: Callable[[int], tuple[int, ...]]  # blocks that are compared, the next with the last


@dataclass(frozen=True, kw_only=True)
class Clips:
    """Held-out videos that a network is shown."""

    dataset: str
    count: int
    stride: int
    data_root: Path | None = None  # decides nothing

    @property
    def protocol(self) -> "Protocol":
        """How clips are taken; their length and size are the network's."""
        from evaluation.presets import LATTE, SHAPES

        base = SHAPES if self.dataset == "shapes" else LATTE
        return replace(base, num_real=self.count, real_stride=self.stride)

    def videos(self) -> "VideoSet":
        """The videos that clips are taken from; of `shapes` no more than are needed."""
        from evaluation.presets import SHAPES
        from latte.data.datasets import open_dataset
        from latte.data.shapes import shapes_video_set

        if self.dataset == "shapes":
            return shapes_video_set(SHAPES.split, num_videos=self.count)
        return open_dataset(self.dataset, data_root=self.data_root or default_data_root())


@dataclass(frozen=True, kw_only=True)
class SimilarityRequest:
    """How a figure is made."""

    scale: Scale = "tiny"
    seeds: int = 3
    num_clips: int | None = None  # None: 256 on shapes, else 64
    workers: int = 0
    cells: Path | None = None  # folder of trainings and cells, which all figures share
    device: str | None = None  # None: that of the scale
    checkpoint: Path | None = None  # in place of trainings
    vae: str | None = None  # of the checkpoint, if not the one that it names
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


def run_similarity(
    look: Look,
    figure: Callable[[Sequence[FinishedCell]], "SimilarityFigure"],
    out: Path,
    request: SimilarityRequest,
) -> list[Finding]:
    """Measure what is not measured yet, and write a figure's documents into `out`.

    Args:
        figure: what it shows, given the networks that could be measured.
    """
    cells, ended = look_into_networks(look, request)
    found: list[Finding] = []
    if cells:
        from benchmarks.similarity_documents import write_similarity

        found = write_similarity(figure(cells), cells, request, out)
    ended.end()
    return found


def look_into_networks(
    look: Look, request: SimilarityRequest
) -> tuple[list[FinishedCell], Finished[SimilarityTask]]:
    """Measure every network that a figure shows, each once; train those that are not trained yet.

    Returns:
        A cell for each network that could be measured, by seed, and how the run ended.

    Raises:
        InputError: something is missing that the scale needs: one message with all of it, before
            anything starts.
    """
    _require(look, request)
    tasks = similarity_tasks(look, request)
    most = MOST_ON_A_GPU if request.place.startswith("cuda") else request.workers
    workers = min(request.workers, most)
    ended = finish(tasks, measure_network, request.folder / FILE, workers=workers)
    return [ended.cells[task.key] for task in tasks if task.key in ended.cells], ended


def similarity_tasks(look: Look, request: SimilarityRequest) -> list[SimilarityTask]:
    """One for each seed; of a checkpoint a single one."""
    common: dict[str, Any] = {
        "look": look,
        "clips": request.clips,
        "device": request.place,
    }
    if request.checkpoint is not None:
        from evaluation.networks.weights import digest
        from evaluation.similarity.generated import encoder_identity

        path = request.checkpoint
        task = SimilarityTask(
            training=None,
            checkpoint=path,
            content=digest(path).sha256,
            vae=request.vae,
            encoder=encoder_identity(path, autoencoder=request.vae),
            **common,
        )
        return [task]
    setup = SETUPS[request.scale]
    training = training_of(
        VARIANTS[look.variant], setup, request.folder, device=request.device or setup.device
    )
    trainings = [with_seed(training, seed) for seed in range(request.seeds)]
    return [
        SimilarityTask(training=each, checkpoint=None, content=each.key, **common)
        for each in trainings
    ]


def measure_network(task: SimilarityTask) -> Measured:
    """Show the clips to the network.

    Returns:
        The share of inverted relations, averaged over all parts and timesteps. In `details`: what
        `latte-eval similarity` writes (`sites`, `pairs`, `config`), "changes" from block to block,
        taken clip by clip, and "fingerprint".

    Raises:
        InputError: the network cannot be trained, is not of the figure's variant, or was trained
            on another data set than the clips are of.
    """
    from evaluation.extraction import RunOptions
    from evaluation.similarity.generated import open_model
    from evaluation.similarity.run import ModelRequest, run_model

    look = task.look
    with one_thread(task.device), TemporaryDirectory() as scratch:
        path, autoencoder = task.checkpoint, task.vae
        if task.training is not None:
            path, autoencoder = trained_network(task.training)
        assert path is not None
        opened = open_model(path, autoencoder=autoencoder, device=task.device)
        config = opened.model.config
        _check_network(path, opened, task)
        result, found = run_model(
            ModelRequest(
                opened=opened,
                videos=task.clips.videos(),
                protocol=task.clips.protocol,
                blocks=look.parts(config.depth),
                timesteps=TIMESTEPS,
                at_least=task.clips.count if task.clips.dataset == "shapes" else 1,
                dataset=task.clips.dataset,
                model=task.name,
                out=Path(scratch) / "results.jsonl",
            ),
            RunOptions(store=Path(scratch), device=task.device, workers=0, progress=False),
        )
    return Measured(
        value=result.value,
        interval=result.interval,
        details={
            **result.details,
            "changes": _changes(found, look.in_order(config.depth)),
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


def _require(look: Look, request: SimilarityRequest) -> None:
    if request.vae is not None and request.checkpoint is None:
        raise InputError("--vae is the autoencoder of a --checkpoint, and none is given")
    if request.checkpoint is not None and request.checkpoint.is_dir():
        raise InputError(f"{request.checkpoint} is a folder: --checkpoint takes a file")
    how = (
        f"`latte train {DATASET} --set model.variant={look.variant}` makes one; "
        "name it with --checkpoint"
    )
    network = file(f"a trained network of variant {look.variant}", request.checkpoint, how)
    needed = [network] if request.checkpoint is not None or request.scale == "paper" else []
    if request.scale == "paper":
        root = request.data_root or default_data_root()
        needed += [data_set(DATASET, root), package("diffusers", "sd")]
        needed += autoencoder_of(request.checkpoint, request.vae)
    if request.place.startswith("cuda"):
        needed.append(gpus())
    require(needed, request.scale)


def _changes(found: "ModelSimilarity", blocks: Sequence[int]) -> list[dict[str, Any]]:
    """The second block's numbers less the first's: of neighbours, and of the first and the last."""
    from evaluation.similarity.record import estimate_record

    pairs = [*pairwise(blocks), (blocks[0], blocks[-1])] if len(blocks) > 1 else []
    return [
        {
            "first": first,
            "second": second,
            "timestep": step,
            **{
                name: estimate_record(
                    found.difference(name, (f"blocks.{first}", step), (f"blocks.{second}", step))
                )
                for name in CHANGES
            },
        }
        for first, second in dict.fromkeys(pairs)
        for step in found.timesteps
    ]
