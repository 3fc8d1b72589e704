"""What a careful reader must know before quoting a number: data, printed as sentences."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.protocol.deviations import Deviation
from reports.numbers import format_value

MissingInterval = Literal[
    "too_few_clips", "unequal_lengths", "mean_of_classes", "mean_of_positions"
]
MISSING_INTERVALS: Mapping[MissingInterval, str] = {
    "too_few_clips": "fewer than {min_clips} clips",
    "unequal_lengths": "clips of different lengths cannot be drawn again as whole ones",
    "mean_of_classes": "it is a mean over classes, whose spread is in its details",
    "mean_of_positions": "it is a mean over positions of the same clips",
}


class Caveat(ABC):
    """Something to know before quoting a number; `str()` is its sentence."""

    @abstractmethod
    def __str__(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class NoClips(Caveat):
    """A set is known by its statistics alone."""

    path: str

    def __str__(self) -> str:
        return (
            f"{self.path} is a statistics file, without clips to resample: no confidence interval"
        )


@dataclass(frozen=True, kw_only=True)
class VideosLeftOut(Caveat):
    """Videos of a set that could not be used."""

    names: tuple[str, ...]
    reason: Literal["too short", "broken"]

    def __str__(self) -> str:
        videos = "1 video is" if len(self.names) == 1 else f"{len(self.names)} videos are"
        return f"{videos} {self.reason} and left out: {some_of(self.names)}"


@dataclass(frozen=True, kw_only=True)
class DependentClips(Caveat):
    """Several clips of a set are of one video."""

    path: str
    num_clips: int
    num_videos: int

    def __str__(self) -> str:
        return (
            f"{self.num_clips} clips of {self.num_videos} videos of {self.path} count as "
            "independent: intervals are too narrow"
        )


@dataclass(frozen=True, kw_only=True)
class SameClips(Caveat):
    """The generated clips are the real ones."""

    def __str__(self) -> str:
        return "the two sets are the same clips"


@dataclass(frozen=True, kw_only=True)
class FewerClips(Caveat):
    """A set has fewer usable clips than were asked for."""

    path: str
    available: int
    wanted: int

    def __str__(self) -> str:
        return f"only {self.available} of {self.wanted} clips: {self.path} has no more usable ones"


@dataclass(frozen=True, kw_only=True)
class Deviating(Caveat):
    """A measurement was not carried out as its protocol asks."""

    protocol: str
    deviations: tuple[Deviation, ...]

    def __str__(self) -> str:
        return f"not as {self.protocol} asks: {'; '.join(map(str, self.deviations))}"


@dataclass(frozen=True, kw_only=True)
class NoInterval(Caveat):
    """A number without an interval, and why."""

    metric: str = ""  # "": no number of the measurement has one
    reason: MissingInterval
    min_clips: int | None = None  # clips of each set that an interval needs

    def __str__(self) -> str:
        reason = MISSING_INTERVALS[self.reason].format(min_clips=self.min_clips)
        subject = f"{self.metric} has no" if self.metric else "no number has an"
        return f"{subject} interval: {reason}"


@dataclass(frozen=True, kw_only=True)
class SingularCovariance(Caveat):
    """A set has no more rows than features."""

    side: Literal["real", "generated"]
    rows: int
    unit: str  # what a row is of: "clip", "frame"
    num_features: int

    def __str__(self) -> str:
        return (
            f"{self.rows} {self.side} {self.unit}s are few for {self.num_features} "
            "features: the covariance is singular and the value far above its limit for many"
        )


@dataclass(frozen=True, kw_only=True)
class BiasedByCount(Caveat):
    """Part of a value is due to the number of clips."""

    metric: str
    limit: float  # extrapolated to infinitely many clips
    interval: tuple[float, float]
    share: float | None  # the part of the value; None: cannot be estimated

    def __str__(self) -> str:
        limit = format_value(self.limit, self.interval)
        if self.share is None:
            return (
                f"how much of {self.metric} is due to the number of clips cannot be estimated from "
                f"so few (extrapolated: {limit})"
            )
        return (
            f"about {self.share:.0%} of {self.metric} is due to the number of clips, if they are "
            "independent draws (less of it if they are balanced by class): extrapolated to "
            f"infinitely many it is {limit}"
        )


@dataclass(frozen=True, kw_only=True)
class SmallSplits(Caveat):
    """The splits of an Inception Score have few clips for so many classes."""

    clips: float  # in each split
    num_classes: int

    def __str__(self) -> str:
        return (
            f"{self.clips:g} clips in each split are few for {self.num_classes} classes: the score "
            "is below its limit for many"
        )


@dataclass(frozen=True, kw_only=True)
class ClassesLeftOut(Caveat):
    """Classes without a value, as a set has too few clips of them."""

    counts: Mapping[str, tuple[int, int]]  # real and generated clips of each class
    min_clips: int

    def __str__(self) -> str:
        listed = [f"{name} ({self._missing(*counts)})" for name, counts in self.counts.items()]
        return f"the mean leaves out {some_of(listed)}"

    def _missing(self, num_real: int, num_generated: int) -> str:
        missing = [
            f"{count or 'no'} {side} clip{'' if count == 1 else 's'}"
            for side, count in (("real", num_real), ("generated", num_generated))
            if count < self.min_clips
        ]
        return f"{' and '.join(missing)}, of {self.min_clips} needed"


def some_of(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more
