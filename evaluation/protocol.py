"""Everything that moves the number. Two results compare only if these fields are equal.

A protocol is a value, not a code path: presets (`evaluation/presets.py`), a TOML file and
`--set FIELD=VALUE` all make the same frozen record, and its fingerprint goes with every result.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, Literal, get_args, get_type_hints

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

    Each field carries its meaning, which `latte-eval protocols show NAME` prints beside the value.
    """

    name: Annotated[str, "what it is called; moves no number"]
    description: Annotated[str, "what it is; moves no number"]
    split: Annotated[str, "real videos of a data set: published (as its FVDs are), train, test, …"]
    num_real: Annotated[int, "real clips at most, one from each video"]
    num_fake: Annotated[int, "generated clips at most, one from each video"]
    num_frames: Annotated[int, "kept in each clip"]
    real_stride: Annotated[int, "source frames per kept frame of real videos; papers differ"]
    fake_stride: Annotated[int, "the same of generated videos"]
    real_order: Annotated[Order, "sorted: the first real videos by name; random: a seeded choice"]
    fake_order: Annotated[Order, "the same of generated videos"]
    real_offset: Annotated[Offset, "first: real clips begin at frame 0; random: where they fit"]
    fake_offset: Annotated[Offset, "the same of generated clips"]
    short_real: Annotated[ShortVideos, "real videos that are too short: discard or error"]
    seed: Annotated[int, "of every random choice above"]
    recipe: Annotated[Recipe, "how video files become square frames; other frames stay as they are"]
    size: Annotated[int, "of those frames, in pixels"]
    storage: Annotated[Storage, "what those frames go through before they are measured"]
    network: Annotated[str, "feature network, its own resizing included"]
    weights: Annotated[str, "published file by name, bundled, or sha256:… of any other file"]
    output: Annotated[str, "the layer whose output are the features"]
    covariance: Annotated[Covariance, "divided by n, or by n − 1"]
    precision: Annotated[Literal["float32"], "of the network; statistics are always float64"]

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
    meanings = {
        key: hint.__metadata__[0]
        for key, hint in get_type_hints(Protocol, include_extras=True).items()
    }
    values = {key: json.dumps(value) for key, value in asdict(protocol).items()}
    lines = [f"# fingerprint {protocol.fingerprint}"]
    for key, value in values.items():
        lines += ["", f"# {meanings[key]}", f"{key} = {value}"]
    return "\n".join(lines) + "\n"


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
