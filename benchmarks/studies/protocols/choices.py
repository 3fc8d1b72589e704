"""The choices on which papers differ: each changes one thing about a base protocol."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from evaluation.networks.spec import NetworkSpec
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


@dataclass(frozen=True)
class Choice:
    """The base protocol with one change."""

    label: str
    family: Family
    changes: Mapping[str, Any]  # fields of the protocol
    videos: int | None = None  # limit on the videos of each set, where more clips of each are taken


def choices(base: Protocol, spec: NetworkSpec) -> list[Choice]:
    """Every choice other than the base protocol's, one at a time."""
    listed = [*_clips(base), *_time(base), *_frames(base), *_network(base, spec)]
    fields = base.affecting_fields()
    return [c for c in listed if any(fields[key] != c.changes[key] for key in c.changes)]


def changes(base: Protocol, choice: Choice) -> list[Deviation]:
    """The fields that a choice changes; what both sets share stands once.

    >>> from evaluation.protocol.presets import SHAPES
    >>> both = Choice(label="", family="time", changes={"real_stride": 2, "fake_stride": 2})
    >>> [str(change) for change in changes(SHAPES, both)]
    ['stride 2 instead of 1']
    """
    fields = base.affecting_fields()
    changed = {x.field: x for x in differences({**fields, **choice.changes}, fields)}
    for real, (fake, shared) in BOTH_SETS.items():
        if real in changed and changed.get(fake) == replace(changed[real], field=fake):
            changed[real] = replace(changed[real], field=shared)
            del changed[fake]
    return list(changed.values())


def _clips(base: Protocol) -> Iterator[Choice]:
    count = min(base.num_real, base.num_fake)
    yield Choice("the first videos by name", "clips", _both("order", "sorted"))
    yield Choice("random videos", "clips", _both("order", "random"))
    for seed in (base.seed + 1, base.seed + 2):
        drawn = {**_both("order", "random"), "seed": seed}
        yield Choice(f"random videos, seed {seed}", "clips", drawn)
    for clips in (2, 4) if base.real_clips == 1 else ():
        label = f"{clips} clips of each video, as many clips in all"
        yield Choice(label, "clips", _both("clips", clips), videos=max(1, count // clips))
    for part, divisor in (("half", 2), ("a quarter", 4)):
        fewer = {"num_real": count // divisor, "num_fake": count // divisor}
        yield Choice(f"{part} of the clips", "clips", fewer)
    real = {"mirror": "real", "num_real": 2 * count}
    both = {"mirror": "both", "num_real": 2 * count, "num_fake": 2 * count}
    for whose, doubled in (("real clips", real), ("all clips", both)):
        yield Choice(f"{whose} and their mirror images", "clips", doubled, videos=count)


def _time(base: Protocol) -> Iterator[Choice]:
    for stride in STRIDES:
        yield Choice(f"real clips at stride {stride}", "time", {"real_stride": stride})
    for stride in STRIDES:
        yield Choice(f"all clips at stride {stride}", "time", _both("stride", stride))
    for offset, where in (("first", "at frame 0"), ("random", "anywhere")):
        yield Choice(f"real clips begin {where}", "time", {"real_offset": offset})
        yield Choice(f"all clips begin {where}", "time", _both("offset", offset))
    yield Choice("half as many frames", "time", {"num_frames": max(1, base.num_frames // 2)})


def _frames(base: Protocol) -> Iterator[Choice]:
    for name in get_args(Filter):
        yield Choice(f"{name} resizing", "frames", {"filter": name})
    for name in get_args(Recipe):
        if name != base.recipe:
            # A recipe with a filter of its own brings it along.
            own = OWN_FILTERS.get(name, "lanczos" if base.recipe in OWN_FILTERS else base.filter)
            changed = {"recipe": name} | ({"filter": own} if own != base.filter else {})
            yield Choice(RECIPES.get(name, name), "frames", changed)
    for name in get_args(Storage):
        yield Choice(STORAGES.get(name, name), "frames", {"storage": name})


def _network(base: Protocol, spec: NetworkSpec) -> Iterator[Choice]:
    for output in spec.outputs:
        yield Choice(f"{output} features", "network", {"output": output})
    for resize in spec.resizes:
        yield Choice(f"network resizes by {resize}", "network", {"resize": resize})
    other = "n-1" if base.covariance == "n" else "n"
    label = f"covariance over {other.replace('-', ' − ')}"
    yield Choice(label, "statistics", {"covariance": other})


def _both(field: str, value: Any) -> dict[str, Any]:
    return {f"real_{field}": value, f"fake_{field}": value}
