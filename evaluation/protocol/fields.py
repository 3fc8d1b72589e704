"""Everything that affects a number. Two results compare only if these fields are equal.

A protocol is a value, not a code path: presets (`evaluation/protocol/presets.py`), a TOML file and
`--set FIELD=VALUE` all make the same frozen record, and its fingerprint goes with every result.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from msgspec import Meta

from evaluation.protocol.content import fingerprint
from latte.data.clips import Offset, Order, Selection, ShortVideos, Window
from latte.data.errors import InputError, nearest
from latte.data.loading import Preparation
from latte.data.schema import Checked, Count, CountOrZero, convert
from latte.data.transforms import OWN_FILTERS

Covariance = Literal["n", "n-1"]
Recipe = Literal["none", "stylegan-v", "latte", "cd-fvd", "videogpt", "digan"]
Filter = Literal["lanczos", "bicubic", "bilinear", "box", "nearest"]
Storage = Literal["lossless", "jpeg-75", "jpeg-95", "mp4"]
Mirror = Literal["none", "real", "both"]
Side = Literal["real", "fake"]  # real or generated videos
Resize = Literal["squash", "crop", "clean", "legacy-tensorflow", "legacy-pytorch", "none"]
DDOF: Mapping[str, int] = {"n": 0, "n-1": 1}  # delta degrees of freedom of a covariance
LABELS = ("name", "description", "metrics")  # they do not affect results
REAL_FIELDS = (
    *("split", "num_real", "real_stride", "real_order", "real_offset", "real_clips", "short_real"),
)  # they do not affect a metric that needs no real videos
# What decides which real clips there are, and how they are prepared.
REAL_CLIP_FIELDS = (
    *REAL_FIELDS,
    *("num_frames", "window", "mirror", "seed", "recipe", "filter", "size", "storage"),
)


def _doc(text: str) -> Meta:
    """The meaning of a field, for a reader."""
    return Meta(description=text)


@dataclass(frozen=True, kw_only=True)
class Protocol(Checked):
    """How a number is made, from the choice of videos to the covariance.

    Each field carries its meaning, which `latte-eval protocols show NAME` prints beside the value.

    >>> from evaluation.protocol.presets import STYLEGAN_V
    >>> STYLEGAN_V.num_frames, STYLEGAN_V.real_stride, STYLEGAN_V.fingerprint
    (16, 1, 'd234fd8816838d97')

    Raises:
        InputError: a field is of the wrong type or out of range, or two of them contradict.
    """

    name: Annotated[str, Meta(min_length=1), _doc("name of the protocol; does not affect results")]
    description: Annotated[str, _doc("what it reproduces; does not affect results")]
    metrics: Annotated[
        tuple[str, ...],
        Meta(min_length=1),
        _doc("metrics that `latte-eval all` measures; does not affect results"),
    ]
    split: Annotated[
        str, _doc("split of the real data set: published (the one of its papers), train, test, …")
    ]
    num_real: Annotated[
        CountOrZero, _doc("maximum number of real clips (frames, if every one is taken); 0: all")
    ]
    num_fake: Annotated[CountOrZero, _doc("maximum number of generated clips; 0: all")]
    num_frames: Annotated[Count, _doc("frames in each clip")]
    real_stride: Annotated[
        Count, _doc("source frames per kept frame of real videos; papers differ")
    ]
    fake_stride: Annotated[Count, _doc("source frames per kept frame of generated videos")]
    real_order: Annotated[
        Order,
        _doc(
            "sorted: the first real videos by name; random: a seeded choice; clips: a seeded "
            "choice among all clips of all videos"
        ),
    ]
    fake_order: Annotated[Order, _doc("order of generated videos, as real_order")]
    real_offset: Annotated[
        Offset,
        _doc(
            "first: real clips begin at frame 0; random: at a seeded place where they fit; every: "
            "clip after clip, the last one shorter, so that each frame is taken once"
        ),
    ]
    fake_offset: Annotated[Offset, _doc("where generated clips begin, as real_offset")]
    window: Annotated[
        Window,
        _doc("what has to fit into a video: kept: up to the last kept frame; strides: all strides"),
    ]
    short_real: Annotated[
        ShortVideos, _doc("what to do with real videos that are too short: discard or error")
    ]
    real_clips: Annotated[
        Count,
        _doc("maximum number of clips from one real video; a second one comes after one of each"),
    ]
    fake_clips: Annotated[Count, _doc("maximum number of clips from one generated video")]
    mirror: Annotated[
        Mirror, _doc("which clips are added once more, flipped left to right: none, real or both")
    ]
    seed: Annotated[CountOrZero, _doc("seed of every random choice")]
    recipe: Annotated[
        Recipe, _doc("how video files become square frames; stored frames stay as they are")
    ]
    filter: Annotated[Filter, _doc("filter with which the recipe resizes")]
    size: Annotated[Count, _doc("height and width of the recipe's frames, in pixels")]
    storage: Annotated[Storage, _doc("how the recipe's frames are stored before they are measured")]
    network: Annotated[str, _doc("feature network")]
    weights: Annotated[
        str, _doc("weights: a published file's name, bundled, or sha256:… for any other file")
    ]
    output: Annotated[str, _doc("layer of the network whose output is used as features")]
    resize: Annotated[Resize, _doc("how the network resizes frames to its own input size")]
    covariance: Annotated[Covariance, _doc("divisor of the covariance: n or n-1")]
    precision: Annotated[
        Literal["float32"], _doc("precision of the network; statistics are always float64")
    ]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.metrics)) < len(self.metrics):
            raise InputError(f"metrics: {', '.join(self.metrics)} names one metric twice")
        own_filter = OWN_FILTERS.get(self.recipe, self.filter)
        if self.filter != own_filter:
            raise InputError(
                f"filter = {self.filter!r}: the recipe {self.recipe} resizes with {own_filter}"
            )
        for side in ("real", "fake"):
            order, offset = getattr(self, f"{side}_order"), getattr(self, f"{side}_offset")
            if order == "clips" and offset != "random":
                raise InputError(
                    f"{side}_offset = {offset!r}: {side}_order = 'clips' needs {side}_offset = "
                    "'random'"
                )

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a hash over every field that affects results."""
        return fingerprint(self.affecting_fields())

    def affecting_fields(self) -> dict[str, Any]:
        """The fields that affect results, by name."""
        return {key: value for key, value in asdict(self).items() if key not in LABELS}

    def selection(self, side: Side) -> Selection:
        """How clips of one side are chosen; a generated video that is too short is an error."""
        real = side == "real"
        return Selection(
            num_videos=self.num_real if real else self.num_fake,
            num_frames=self.num_frames,
            stride=self.real_stride if real else self.fake_stride,
            order=self.real_order if real else self.fake_order,
            offset=self.real_offset if real else self.fake_offset,
            short_videos=self.short_real if real else "error",
            seed=self.seed,
            window=self.window,
            clips_per_video=self.real_clips if real else self.fake_clips,
            mirror=self.mirror in ("both", side),
        )

    def preparation(self) -> Preparation:
        """What video files go through before they are measured."""
        return Preparation(
            recipe=self.recipe, size=self.size, storage=self.storage, filter=self.filter
        )


def override(protocol: Protocol, assignments: Sequence[str]) -> Protocol:
    """The protocol with `FIELD=VALUE` assignments applied.

    Raises:
        InputError: an assignment without a field's name, or a value that the field does not take.
    """
    types = _types()
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, text = (part.strip() for part in assignment.partition("="))
        if key not in types:
            raise InputError(
                f"--set {assignment}: unknown field {key!r}: {nearest(key, list(types))}"
            )
        if not separator:
            raise InputError(f"--set {assignment}: write FIELD=VALUE")
        values[key] = text
        if key == "metrics":
            values[key] = [part.strip() for part in text.split(",") if part.strip()]
        elif isinstance(getattr(protocol, key), int) and text.removeprefix("-").isdecimal():
            values[key] = int(text)
    return convert(asdict(protocol) | values, Protocol, "--set")


def to_toml(protocol: Protocol) -> str:
    """The protocol as a TOML file that `evaluation.protocol.presets.load_protocol` reads back."""
    lines = [f"# fingerprint {protocol.fingerprint}"]
    for key, value in asdict(protocol).items():
        # What JSON writes of integers, strings and lists of strings is TOML too.
        lines += ["", f"# {_meaning(_types()[key])}", f"{key} = {json.dumps(value)}"]
    return "\n".join(lines) + "\n"


@cache
def _types() -> Mapping[str, Any]:
    """The type of each field, with its range and meaning."""
    return get_type_hints(Protocol, include_extras=True)


def _meaning(hint: Any) -> str:
    return next(str(part.description) for part in hint.__metadata__ if part.description)
