"""Everything that moves the number. Two results compare only if these fields are equal.

A protocol is a value, not a code path: presets (`evaluation/presets.py`), a TOML file and
`--set FIELD=VALUE` all make the same frozen record, and its fingerprint goes with every result.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from latte.data.clips import Offset, Order, Selection, ShortVideos
from latte.data.command_line import nearest
from latte.data.errors import InputError
from latte.data.loading import Preparation

Covariance = Literal["n", "n-1"]
Recipe = Literal["none", "stylegan-v", "latte"]
Storage = Literal["lossless", "jpeg-75"]
LABELS = ("name", "description")  # said about a protocol; they move no number


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a number is made, from the choice of videos to the covariance.

    The comment at a field is its meaning; `latte-eval protocols show NAME` prints both.
    """

    name: str
    description: str
    split: str  # real videos of a data set: "published" (as its FVDs are published), "train", …
    num_real: int  # real clips at most, one from each video
    num_fake: int  # generated clips at most, one from each video
    num_frames: int  # kept in each clip
    real_stride: int  # source frames per kept frame; papers differ
    fake_stride: int  # the same for generated videos
    real_order: Order  # the first videos by name, or a seeded random choice
    fake_order: Order  # the same for generated videos
    real_offset: Offset  # where a clip begins: the first frame, or a seeded place where it fits
    fake_offset: Offset  # the same for generated videos
    short_real: ShortVideos  # real videos that are too short: discard or error
    seed: int  # of every random choice above
    recipe: Recipe  # video files to square frames; frame folders and arrays are taken as they are
    size: int  # of those frames, in pixels
    storage: Storage  # what those frames go through before they are measured
    network: str  # feature network, its own resizing included
    weights: str  # published file by name, "bundled", or "sha256:…" of any other file
    output: str  # the layer whose output are the features
    covariance: Covariance  # divided by n, or by n − 1
    precision: Literal["float32"]  # of the network's arithmetic; statistics are always float64

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            _check(field.name, getattr(self, field.name), hints[field.name])

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a hash over every field that moves a number."""
        canonical = json.dumps(self.moving_fields(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def moving_fields(self) -> dict[str, Any]:
        """The fields that move a number, by name."""
        return {key: value for key, value in asdict(self).items() if key not in LABELS}

    def real_selection(self) -> Selection:
        """How real clips are chosen."""
        return Selection(
            num_videos=self.num_real,
            num_frames=self.num_frames,
            stride=self.real_stride,
            order=self.real_order,
            offset=self.real_offset,
            short_videos=self.short_real,
            seed=self.seed,
        )

    def fake_selection(self) -> Selection:
        """How generated clips are chosen; a generated video that is too short is an error."""
        return Selection(
            num_videos=self.num_fake,
            num_frames=self.num_frames,
            stride=self.fake_stride,
            order=self.fake_order,
            offset=self.fake_offset,
            short_videos="error",
            seed=self.seed,
        )

    def preparation(self) -> Preparation:
        """What video files go through before they are measured."""
        return Preparation(recipe=self.recipe, size=self.size, storage=self.storage)


def override(protocol: Protocol, assignments: list[str]) -> Protocol:
    """The protocol with `FIELD=VALUE` assignments applied."""
    hints = get_type_hints(Protocol)
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        key = key.strip()
        if not separator or key not in hints:
            known = [field.name for field in fields(Protocol)]
            raise InputError(f"--set {assignment}: write FIELD=VALUE; {nearest(key, known)}")
        values[key] = _integer(key, text) if hints[key] is int else text.strip()
    return checked(lambda: replace(protocol, **values), "--set")


def to_toml(protocol: Protocol) -> str:
    """The protocol as a TOML file that `evaluation.presets.load_protocol` reads back."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in asdict(protocol).items()]
    return "\n".join([f"# fingerprint {protocol.fingerprint}", *lines]) + "\n"


def differences(fields_of: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    """A phrase for each field in which a protocol differs from a reference one.

    >>> differences({"real_stride": 1, "seed": 0}, {"real_stride": 3, "seed": 0})
    ['real_stride 1 instead of 3']
    """
    keys = [key for key in {**reference, **fields_of} if key not in LABELS]
    return [
        f"{key} {fields_of.get(key, 'not stated')} instead of {reference.get(key, 'not stated')}"
        for key in keys
        if fields_of.get(key) != reference.get(key)
    ]


def _check(name: str, value: object, hint: Any) -> None:
    choices = get_args(hint)
    if choices and value not in choices:
        raise ValueError(f"{name} = {value!r}: it is one of {', '.join(map(str, choices))}")
    if hint is int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"{name} = {value!r}: it is a whole number")
        if value < (0 if name == "seed" else 1):
            raise ValueError(f"{name} = {value}: it has to be at least {int(name != 'seed')}")
    if hint is str and not isinstance(value, str):
        raise ValueError(f"{name} = {value!r}: it is a text")


def checked(make: Callable[[], Protocol], where: str) -> Protocol:
    """What `make` makes, its complaints turned into a sentence that says where."""
    try:
        return make()
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def _integer(key: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--set {key}={text}: {key} is a whole number") from None
