"""The n-th sample of a training run: which clip it is, and how it is made.

Sample n is a function of the seed and n alone: the order of an epoch is a seeded shuffle, and
offset, flip and images are drawn from the seed and n. So a run can be left and taken up at any n,
with any number of processes, and sees the same clips.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

import numpy as np

from latte.data.clips import Clip
from latte.data.errors import BrokenVideoError
from latte.data.hashing import hash64
from latte.data.loading import Preparation, load_clip
from latte.data.sources import VideoSet
from latte.data.video import VideoInfo
from latte.data.workers import map_in_order
from latte.training.config import DataTable


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One sample before anything is decoded: a clip, and images of other videos."""

    number: int
    clip: Clip
    images: tuple[Clip, ...]  # clips of one frame
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
    infos: tuple[VideoInfo, ...]  # one for each video
    labels: tuple[int, ...] | None  # one for each video; None without classes
    classes: tuple[str, ...]  # names, by label
    fps: float | None  # frames per second of the source videos; None: not known
    table: DataTable
    seed: int
    num_listed: int  # videos that were looked at, the too short ones included

    @property
    def preparation(self) -> Preparation:
        """How frames of video files are prepared."""
        return Preparation(
            recipe=self.table.recipe,
            size=self.table.size,
            storage="lossless",
            filter=self.table.filter,
        )

    @property
    def digest(self) -> str:
        """Hash of the names, lengths and sizes of the videos; their frames are not looked at."""
        videos = [
            (video.name, info.num_frames, info.height, info.width)
            for video, info in zip(self.videos.videos, self.infos, strict=True)
        ]
        # A name on disk need not be UTF-8: JSON escapes other bytes.
        return hashlib.sha256(json.dumps(videos).encode()).hexdigest()

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
        index = int(_shuffled(self.seed, epoch, len(self.infos))[place])
        images = [self._image(number, j) for j in range(self.table.images_per_clip)]
        labels = self.labels
        return Plan(
            number=number,
            clip=self._clip(index, self._frames(index, number), number, "flip"),
            images=tuple(
                self._clip(video, (frame,), number, f"flip image {j}")
                for j, (video, frame) in enumerate(images)
            ),
            label=None if labels is None else labels[index],
            image_labels=() if labels is None else tuple(labels[video] for video, _ in images),
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
        samples = map_in_order(
            load_sample, tasks, workers=workers, label=lambda task: task[0].clip.video.name
        )
        for sample in samples:
            if isinstance(sample, BrokenVideoError):
                raise unusable(sample)
            yield sample

    @cached_property
    def _ends(self) -> list[int]:
        """For each video, the number of frames up to its end, all videos in a row."""
        return list(accumulate(info.num_frames for info in self.infos))

    def _clip(self, index: int, frames: tuple[int, ...], number: int, purpose: str) -> Clip:
        """These frames of a video; `purpose` names the draw that may flip them."""
        return Clip(
            video=self.videos.videos[index],
            info=self.infos[index],
            frames=frames,
            mirrored=self.table.flip and draw(self.seed, purpose, number) % 2 == 1,
        )

    def _frames(self, index: int, number: int) -> tuple[int, ...]:
        """The frames that sample `number` takes of a video: anywhere they fit."""
        num_frames = self.infos[index].num_frames
        stride = self._stride(num_frames)
        reach = (self.table.num_frames - 1) * stride
        start = draw(self.seed, "offset", number) % (num_frames - reach)
        return tuple(range(start, start + reach + 1, stride))

    def _stride(self, num_frames: int) -> int:
        """Stride of a clip of a video of this length."""
        gaps = self.table.num_frames - 1
        return min(self.table.stride, (num_frames - 1) // gaps) if gaps else self.table.stride

    def _image(self, number: int, j: int) -> tuple[int, int]:
        """A video and a frame: every frame of the set is as likely."""
        place = draw(self.seed, f"image {j}", number) % self._ends[-1]
        index = bisect_right(self._ends, place)
        return index, place - self._ends[index] + self.infos[index].num_frames


def unusable(error: BrokenVideoError) -> BrokenVideoError:
    """The error with advice for training, which has no option to leave videos out."""
    return BrokenVideoError(error.problem, "replace the video, or remove it from the data set")


def load_sample(task: tuple[Plan, Preparation]) -> Sample:
    """Decode and prepare one sample.

    Raises:
        BrokenVideoError: a frame cannot be decoded.
    """
    plan, preparation = task
    clips = [load_clip((clip, preparation)) for clip in (plan.clip, *plan.images)]
    return Sample(plan=plan, frames=np.concatenate(clips))


@lru_cache(maxsize=1)
def _shuffled(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of the videos in an epoch."""
    return np.random.Generator(np.random.PCG64(draw(seed, "epoch", epoch))).permutation(count)


def draw(seed: int, purpose: str, number: int) -> int:
    """A number of 64 bits that depends on these three alone."""
    return hash64(f"latte training {seed} {purpose} {number}")
