"""The data sets that papers measure on: what each is, where it is looked for, how to get it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from latte.data.errors import InputError, nearest
from latte.data.layouts import UCF_NAME, FolderLayout, on_ucf_lists, open_splits, with_ucf_names
from latte.data.sources import Video, VideoSet, open_video_set


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One data set. Counts are those of the published lists, None if not reliable."""

    name: str
    title: str
    num_classes: int | None
    fps: float | None
    splits: Mapping[str, int | None]  # expected number of videos
    fvd_split: str  # split that papers use as real videos for FVD
    layouts: str
    how_to_get: str
    layout: FolderLayout | None  # None: made on the fly


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

    def text(self) -> str:
        """Several lines for the user."""
        lines = [f"{self.name}: {self.title}"]
        if self.found:
            lines.append(f"  found   {self.found}")
            lines += [f"  {split:<22} {self._count(split)}" for split in self.counts]
        else:
            lines.append(f"  not found, looked for {', '.join(self.looked)}")
        if self.problem:
            lines.append(f"  problem {self.problem}")
        if not self.found or self.problem:
            lines += [f"  layout  {self.layouts}", f"  get it  {self.how_to_get}"]
        return "\n".join(lines)

    def _count(self, split: str) -> str:
        count, expected = self.counts[split], self.expected.get(split)
        if expected is None or expected == count:
            return f"{count} videos"
        return f"{count} videos (published: {expected})"


UCF101 = Dataset(
    name="ucf101",
    title="UCF101, human actions, 320×240",
    num_classes=101,
    fps=25.0,
    splits={
        "train+test": 13320,
        "train": 9537,
        "test": 3783,
        "train2": 9586,
        "test2": 3734,
        "train3": 9624,
        "test3": 3696,
    },
    fvd_split="train+test",
    layouts=(
        "ucf101/UCF-101/<class>/*.avi with ucf101/ucfTrainTestlist/ for the splits; or "
        "ucf101/{train,test}/<class>/*.avi; or all .avi, or a frame folder each, in ucf101/"
    ),
    how_to_get=(
        "UCF101.rar and UCF101TrainTestSplits-RecognitionTask.zip from "
        "https://www.crcv.ucf.edu/data/UCF101.php"
    ),
    layout=FolderLayout(
        folders=("ucf101", "UCF101", "UCF-101", "ucf-101"),
        splits=("{split}",),
        whole=("UCF-101", "videos", "."),
    ),
)

FACEFORENSICS = Dataset(
    name="faceforensics",
    title="FaceForensics (2018), faces cropped by its masks, 256×256",
    num_classes=None,
    fps=30.0,
    splits={"train": 704, "val": 150, "test": 150},
    fvd_split="train",
    layouts=(
        "faceforensics/{train,test}/videos/*.mp4 (preprocess_ffs as Latte publishes it); or "
        "faceforensics/{train,test}/ of videos or frame folders; or the train split alone in "
        "faceforensics/"
    ),
    how_to_get=(
        "ask its authors at https://github.com/ondyari/FaceForensics, then crop with "
        "StyleGAN-V's preprocess_ffs.py; or the copy linked from the Latte repository"
    ),
    layout=FolderLayout(
        folders=("faceforensics", "FaceForensics", "ffs", "preprocess_ffs"),
        splits=(
            "{split}/videos",
            "preprocess_ffs/{split}/videos",
            "{split}",
            "preprocess_ffs/{split}",
        ),
        whole=("videos", "."),
    ),
)

SKYTIMELAPSE = Dataset(
    name="skytimelapse",
    title="Sky Time-lapse (MDGAN), frames of 640×360",
    num_classes=None,
    fps=25.0,
    splits={"train": None, "test": None},
    fvd_split="train",
    layouts=(
        "skytimelapse/sky_{train,test}/<id>/<id>_<k>/*.jpg; or {train,val}/ or {train,test}/ with "
        "frame folders at either level; or the train split alone in skytimelapse/"
    ),
    how_to_get="sky_timelapse.zip from https://github.com/weixiong-ur/mdgan",
    layout=FolderLayout(
        folders=("skytimelapse", "sky_timelapse", "sky-timelapse", "SkyTimelapse", "sky"),
        splits=("sky_{split}", "{split}", "sky_timelapse/sky_{split}", "sky_timelapse/{split}"),
        whole=(".",),
        aliases={"test": "val"},
    ),
)

TAICHI_HD = Dataset(
    name="taichi-hd",
    title="Taichi-HD (first order motion model), 256×256",
    num_classes=None,
    fps=None,
    splits={"train": 3049, "test": 285},
    fvd_split="train",
    layouts=(
        "taichi-hd/frames/{train,test}/<video>/*.png or *.jpg (taichi-256 as Latte publishes it); "
        "or taichi-hd/{train,test}/ of videos or frame folders; or the train split alone in "
        "taichi-hd/"
    ),
    how_to_get=(
        "cut from YouTube with the script at "
        "https://github.com/AliaksandrSiarohin/video-preprocessing (videos vanish, counts shrink); "
        "or the copy linked from the Latte repository"
    ),
    layout=FolderLayout(
        folders=("taichi-hd", "taichi_hd", "Taichi-HD", "taichi-256", "taichi256", "taichi"),
        splits=("frames/{split}", "{split}", "taichi-256/frames/{split}", "taichi-256/{split}"),
        whole=("frames", "."),
    ),
)

SHAPES = Dataset(
    name="shapes",
    title="shapes, the embedded data set: moving shapes, 32×32",
    num_classes=10,
    fps=8.0,
    splits={"train": 10_000, "test": 2_048},
    fvd_split="train",
    layouts="none: made on the fly",
    how_to_get="comes with the package",
    layout=None,
)

DATASETS: Mapping[str, Dataset] = {
    known.name: known for known in (UCF101, FACEFORENSICS, SKYTIMELAPSE, TAICHI_HD, SHAPES)
}


def dataset(name: str) -> Dataset:
    """A data set by name.

    Raises:
        InputError: unknown; the message has the nearest names.
    """
    if name not in DATASETS:
        raise InputError(f'no data set "{name}": {nearest(name, list(DATASETS))}')
    return DATASETS[name]


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
    if known.layout is None:
        from latte.data.shapes import shapes_video_set

        return shapes_video_set(split)
    root, looked = known.layout.find_root(data_root)
    if root is None:
        raise InputError(
            f"{name}: not found, looked for {', '.join(looked)}: give --data-root or $LATTE_DATA, "
            f"the folder that holds it. Layout: {known.layouts}. Get it: {known.how_to_get}"
        )
    return _open_at(known, known.layout, root, parts)


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
    root, looked = known.layout.find_root(data_root) if known.layout else ("embedded", [])
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
        expected=dict(known.splits),
        problem=problems[0] if problems and not counts else None,
        layouts=known.layouts,
        how_to_get=known.how_to_get,
    )


def _open_at(known: Dataset, layout: FolderLayout, root: Path, parts: list[str]) -> VideoSet:
    name = f"{known.name} {'+'.join(parts)}"
    is_ucf = known is UCF101
    folders = {part: folder for part in parts if (folder := layout.find_split(root, part))}
    if len(folders) == len(parts):
        videos = open_splits(name, folders)
        return with_ucf_names(videos) if is_ucf else videos
    has_splits = any(layout.find_split(root, split) for split in known.splits)
    whole = None if has_splits else layout.find_whole(root)
    if whole is not None and (is_ucf or parts == [known.fvd_split]):
        videos = replace(open_video_set(whole), name=name)
        return on_ucf_lists(with_ucf_names(videos), root, parts) if is_ucf else videos
    missing = next(part for part in parts if part not in folders)
    raise InputError(
        f"{known.name}: no split {missing} in {root}, whose layouts may be: {known.layouts}"
    )


def _class_of(name: str) -> str | None:
    match = UCF_NAME.fullmatch(name.rpartition("/")[2])
    if match:
        return match[1]
    folders = name.split("/")[:-1]
    return folders[-1] if folders and folders[-1] not in ("train", "test") else None
