"""How alike the frames of noised clips are inside a network, block by block."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from evaluation.metrics.inputs import Array
from evaluation.networks.probes import run_exactly
from evaluation.similarity.hidden_states import Site, watching
from evaluation.similarity.latte_sites import SitePair, branch_pairs, latte_sites
from evaluation.similarity.matrices import FEWEST_FRAMES, cosines, token_directions
from evaluation.similarity.model_similarity import Difference, ModelSimilarity, Place
from evaluation.similarity.moments import RunningMoments
from evaluation.similarity.noised import Encoder, NoisedBatch, Noising, noised_batches
from evaluation.similarity.summary import FRAME_NUMBERS, RunningSummary
from latte.data.errors import InputError

Predict: TypeAlias = Callable[[nn.Module, Tensor, Tensor, Tensor | None], Any]


def measure_model_similarity(
    model: nn.Module,
    clips: Iterable[np.ndarray],
    *,
    autoencoder: Encoder,
    diffusion: Noising,
    timesteps: Sequence[int],
    labels: Iterable[int] | None = None,
    sites: Sequence[Site] | None = None,
    pairs: Sequence[SitePair] | None = None,
    differences: Sequence[Difference] = (),
    num_frames: int | None = None,
    predict: Predict | None = None,
    seed: int = 0,
    intervals: bool = True,
    batch_size: int = 8,
    device: torch.device | str = "cpu",
    on_clips: Callable[[int], object] = lambda count: None,
) -> ModelSimilarity:
    """Noise clips, run a network on them, and measure its hidden states as they pass.

    On a CPU the network sees one clip at a time, so neither `batch_size` nor the other clips move a
    bit of a clip's matrices. On a GPU it always sees `batch_size` clips. Memory does not grow with
    the number of clips, and with that of the places in proportion.

    Args:
        model: a `latte.model.Latte`, or any module with `sites` and `num_frames` given; on
            `device`, as it is to be used (`eval`).
        clips: uint8 (F, H, W, 3) each; their place in the order gives them their noise.
        autoencoder, diffusion: as the model was trained with.
        timesteps: of the diffusion, as the network knows them.
        labels: a class for each clip; None of an unconditional model.
        sites: where to look; None: every block of a Latte.
        pairs: sites to be compared with each other; None: spatial and temporal attention of each
            block of variants 3 and 4.
        differences: of two places each, to be taken clip by clip; `ModelSimilarity.difference`
            has them.
        num_frames: frames of tokens; None: as the model's configuration says.
        predict: how the model is called: (model, x (N, F, C, h, w), t (N,), y (N,) or None);
            by default model(x, t) or model(x, t, y).
        seed: of the noise.
        intervals: False: no number gets one.
        on_clips: called with the number of clips after each batch.

    Raises:
        InputError: no clips, fewer than three frames, an unknown timestep or site, or states that
            are not finite.
        ValueError: a pair or a difference of places that are not looked at.
    """
    device = torch.device(device)
    sites = tuple(latte_sites(_config(model)) if sites is None else sites)
    pairs = tuple(branch_pairs(sites) if pairs is None else pairs)
    frames = _config(model).token_frames if num_frames is None else num_frames
    _check(sites, pairs, frames)
    running = _Running.of(
        sites, pairs, timesteps, frames=frames, differences=differences, intervals=intervals
    )
    batches = noised_batches(
        clips,
        labels,
        autoencoder=autoencoder,
        diffusion=diffusion,
        timesteps=timesteps,
        size=clips_at_once(device, batch_size),
        seed=seed,
        device=device,
    )
    for count, steps in batches:
        found: list[dict[Place, Array]] = [{} for _ in range(count)]
        for batch in steps:
            state = _Pass(timestep=batch.timestep, found=found, pending=list(pairs), held={})
            with watching(model, sites, state.receive, num_clips=len(batch.x), num_frames=frames):
                run_exactly(_forward(model, predict or _predict, batch), batch.x)
        for matrices in found:
            running.add(matrices)
        on_clips(count)
    return running.result(sites, pairs, timesteps)


def clips_at_once(device: torch.device, batch_size: int) -> int:
    """Clips in one pass: on a CPU a single one, so that no other can move its bits."""
    return 1 if device.type == "cpu" else batch_size


@dataclass(frozen=True, kw_only=True)
class _Running:
    """All that is kept between clips."""

    frames: int
    places: dict[Place, RunningSummary]
    averages: RunningMoments  # of FRAME_NUMBERS, a clip's means over its sites and timesteps
    asked: tuple[Difference, ...]
    differences: RunningMoments  # of those

    @classmethod
    def of(
        cls,
        sites: Sequence[Site],
        pairs: Sequence[SitePair],
        timesteps: Sequence[int],
        *,
        frames: int,
        differences: Sequence[Difference] = (),
        intervals: bool = True,
    ) -> "_Running":
        def running(where: str | SitePair) -> dict[Place, RunningSummary]:
            mutual = isinstance(where, SitePair)
            return {
                (where, step): RunningSummary(frames, mutual=mutual, intervals=intervals)
                for step in timesteps
            }

        places: dict[Place, RunningSummary] = {}
        for site in sites:
            places |= running(site.path)
        for pair in pairs:
            places |= running(pair)
        asked = tuple(dict.fromkeys(differences))
        for each in asked:
            for place in (each.first, each.second):
                if place not in places:
                    raise ValueError(f"{each} is of {place}, where nothing is looked at")
        return cls(
            frames=frames,
            places=places,
            averages=RunningMoments(len(FRAME_NUMBERS), intervals=intervals),
            asked=asked,
            differences=RunningMoments(len(asked), intervals=intervals),
        )

    def add(self, matrices: dict[Place, Array]) -> None:
        """One clip, at all places."""
        numbers = {place: each.add(matrices[place]) for place, each in self.places.items()}
        own = [each for (where, _), each in numbers.items() if isinstance(where, str)]
        self.averages.add(
            np.array([[each[name] for name in FRAME_NUMBERS] for each in own]).mean(0)
        )
        changes = [
            numbers[each.second][each.number] - numbers[each.first][each.number]
            for each in self.asked
        ]
        self.differences.add(np.array(changes))

    def result(
        self, sites: tuple[Site, ...], pairs: tuple[SitePair, ...], timesteps: Sequence[int]
    ) -> ModelSimilarity:
        num_clips = next(iter(self.places.values())).count
        if not num_clips:
            raise InputError("no clips to look at: give at least one")
        done = {place: each.summary() for place, each in self.places.items()}
        return ModelSimilarity(
            sites=sites,
            pairs=pairs,
            timesteps=tuple(timesteps),
            num_clips=num_clips,
            num_frames=self.frames,
            summaries={(w, t): each for (w, t), each in done.items() if isinstance(w, str)},
            mutual={(w, t): each for (w, t), each in done.items() if isinstance(w, SitePair)},
            averages={
                name: self.averages.estimate(place, floor=low, ceiling=high)
                for place, (name, (low, high)) in enumerate(FRAME_NUMBERS.items())
            },
            differences={
                each: self.differences.estimate(place) for place, each in enumerate(self.asked)
            },
        )


@dataclass(frozen=True, kw_only=True)
class _Pass:
    """One pass of a batch: each clip's matrices, as soon as the states are there."""

    timestep: int
    found: list[dict[Place, Array]]  # of each clip; clips that fill a batch up have none
    pending: list[SitePair]
    held: dict[str, list[Tensor]]  # directions of sites whose partner has not come yet

    def receive(self, site: Site, states: Tensor) -> None:
        """States (N, F, S, D) of a site."""
        if not states.isfinite().all():
            raise InputError(
                f"hidden states of {site.path} are not finite at timestep {self.timestep}: the "
                "checkpoint may be damaged, or its training have diverged"
            )
        self.held[site.path] = [token_directions(clip) for clip in states[: len(self.found)]]
        self._compare(site.path, site.path, site.path)
        for pair in list(self.pending):
            if {pair.first, pair.second} <= set(self.held):
                self._compare(pair, pair.first, pair.second)
                self.pending.remove(pair)
        wanted = {path for pair in self.pending for path in (pair.first, pair.second)}
        for path in set(self.held) - wanted:
            del self.held[path]

    def _compare(self, where: str | SitePair, first: str, second: str) -> None:
        for matrices, one, two in zip(self.found, self.held[first], self.held[second], strict=True):
            matrices[where, self.timestep] = cosines(one, two)


def _forward(model: nn.Module, predict: Predict, batch: NoisedBatch) -> Callable[[Tensor], Any]:
    return lambda x: predict(model, x, batch.t, batch.y)


def _predict(model: nn.Module, x: Tensor, t: Tensor, y: Tensor | None) -> Any:
    return model(x, t) if y is None else model(x, t, y)


def _config(model: nn.Module) -> Any:
    config = getattr(model, "config", None)
    if not hasattr(config, "token_frames") or not hasattr(config, "variant"):
        raise ValueError("the model is no Latte: give sites and num_frames")
    return config


def _check(sites: Sequence[Site], pairs: Sequence[SitePair], frames: int) -> None:
    paths = [site.path for site in sites]
    if not paths:
        raise ValueError("no sites to look at")
    for path in paths:
        if paths.count(path) > 1:
            raise InputError(f"{path} is named twice: name each part once")
    for pair in pairs:
        if not {pair.first, pair.second} <= set(paths):
            raise ValueError(f"{pair} is of other sites than {', '.join(paths)}")
    if frames < FEWEST_FRAMES:
        raise InputError(
            f"clips of {frames} frames of tokens: a nearer and a farther frame need at least "
            f"{FEWEST_FRAMES}"
        )
