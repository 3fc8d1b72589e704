"""A number with all that made it: one line of a results file (JSON Lines)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from evaluation.protocol.deviations import Deviation
from latte.data.errors import escaped
from reports.numbers import format_value

if TYPE_CHECKING:
    import pandas as pd

FRAME_COLUMNS = (
    *("model", "dataset", "metric", "value", "low", "high", "level", "higher_is_better"),
    *("num_real", "num_fake", "num_frames", "protocol", "network", "fingerprint"),
)

# Storages under the name of the one whose frames theirs are as good as: those that came so.
SAME_FRAMES: Mapping[str, str] = {"jpeg-75": "jpg", "png": "lossless", "array": "lossless"}


def frames_stored_as(storage: str) -> str:
    """What a storage of frames counts as, whether they were prepared here or came prepared.

    >>> frames_stored_as("png") == frames_stored_as("lossless")
    True
    """
    return SAME_FRAMES.get(storage, storage)


@dataclass(frozen=True, kw_only=True)
class VideoNote:
    """Something to know of some videos of a set."""

    kind: str  # a latte.data.video.Note: "rotated", "interlaced", …
    num_videos: int
    examples: tuple[str, ...]  # names of the first of them


@dataclass(frozen=True, kw_only=True)
class SetRecord:
    """One of the two sets that were measured."""

    path: str  # as the user gave it, or the data set's name
    digest: str  # hash over the content, frames and preparation of every clip
    order: str = ""  # the same hash, in the order in which the clips were taken
    names: str = ""  # hash over the names of their videos in that order
    num_listed: int | None  # videos in the set
    num_clips: int | None  # clips measured; None: a statistics file that does not say
    height: int  # height of the frames that the network received
    width: int  # their width
    # "jpeg-75", "lossless", … if they were prepared here; else "jpg", "png", "array", "statistics".
    storage: str
    recipe: str | None = None  # how the frames were cropped and resized; None: not stated
    too_short: tuple[str, ...] = ()  # videos left out as the protocol asks
    broken: tuple[str, ...] = ()  # videos left out because --skip-broken allowed it
    notes: tuple[VideoNote, ...] = ()  # on measured videos


@dataclass(frozen=True, kw_only=True)
class Result:
    """A measured value, its interval, its protocol and its provenance."""

    metric: str  # "FVD", "FVD-shapes", …: networks that do not compare have names of their own
    value: float
    interval: tuple[float, float] | None
    level: float  # confidence level of the interval
    higher_is_better: bool | None  # None: neither is better, so that results are not ranked
    num_real: int | None  # real clips; None: not known; 0: the metric needs none
    num_fake: int | None  # generated clips; 0: the metric needs none
    num_frames: int
    network: str
    weights_sha256: str
    weights_published: bool
    fingerprint: str
    protocol: str
    protocol_fields: Mapping[str, Any]
    deviations: tuple[Deviation, ...]  # differences from the published protocol
    dataset: str | None
    model: str  # names what was measured
    real: SetRecord | None  # None: the metric looks at the generated set alone
    fake: SetRecord | None  # None: it looks at the real one alone
    seconds: float
    name: str = ""  # the metric's name in the catalogue; empty for other numbers
    parameters: Mapping[str, Any] = field(default_factory=dict)  # the metric's: its kernel, k, …
    details: Mapping[str, Any] = field(default_factory=dict)
    date: str = ""
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends of the interval; without an interval the value twice."""
        return self.interval or (self.value, self.value)

    def to_json(self) -> str:
        """One line of JSON, ASCII alone: names may hold bytes that no encoding knows."""
        return json.dumps(asdict(self), allow_nan=False)

    def to_frame(self) -> "pd.DataFrame":
        """One row: what was measured, the value, and the ends of its interval (NaN for none)."""
        return results_frame([self])

    def __str__(self) -> str:
        """The line that a person reads.

        For example `FVD 123.4 ± 5.6 (95 %), 2048 clips × 16 frames, stylegan-v, i3d 1a2b3c4d…`.
        """
        count = len(self.deviations)
        changed = f" with {count} deviation{'s' * (count > 1)}" if count else ""
        return escaped(
            f"{self.metric} {format_value(self.value, self.interval)}"
            f"{f' ({self.level:.0%})'.replace('%', ' %') if self.interval else ''}, "
            f"{self.samples}, {self.protocol}{changed}, "
            f"{self.network}{f' {self.weights_sha256[:8]}…' if self.weights_sha256 else ''}"
        )

    @property
    def samples(self) -> str:
        """How many clips or, where every frame was taken, frames there were."""
        real, fake = ("?" if n is None else n for n in (self.num_real, self.num_fake))
        if self.protocol_fields.get("fake_offset") == "every":
            frames = [self.protocol_fields.get(key, "?") for key in ("num_real", "num_fake")]
            return f"{frames[0]} real and {frames[1]} generated frames"
        if self.num_fake == 0:
            return f"{real} real clips × {self.num_frames} frames"
        same = self.num_real in (0, self.num_fake)
        clips = f"{fake} clips" if same else f"{real} real and {fake} generated clips"
        return f"{clips} × {self.num_frames} frames"


def results_frame(results: "Iterable[Result]") -> "pd.DataFrame":
    """One row for each result, with the columns of `FRAME_COLUMNS`."""
    import pandas as pd

    rows = []
    for result in results:
        low, high = result.interval or (float("nan"), float("nan"))
        rows.append(vars(result) | {"low": low, "high": high})
    return pd.DataFrame(rows, columns=list(FRAME_COLUMNS))
