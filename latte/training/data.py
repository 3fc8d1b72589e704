"""The videos of a training run, and its n-th sample: which clip it is, and how it is made.

Sample n is a function of the seed and n alone: the order of an epoch is a seeded shuffle, and
offset, flip and images are drawn from the seed and n. So a run can be left and taken up at any n,
with any number of processes, and sees the same clips. A sample whose video is damaged is made of
the next one in the order instead, if the table allows it.
"""

import hashlib
import json
import logging
from bisect import bisect_right
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import accumulate, islice, tee
from pathlib import Path

import numpy as np

from latte.data.clips import Clip
from latte.data.datasets import DATASETS, class_labels, class_names, open_dataset
from latte.data.errors import BrokenVideoError, InputError, LostProcessError, nearest
from latte.data.hashing import hash64
from latte.data.loading import Preparation, load_clip, probe_in_workers
from latte.data.processes.workers import map_in_order
from latte.data.shapes import CLASS_NAMES, ShapesVideo
from latte.data.sources import Video, VideoSet, open_video_set
from latte.data.transforms import FILTERS, OWN_FILTERS, RECIPES
from latte.data.video import VideoInfo
from latte.training.config import DataTable

logger = logging.getLogger(__name__)

MAX_TRIES = 8  # videos in a row that may be broken where broken ones are left out


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One sample before anything is decoded: a clip, and images of other videos."""

    number: int
    clips: tuple[Clip, ...]  # the clip, then clips of one frame
    labels: tuple[int, ...]  # one for each of them; empty without classes


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
    broken: tuple[str, ...] = ()  # what is wrong with those that cannot be read

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
        for problem in self.broken:
            yield f"left out: {problem}"
        if too_short := self.num_listed - count - len(self.broken):
            yield (
                f"{self.videos.root}: {too_short} of {self.num_listed} videos have "
                f"fewer than {table.num_frames} frames and are left out"
            )
        strides = [self._stride(info.num_frames) for info in self.infos]
        if min(strides) < table.stride:
            fewer = sum(stride < table.stride for stride in strides)
            yield (
                f"{self.videos.root}: {fewer} of {count} videos are too short for clips at stride "
                f"{table.stride}, and take the largest that fits, {min(strides)} at least"
            )

    def plan(self, number: int, attempt: int = 0) -> Plan:
        """Sample `number`, counted from the beginning of the run.

        Args:
            attempt: how many plans before could not be carried out: other videos are taken.
        """
        count = len(self.infos)
        epoch, place = divmod(number, count)
        index = int(_shuffled(self.seed, epoch, count)[(place + attempt) % count])
        taken = [(index, self._frames(index, number), "flip")]
        for j in range(self.table.images_per_clip):
            video, frame = self._image(number, f"image {j}" + f" again {attempt}" * (attempt > 0))
            taken.append((video, (frame,), f"flip image {j}"))
        return Plan(
            number=number,
            clips=tuple(
                Clip(
                    video=self.videos.videos[video],
                    info=self.infos[video],
                    frames=frames,
                    mirrored=self.table.flip and random_bits(self.seed, purpose, number) % 2 == 1,
                )
                for video, frames, purpose in taken
            ),
            labels=() if self.labels is None else tuple(self.labels[video] for video, *_ in taken),
        )

    def samples(
        self,
        numbers: Iterable[int],
        *,
        workers: int,
        decode: bool = True,
        without: Collection[str] = (),
    ) -> Generator[Sample]:
        """Samples in turn, made by `workers` processes, which cannot change them.

        Args:
            decode: read the frames; without, samples are plans alone (for cached latents).
            without: names of videos that are known to be broken.

        Raises:
            BrokenVideoError: a video cannot be decoded (where they are left out, many in a row).
        """
        left_out = set(without)  # grows by videos that cost a process, so that each does so once
        plans = map(partial(self._plans, without=left_out), numbers)
        if not decode:
            yield from (Sample(plan=attempts[0], frames=None) for attempts in plans)
            return
        noted: set[str] = set()
        load = partial(_load_sample, preparation=self.preparation)
        for_process, for_message = tee(plans)
        loaded = map_in_order(
            load,
            for_process,
            workers=workers,
            label=lambda attempts: attempts[0].clips[0].video.name,
            limited=True,
        )
        with closing(loaded):
            for attempts, one in zip(for_message, loaded, strict=True):
                while isinstance(one, LostProcessError) and len(attempts) > 1:
                    logger.warning("left out: %s", one.problem)
                    if len(attempts[0].clips) == 1:  # of several any may be the one
                        left_out.add(attempts[0].clips[0].video.name)
                    attempts = attempts[1:]
                    with closing(map_in_order(load, [attempts], workers=1, limited=True)) as again:
                        one = next(again)
                if isinstance(one, BrokenVideoError):
                    raise _unusable(one)
                sample, problems = one
                for problem in dict.fromkeys(problems):
                    if problem not in noted:
                        logger.warning("left out: %s", problem)
                noted |= set(problems)
                yield sample

    def _plans(self, number: int, without: Collection[str]) -> tuple[Plan, ...]:
        """The plan of a sample, then those that take its place in turn."""
        tries = MAX_TRIES if self.table.skip_broken else 1
        plans = (self.plan(number, attempt) for attempt in range(len(self.infos) + tries))
        sound = (p for p in plans if not any(clip.video.name in without for clip in p.clips))
        if not (chosen := tuple(islice(sound, tries))):
            raise InputError(f"{self.videos.root}: none of its videos can be read")
        return chosen

    @cached_property
    def _ends(self) -> list[int]:
        """For each video, the number of frames up to its end, all videos in a row."""
        return list(accumulate(info.num_frames for info in self.infos))

    def _frames(self, index: int, number: int) -> tuple[int, ...]:
        """The frames that sample `number` takes of a video: anywhere they fit."""
        num_frames = self.infos[index].num_frames
        stride = self._stride(num_frames)
        reach = (self.table.num_frames - 1) * stride
        start = random_bits(self.seed, "offset", number) % (num_frames - reach)
        return tuple(range(start, start + reach + 1, stride))

    def _stride(self, num_frames: int) -> int:
        """Stride of a clip of a video of this length."""
        gaps = self.table.num_frames - 1
        return min(self.table.stride, (num_frames - 1) // gaps) if gaps else self.table.stride

    def _image(self, number: int, purpose: str) -> tuple[int, int]:
        """A video and a frame: every frame of the set is as likely."""
        place = random_bits(self.seed, purpose, number) % self._ends[-1]
        index = bisect_right(self._ends, place)
        return index, place - self._ends[index] + self.infos[index].num_frames


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
    listed = _open_videos(table, data_root)
    used, infos, broken = _usable(listed, table, workers)
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
        broken=broken,
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
    # The embedded data set is drawn at any size, and as long as the stride needs it.
    needed = (table.num_frames - 1) * table.stride + 1
    selected = tuple(
        replace(video, size=table.size, num_frames=max(video.num_frames, needed))
        if isinstance(video, ShapesVideo)
        else video
        for video in videos.videos[: table.num_videos or None]
    )
    return replace(videos, videos=selected)


def _usable(
    videos: VideoSet, table: DataTable, workers: int
) -> tuple[VideoSet, tuple[VideoInfo, ...], tuple[str, ...]]:
    """The videos that hold a clip, what is known of each, and what is wrong with broken ones."""
    usable: list[Video] = []
    infos: list[VideoInfo] = []
    broken: list[str] = []
    for video, info in probe_in_workers(videos.videos, workers=workers, timeout=120):
        if isinstance(info, BrokenVideoError):
            if not table.skip_broken:
                raise _unusable(info)
            broken.append(info.problem)
            continue
        if info.num_frames < table.num_frames:
            continue
        as_it_is = video.prepared or table.recipe == "none"
        if as_it_is and (info.height, info.width) != (table.size, table.size):
            raise InputError(
                f"{videos.root}: {video.name} is {info.width}×{info.height}, and frames are taken "
                f"as they are: set data.size to their size, or prepare them with `latte-eval "
                f"prepare --size {table.size}`"
            )
        usable.append(video)
        infos.append(info)
    if not usable:
        raise InputError(
            f"{videos.root}: none of its {len(videos.videos)} videos has {table.num_frames} "
            "frames: give longer videos, or a smaller data.num_frames"
        )
    return replace(videos, videos=tuple(usable)), tuple(infos), tuple(broken)


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


def _unusable(error: BrokenVideoError) -> BrokenVideoError:
    """The error with advice for training: without a file, the others would come in other turns."""
    return BrokenVideoError(
        error.problem,
        "replace the video, or go on without it by data.skip_broken=true (--skip-broken)",
    )


def _load_sample(attempts: Sequence[Plan], preparation: Preparation) -> tuple[Sample, list[str]]:
    """The sample of the first plan whose videos can be decoded, and what is wrong with others."""
    problems: list[str] = []
    for plan in attempts:
        try:
            frames = np.concatenate([load_clip(clip, preparation) for clip in plan.clips])
            return Sample(plan=plan, frames=frames), problems
        except BrokenVideoError as error:
            problems.append(error.problem)
            last = error
    raise last


@lru_cache(maxsize=1)
def _shuffled(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of the videos in an epoch."""
    return np.random.default_rng(random_bits(seed, "epoch", epoch)).permutation(count)


def random_bits(seed: int, purpose: str, number: int) -> int:
    """A number of 64 bits that depends on these three alone."""
    return hash64(f"latte training {seed} {purpose} {number}")
