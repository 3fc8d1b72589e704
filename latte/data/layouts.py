"""Layouts in which people have data sets on disk."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latte.data.errors import InputError
from latte.data.sources import Video, VideoSet, open_video_set


@dataclass(frozen=True, kw_only=True)
class FolderLayout:
    """Places to look for a data set, the first that exists is taken.

    `{split}` stands for the name of a split. Paths are relative to the data set's own folder.
    """

    folders: tuple[str, ...]  # names that the data set's own folder goes by
    splits: tuple[str, ...]  # places of one split
    whole: tuple[str, ...] = ()  # places of all videos, with no split folders
    aliases: tuple[tuple[str, str], ...] = ()  # (split, another name of it)


def default_data_root() -> Path:
    """Where data sets are looked for: `$LATTE_DATA`, else `data`."""
    return Path(os.environ.get("LATTE_DATA") or "data")


def candidate_roots(layout: FolderLayout, data_root: Path) -> list[Path]:
    """Folders that may be the data set's own: by name below `data_root`, or `data_root` itself."""
    known = {name.lower() for name in layout.folders}
    roots = [data_root / name for name in layout.folders]
    if data_root.resolve().name.lower() in known:
        roots.append(data_root)
    return roots


def find_root(layout: FolderLayout, data_root: Path) -> Path | None:
    """The data set's own folder."""
    return next((root for root in candidate_roots(layout, data_root) if root.is_dir()), None)


def find_split(layout: FolderLayout, root: Path, split: str) -> Path | None:
    """The folder of one split."""
    names = [split, *(alias for name, alias in layout.aliases if name == split)]
    for place in layout.splits:
        for name in names:
            folder = root / place.format(split=name)
            if folder.is_dir():
                return folder
    return None


def find_whole(layout: FolderLayout, root: Path) -> Path | None:
    """The folder that holds all videos without distinction of splits."""
    return next((root / place for place in layout.whole if (root / place).is_dir()), None)


def open_splits(name: str, folders: Sequence[tuple[str, Path]]) -> VideoSet:
    """One set of one or more splits.

    Names do not tell the split, unless two splits have videos of one name: protocols that take the
    first videos by name mean those of all splits together.
    """
    sets = [(split, open_video_set(folder)) for split, folder in folders]
    videos = [video for _, part in sets for video in part.videos]
    if len({video.name for video in videos}) < len(videos):
        videos = [
            _renamed(video, f"{split}/{video.name}")
            for split, part in sets
            for video in part.videos
        ]
    return VideoSet(
        name=name,
        videos=tuple(sorted(videos, key=lambda video: video.name)),
        root=", ".join(part.root for _, part in sets),
        preparation=sets[0][1].preparation if len(sets) == 1 else None,
    )


def with_short_names(videos: VideoSet, pattern: re.Pattern[str]) -> VideoSet:
    """Videos called by the last part of their names where it matches and no two share it.

    Names decide order and offsets: so they do not depend on the folders in which videos lie.
    """
    short = [video.name.rpartition("/")[2] for video in videos.videos]
    counts = Counter(short)
    renamed = [
        _renamed(video, name) if counts[name] == 1 and pattern.fullmatch(name) else video
        for video, name in zip(videos.videos, short, strict=True)
    ]
    return replace(videos, videos=tuple(sorted(renamed, key=lambda video: video.name)))


def _renamed(video: Any, name: str) -> Video:
    return replace(video, name=name)


def ucf_list(root: Path, split: str, number: int) -> set[str]:
    """Names (`v_archery_g08_c01`) in UCF101's own list of a split.

    In lower case, on which its files and folders disagree.

    Raises:
        InputError: the lists are nowhere near the videos.
    """
    places = [
        near / folder
        for near in (root, root.parent)
        for folder in ("ucfTrainTestlist", "UCF101TrainTestSplits-RecognitionTask/ucfTrainTestlist")
    ]
    for place in places:
        file = place / f"{split}list{number:02d}.txt"
        if file.is_file():
            lines = file.read_text(encoding="utf-8").splitlines()
            return {Path(line.split()[0]).stem.lower() for line in lines if line.strip()}
    raise InputError(
        f"{root}: the split {split} needs {split}list{number:02d}.txt, looked for in "
        f"{', '.join(str(place) for place in places[:2])} and beside it: unpack UCF101's "
        "ucfTrainTestlist there, or take --set split=train+test"
    )
