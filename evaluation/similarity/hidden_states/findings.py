"""Similarities inside a network: at every place, as curves over places, and their differences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from evaluation.similarity.hidden_states.latte_sites import SitePair
from evaluation.similarity.hidden_states.sites import Site
from evaluation.similarity.means import Estimate
from evaluation.similarity.record import summary_record
from evaluation.similarity.summary import FRAME_NUMBERS, MUTUAL_NUMBERS, Summary

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
class ModelSimilarity:
    """Similarity of frames in the hidden states of a network.

    `at(path, timestep)` has matrix, distribution and numbers ("mean", "variance", "inverted", …),
    each with its interval over the clips; `between(pair, timestep)` the same of two branches.
    """

    sites: tuple[Site, ...]
    pairs: tuple[SitePair, ...]
    timesteps: tuple[int, ...]
    num_clips: int
    num_frames: int  # frames of tokens
    summaries: Mapping[Place, Summary]
    averages: Mapping[str, Estimate]  # of FRAME_NUMBERS, over all sites and timesteps
    differences: Mapping[Difference, Estimate]  # the requested ones

    def at(self, path: str, timestep: int) -> Summary:
        """Similarity of a site's frames with each other."""
        return self.summaries[path, timestep]

    def between(self, pair: SitePair, timestep: int) -> Summary:
        """Similarity of frames of the first site with frames of the second."""
        return self.summaries[pair, timestep]

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

    def difference(self, number: str, first: Place, second: Place) -> Estimate:
        """Second less first, clip by clip: narrower than two intervals beside each other.

        Raises:
            ValueError: this difference was not requested before the clips were measured.
        """
        wanted = Difference(number, first, second)
        if wanted not in self.differences:
            raise ValueError(
                f"this difference was not requested: measure with differences=[{wanted}]"
            )
        return self.differences[wanted]

    def average(self, number: str) -> Estimate:
        """The mean of a number over all sites and timesteps."""
        return self.averages[number]

    def record(self) -> dict[str, Any]:
        """All sites and pairs for JSON, one entry for each timestep."""
        return {
            "sites": [
                {
                    "path": site.path,
                    "kind": site.kind,
                    "depth": site.depth,
                    "timestep": step,
                    "summary": summary_record(self.at(site.path, step)),
                }
                for site in self.sites
                for step in self.timesteps
            ],
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "depth": pair.depth,
                    "timestep": step,
                    "summary": summary_record(self.between(pair, step)),
                }
                for pair in self.pairs
                for step in self.timesteps
            ],
        }
