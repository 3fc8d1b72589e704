"""Sets of videos: a folder of video files or of frame folders, or one array file."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from latte.data.arrays import ARRAY_SUFFIXES, ArrayVideo, open_array
from latte.data.errors import SKIP, BrokenVideoError, InputError
from latte.data.frames import FRAME_SUFFIXES, FrameFolder
from latte.data.hashing import file_sha256
from latte.data.schema import Count, decode_json
from latte.data.video import VIDEO_SUFFIXES, VideoInfo, probe_file, read_file

__all__ = ["ArrayVideo", "FileVideo", "FrameFolder", "Video", "VideoSet", "open_video_set"]

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
        try:
            return file_sha256(self.path)
        except OSError as error:
            raise BrokenVideoError(
                f"{self.path}: cannot be read ({error.strerror})", f"check it, or {SKIP}"
            ) from error


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
    preparation: PreparedRecord | None = None  # of a folder that `prepare` made


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
    return VideoSet(
        name=path.resolve().name,
        videos=tuple(sorted(videos, key=lambda video: video.name)),
        root=str(path),
        preparation=_readable_record(path),
    )


def _readable_record(path: Path) -> PreparedRecord | None:
    """The record of a folder; a damaged one does not stop its videos from being read."""
    try:
        return PreparedRecord.read(path)
    except InputError:
        return None


@dataclass(frozen=True, kw_only=True)
class _Folder:
    """The direct content of one folder."""

    path: Path
    folders: tuple[Path, ...]
    videos: tuple[Path, ...]
    images: int
    others: Counter[str]

    @classmethod
    def look(cls, path: Path) -> "_Folder":
        folders, videos, images = [], [], 0
        others: Counter[str] = Counter()
        # A set of frame folders may hold millions of files: no object and no system call for each.
        with os.scandir(path) as entries:
            for entry in entries:
                suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(path / entry.name)
                elif suffix in FRAME_SUFFIXES:
                    images += 1
                elif suffix in VIDEO_SUFFIXES:
                    videos.append(path / entry.name)
                else:
                    others[suffix or "without suffix"] += 1
        return cls(
            path=path,
            folders=tuple(sorted(folders)),
            videos=tuple(sorted(videos)),
            images=images,
            others=others,
        )

    def describe(self) -> str:
        parts = [f"{count} {suffix}" for suffix, count in sorted(self.others.items())]
        if self.images:
            parts.append(f"{self.images} images")
        if self.folders:
            parts.append(f"{len(self.folders)} folders without videos or frames")
        return ", ".join(parts)


def _videos_in_folder(path: Path) -> list[Video]:
    top = _Folder.look(path)
    if top.images:
        raise InputError(
            f"{path}: holds {top.images} images directly: give the folder above it (each folder in "
            "it is one video), or put the frames of each video into a folder of its own"
        )
    files: list[Path] = list(top.videos)
    frames: list[Path] = []
    for folder in map(_Folder.look, top.folders):
        files += folder.videos
        if folder.images:
            frames.append(folder.path)
        else:
            frames += [part for part in folder.folders if _Folder.look(part).images]
    if files and frames:
        raise InputError(
            f"{path}: holds both video files ({_inside(path, files[0])}) and frame folders "
            f"({_inside(path, frames[0])}): give a folder with one kind"
        )
    if not files and not frames:
        content = top.describe()
        what = f"no videos in it, but {content}" if content else "it is empty"
        raise InputError(f"{path}: {what}: {_advice(top)}")
    if frames:
        return [FrameFolder(name=_inside(path, folder), path=folder) for folder in frames]
    return [
        FileVideo(name=name, path=file)
        for name, file in zip(_file_names(path, files), files, strict=True)
    ]


def _file_names(root: Path, files: Sequence[Path]) -> list[str]:
    """Names below the root, without suffixes unless two would be the same."""
    names = [_inside(root, file.with_suffix("")) for file in files]
    if len(set(names)) < len(names):
        return [_inside(root, file) for file in files]
    return names


def _inside(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _advice(folder: _Folder) -> str:
    if set(folder.others) & ARRAY_SUFFIXES:
        return "to use an array file give its own path"
    return (
        f"give a folder of videos ({_listing(VIDEO_SUFFIXES)}) or of frame folders "
        f"({_listing(FRAME_SUFFIXES)})"
    )


def _listing(suffixes: frozenset[str]) -> str:
    return " ".join(sorted(suffixes))
