"""Sets of videos: a folder of video files or of frame folders, or one array file."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from latte.data.arrays import ARRAY_SUFFIXES, open_array
from latte.data.errors import InputError
from latte.data.ffmpeg import reading
from latte.data.frames import FRAME_SUFFIXES, FrameFolder
from latte.data.hashing import file_sha256
from latte.data.schema import Count, decode_json
from latte.data.video import VIDEO_SUFFIXES, VideoInfo, probe_file, read_file

SETTINGS_FILE = ".prepared.json"  # settings of `prepare`, in the folder that it made


class Video(Protocol):
    """One video of any kind: small, frozen, and can be pickled."""

    @property
    def name(self) -> str:
        """Unique in its set."""

    @property
    def prepared(self) -> bool:
        """Whether its frames already are what a preparation made: none is applied again."""

    def probe(self) -> VideoInfo:
        """Length and size; nothing is decoded that need not be."""

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """Chosen frames in the order asked for: uint8 (T, H, W, 3), RGB."""

    def digest(self, frames: Sequence[int]) -> str:
        """SHA-256 (hex) of the content from which these frames come."""


@dataclass(frozen=True, kw_only=True)
class FileVideo:
    """One video file."""

    name: str
    path: Path
    prepared: bool = False

    def probe(self) -> VideoInfo:
        return probe_file(self.path)

    def read(self, frames: Sequence[int]) -> np.ndarray:
        return read_file(self.path, frames)

    def digest(self, frames: Sequence[int]) -> str:
        """Hash of the whole file: any byte of it may affect any frame."""
        with reading(self.path):
            return file_sha256(self.path)


@dataclass(frozen=True, kw_only=True)
class PreparedRecord:
    """How `prepare` made the frames of a folder."""

    recipe: str  # a name of latte.data.transforms.RECIPES
    size: Count  # side of the square frames, in pixels
    format: str  # "jpg" or "png"
    decoder: str  # `decoder_version()`

    @classmethod
    def read(cls, folder: Path) -> "PreparedRecord | None":
        """The record in a folder; None where there is none.

        Raises:
            InputError: it is damaged.
        """
        path = folder / SETTINGS_FILE
        try:
            content = path.read_bytes()
        except OSError:
            return None
        return decode_json(content, cls, str(path))


@dataclass(frozen=True, kw_only=True)
class VideoSet:
    """Videos, sorted by name, and where they come from (for messages)."""

    name: str
    videos: tuple[Video, ...]
    root: str
    preparation: PreparedRecord | None = None  # read from a folder that `prepare` made


def open_video_set(path: Path) -> VideoSet:
    """The videos at a path, found by looking at names alone.

    A folder of video files, or of frame folders, either with or without one level of folders
    between (classes, or the parts of a long video); one video file; or one array file
    (`.npy`, `.npz`, `.safetensors`) of uint8 (N, T, H, W, 3). Empty folders, hidden files and
    files of other kinds are passed over.

    Raises:
        InputError: nothing there, no video in it, or kinds that do not belong together.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder: check the path")
    videos: Sequence[Video]
    if path.is_dir():
        videos = _videos_in_folder(path)
    elif path.suffix.lower() in ARRAY_SUFFIXES:
        videos = open_array(path)
    elif path.suffix.lower() in VIDEO_SUFFIXES:
        videos = [FileVideo(name=path.stem, path=path)]
    else:
        raise InputError(
            f"{path}: not a set of videos: give a folder of videos ({_listing(VIDEO_SUFFIXES)}), "
            f"a folder of frame folders ({_listing(FRAME_SUFFIXES)}), or an array "
            f"({_listing(ARRAY_SUFFIXES)})"
        )
    preparation = None
    with suppress(InputError):  # a damaged record does not stop the videos from being read
        preparation = PreparedRecord.read(path)
    return VideoSet(
        name=path.resolve().name,
        videos=tuple(sorted(videos, key=lambda video: video.name)),
        root=str(path),
        preparation=preparation,
    )


class _Content(NamedTuple):
    """What lies directly in one folder."""

    folders: list[Path]
    videos: list[Path]
    num_images: int
    others: Counter[str]  # keys are suffixes


def _look(path: Path) -> _Content:
    folders, videos, num_images = [], [], 0
    suffixes: Counter[str] = Counter()
    # A set of frame folders may hold millions of files: no object and no system call for each.
    with os.scandir(path) as entries:
        for entry in entries:
            suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(path / entry.name)
            elif suffix in FRAME_SUFFIXES:
                num_images += 1
            elif suffix in VIDEO_SUFFIXES:
                videos.append(path / entry.name)
            else:
                suffixes[suffix or "without suffix"] += 1
    return _Content(sorted(folders), sorted(videos), num_images, suffixes)


def _videos_in_folder(path: Path) -> list[Video]:
    top = _look(path)
    if top.num_images:
        raise InputError(
            f"{path}: holds {top.num_images} images directly: give the folder above it (each "
            "folder in it is one video), or put the frames of each video into a folder of its own"
        )
    files, frames = top.videos, []
    for folder in top.folders:
        inside = _look(folder)
        files += inside.videos
        if inside.num_images:
            frames.append(folder)
        else:
            frames += [part for part in inside.folders if _look(part).num_images]
    if files and frames:
        raise InputError(
            f"{path}: holds both video files ({_inside(path, files[0])}) and frame folders "
            f"({_inside(path, frames[0])}): give a folder with one kind"
        )
    if not files and not frames:
        raise InputError(f"{path}: {_nothing_in(top)}")
    if frames:
        return [FrameFolder(name=_inside(path, folder), path=folder) for folder in frames]
    names = [_inside(path, file.with_suffix("")) for file in files]
    if len(set(names)) < len(names):  # suffixes tell apart what has the same name
        names = [_inside(path, file) for file in files]
    return [FileVideo(name=name, path=file) for name, file in zip(names, files, strict=True)]


def _inside(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _nothing_in(folder: _Content) -> str:
    parts = [f"{count} {suffix}" for suffix, count in sorted(folder.others.items())]
    if folder.folders:
        parts.append(f"{len(folder.folders)} folders without videos or frames")
    what = f"no videos in it, but {', '.join(parts)}" if parts else "it is empty"
    if set(folder.others) & ARRAY_SUFFIXES:
        return f"{what}: to use an array file give its own path"
    return (
        f"{what}: give a folder of videos ({_listing(VIDEO_SUFFIXES)}) or of frame folders "
        f"({_listing(FRAME_SUFFIXES)})"
    )


def _listing(suffixes: frozenset[str]) -> str:
    return " ".join(sorted(suffixes))
