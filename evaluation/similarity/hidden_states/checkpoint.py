"""A checkpoint of `latte`, ready for its hidden states to be measured.

Besides `evaluation/generated.py` this is the one module of the suite that imports the generator.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch

from evaluation.protocol.fields import Filter, Recipe
from evaluation.similarity.hidden_states.noised import Denoiser
from evaluation.similarity.hidden_states.sites import Site, check_sites, latte_sites
from latte.data.datasets import class_of
from latte.data.hashing import file_sha256
from latte.data.sources import Video
from latte.data.transforms import OWN_FILTERS
from latte.model import Latte
from latte.model.checkpoints import Checkpoint, build_model, load_checkpoint
from latte.sampling.devices import choose_device
from latte.sampling.faults import fixable_when_sampling
from latte.sampling.generate import SamplingOptions, open_diffusion
from latte.sampling.plan import SamplePlan, SampleRequest, make_plan, planned_autoencoder


@dataclass(frozen=True, kw_only=True)
class OpenedModel(Denoiser):
    """A network with its autoencoder and diffusion, and what its checkpoint says of it."""

    model: Latte
    device: torch.device
    autoencoder_name: str  # includes the digest of its weights
    schedule: str  # name of the diffusion's schedule
    classes: tuple[str, ...]  # class names by label; empty if it has no classes, or no names
    dataset: str | None  # name or path of the training data, if the file says it
    trained_on: Mapping[str, Any]  # protocol fields of the training clips, where known
    frame_size: int  # side of the square frames it works on, in pixels
    sha256: str  # hash of the checkpoint's content

    @property
    def title(self) -> str:
        """A short description of the network."""
        return f"Latte, variant {self.model.config.variant}, {self.model.config.depth} blocks"

    def sites(self, blocks: Sequence[int | str] | None) -> tuple[Site, ...]:
        """The sites of these blocks or parts (None: all blocks), see `latte_sites`.

        Raises:
            InputError: the network has no such block or part.
        """
        sites = latte_sites(self.model.config, blocks)
        check_sites(self.model, sites, children=("blocks", "x_embedder", "final_layer"))
        return sites

    def labels(self, videos: Iterable[Video]) -> list[int] | None:
        """A class for each video; None for a model without classes.

        The video's own class, if the checkpoint names the classes of all videos; otherwise "no
        class".
        """
        null = self.model.config.num_classes
        if null is None:
            return None
        names = [class_of(video) for video in videos]
        if all(name in self.classes for name in names):
            return [self.classes.index(str(name)) for name in names]
        return [null] * len(names)

    def enough_memory(self, batch_size: int) -> AbstractContextManager[None]:
        """Within it, too little memory for a batch is an InputError that says what to do."""
        return fixable_when_sampling(self.device, batch_size)


def open_model(checkpoint: Path, *, autoencoder: str | None, device: str) -> OpenedModel:
    """The network of a checkpoint, its autoencoder and its whole diffusion.

    Args:
        autoencoder: as for `latte sample`; None: as the checkpoint says.

    Raises:
        InputError: as for `latte sample`.
    """
    place = choose_device(device)
    loaded = load_checkpoint(checkpoint)
    plan = _plan(loaded, autoencoder)
    steps = SamplingOptions(steps=plan.diffusion.num_steps)
    diffusion = open_diffusion(steps, plan.diffusion)
    with fixable_when_sampling(place, 1):
        opened = planned_autoencoder(plan, loaded, place)
        model = build_model(loaded, place)
    return OpenedModel(
        model=model,
        autoencoder=opened,
        autoencoder_name=" ".join(filter(None, (opened.name, opened.digest))),
        diffusion=diffusion,
        schedule=plan.diffusion.schedule,
        classes=plan.folder.classes or (),
        dataset=loaded.settings.get("dataset"),
        trained_on=_trained_on(loaded.settings),
        frame_size=loaded.config.input_size * opened.factor,
        device=place,
        sha256=file_sha256(checkpoint),
    )


def encoder_identity(checkpoint: Path, *, autoencoder: str | None) -> str:
    """Hash of everything that decides which latents the network of `open_model` gets.

    Raises:
        InputError: as `open_model`.
    """
    loaded = load_checkpoint(checkpoint)
    return planned_autoencoder(_plan(loaded, autoencoder), loaded).identity


def _trained_on(settings: Mapping[str, Any]) -> dict[str, Any]:
    """How the checkpoint's training clips were taken, as fields of a protocol."""
    training = settings.get("training")
    data = training.get("data") if isinstance(training, Mapping) else None
    if not isinstance(data, Mapping):
        return {}
    fields: dict[str, Any] = {}
    stride, recipe, filter_ = (data.get(name) for name in ("stride", "recipe", "filter"))
    if type(stride) is int and stride > 0:
        fields["real_stride"] = stride
    known = recipe in get_args(Recipe) and filter_ in get_args(Filter)
    if known and filter_ == OWN_FILTERS.get(str(recipe), filter_):
        # Training puts no clip through JPEG.
        fields |= {"recipe": recipe, "filter": filter_, "storage": "lossless"}
    return fields


def _plan(loaded: Checkpoint, autoencoder: str | None) -> SamplePlan:
    out = loaded.path.parent  # nothing is written there
    request = SampleRequest(checkpoint=loaded.path, out=out, autoencoder=autoencoder)
    return make_plan(request, loaded)
