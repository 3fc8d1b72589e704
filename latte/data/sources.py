"""Sets of videos: a folder of video files or of frame folders, or one array file."""

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from latte.data.arrays import ARRAY_SUFFIXES, open_array
from latte.data.errors import InputError, outside
from latte.data.ffmpeg import reading
from latte.data.files import read_bytes
from latte.data.frames import FRAME_SUFFIXES, FrameFolder
from latte.data.hashing import file_sha256
from latte.data.schema import Count, decode_json
from latte.data.video import VIDEO_SUFFIXES, VideoInfo, probe_file, read_file

logger = logging.getLogger(__name__)

_PICKLES = frozenset({".pt", ".pth", ".pkl", ".pickle"})
_TEXTS = frozenset({".csv", ".json", ".jsonl", ".log", ".md", ".toml", ".txt", ".yaml", ".yml"})
_NAMED = 3  # names of pictures that are kept for a message
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
        if not path.exists():
            return None
        return decode_json(read_bytes(path, "the record of a preparation"), cls, str(path))


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
    elif path.suffix.lower() in _PICKLES:
        raise InputError(
            f"{path}: is a pickle, which can run code and is not opened: where you trust it, write "
            "its videos by np.save('videos.npy', array), uint8 (N, T, H, W, 3) (of a tensor "
            "tensor.numpy()), and give that file"
        )
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
    images: list[str]  # names of the first few
    num_images: int
    others: Counter[str]  # keys are suffixes
    has_links: bool


def _look(path: Path) -> _Content:
    folders, videos = [], []
    images: list[str] = []
    num_images, has_links = 0, False
    suffixes: Counter[str] = Counter()
    # A set of frame folders may hold millions of files: no object and no system call for each.
    with outside(str(path), "a folder of videos", "check the path"), os.scandir(path) as entries:
        for entry in entries:
            suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                folders.append(path / entry.name)
                has_links |= entry.is_symlink()
            elif suffix in FRAME_SUFFIXES:
                num_images += 1
                images += [entry.name] if len(images) < _NAMED else []
            elif suffix in VIDEO_SUFFIXES:
                videos.append(path / entry.name)
                has_links |= entry.is_symlink()
            else:
                suffixes[suffix or "without suffix"] += 1
    return _Content(sorted(folders), sorted(videos), images, num_images, suffixes, has_links)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: opening it as a file says so
        return False


@dataclass
class _Survey:
    """What a set is made of, found in a folder and those in it, and what is left out of it."""

    root: Path
    files: list[Path] = field(default_factory=list)
    frames: list[Path] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)  # pictures that are no frames
    num_pictures: int = 0
    others: Counter[str] = field(default_factory=Counter)  # of files of other kinds, by suffix
    deeper: list[Path] = field(default_factory=list)  # folders too deep to be looked into
    has_links: bool = False

    def add_folder(self, folder: Path) -> None:
        """Take the videos of a folder directly below the root."""
        inside = _look(folder)
        self.has_links |= inside.has_links
        within = {part: _look(part) for part in inside.folders}
        frames = [part for part, content in within.items() if content.num_images]
        for part, content in within.items():
            self.deeper += [part] * bool(content.videos) + content.folders
        self.files += inside.videos
        self.others += inside.others
        # Pictures beside videos or videos' folders: thumbnails, a preview.
        beside = len(inside.videos) + len(frames)
        if inside.num_images and inside.num_images <= beside:
            self.pass_over(folder, inside)
        elif inside.num_images:
            self.frames.append(folder)
            self.deeper += frames
            return
        self.frames += frames

    def pass_over(self, folder: Path, content: _Content) -> None:
        """Leave out the pictures that lie directly in a folder."""
        self.pictures += [folder / name for name in content.images]
        self.num_pictures += content.num_images

    def take_once(self) -> None:
        """Leave out links to what is there already, and to folders above."""
        if not self.has_links:
            return
        for name in ("files", "frames"):
            paths = getattr(self, name)
            kept = _without_repeats(paths)
            if len(kept) < len(paths):
                first = min(set(paths) - set(kept))
                logger.warning(
                    "%s: left out %d links to what is in it already, such as %s",
                    *(self.root, len(paths) - len(kept), _inside(self.root, first)),
                )
            setattr(self, name, kept)

    def say_what_is_left_out(self) -> None:
        """Notes about files that a user may miss in the set."""
        others = {suffix: n for suffix, n in self.others.items() if suffix not in _TEXTS}
        if others:
            logger.warning(
                "%s: passed over files that are not read as videos: %s",
                *(self.root, _counted(others)),
            )
        if self.pictures:
            logger.warning(
                "%s: passed over %d pictures beside the videos, such as %s",
                *(self.root, self.num_pictures, _inside(self.root, min(self.pictures))),
            )
        if self.deeper:
            logger.warning(
                "%s: left out %d folders, such as %s: videos are taken from this folder and from "
                "those directly in it",
                *(self.root, len(self.deeper), _inside(self.root, min(self.deeper))),
            )


def _videos_in_folder(path: Path) -> list[Video]:
    top = _look(path)
    survey = _Survey(
        root=path, files=list(top.videos), others=Counter(top.others), has_links=top.has_links
    )
    above = {path.resolve(), *path.resolve().parents} if top.has_links else set()
    for folder in top.folders:
        if not above or folder.resolve() not in above:
            survey.add_folder(folder)
    survey.take_once()
    files, frames = survey.files, survey.frames
    if top.num_images and (not files and top.num_images > len(frames)):
        raise InputError(
            f"{path}: holds {top.num_images} images directly: give the folder above it (each "
            "folder in it is one video), or put the frames of each video into a folder of its own"
        )
    if files and frames:
        raise InputError(
            f"{path}: holds both video files ({_inside(path, files[0])}) and frame folders "
            f"({_inside(path, frames[0])}): give a folder with one kind"
        )
    if not files and not frames:
        raise InputError(f"{path}: {_nothing_in(top)}")
    if top.num_images:
        survey.pass_over(path, top)
    survey.say_what_is_left_out()
    if frames:
        return [FrameFolder(name=_inside(path, folder), path=folder) for folder in frames]
    names = [_inside(path, file.with_suffix("")) for file in files]
    if len(set(names)) < len(names):  # suffixes tell apart what has the same name
        names = [_inside(path, file) for file in files]
    return [FileVideo(name=name, path=file) for name, file in zip(names, files, strict=True)]


def _without_repeats(paths: Sequence[Path]) -> list[Path]:
    """Paths that lead to different places; where several lead to one, what is no link stays."""
    folders: dict[Path, str] = {}
    kept: dict[str, Path] = {}
    for path in paths:
        if path.parent not in folders:
            folders[path.parent] = os.path.realpath(path.parent)
        is_link = path.is_symlink()
        real = os.path.realpath(path) if is_link else f"{folders[path.parent]}/{path.name}"
        if real not in kept or not (is_link or path.parent.is_symlink()):
            kept[real] = path
    chosen = set(kept.values())
    return [path for path in paths if path in chosen]


def _inside(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _nothing_in(folder: _Content) -> str:
    parts = [_counted(folder.others)] if folder.others else []
    if folder.folders:
        parts.append(f"{len(folder.folders)} folders without videos or frames")
    what = f"no videos in it, but {', '.join(parts)}" if parts else "it is empty"
    if set(folder.others) & ARRAY_SUFFIXES:
        return f"{what}: to use an array file give its own path"
    return (
        f"{what}: give a folder of videos ({_listing(VIDEO_SUFFIXES)}) or of frame folders "
        f"({_listing(FRAME_SUFFIXES)})"
    )


def _counted(suffixes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(suffixes.items()))


def _listing(suffixes: frozenset[str]) -> str:
    return " ".join(sorted(suffixes))
