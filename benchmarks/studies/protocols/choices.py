"""The choices on which papers differ: each is a base protocol with one choice made otherwise."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from evaluation.networks.registry import NetworkSpec
from evaluation.protocol.deviations import Deviation, differences
from evaluation.protocol.fields import Filter, Protocol, Recipe, Storage
from latte.data.transforms import OWN_FILTERS

Family = Literal["clips", "time", "frames", "network", "statistics"]
STRIDES = (1, 2, 3)
RECIPES: Mapping[str, str] = {
    "none": "no preparation, the network resizes",
    "stylegan-v": "resize, then crop (StyleGAN-V)",
    "latte": "crop, then resize (Latte)",
    "cd-fvd": "resize, then crop, by torch (cd-fvd)",
    "videogpt": "resize without antialiasing (VideoGPT)",
    "digan": "crop, resize without antialiasing (DIGAN)",
}
STORAGES: Mapping[str, str] = {
    "lossless": "lossless frames (PNG)",
    "jpeg-95": "JPEG of quality 95",
    "jpeg-75": "JPEG of quality 75",
    "mp4": "MP4 (H.264)",
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The base protocol with one choice made in another way."""

    label: str
    family: Family
    changes: Mapping[str, Any]  # fields of the protocol
    videos: int | None = None  # only so many of each set: where more clips of each are wanted


def choices(base: Protocol, spec: NetworkSpec) -> list[Choice]:
    """Every other choice than the base protocol's, one at a time."""
    return [
        *_choices_of_clips(base, min(base.num_real, base.num_fake)),
        *_choices_of_time(base),
        *_choices_of_frames(base),
        *_choices_of_network(base, spec),
    ]


def _choices_of_clips(base: Protocol, count: int) -> Iterator[Choice]:
    orders = {"sorted": "the first videos by name", "random": "random videos"}
    for order, label in orders.items():
        if not base.real_order == base.fake_order == order:
            changes: dict[str, Any] = {"real_order": order, "fake_order": order}
            yield Choice(label=label, family="clips", changes=changes)
    for seed in (base.seed + 1, base.seed + 2):
        changes = {"real_order": "random", "fake_order": "random", "seed": seed}
        yield Choice(label=f"random videos, seed {seed}", family="clips", changes=changes)
    for clips in (2, 4):
        if base.real_clips == 1:
            yield Choice(
                label=f"{clips} clips of each video, as many clips in all",
                family="clips",
                changes={"real_clips": clips, "fake_clips": clips},
                videos=max(1, count // clips),
            )
    for part, divisor in (("half", 2), ("a quarter", 4)):
        fewer = {"num_real": count // divisor, "num_fake": count // divisor}
        yield Choice(label=f"{part} of the clips", family="clips", changes=fewer)
    for mirror, whose in (("real", "real clips"), ("both", "all clips")):
        doubled = {"num_real": 2 * count} | ({"num_fake": 2 * count} if mirror == "both" else {})
        yield Choice(
            label=f"{whose} and their mirror images",
            family="clips",
            changes={"mirror": mirror, **doubled},
            videos=count,
        )


def _choices_of_time(base: Protocol) -> Iterator[Choice]:
    for stride in STRIDES:
        if stride != base.real_stride:
            changes: dict[str, Any] = {"real_stride": stride}
            yield Choice(label=f"real clips at stride {stride}", family="time", changes=changes)
    for stride in STRIDES:
        if not base.real_stride == base.fake_stride == stride:
            changes = {"real_stride": stride, "fake_stride": stride}
            yield Choice(label=f"all clips at stride {stride}", family="time", changes=changes)
    for offset, where in (("first", "at frame 0"), ("random", "anywhere")):
        if base.real_offset != offset:
            changes = {"real_offset": offset}
            yield Choice(label=f"real clips begin {where}", family="time", changes=changes)
        if not base.real_offset == base.fake_offset == offset:
            changes = {"real_offset": offset, "fake_offset": offset}
            yield Choice(label=f"all clips begin {where}", family="time", changes=changes)
    changes = {"num_frames": max(1, base.num_frames // 2)}
    yield Choice(label="half as many frames", family="time", changes=changes)


def _choices_of_frames(base: Protocol) -> Iterator[Choice]:
    for name in get_args(Filter):
        if name != base.filter:
            yield Choice(label=f"{name} resizing", family="frames", changes={"filter": name})
    for name in get_args(Recipe):
        if name != base.recipe:
            # A recipe that has its own filter brings it along: there is no other way to make it.
            own = OWN_FILTERS.get(name, "lanczos" if base.recipe in OWN_FILTERS else base.filter)
            changes = {"recipe": name} | ({"filter": own} if own != base.filter else {})
            yield Choice(label=RECIPES.get(name, name), family="frames", changes=changes)
    for name in get_args(Storage):
        if name != base.storage:
            label = STORAGES.get(name, name)
            yield Choice(label=label, family="frames", changes={"storage": name})


def _choices_of_network(base: Protocol, spec: NetworkSpec) -> Iterator[Choice]:
    for output in spec.outputs:
        if output != base.output:
            yield Choice(label=f"{output} features", family="network", changes={"output": output})
    for resize in spec.resizes:
        if resize != base.resize:
            label = f"network resizes by {resize}"
            yield Choice(label=label, family="network", changes={"resize": resize})
    other = "n-1" if base.covariance == "n" else "n"
    label = f"covariance over {other.replace('-', ' − ')}"
    yield Choice(label=label, family="statistics", changes={"covariance": other})


def differing(base: Protocol, choice: Choice) -> str:
    """The fields that a choice changes, in words; those that both sets share in one.

    >>> from evaluation.protocol.presets import SHAPES
    >>> both = Choice(label="", family="time", changes={"real_stride": 2, "fake_stride": 2})
    >>> differing(SHAPES, both)
    'stride 2 instead of 1'
    """
    fields = base.moving_fields()
    sides: dict[tuple[str, object, object], list[Deviation]] = {}
    for change in differences({**fields, **choice.changes}, fields):
        name = change.field.removeprefix("real_").removeprefix("fake_")
        name = "number" if name in ("num_real", "num_fake") else name
        sides.setdefault((name, change.value, change.wanted), []).append(change)
    words = [
        str(replace(alike[0], field=name) if len(alike) == 2 else alike[0])
        for (name, *_), alike in sides.items()
    ]
    return "; ".join([*words, *([f"of {choice.videos} videos"] if choice.videos else [])])
