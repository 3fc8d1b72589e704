"""The videos of a training run: found, measured, and their classes named."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from latte.data.datasets import DATASETS, class_labels, class_names, open_dataset
from latte.data.errors import BrokenVideoError, InputError, nearest
from latte.data.loading import probe_in_workers
from latte.data.shapes import CLASS_NAMES, ShapesVideo
from latte.data.sources import Video, VideoSet, open_video_set
from latte.data.transforms import FILTERS, OWN_FILTERS, RECIPES
from latte.data.video import VideoInfo
from latte.training.config import DataTable
from latte.training.data import TrainingSet, unusable


def open_training_set(
    table: DataTable, *, seed: int, data_root: Path, workers: int, class_conditional: bool
) -> TrainingSet:
    """Find the videos, and leave out those with fewer frames than a clip has.

    Raises:
        InputError: there are none, or no classes where they are needed.
        BrokenVideoError: a video cannot be read.
    """
    _check_preparation(table)
    listed = _open_videos(table, data_root)
    used, infos = _long_enough(listed, table, workers)
    _check_sizes(used, infos, table)
    labels, classes = _labels(listed, used) if class_conditional else (None, ())
    known = DATASETS.get(table.dataset)
    return TrainingSet(
        videos=used,
        infos=infos,
        labels=labels,
        classes=classes,
        fps=known.fps if known else None,
        table=table,
        seed=seed,
        num_listed=len(listed.videos),
    )


def _check_preparation(table: DataTable) -> None:
    if table.recipe not in ("none", *RECIPES):
        raise InputError(f"data.recipe = {table.recipe!r}: choose none or {', '.join(RECIPES)}")
    filters = (OWN_FILTERS[table.recipe],) if table.recipe in OWN_FILTERS else tuple(FILTERS)
    if table.filter not in filters:
        raise InputError(
            f"data.filter = {table.filter!r}: the recipe {table.recipe} has {', '.join(filters)}"
        )


def _open_videos(table: DataTable, data_root: Path) -> VideoSet:
    """The videos of the table, of any length."""
    if table.dataset in DATASETS:
        videos = open_dataset(table.dataset, data_root=data_root, split=table.split)
    elif Path(table.dataset).exists():
        videos = open_video_set(Path(table.dataset))
    else:
        raise InputError(
            f"data.dataset = {table.dataset!r}: is neither a path that is there nor the name of a "
            f"data set: {nearest(table.dataset, list(DATASETS))}"
        )
    selected = videos.videos[: table.num_videos or None]
    if table.dataset == "shapes":
        selected = tuple(_redrawn(video, table) for video in selected)
    return replace(videos, videos=selected)


def _long_enough(
    videos: VideoSet, table: DataTable, workers: int
) -> tuple[VideoSet, tuple[VideoInfo, ...]]:
    """The videos that hold a clip, and what is known of each."""
    kept: list[Video] = []
    infos: list[VideoInfo] = []
    for video, info in probe_in_workers(videos.videos, workers=workers, timeout=120):
        if isinstance(info, BrokenVideoError):
            raise unusable(info)
        if info.num_frames >= table.num_frames:
            kept.append(video)
            infos.append(info)
    if not kept:
        raise InputError(
            f"{videos.root}: none of its {len(videos.videos)} videos has {table.num_frames} "
            "frames: give longer videos, or a smaller data.num_frames"
        )
    return replace(videos, videos=tuple(kept)), tuple(infos)


def _redrawn(video: Video, table: DataTable) -> Video:
    """The embedded data set is drawn at any size, and as long as the stride needs it."""
    if not isinstance(video, ShapesVideo):
        return video
    needed = (table.num_frames - 1) * table.stride + 1
    return replace(video, size=table.size, num_frames=max(video.num_frames, needed))


def _labels(videos: VideoSet, used: VideoSet) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """A label for each used video, and the names of all classes of the set."""
    if all(isinstance(video, ShapesVideo) for video in used.videos):
        return tuple(video.label for video in used.videos), CLASS_NAMES  # type: ignore[attr-defined]
    labels = class_labels(videos)
    without = [video.name for video in used.videos if video.name not in labels]
    if without:
        raise InputError(
            f"{videos.root}: {without[0]} has no class, and {len(without)} of {len(used.videos)} "
            "videos have none: put each video into a folder named after its class, or set "
            "model.class_conditional=false"
        )
    return tuple(labels[video.name] for video in used.videos), class_names(videos)


def _check_sizes(videos: VideoSet, infos: Sequence[VideoInfo], table: DataTable) -> None:
    """Frames that nothing resizes are already as they are wanted."""
    for video, info in zip(videos.videos, infos, strict=True):
        as_it_is = video.prepared or table.recipe == "none"
        if as_it_is and (info.height, info.width) != (table.size, table.size):
            raise InputError(
                f"{videos.root}: {video.name} is {info.width}×{info.height}, and frames are taken "
                f"as they are: set data.size to their size, or prepare them with `latte-eval "
                f"prepare --size {table.size}`"
            )
