"""The choices on which papers differ: each changes one thing about a base protocol."""

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
# The field of real clips, that of generated ones, and the name of both.
BOTH_SETS = {
    f"real_{name}": (f"fake_{name}", name) for name in ("order", "stride", "offset", "clips")
} | {"num_real": ("num_fake", "number")}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The base protocol with one change."""

    label: str
    family: Family
    changes: Mapping[str, Any]  # fields of the protocol
    videos: int | None = None  # limit on the videos of each set, where more clips of each are taken


def choices(base: Protocol, spec: NetworkSpec) -> list[Choice]:
    """Every choice other than the base protocol's, one at a time."""
    return [
        *_clips(base, min(base.num_real, base.num_fake)),
        *_time(base),
        *_frames(base),
        *_network(base, spec),
    ]


def changes(base: Protocol, choice: Choice) -> list[Deviation]:
    """The fields that a choice changes; what both sets share stands once.

    >>> from evaluation.protocol.presets import SHAPES
    >>> both = Choice(label="", family="time", changes={"real_stride": 2, "fake_stride": 2})
    >>> [str(change) for change in changes(SHAPES, both)]
    ['stride 2 instead of 1']
    """
    fields = base.affecting_fields()
    found = differences({**fields, **choice.changes}, fields)
    changed = {deviation.field: deviation for deviation in found}
    for real, (fake, shared) in BOTH_SETS.items():
        if real in changed and changed.get(fake) == replace(changed[real], field=fake):
            changed[real] = replace(changed[real], field=shared)
            del changed[fake]
    return list(changed.values())


def _clips(base: Protocol, count: int) -> Iterator[Choice]:
    for order, label in (("sorted", "the first videos by name"), ("random", "random videos")):
        if not base.real_order == base.fake_order == order:
            yield Choice(label=label, family="clips", changes=_both("order", order))
    for seed in (base.seed + 1, base.seed + 2):
        drawn = {**_both("order", "random"), "seed": seed}
        yield Choice(label=f"random videos, seed {seed}", family="clips", changes=drawn)
    for clips in (2, 4):
        if base.real_clips == 1:
            yield Choice(
                label=f"{clips} clips of each video, as many clips in all",
                family="clips",
                changes=_both("clips", clips),
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


def _time(base: Protocol) -> Iterator[Choice]:
    for stride in STRIDES:
        if stride != base.real_stride:
            real = {"real_stride": stride}
            yield Choice(label=f"real clips at stride {stride}", family="time", changes=real)
    for stride in STRIDES:
        if not base.real_stride == base.fake_stride == stride:
            both = _both("stride", stride)
            yield Choice(label=f"all clips at stride {stride}", family="time", changes=both)
    for offset, where in (("first", "at frame 0"), ("random", "anywhere")):
        if base.real_offset != offset:
            begin = {"real_offset": offset}
            yield Choice(label=f"real clips begin {where}", family="time", changes=begin)
        if not base.real_offset == base.fake_offset == offset:
            both = _both("offset", offset)
            yield Choice(label=f"all clips begin {where}", family="time", changes=both)
    half = {"num_frames": max(1, base.num_frames // 2)}
    yield Choice(label="half as many frames", family="time", changes=half)


def _frames(base: Protocol) -> Iterator[Choice]:
    for name in get_args(Filter):
        if name != base.filter:
            yield Choice(label=f"{name} resizing", family="frames", changes={"filter": name})
    for name in get_args(Recipe):
        if name != base.recipe:
            # A recipe with a filter of its own brings it along.
            own = OWN_FILTERS.get(name, "lanczos" if base.recipe in OWN_FILTERS else base.filter)
            changed = {"recipe": name} | ({"filter": own} if own != base.filter else {})
            yield Choice(label=RECIPES.get(name, name), family="frames", changes=changed)
    for name in get_args(Storage):
        if name != base.storage:
            label = STORAGES.get(name, name)
            yield Choice(label=label, family="frames", changes={"storage": name})


def _network(base: Protocol, spec: NetworkSpec) -> Iterator[Choice]:
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


def _both(field: str, value: Any) -> dict[str, Any]:
    return {f"real_{field}": value, f"fake_{field}": value}
