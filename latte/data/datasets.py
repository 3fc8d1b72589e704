"""The data sets that papers measure on (`datasets.toml`): finding them on disk, opening them."""

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from latte.data.errors import InputError, nearest
from latte.data.files import read_text
from latte.data.schema import convert
from latte.data.sources import Video, VideoSet, open_video_set

_UCF_NAME = re.compile(r"v_(\w+?)_g\d+_c\d+")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One data set. Of the places to look for it, the first that exists is taken."""

    name: str
    title: str
    num_classes: int | None = None
    fps: float | None = None
    splits: Mapping[str, int]  # published number of videos, 0 if none is reliable
    fvd_split: str  # split that papers use as real videos for FVD
    layouts: str
    how_to_get: str
    folders: tuple[str, ...] = ()  # names that its own folder goes by; none: made on the fly
    split_places: tuple[str, ...] = ()  # places of one split in its folder, with {split}
    whole: tuple[str, ...] = ()  # places of all videos, with no split folders
    aliases: Mapping[str, str] = field(default_factory=dict)  # another name of a split

    def find(self, data_root: Path) -> tuple[Path | None, list[str]]:
        """Its own folder, if it is there, and where it was looked for.

        That is by name below `data_root`, or `data_root` itself.
        """
        places = [data_root / name for name in self.folders]
        if data_root.resolve().name.lower() in {name.lower() for name in self.folders}:
            places.append(data_root)
        return _first_folder(places), [str(place) for place in places]

    def not_found(self, looked: Sequence[str]) -> str:
        """What to do where its folder is in none of the places."""
        return (
            f"not found, looked for {', '.join(looked)}: give --data-root or $LATTE_DATA, "
            f"the folder that holds it. Layout: {self.layouts}. Get it: {self.how_to_get}"
        )

    def find_split(self, root: Path, split: str) -> Path | None:
        """The folder of one split."""
        names = [split, *([self.aliases[split]] if split in self.aliases else [])]
        return _first_folder(
            root / place.format(split=name) for place in self.split_places for name in names
        )


@dataclass(frozen=True, kw_only=True)
class DatasetStatus:
    """Whether a data set is there."""

    name: str
    title: str
    found: str | None  # its folder; None: missing
    looked: tuple[str, ...]
    counts: dict[str, int]  # videos found in each split
    expected: dict[str, int | None]
    problem: str | None  # why its content cannot be used
    layouts: str
    how_to_get: str


def _read_registry(path: Path) -> dict[str, Dataset]:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: convert({"name": name, **table}, Dataset, f"{path}, {name}")
        for name, table in tables.items()
    }


DATASETS: Mapping[str, Dataset] = _read_registry(Path(__file__).with_suffix(".toml"))


def dataset(name: str) -> Dataset:
    """A data set by name.

    Raises:
        InputError: unknown; the message has the nearest names.
    """
    if name not in DATASETS:
        raise InputError(f'no data set "{name}": {nearest(name, list(DATASETS))}')
    return DATASETS[name]


def default_data_root() -> Path:
    """Where data sets are looked for: `$LATTE_DATA`, else `data`."""
    return Path(os.environ.get("LATTE_DATA") or "data")


def open_dataset(name: str, *, data_root: Path, split: str | None = None) -> VideoSet:
    """The videos of one split (by default the one that FVD papers take as real).

    Splits are joined by `+`: "train+test". A data set without split folders is taken to be the
    split that FVD is measured on, except UCF101, whose own lists part it.

    Raises:
        InputError: unknown name or split, or not found; the message says where it was looked for.
    """
    known = dataset(name)
    split = split or known.fvd_split
    parts = split.split("+")
    allowed = [part for part in known.splits if "+" not in part]
    for part in parts:
        if part not in allowed or parts.count(part) > 1:
            raise InputError(
                f'{name}: no split "{part}": choose {", ".join(allowed)}, or several with +'
            )
    if not known.folders:
        from latte.data.shapes import shapes_video_set

        return shapes_video_set(split)
    root, looked = known.find(data_root)
    if root is None:
        raise InputError(f"{name}: {known.not_found(looked)}")
    return _open_at(known, root, parts)


def class_names(videos: VideoSet) -> tuple[str, ...]:
    """The classes of a set in the order of their labels: sorted by name, as Latte numbers them."""
    names = {_class_of(video.name) for video in videos.videos}
    return tuple(sorted(name for name in names if name is not None))


def class_labels(videos: VideoSet) -> dict[str, int]:
    """The label of each video, by the video's name: 0 … number of classes − 1.

    A class is UCF101's part of a file name (`v_<class>_g01_c01`), else the folder of the video.
    Videos without either are left out.
    """
    labels = {name: label for label, name in enumerate(class_names(videos))}
    classes = ((video.name, _class_of(video.name)) for video in videos.videos)
    return {name: labels[known] for name, known in classes if known is not None}


def class_of(video: Video) -> str | None:
    """The class of one video, found as in `class_labels`; None where nothing tells it."""
    from latte.data.shapes import CLASS_NAMES, ShapesVideo

    return CLASS_NAMES[video.label] if isinstance(video, ShapesVideo) else _class_of(video.name)


def dataset_status(data_root: Path) -> list[DatasetStatus]:
    """For each data set: whether it is there, and how many videos in each split."""
    return [_status(known, data_root) for known in DATASETS.values()]


def _status(known: Dataset, data_root: Path) -> DatasetStatus:
    root, looked = known.find(data_root) if known.folders else ("embedded", [])
    counts, problems = {}, []
    for split in known.splits if root else ():
        try:
            counts[split] = len(open_dataset(known.name, data_root=data_root, split=split).videos)
        except InputError as error:
            problems.append(str(error))
    return DatasetStatus(
        name=known.name,
        title=known.title,
        found=str(root) if root else None,
        looked=tuple(looked),
        counts=counts,
        expected={split: count or None for split, count in known.splits.items()},
        problem=problems[0] if problems and not counts else None,
        layouts=known.layouts,
        how_to_get=known.how_to_get,
    )


def _open_at(known: Dataset, root: Path, parts: list[str]) -> VideoSet:
    name = f"{known.name} {'+'.join(parts)}"
    is_ucf = known.name == "ucf101"
    folders = {part: folder for part in parts if (folder := known.find_split(root, part))}
    if len(folders) == len(parts):
        videos = _open_splits(name, folders)
        return _with_ucf_names(videos) if is_ucf else videos
    has_splits = any(known.find_split(root, split) for split in known.splits)
    whole = None if has_splits else _first_folder(root / place for place in known.whole)
    if whole is not None and (is_ucf or parts == [known.fvd_split]):
        videos = replace(open_video_set(whole), name=name)
        return _on_ucf_lists(_with_ucf_names(videos), root, parts) if is_ucf else videos
    missing = next(part for part in parts if part not in folders)
    raise InputError(
        f"{known.name}: no split {missing} in {root}, whose layouts may be: {known.layouts}"
    )


def _first_folder(places: Iterable[Path]) -> Path | None:
    return next((place for place in places if place.is_dir()), None)


def _open_splits(name: str, folders: Mapping[str, Path]) -> VideoSet:
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


def _with_ucf_names(videos: VideoSet) -> VideoSet:
    """Videos called by the last part of their names where it is UCF101's and no two share it.

    Names decide order and offsets: so they do not depend on the folders in which videos lie.
    """
    short = [video.name.rpartition("/")[2] for video in videos.videos]
    counts = Counter(short)
    renamed = (
        _renamed(video, name) if counts[name] == 1 and _UCF_NAME.fullmatch(name) else video
        for video, name in zip(videos.videos, short, strict=True)
    )
    return replace(videos, videos=_by_name(renamed))


def _on_ucf_lists(videos: VideoSet, root: Path, splits: Sequence[str]) -> VideoSet:
    """The videos on UCF101's own lists of these splits; all of them for train and test together.

    Names are compared in lower case, on which its files and folders disagree.

    Raises:
        InputError: the lists are nowhere near the videos, or name none of them.
    """
    if set(splits) in ({"train", "test"}, {"train2", "test2"}, {"train3", "test3"}):
        return videos
    listed = {name for split in splits for name in _ucf_list(root, split)}
    in_split = [video for video in videos.videos if video.name.rpartition("/")[2].lower() in listed]
    if not in_split:
        raise InputError(
            f"{videos.root}: none of its {len(videos.videos)} videos is on UCF101's list of "
            f"{'+'.join(splits)}: keep the names v_<class>_g01_c01"
        )
    return replace(videos, videos=tuple(in_split))


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
            lines = read_text(place / list_name, "a list of UCF101's videos").splitlines()
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


def _class_of(name: str) -> str | None:
    match = _UCF_NAME.fullmatch(name.rpartition("/")[2])
    if match:
        return match[1]
    folders = name.split("/")[:-1]
    return folders[-1] if folders and folders[-1] not in ("train", "test") else None
