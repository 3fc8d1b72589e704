"""Layouts in which people have data sets on disk."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from latte.data.errors import InputError
from latte.data.sources import Video, VideoSet, open_video_set

UCF_NAME = re.compile(r"v_(\w+?)_g\d+_c\d+")


@dataclass(frozen=True, kw_only=True)
class FolderLayout:
    """Places to look for a data set, the first that exists is taken.

    `{split}` stands for the name of a split. Paths are relative to the data set's own folder.
    """

    folders: tuple[str, ...]  # names that the data set's own folder goes by
    splits: tuple[str, ...]  # places of one split
    whole: tuple[str, ...]  # places of all videos, with no split folders
    aliases: Mapping[str, str] = field(default_factory=dict)  # another name of a split

    def find_root(self, data_root: Path) -> tuple[Path | None, list[str]]:
        """The data set's own folder, if it is there, and where it was looked for.

        That is by name below `data_root`, or `data_root` itself.
        """
        roots = [data_root / name for name in self.folders]
        if data_root.resolve().name.lower() in {name.lower() for name in self.folders}:
            roots.append(data_root)
        return _first_folder(roots), [str(root) for root in roots]

    def find_split(self, root: Path, split: str) -> Path | None:
        """The folder of one split."""
        names = [split, *([self.aliases[split]] if split in self.aliases else [])]
        return _first_folder(
            root / place.format(split=name) for place in self.splits for name in names
        )

    def find_whole(self, root: Path) -> Path | None:
        """The folder that holds all videos without distinction of splits."""
        return _first_folder(root / place for place in self.whole)


def default_data_root() -> Path:
    """Where data sets are looked for: `$LATTE_DATA`, else `data`."""
    return Path(os.environ.get("LATTE_DATA") or "data")


def _first_folder(places: Iterable[Path]) -> Path | None:
    return next((place for place in places if place.is_dir()), None)


def open_splits(name: str, folders: Mapping[str, Path]) -> VideoSet:
    """One set of one or more splits.

    Names do not tell the split, unless two splits have videos of one name: protocols that take the
    first videos by name mean those of all splits together.
    """
    sets = {split: open_video_set(folder) for split, folder in folders.items()}
    videos = [(split, video) for split, part in sets.items() for video in part.videos]
    if len({video.name for _, video in videos}) < len(videos):
        videos = [(split, _renamed(video, f"{split}/{video.name}")) for split, video in videos]
    first, *others = sets.values()
    return VideoSet(
        name=name,
        videos=_by_name(video for _, video in videos),
        root=", ".join(part.root for part in sets.values()),
        preparation=None if others else first.preparation,
    )


def with_ucf_names(videos: VideoSet) -> VideoSet:
    """Videos called by the last part of their names where it is UCF101's and no two share it.

    Names decide order and offsets: so they do not depend on the folders in which videos lie.
    """
    short = [video.name.rpartition("/")[2] for video in videos.videos]
    counts = Counter(short)
    renamed = (
        _renamed(video, name) if counts[name] == 1 and UCF_NAME.fullmatch(name) else video
        for video, name in zip(videos.videos, short, strict=True)
    )
    return replace(videos, videos=_by_name(renamed))


def on_ucf_lists(videos: VideoSet, root: Path, splits: Sequence[str]) -> VideoSet:
    """The videos on UCF101's own lists of these splits; all of them for train and test together.

    Names are compared in lower case, on which its files and folders disagree.

    Raises:
        InputError: the lists are nowhere near the videos, or name none of them.
    """
    if set(splits) in ({"train", "test"}, {"train2", "test2"}, {"train3", "test3"}):
        return videos
    listed = {name for split in splits for name in _ucf_list(root, split)}
    kept = [video for video in videos.videos if video.name.rpartition("/")[2].lower() in listed]
    if not kept:
        raise InputError(
            f"{videos.root}: none of its {len(videos.videos)} videos is on UCF101's list of "
            f"{'+'.join(splits)}: keep the names v_<class>_g01_c01"
        )
    return replace(videos, videos=tuple(kept))


def _ucf_list(root: Path, split: str) -> set[str]:
    """The names (`v_archery_g08_c01`) of "test2" are in testlist02.txt, of "test" in testlist01."""
    kind, number = split.rstrip("23"), split[-1] if split[-1] in "23" else "1"
    list_name = f"{kind}list0{number}.txt"
    places = [
        near / folder
        for near in (root, root.parent)
        for folder in ("ucfTrainTestlist", "UCF101TrainTestSplits-RecognitionTask/ucfTrainTestlist")
    ]
    for place in places:
        if (place / list_name).is_file():
            lines = (place / list_name).read_text(encoding="utf-8").splitlines()
            return {Path(line.split()[0]).stem.lower() for line in lines if line.strip()}
    raise InputError(
        f"{root}: the split {kind} needs {list_name}, looked for in "
        f"{', '.join(str(place) for place in places[:2])} and beside it: unpack UCF101's "
        "ucfTrainTestlist there, or take --set split=train+test"
    )


def _by_name(videos: Iterable[Video]) -> tuple[Video, ...]:
    return tuple(sorted(videos, key=lambda video: video.name))


def _renamed(video: Any, name: str) -> Video:
    return replace(video, name=name)
