"""Which clip is the n-th of a training run, and how it is made.

Sample n is a function of the seed and n alone: the order of an epoch is a seeded shuffle, and
offset, flip and images are drawn from the seed and n. So a run can be left and taken up at any n,
with any number of processes, and sees the same clips.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np

from latte.data.clips import Clip
from latte.data.command_line import nearest
from latte.data.datasets import DATASETS, class_labels, class_names, open_dataset
from latte.data.errors import BrokenVideoError, InputError
from latte.data.loading import Preparation, load_clip, probe_in_workers
from latte.data.shapes import CLASS_NAMES, ShapesVideo
from latte.data.sources import Video, VideoSet, open_video_set
from latte.data.transforms import FILTERS, OWN_FILTERS, RECIPES
from latte.data.video import VideoInfo
from latte.data.workers import map_in_order
from latte.training.config import DataTable


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One sample before anything is decoded: a clip, and images of other videos."""

    number: int
    clip: Clip
    images: tuple[Clip, ...]  # of one frame each
    label: int | None
    image_labels: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample: frames of the clip, then the images, uint8 (F + I, H, W, 3)."""

    plan: Plan
    frames: np.ndarray | None  # None where they are not asked for


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """The videos that are long enough, and how clips are taken from them."""

    videos: VideoSet
    infos: tuple[VideoInfo, ...]  # of each video
    labels: tuple[int, ...] | None  # of each video; None where there are no classes
    classes: tuple[str, ...]  # names, by label
    fps: float | None  # of the source videos, where it is known
    table: DataTable
    seed: int
    num_listed: int  # videos that were looked at, the too short ones included

    @property
    def preparation(self) -> Preparation:
        """What happens to frames of video files."""
        return Preparation(
            recipe=self.table.recipe,
            size=self.table.size,
            storage="lossless",
            filter=self.table.filter,
        )

    def notes(self) -> Iterator[str]:
        """Sentences: which videos are not taken as the configuration says."""
        table, count = self.table, len(self.infos)
        if count < self.num_listed:
            yield (
                f"{self.videos.root}: {self.num_listed - count} of {self.num_listed} videos have "
                f"fewer than {table.num_frames} frames and are left out"
            )
        shortest = self._stride(min(info.num_frames for info in self.infos))
        if shortest < table.stride:
            fewer = sum(self._stride(info.num_frames) < table.stride for info in self.infos)
            yield (
                f"{self.videos.root}: {fewer} of {count} videos are too short for clips at stride "
                f"{table.stride}, and take the largest that fits, {shortest} at least"
            )

    def plan(self, number: int) -> Plan:
        """Sample `number`, counted from the beginning of the run."""
        epoch, place = divmod(number, len(self.infos))
        index = int(self._order(epoch)[place])
        images = tuple(self._image(number, j) for j in range(self.table.images_per_clip))
        return Plan(
            number=number,
            clip=self._clip(index, number),
            images=tuple(
                self._frame(video, frame, number, j) for j, (video, frame) in enumerate(images)
            ),
            label=None if self.labels is None else self.labels[index],
            image_labels=()
            if self.labels is None
            else tuple(self.labels[video] for video, _ in images),
        )

    def samples(
        self, numbers: Iterable[int], *, workers: int, decode: bool = True
    ) -> Iterator[Sample]:
        """Samples in turn, made by `workers` processes, which cannot change them.

        Args:
            decode: read the frames; without, samples are plans alone (for cached latents).

        Raises:
            BrokenVideoError: a video cannot be decoded.
        """
        plans = map(self.plan, numbers)
        if not decode:
            yield from (Sample(plan=plan, frames=None) for plan in plans)
            return
        tasks = ((plan, self.preparation) for plan in plans)
        for sample in map_in_order(load_sample, tasks, workers=workers, label=_task_name):
            if isinstance(sample, BrokenVideoError):
                raise _unusable(sample)
            yield sample

    def _order(self, epoch: int) -> np.ndarray:
        orders = self._orders
        if epoch not in orders:
            orders.clear()
            stream = np.random.Generator(np.random.PCG64(draw(self.seed, "epoch", epoch)))
            orders[epoch] = stream.permutation(len(self.infos))
        return orders[epoch]

    @cached_property
    def _orders(self) -> dict[int, np.ndarray]:
        return {}

    @cached_property
    def _ends(self) -> list[int]:
        """Up to which number the frames of each video reach, all frames in a row."""
        return list(accumulate(info.num_frames for info in self.infos))

    def _clip(self, index: int, number: int) -> Clip:
        info = self.infos[index]
        length = self.table.num_frames
        stride = self._stride(info.num_frames)
        places = info.num_frames - (length - 1) * stride
        start = draw(self.seed, "offset", number) % places
        frames = tuple(range(start, start + (length - 1) * stride + 1, stride))
        return Clip(
            video=self.videos.videos[index],
            info=info,
            frames=frames,
            mirrored=self._is_flipped(number, "flip"),
        )

    def _stride(self, num_frames: int) -> int:
        """Of a clip of a video of this length."""
        gaps = self.table.num_frames - 1
        return min(self.table.stride, (num_frames - 1) // gaps) if gaps else self.table.stride

    def _image(self, number: int, j: int) -> tuple[int, int]:
        """A video and a frame: every frame of the set is as likely."""
        place = draw(self.seed, f"image {j}", number) % self._ends[-1]
        index = bisect_right(self._ends, place)
        return index, place - self._ends[index] + self.infos[index].num_frames

    def _frame(self, index: int, frame: int, number: int, j: int) -> Clip:
        return Clip(
            video=self.videos.videos[index],
            info=self.infos[index],
            frames=(frame,),
            mirrored=self._is_flipped(number, f"flip image {j}"),
        )

    def _is_flipped(self, number: int, purpose: str) -> bool:
        return self.table.flip and draw(self.seed, purpose, number) % 2 == 1


def open_training_set(
    table: DataTable, *, seed: int, data_root: Path, workers: int, class_conditional: bool
) -> TrainingSet:
    """Find the videos, and leave out those with fewer frames than a clip has.

    Raises:
        InputError: there are none, or no classes where they are needed.
        BrokenVideoError: a video cannot be read.
    """
    if table.recipe not in ("none", *RECIPES):
        raise InputError(f"data.recipe = {table.recipe!r}: choose none or {', '.join(RECIPES)}")
    filters = (OWN_FILTERS[table.recipe],) if table.recipe in OWN_FILTERS else tuple(FILTERS)
    if table.filter not in filters:
        raise InputError(
            f"data.filter = {table.filter!r}: the recipe {table.recipe} has {', '.join(filters)}"
        )
    known = DATASETS.get(table.dataset)
    videos = _open_videos(table, data_root)
    if table.num_videos:
        videos = replace(videos, videos=videos.videos[: table.num_videos])
    if table.dataset == "shapes":
        videos = replace(videos, videos=tuple(_redrawn(video, table) for video in videos.videos))
    kept: list[int] = []
    infos: list[VideoInfo] = []
    for place, (_, info) in enumerate(
        probe_in_workers(videos.videos, workers=workers, timeout=120)
    ):
        if isinstance(info, BrokenVideoError):
            raise _unusable(info)
        if info.num_frames >= table.num_frames:
            kept.append(place)
            infos.append(info)
    if not kept:
        raise InputError(
            f"{videos.root}: none of its {len(videos.videos)} videos has {table.num_frames} "
            "frames; give longer videos, or a smaller data.num_frames"
        )
    used = replace(videos, videos=tuple(videos.videos[place] for place in kept))
    _check_sizes(used, infos, table)
    labels, classes = _labels(videos, used) if class_conditional else (None, ())
    return TrainingSet(
        videos=used,
        infos=tuple(infos),
        labels=labels,
        classes=classes,
        fps=known.fps if known else None,
        table=table,
        seed=seed,
        num_listed=len(videos.videos),
    )


def _open_videos(table: DataTable, data_root: Path) -> VideoSet:
    if table.dataset in DATASETS:
        return open_dataset(table.dataset, data_root=data_root, split=table.split)
    path = Path(table.dataset)
    if not path.exists():
        raise InputError(
            f"data.dataset = {table.dataset!r}: is neither a path that is there nor the name of a "
            f"data set: {nearest(table.dataset, list(DATASETS))}"
        )
    return open_video_set(path)


def _unusable(error: BrokenVideoError) -> BrokenVideoError:
    """Without the advice to leave the video out by an option: training has none."""
    what = str(error).partition(";")[0]
    return BrokenVideoError(f"{what}; replace the video, or take it out of the data set")


def _redrawn(video: Video, table: DataTable) -> Video:
    """The embedded data set is drawn at any size, and as long as the stride needs it."""
    if not isinstance(video, ShapesVideo):
        return video
    needed = (table.num_frames - 1) * table.stride + 1
    return replace(video, size=table.size, num_frames=max(video.num_frames, needed))


def load_sample(task: tuple[Plan, Preparation]) -> Sample:
    """Decode and prepare one sample.

    Raises:
        BrokenVideoError: a frame cannot be decoded.
    """
    plan, preparation = task
    clips = [load_clip((clip, preparation)) for clip in (plan.clip, *plan.images)]
    return Sample(plan=plan, frames=np.concatenate(clips))


def draw(seed: int, purpose: str, number: int) -> int:
    """A number of 64 bits that depends on these three alone."""
    digest = hashlib.sha256(f"latte training {seed} {purpose} {number}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _labels(videos: VideoSet, used: VideoSet) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """A label for each used video, and the names of all classes of the set."""
    if all(isinstance(video, ShapesVideo) for video in used.videos):
        return tuple(video.label for video in used.videos), CLASS_NAMES  # type: ignore[attr-defined]
    labels = class_labels(videos)
    without = [video.name for video in used.videos if video.name not in labels]
    if without:
        raise InputError(
            f"{videos.root}: {without[0]} has no class, and {len(without)} of {len(used.videos)} "
            "videos have none; put each video into a folder named after its class, or set "
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
                f"as they are; set data.size to their size, or prepare them with `latte-eval "
                f"prepare --size {table.size}`"
            )


def _task_name(task: tuple[Plan, Preparation]) -> str:
    return task[0].clip.video.name
