"""What is known of a network before anything is loaded. Imports nothing heavy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from latte.data.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, device

HashKind = Literal["SHA-256", "git blob SHA-1"]
SHA256: HashKind = "SHA-256"
GIT_BLOB: HashKind = "git blob SHA-1"  # git hashes "blob <size>\\0" + content
# uint8 (n, T, H, W, 3) → float32 (n, …, D), on the same device
Forward = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A file that somebody publishes: weights, or statistics."""

    file_name: str  # the name that it usually has on disk
    url: str  # answers with the file itself
    # Kind and hexadecimal digits, all of them or as many first ones as are published.
    hash: tuple[HashKind, str] | None = None

    def is_same(self, own: Mapping[HashKind, str]) -> bool:
        """Whether these are hashes of the published content. False where none is published."""
        return self.hash is not None and own[self.hash[0]].startswith(self.hash[1])


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """One of several ways to compute a network's features."""

    name: str  # "torchscript as published", "own network", "own network, fused", …
    make: Callable[[], Forward]  # folds weights, for instance
    # What is compared on the probe clips, if it is not the features themselves.
    make_compared: Callable[[], Forward] | None = None


@dataclass(frozen=True, kw_only=True)
class OpenedFile:
    """A file of weights: the published path, and what may stand in for it once it was compared."""

    reference: Implementation
    others: tuple[Implementation, ...] = ()  # the fastest first
    probes: Sequence["Tensor"] = ()  # clips on which they are compared
    difference: Callable[["Tensor", "Tensor"], float] | None = None  # None: relative to the largest
    classifier: tuple["Tensor", "Tensor"] | None = None  # weight (K, D), bias (K,) of the logits
    # Where the reference cannot give the features: why none of the others may, by the difference.
    refusal: Callable[[float | None], InputError] | None = None


@dataclass(frozen=True, kw_only=True)
class OpenedNetwork:
    """How a network is run, and how that was checked."""

    forward: Forward
    implementation: str  # its name
    probe_difference: float | None = None  # largest relative difference on the probe clips
    classifier: tuple["Tensor", "Tensor"] | None = None  # weight (K, D), bias (K,) of the logits


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A feature network: what goes in, what comes out, where its weights are, how it is opened.

    `output` and `resize` select one of several; the first of each is the default.

    >>> spec = NetworkSpec(
    ...     name="net", title="", unit="clip", outputs={"logits": 400, "pooled": 1024},
    ...     resizes=("squash",), min_frames=10,
    ... )
    >>> spec.output, spec.num_features
    ('logits', 400)
    >>> spec.choose(output="pooled").num_features
    1024
    """

    name: str
    title: str
    unit: Literal["clip", "frame"]  # one row of features describes one
    outputs: Mapping[str, int] = field(hash=False)  # layer → number of features
    resizes: tuple[str, ...]  # how frames come to the network's own size
    min_frames: int  # shortest clip
    max_frames: int | None = None  # longest clip: the shortest, or None for any length
    cpu_chunk: int = 1  # clips that the network sees at once on a CPU, always
    metric_suffix: str = ""  # "-shapes": an FVD with this network is called FVD-shapes
    version: int = 1  # raised by every change of its numbers
    weight_files: tuple[PublishedFile, ...] = ()  # alternatives; the first one is fetched
    bundled: Path | None = None  # weights in the package
    # "module:function" that opens a file of weights; the module imports torch. "": no weights.
    opener: str = field(default="", repr=False)
    output: str = ""  # the layer whose output are the features
    resize: str = ""

    def __post_init__(self) -> None:
        for name, possible in (("output", tuple(self.outputs)), ("resize", self.resizes)):
            value = getattr(self, name)
            if not value:
                object.__setattr__(self, name, possible[0])  # frozen, for everybody but itself
            elif value not in possible:
                raise InputError(
                    f"network {self.name} has no {name} {value!r}: choose {' or '.join(possible)}"
                )

    @property
    def num_features(self) -> int:
        """Number of features of the output."""
        return self.outputs[self.output]

    @property
    def default_weights(self) -> str:
        """What a protocol calls the weights that are used where no others are named."""
        return self.weight_files[0].file_name if self.weight_files else "bundled"

    def open(self, path: Path, device: "device") -> OpenedFile:
        """The network's implementations with the weights of a file.

        Raises:
            InputError: the file is damaged, or of another network.
        """
        module, _, function = self.opener.partition(":")
        opened: OpenedFile = getattr(import_module(module), function)(self, path, device)
        return opened

    def check_length(self, num_frames: int, whose: str = "") -> None:
        """Refuse clips of another length than the network takes.

        Args:
            whose: name of the clip's video, for the message.

        Raises:
            InputError: too few or too many frames.
        """
        if self.min_frames <= num_frames <= (self.max_frames or num_frames):
            return
        where = f"{whose}: " if whose else ""
        lengths = f"{self.min_frames}" if self.max_frames else f"at least {self.min_frames}"
        raise InputError(
            f"{where}network {self.name} needs clips of {lengths} frames, these have {num_frames}: "
            f"set num_frames (--num-frames) to {lengths}"
        )

    def choose(self, output: str | None = None, resize: str | None = None) -> "NetworkSpec":
        """The same network with another output or resizing; None is the default.

        Raises:
            InputError: the network has no such output or resizing; the message lists them.
        """
        return replace(self, output=output or "", resize=resize or "")
