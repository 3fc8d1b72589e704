"""What is known of a network before anything is loaded. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class WeightFile:
    """A published file of weights."""

    file_name: str  # as people have it on disk
    url: str  # answers with the file itself
    git_blob_sha1: str | None = None  # SHA-1 of "blob <size>\0" + content, as git names a file
    sha256: str | None = None
    note: str = ""  # what it holds


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A feature network: what goes in, what comes out, where its weights are."""

    name: str
    title: str
    unit: Literal["clip", "frame"]  # what one row of features describes
    output: str  # the layer whose output are the features
    num_features: int
    min_frames: int  # of a clip
    cpu_chunk: int  # clips that the network sees at once on a CPU, always
    metric_suffix: str  # "-shapes": an FVD with this network is called FVD-shapes
    version: int  # raised by every change that moves its numbers
    weight_files: tuple[WeightFile, ...] = ()  # any of them will do; the first one is fetched
    bundled: Path | None = None  # weights that ship with the package
