"""What a careful reader must know before quoting a number: data, worded when it is logged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evaluation.protocol.deviations import Deviation
from latte.data.errors import some_of
from reports.numbers import format_value

Kind = Literal[
    "statistics_alone",  # a set without clips, so that nothing can be resampled
    "left_out",  # videos of a set that could not be used
    "noted_videos",  # how videos of a set were read, where that is not plain
    "dependent_clips",  # several clips of one video
    "same_clips",  # both sets are the same
    "deviating",  # not measured as the protocol asks
    "no_interval",
    "few_rows",  # no more rows than features
    "biased",  # part of the value is small-sample bias
    "few_in_split",  # clips in each split of an Inception Score
    "classes_left_out",
]
MISSING_INTERVALS: Mapping[str, str] = {  # keys are a value's details["no_interval"]
    "too_few_clips": "fewer than {min_clips} clips",
    "unequal_lengths": "clips of different lengths cannot be resampled",
    "mean_of_classes": "it is a mean over classes, whose spread is in its details",
    "mean_of_positions": "it is a mean over positions of the same clips",
}
VIDEO_NOTES: Mapping[str, str] = {  # keys are latte.data.video.Note
    "rotated": "turned or mirrored as their metadata say",
    "not_turned": "of pictures read as stored, although their metadata ask to turn them",
    "interlaced": "interlaced, so that a frame shows two moments line by line",
    "alpha": "with an alpha channel, through which nothing shows",
    "alpha_unread": "with an alpha channel beside their frames, which is not looked at",
    "grey": "grey, and became RGB of equal channels",
    "counted": "of a container that does not number its frames, which were counted by decoding",
    "fewer_frames": "of fewer frames than their files claim",
    "bytes_after_end": "followed by bytes that belong to no frame",
    "gaps": "in transport streams that lack packets, and so perhaps frames",
    "end_not_stated": "in files that do not state their length, so that a lost end goes unnoticed",
    "damaged_later": "damaged after frames that can be read",
}


@dataclass(frozen=True)
class Caveat:
    """Something to know before quoting a number; `str()` is its sentence.

    >>> print(Caveat("dependent_clips", {"path": "real", "num_clips": 4, "num_videos": 2}))
    4 clips of 2 videos of real count as independent: intervals are too narrow
    """

    kind: Kind
    facts: Mapping[str, Any] = field(default_factory=dict)  # parameters of its wording

    def __str__(self) -> str:
        return WORDINGS[self.kind](**self.facts)


def _left_out(names: Sequence[str], reason: str) -> str:
    videos = "1 video is" if len(names) == 1 else f"{len(names)} videos are"
    return f"{videos} {reason} and left out: {some_of(names)}"


def _noted_videos(path: str, kind: str, num_videos: int, examples: Sequence[str]) -> str:
    verb = "is" if num_videos == 1 else "are"
    more = f" (and {num_videos - len(examples)} more)" if num_videos > len(examples) else ""
    return (
        f"{num_videos} of the videos measured of {path} {verb} {VIDEO_NOTES[kind]}: "
        f"{'; '.join(examples)}{more}"
    )


def _deviating(protocol: str, deviations: Sequence[Deviation]) -> str:
    return f"deviates from protocol {protocol}: {'; '.join(map(str, deviations))}"


def _no_interval(metric: str, reason: str, **facts: Any) -> str:
    return f"{metric} has no interval: {MISSING_INTERVALS[reason].format(**facts)}"


def _biased(metric: str, infinite: Mapping[str, Any]) -> str:
    extrapolated = format_value(infinite["value"], tuple(infinite["interval"]))
    if not infinite["reliable"]:
        return (
            f"how much of {metric} is small-sample bias cannot be estimated from so few clips "
            f"(extrapolated: {extrapolated})"
        )
    return (
        f"about {infinite['share']:.0%} of {metric} is small-sample bias (for independent clips; "
        "less if they are balanced by class): extrapolated to infinitely many clips it is "
        f"{extrapolated}"
    )


def _classes_left_out(classes: Mapping[str, Mapping[str, int]], min_clips: int) -> str:
    listed = [
        f"{name} ({part['num_real']} real and {part['num_fake']} generated clips, at least "
        f"{min_clips} of each are needed)"
        for name, part in classes.items()
    ]
    return f"the mean leaves out {some_of(listed)}"


WORDINGS: Mapping[Kind, Callable[..., str]] = {
    "statistics_alone": (
        "{path} is a statistics file, without clips to resample: no confidence interval".format
    ),
    "left_out": _left_out,
    "noted_videos": _noted_videos,
    "dependent_clips": (
        "{num_clips} clips of {num_videos} videos of {path} count as independent: intervals are "
        "too narrow".format
    ),
    "same_clips": "the two sets are the same clips".format,
    "deviating": _deviating,
    "no_interval": _no_interval,
    "few_rows": (
        "{rows} {side} {unit}s are few for {num_features} features: the covariance is singular and "
        "the value strongly biased upwards; use more {unit}s".format
    ),
    "biased": _biased,
    "few_in_split": (
        "{clips:g} clips in each split are few for {num_classes} classes: the score is below its "
        "limit for many".format
    ),
    "classes_left_out": _classes_left_out,
}
