"""`latte-eval similarity --checkpoint`: the hidden states of a model on noised real clips."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.cli.options import SetOptions
from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.cli.similarity_output import SimilarityOutput
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.measuring.choice import ProtocolChoice
    from evaluation.protocol.fields import Protocol

logger = logging.getLogger(__name__)

DEFAULT_TIMESTEPS = (100, 500, 900)
DEFAULT_CLIPS = 64
AS_TRAINED = "as trained"  # name of a protocol that takes clips as the training did
PREPARING = frozenset({"recipe", "filter", "storage"})  # fields that say how frames are prepared


@dataclass(frozen=True, kw_only=True)
class CheckpointRequest:
    """Which hidden states of which checkpoint are measured, and on which clips."""

    checkpoint: Path
    autoencoder: str | None
    choice: "ProtocolChoice"
    sets: SetOptions
    blocks: tuple[int | str, ...] | None
    timesteps: tuple[int, ...]
    intervals: bool
    model: str


def hidden_states(
    request: CheckpointRequest, options: "ExtractionOptions", output: "SimilarityOutput"
) -> None:
    """Measure the model, record the result and show it."""
    from evaluation.results.writing import append_result
    from evaluation.similarity.hidden_states.checkpoint import open_model
    from evaluation.similarity.hidden_states.run import ModelRequest, measure_hidden_states
    from evaluation.similarity.plots import model_figures
    from evaluation.similarity.tables import hidden_states_table
    from latte.data.sources import VideoSet

    choice = request.choice
    opened = open_model(request.checkpoint, autoencoder=request.autoencoder, device=options.device)
    protocol = clips_protocol(choice, opened.trained_on, request.sets.real)
    videos = request.sets.real_videos(protocol)
    if not isinstance(videos, VideoSet):
        raise InputError(f"{videos} is a statistics file: a model is shown the videos")
    result, similarity = measure_hidden_states(
        ModelRequest(
            opened=opened,
            videos=videos,
            protocol=protocol,
            blocks=request.blocks,
            timesteps=request.timesteps,
            intervals=request.intervals,
            at_least=choice.num_videos or 1,
            dataset=choice.dataset,
            model=request.model,
        ),
        options,
    )
    append_result(output.out, result)
    heading = (
        f"{result.model}: {opened.title}, {result.num_real} clips × {result.num_frames} frames, "
        f"{result.protocol}"
    )
    output.show(
        [result],
        [heading, hidden_states_table(result.details)],
        {} if output.plots is None else model_figures(similarity),
    )


def clips_protocol(
    choice: "ProtocolChoice", trained_on: Mapping[str, object], real: Path | None
) -> "Protocol":
    """How real clips are taken for a model: as in its training, unless the user says how."""
    from evaluation.protocol.deviations import differences

    number = () if choice.num_videos is not None else (f"num_real={DEFAULT_CLIPS}",)
    base = choice.protocol or (None if choice.dataset == "shapes" else "latte")

    def with_settings(*settings: str) -> "Protocol":
        every = (*number, *settings, *choice.settings)
        return replace(choice, protocol=base, settings=every).protocol_for(real)

    plain = with_settings()
    if choice.protocol is not None:
        return plain
    as_trained = with_settings(
        *(f"{key}={value}" for key, value in _unset_fields(choice, trained_on).items())
    )
    changed = differences(as_trained.moving_fields(), plain.moving_fields())
    if not changed:
        return plain
    logger.warning(
        "clips are taken as in the checkpoint's training (%s); --protocol or --set changes this",
        ", ".join(map(str, changed)),
    )
    return replace(as_trained, name=AS_TRAINED)


def _unset_fields(
    choice: "ProtocolChoice", trained_on: Mapping[str, object]
) -> Mapping[str, object]:
    """The checkpoint's fields that the user did not set.

    How frames are prepared is left out if the user sets a part of it, and for the embedded data
    set, which is drawn at the model's size.
    """
    given = {setting.partition("=")[0].strip() for setting in choice.settings}
    prepared = given & PREPARING or choice.dataset == "shapes"
    dropped = given | PREPARING if prepared else given
    return {key: value for key, value in trained_on.items() if key not in dropped}
