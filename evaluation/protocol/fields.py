"""Everything that moves the number. Two results compare only if these fields are equal.

A protocol is a value, not a code path: presets (`evaluation/protocol/presets.py`), a TOML file and
`--set FIELD=VALUE` all make the same frozen record, and its fingerprint goes with every result.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from evaluation.protocol.content import fingerprint
from latte.data.clips import Offset, Order, Selection, ShortVideos, Window
from latte.data.errors import InputError, nearest
from latte.data.loading import Preparation
from latte.data.transforms import OWN_FILTERS

Covariance = Literal["n", "n-1"]
Recipe = Literal["none", "stylegan-v", "latte", "cd-fvd", "videogpt", "digan"]
Filter = Literal["lanczos", "bicubic", "bilinear", "box", "nearest"]
Storage = Literal["lossless", "jpeg-75", "jpeg-95", "mp4"]
Mirror = Literal["none", "real", "both"]
Resize = Literal["squash", "crop", "clean", "legacy-tensorflow", "legacy-pytorch", "none"]
METRICS = (
    "fvd",
    "kvd",
    "jedi",
    "is",
    "fid",
    "kid",
    "precision-recall",
    "density-coverage",
    "per-class",
    "per-position",
    "similarity",
)
DDOF: Mapping[str, int] = {"n": 0, "n-1": 1}  # what a divisor is less than n
LABELS = ("name", "description", "metrics")  # said about a protocol; they move no number
FROM_ZERO = ("seed", "num_real", "num_fake")  # whole numbers that may be 0


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a number is made, from the choice of videos to the covariance.

    Each field carries its meaning, which `latte-eval protocols show NAME` prints beside the value.
    """

    name: Annotated[str, "what it is called; moves no number"]
    description: Annotated[str, "what it is; moves no number"]
    metrics: Annotated[tuple[str, ...], "what `latte-eval all` measures; moves no number"]
    split: Annotated[str, "real videos of a data set: published (as its FVDs are), train, test, …"]
    num_real: Annotated[int, "real clips at most (frames, if every one is taken); 0: all there are"]
    num_fake: Annotated[int, "the same of generated clips"]
    num_frames: Annotated[int, "kept in each clip"]
    real_stride: Annotated[int, "source frames per kept frame of real videos; papers differ"]
    fake_stride: Annotated[int, "the same of generated videos"]
    real_order: Annotated[
        Order,
        "sorted: the first real videos by name; random: a seeded choice; clips: a seeded choice "
        "among all clips of all videos",
    ]
    fake_order: Annotated[Order, "the same of generated videos"]
    real_offset: Annotated[
        Offset,
        "first: real clips begin at frame 0; random: where they fit; every: clip after clip, the "
        "last one shorter, so that each frame is taken once",
    ]
    fake_offset: Annotated[Offset, "the same of generated clips"]
    window: Annotated[
        Window, "what has to fit into a video: kept, up to the last kept frame; whole strides"
    ]
    short_real: Annotated[ShortVideos, "real videos that are too short: discard or error"]
    real_clips: Annotated[int, "from one real video at most; a second one after one of each"]
    fake_clips: Annotated[int, "the same of generated videos"]
    mirror: Annotated[Mirror, "whose clips come a second time, flipped left to right: none, …"]
    seed: Annotated[int, "of every random choice above"]
    recipe: Annotated[Recipe, "how video files become square frames; other frames stay as they are"]
    filter: Annotated[Filter, "of that resizing"]
    size: Annotated[int, "of those frames, in pixels"]
    storage: Annotated[Storage, "what those frames go through before they are measured"]
    network: Annotated[str, "feature network"]
    weights: Annotated[str, "published file by name, bundled, or sha256:… of any other file"]
    output: Annotated[str, "the layer whose output are the features"]
    resize: Annotated[Resize, "how the network brings frames to its own size"]
    covariance: Annotated[Covariance, "divided by n, or by n − 1"]
    precision: Annotated[Literal["float32"], "of the network; statistics are always float64"]

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            _check(field.name, getattr(self, field.name), hints[field.name])
        self._check_together()

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a hash over every field that moves a number."""
        return fingerprint(self.moving_fields())

    def moving_fields(self) -> dict[str, Any]:
        """The fields that move a number, by name."""
        return {key: value for key, value in asdict(self).items() if key not in LABELS}

    def _check_together(self) -> None:
        """Fields that are possible by themselves, but not beside each other."""
        own = OWN_FILTERS.get(self.recipe, self.filter)
        if self.filter != own:
            raise ValueError(f"filter = {self.filter!r}: the recipe {self.recipe} resizes {own}")
        for order, offset in (
            (self.real_order, self.real_offset),
            (self.fake_order, self.fake_offset),
        ):
            if order == "clips" and offset != "random":
                raise ValueError(f"offset {offset!r}: a choice among all clips needs random")

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
            window=self.window,
            clips_per_video=self.real_clips,
            mirror=self.mirror in ("real", "both"),
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
            window=self.window,
            clips_per_video=self.fake_clips,
            mirror=self.mirror == "both",
        )

    def preparation(self) -> Preparation:
        """What video files go through before they are measured."""
        return Preparation(
            recipe=self.recipe, size=self.size, storage=self.storage, filter=self.filter
        )


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
        values[key] = _value(key, text.strip(), hints[key])
    return checked(lambda: replace(protocol, **values), "--set")


def to_toml(protocol: Protocol) -> str:
    """The protocol as a TOML file that `evaluation.protocol.presets.load_protocol` reads back."""
    meanings = {
        key: hint.__metadata__[0]
        for key, hint in get_type_hints(Protocol, include_extras=True).items()
    }
    # What JSON writes of whole numbers, texts and lists of texts is TOML too.
    values = {key: json.dumps(value) for key, value in asdict(protocol).items()}
    lines = [f"# fingerprint {protocol.fingerprint}"]
    for key, value in values.items():
        lines += ["", f"# {meanings[key]}", f"{key} = {value}"]
    return "\n".join(lines) + "\n"


def checked(make: Callable[[], Protocol], where: str) -> Protocol:
    """What `make` makes, its complaints turned into a sentence that says where."""
    try:
        return make()
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def _check(name: str, value: object, hint: Any) -> None:
    if get_origin(hint) is tuple:
        _check_metrics(name, value)
        return
    choices = get_args(hint)
    if choices and value not in choices:
        raise ValueError(f"{name} = {value!r}: it is one of {', '.join(map(str, choices))}")
    if hint is int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"{name} = {value!r}: it is a whole number")
        least = 0 if name in FROM_ZERO else 1
        if value < least:
            raise ValueError(f"{name} = {value}: it has to be at least {least}")
    if hint is str and not isinstance(value, str):
        raise ValueError(f"{name} = {value!r}: it is a text")


def _check_metrics(name: str, value: object) -> None:
    if not isinstance(value, tuple) or not value:
        raise ValueError(f"{name} = {value!r}: it is a list of names, such as {METRICS[0]}")
    for each in value:
        if each not in METRICS:
            raise ValueError(f"{name}: {each!r} is none of {', '.join(METRICS)}")
    if len(set(value)) < len(value):
        raise ValueError(f"{name} = {', '.join(value)}: it names one metric twice")


def _value(key: str, text: str, hint: Any) -> Any:
    """What a text on the command line says of a field."""
    if get_origin(hint) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if hint is not int:
        return text
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--set {key}={text}: {key} is a whole number") from None
