"""`latte-eval similarity --checkpoint`: the hidden states of a model on noised real clips."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evaluation.cli.options import ProtocolOptions, SetOptions
from evaluation.cli.similarity_output import SimilarityOutput
from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.protocol.fields import Protocol

logger = logging.getLogger(__name__)

DEFAULT_TIMESTEPS = (100, 500, 900)
DEFAULT_CLIPS = 64
AS_TRAINED = "as trained"  # name of a protocol that takes clips as the training did
PREPARING = frozenset({"recipe", "filter", "storage"})  # fields that say how frames are prepared


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The model and its parts."""

    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Measure the hidden states of this model of `latte`, on noised real clips.",
        ),
    ] = None
    block: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N|PATH",
            help="Block of the model by number, or any part by dotted path, such as "
            "blocks.20.attn; repeatable. [default: all blocks]",
        ),
    ] = None
    timestep: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            metavar="T",
            help="Step of the diffusion that says how noisy the clips are; repeatable. "
            "[default: 100, 500, 900]",
        ),
    ] = None
    autoencoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH", help="Autoencoder, as for `latte sample`. [default: the model's]"
        ),
    ] = None

    @property
    def blocks(self) -> tuple[int | str, ...] | None:
        """Numbers and paths; None: all blocks."""
        if not self.block:
            return None
        return tuple(
            int(part) if part.removeprefix("-").isdecimal() else part for part in self.block
        )


def hidden_states(
    model: ModelOptions,
    sets: SetOptions,
    asked: ProtocolOptions,
    options: "ExtractionOptions",
    output: SimilarityOutput,
    *,
    intervals: bool,
) -> None:
    """Measure the model, record the result and show it."""
    from evaluation.results.files import append_result
    from evaluation.similarity.hidden_states.checkpoint import open_model
    from evaluation.similarity.hidden_states.run import ModelRequest, measure_hidden_states
    from evaluation.similarity.plots import model_figures
    from evaluation.similarity.tables import hidden_states_table
    from latte.data.sources import VideoSet

    assert model.checkpoint is not None
    opened = open_model(model.checkpoint, autoencoder=model.autoencoder, device=options.device)
    protocol = clips_protocol(asked, sets, opened.trained_on)
    videos = sets.real_videos(protocol)
    if not isinstance(videos, VideoSet):
        raise InputError(f"{videos} is a statistics file: a model is shown the videos")
    result, similarity = measure_hidden_states(
        ModelRequest(
            opened=opened,
            videos=videos,
            protocol=protocol,
            blocks=model.blocks,
            timesteps=tuple(model.timestep or DEFAULT_TIMESTEPS),
            intervals=intervals,
            at_least=asked.num_videos or 1,
            dataset=sets.dataset,
            model=output.name or model.checkpoint.stem,
        ),
        options,
    )
    append_result(output.out, result)
    heading = (
        f"{result.model}: {opened.title}, {result.num_real} clips × {result.num_frames} frames, "
        f"{result.protocol}"
    )
    output.show(
        [result], [heading, hidden_states_table(result.details)], lambda: model_figures(similarity)
    )


def clips_protocol(
    asked: ProtocolOptions, sets: SetOptions, trained_on: Mapping[str, object]
) -> "Protocol":
    """How real clips are taken for a model: as in its training, unless the user says how."""
    from evaluation.protocol.deviations import differences

    number = () if asked.num_videos is not None else (f"num_real={DEFAULT_CLIPS}",)
    base = asked.protocol or (None if sets.dataset == "shapes" else "latte")
    own = asked.settings or []

    def with_settings(*settings: str) -> "Protocol":
        every = [*number, *settings, *own]
        return replace(asked, protocol=base, settings=every).protocol_for(sets)

    plain = with_settings()
    if asked.protocol is not None:
        return plain
    # What the user sets stays. How frames are prepared does as well if the user sets a part of it,
    # and for the embedded data set, which is drawn at the model's size.
    kept = {setting.partition("=")[0].strip() for setting in own}
    if kept & PREPARING or sets.dataset == "shapes":
        kept |= PREPARING
    as_trained = with_settings(
        *(f"{key}={value}" for key, value in trained_on.items() if key not in kept)
    )
    changed = differences(as_trained.affecting_fields(), plain.affecting_fields())
    if not changed:
        return plain
    logger.warning(
        "clips are taken as in the checkpoint's training (%s), unless --protocol or --set is given",
        ", ".join(map(str, changed)),
    )
    return replace(as_trained, name=AS_TRAINED)
