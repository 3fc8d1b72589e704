"""Noised clips through a network, and the similarity of their frames at every site."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from evaluation.metrics.inputs import Array
from evaluation.networks.equivalence import run_exactly
from evaluation.similarity.hidden_states.noised import Denoiser, noised_batches
from evaluation.similarity.hidden_states.sites import (
    Site,
    SitePair,
    branch_pairs,
    latte_sites,
    watching,
)
from evaluation.similarity.matrices import MIN_FRAMES, cosines, token_directions
from evaluation.similarity.summary import (
    ANY,
    FRAME_NUMBERS,
    MUTUAL_NUMBERS,
    Estimate,
    RunningMeans,
    RunningSummary,
    Summary,
    summary_record,
)
from latte.data.errors import InputError

Place: TypeAlias = tuple[str | SitePair, int]  # a site by its path or two of them, and a timestep


@dataclass(frozen=True)
class Difference:
    """The number at the second place less that at the first, clip by clip.

    Raises:
        ValueError: one of the places has no such number.
    """

    number: str  # a name in FRAME_NUMBERS at a site, in MUTUAL_NUMBERS at a pair of sites
    first: Place
    second: Place

    def __post_init__(self) -> None:
        for where, step in (self.first, self.second):
            known = FRAME_NUMBERS if isinstance(where, str) else MUTUAL_NUMBERS
            if self.number not in known:
                raise ValueError(
                    f"{where} at timestep {step} has no number {self.number!r}: it has "
                    f"{', '.join(known)}"
                )


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Which hidden states are measured, and what of them."""

    timesteps: Sequence[int]  # steps of the diffusion, as the network knows them
    sites: Sequence[Site] | None = None  # None: every block of a Latte
    differences: Sequence[Difference] = ()  # differences of two places, taken clip by clip
    seed: int = 0  # random seed of the noise
    intervals: bool = True  # False: no number gets one


@dataclass(frozen=True, kw_only=True)
class ModelSimilarity:
    """Similarity of frames in the hidden states of a network.

    `at(path, timestep)` has matrix, distribution and numbers ("mean", "variance", "inverted", …),
    each with its interval over the clips; `at(pair, timestep)` the same of two branches.
    """

    sites: tuple[Site, ...]
    pairs: tuple[SitePair, ...]
    timesteps: tuple[int, ...]
    num_clips: int
    num_frames: int  # frames of tokens
    summaries: Mapping[Place, Summary]
    averages: Mapping[str, Estimate]  # FRAME_NUMBERS averaged over all sites and timesteps
    differences: Mapping[Difference, Estimate]  # the requested ones, taken clip by clip

    def at(self, where: str | SitePair, timestep: int) -> Summary:
        """Similarity of a site's frames with each other, or with those of a second site."""
        return self.summaries[where, timestep]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of sites, such as "spatial block", in the order of the sites."""
        return tuple(dict.fromkeys(site.kind for site in self.sites))

    def over_depth(self, number: str, timestep: int, kind: str) -> list[tuple[int, Estimate]]:
        """One number at every block that has a site of a kind, by the number of the block."""
        points = {
            site.depth: self.at(site.path, timestep)[number]
            for site in self.sites
            if site.kind == kind and site.depth is not None
        }
        return sorted(points.items())

    def over_time(self, number: str, path: str) -> list[tuple[int, Estimate]]:
        """One number of a site at every timestep, ascending."""
        return [(step, self.at(path, step)[number]) for step in sorted(self.timesteps)]

    def record(self) -> dict[str, Any]:
        """All sites and pairs for JSON, one entry for each timestep."""

        def entries(where: str | SitePair, **names: object) -> list[dict[str, Any]]:
            return [
                {**names, "timestep": step, "summary": summary_record(self.at(where, step))}
                for step in self.timesteps
            ]

        sites = [
            entries(site.path, path=site.path, kind=site.kind, depth=site.depth)
            for site in self.sites
        ]
        pairs = [
            entries(pair, first=pair.first, second=pair.second, depth=pair.depth)
            for pair in self.pairs
        ]
        return {"sites": list(chain(*sites)), "pairs": list(chain(*pairs))}


def measure_model_similarity(
    denoiser: Denoiser,
    clips: Iterable[np.ndarray],
    probe: Probe,
    *,
    labels: Sequence[int] | None = None,
    batch_size: int = 8,
    on_clips: Callable[[int], object] = lambda count: None,
) -> ModelSimilarity:
    """Noise clips, run a network on them, and measure its hidden states as they pass.

    On a CPU the network sees one clip at a time, so neither `batch_size` nor the other clips change
    a bit of a clip's matrices. On a GPU it always sees `batch_size` clips. Memory does not grow
    with the number of clips, and grows in proportion to the number of sites and timesteps.

    Args:
        denoiser: a `latte.model.Latte` with its autoencoder and diffusion; or any module, if it
            says `num_frames` and the probe says `sites`.
        clips: uint8 (F, H, W, 3) each; the place in the order gives each clip its noise.
        labels: a class for each clip; None for an unconditional model.
        on_clips: called with the number of clips after each batch.

    Raises:
        InputError: no clips, fewer than three frames, an unknown timestep or site, or states that
            are not finite.
        ValueError: a difference of places that are not measured.
    """
    model = denoiser.model
    frames = denoiser.num_frames or _config(model).token_frames
    sites = tuple(latte_sites(_config(model)) if probe.sites is None else probe.sites)
    pairs = branch_pairs(sites)  # compared with each other
    _check(sites, frames)
    running = RunningSimilarity(sites, pairs, probe, frames)
    size = clips_at_once(torch.device(denoiser.device), batch_size)
    batches = noised_batches(clips, labels, denoiser, probe.timesteps, size=size, seed=probe.seed)
    for count, steps in batches:
        matrices: list[dict[Place, Array]] = [{} for _ in range(count)]
        for step, x, t, y in steps:

            def forward(x: Tensor, t: Tensor = t, y: Tensor | None = y) -> Any:
                return denoiser.predict(model, x, t, y)

            run = _Pass(step, matrices, pending=list(pairs))
            with watching(model, sites, run.receive, num_clips=len(x), num_frames=frames):
                run_exactly(forward, x)
        for clip in matrices:
            running.add(clip)
        on_clips(count)
    return running.result()


def clips_at_once(device: torch.device, batch_size: int) -> int:
    """Clips in one pass: on a CPU a single one, so that no other clip can change its bits."""
    return 1 if device.type == "cpu" else batch_size


class RunningSimilarity:
    """Everything that is kept between clips, which are added one at a time.

    Raises:
        ValueError: a difference of places that are not measured.
    """

    def __init__(
        self, sites: tuple[Site, ...], pairs: tuple[SitePair, ...], probe: Probe, num_frames: int
    ) -> None:
        self.sites, self.pairs, self.num_frames = sites, pairs, num_frames
        self.timesteps = tuple(probe.timesteps)
        wheres: list[str | SitePair] = [*(site.path for site in sites), *pairs]
        self.places: dict[Place, RunningSummary] = {
            (where, step): RunningSummary(
                num_frames, mutual=isinstance(where, SitePair), intervals=probe.intervals
            )
            for where in wheres
            for step in self.timesteps
        }
        # FRAME_NUMBERS: a clip's means over its sites and timesteps.
        self.averages = RunningMeans(len(FRAME_NUMBERS), intervals=probe.intervals)
        self.requested = tuple(dict.fromkeys(probe.differences))
        for difference in self.requested:
            for place in (difference.first, difference.second):
                if place not in self.places:
                    raise ValueError(f"{difference} is of {place}, which is not measured")
        self.differences = RunningMeans(len(self.requested), intervals=probe.intervals)

    def add(self, matrices: dict[Place, Array]) -> None:
        """One clip, at all places."""
        numbers = {place: summary.add(matrices[place]) for place, summary in self.places.items()}
        at_sites = [values for (where, _), values in numbers.items() if isinstance(where, str)]
        self.averages.add(
            np.array([[values[name] for name in FRAME_NUMBERS] for values in at_sites]).mean(0)
        )
        changes = [
            numbers[change.second][change.number] - numbers[change.first][change.number]
            for change in self.requested
        ]
        self.differences.add(np.array(changes))

    def result(self) -> ModelSimilarity:
        """The similarities of the clips so far.

        Raises:
            InputError: there are none.
        """
        num_clips = self.averages.count
        if not num_clips:
            raise InputError("no clips to measure: give at least one")
        return ModelSimilarity(
            sites=self.sites,
            pairs=self.pairs,
            timesteps=self.timesteps,
            num_clips=num_clips,
            num_frames=self.num_frames,
            summaries={place: running.summary() for place, running in self.places.items()},
            averages=self.averages.numbers(FRAME_NUMBERS),
            differences=self.differences.numbers(dict.fromkeys(self.requested, ANY)),
        )


class _Pass:
    """One pass of a batch: each clip's matrices, as soon as the states are there."""

    def __init__(
        self, timestep: int, matrices: list[dict[Place, Array]], pending: list[SitePair]
    ) -> None:
        self.timestep = timestep
        self.matrices = matrices  # one for each clip; clips that fill a batch up have none
        self.pending = pending
        self.held: dict[str, list[Tensor]] = {}  # directions of sites whose partner is to come

    def receive(self, site: Site, states: Tensor) -> None:
        """States (N, F, S, D) of a site."""
        if not states.isfinite().all():
            raise InputError(
                f"hidden states of {site.path} are not finite at timestep {self.timestep}: the "
                "checkpoint may be damaged, or its training may have diverged"
            )
        self.held[site.path] = [token_directions(clip) for clip in states[: len(self.matrices)]]
        self._compare(site.path, site.path, site.path)
        for pair in list(self.pending):
            if {pair.first, pair.second} <= set(self.held):
                self._compare(pair, pair.first, pair.second)
                self.pending.remove(pair)
        needed = {path for pair in self.pending for path in (pair.first, pair.second)}
        for path in set(self.held) - needed:
            del self.held[path]

    def _compare(self, where: str | SitePair, first: str, second: str) -> None:
        for clip, one, other in zip(
            self.matrices, self.held[first], self.held[second], strict=True
        ):
            clip[where, self.timestep] = cosines(one, other)


def _config(model: nn.Module) -> Any:
    config = getattr(model, "config", None)
    if not hasattr(config, "token_frames") or not hasattr(config, "variant"):
        raise ValueError("the model is no Latte: give sites and num_frames")
    return config


def _check(sites: Sequence[Site], frames: int) -> None:
    paths = [site.path for site in sites]
    if not paths:
        raise ValueError("no sites to measure")
    for path in paths:
        if paths.count(path) > 1:
            raise InputError(f"{path} is named twice: name each part once")
    if frames < MIN_FRAMES:
        raise InputError(
            f"clips have {frames} frames of tokens: a nearer and a farther frame need at least "
            f"{MIN_FRAMES}"
        )
