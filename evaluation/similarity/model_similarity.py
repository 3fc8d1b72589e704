"""What was measured inside a network: every place by itself, and curves and differences of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from evaluation.similarity.hidden_states import Site
from evaluation.similarity.latte_sites import SitePair
from evaluation.similarity.moments import Estimate, RunningMoments
from evaluation.similarity.summary import FRAME_NUMBERS, Summary

Place = tuple[str, int]  # path of a site, timestep


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
    num_frames: int  # of tokens
    summaries: Mapping[Place, Summary]
    mutual: Mapping[tuple[SitePair, int], Summary]
    # Of each of FRAME_NUMBERS by itself: at all places, in the order of `summaries`.
    joint: Mapping[str, RunningMoments] = field(repr=False)

    def at(self, path: str, timestep: int) -> Summary:
        """Of one site with itself."""
        return self.summaries[path, timestep]

    def between(self, pair: SitePair, timestep: int) -> Summary:
        """Of two sites with each other: frames of the first with frames of the second."""
        return self.mutual[pair, timestep]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of sites, such as "spatial block", in the order of the sites."""
        return tuple(dict.fromkeys(site.kind for site in self.sites))

    def over_depth(self, number: str, timestep: int, kind: str) -> list[tuple[int, Estimate]]:
        """One number at every block that has a site of a kind, by the number of the block."""
        return sorted(
            (
                (site.depth, self.at(site.path, timestep)[number])
                for site in self.sites
                if site.kind == kind and site.depth is not None
            ),
            key=lambda point: point[0],
        )

    def over_time(self, number: str, path: str) -> list[tuple[int, Estimate]]:
        """One number of a site at every timestep, ascending."""
        return [(step, self.at(path, step)[number]) for step in sorted(self.timesteps)]

    def difference(self, number: str, first: Place, second: Place) -> Estimate:
        """Second less first, clip by clip: narrower than two intervals beside each other."""
        places = list(self.summaries)
        weights = np.zeros(len(places))
        weights[places.index(second)] += 1
        weights[places.index(first)] -= 1
        return self.joint[number].combination(weights)

    def average(self, number: str) -> Estimate:
        """The mean of a number over all sites and timesteps."""
        low, high = FRAME_NUMBERS[number]
        weights = np.full(len(self.summaries), 1 / len(self.summaries))
        return self.joint[number].combination(weights, floor=low, ceiling=high)
