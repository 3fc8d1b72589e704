"""One set of videos: its clips are planned, then their features are extracted into the store."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.features.extraction import ExtractionOptions, StoredNetwork, check_sizes, extract
from evaluation.features.probing import Prober
from evaluation.networks.spec import NetworkSpec
from evaluation.protocol.content import content_key
from evaluation.protocol.fields import DDOF, Covariance, Protocol, Side
from evaluation.results.caveats import Caveat
from evaluation.results.record import SetRecord, VideoNote
from evaluation.statistics.file import StatisticsFile, read_statistics_file
from evaluation.statistics.origin import record_of_statistics, statistics_over
from evaluation.statistics.running import Statistics
from latte.data.clips import Clip, ClipPlan, Selection, plan_clips
from latte.data.errors import InputError, some_of
from latte.data.frames import FrameFolder
from latte.data.loading import Preparation, frame_size
from latte.data.processes.pool import Pool
from latte.data.sources import VideoSet


@dataclass(frozen=True, kw_only=True)
class PlannedSet:
    """A set of videos with its clip plan, not yet decoded."""

    videos: VideoSet
    selection: Selection
    preparation: Preparation
    side: Side
    at_least: int  # clips, or frames where all are taken
    plan: ClipPlan
    prober: Prober


@dataclass(frozen=True, kw_only=True)
class MeasuredSet:
    """A set whose features are in the store, or whose statistics were given."""

    record: SetRecord
    clips: tuple[Clip, ...] = ()
    keys: tuple[bytes, ...] = ()  # keys of their features in the store, in the same order
    given: StatisticsFile | None = None  # there are no features then
    decoded: int = 0  # clips that were not in the store before

    def clip_keys(self) -> tuple[bytes, ...]:
        """The keys of its clips.

        Raises:
            InputError: the set is known by its statistics alone.
        """
        if self.given is not None:
            raise InputError(
                f"{self.record.path}: holds a mean and a covariance, which do for a Fréchet "
                "distance alone: give the videos themselves"
            )
        return self.keys

    def features(self, network: StoredNetwork) -> NDArray[np.float64]:
        """Its features, (rows, D); refused as in `clip_keys`."""
        return network.features(self.clip_keys()).astype(np.float64)

    def statistics(self, network: StoredNetwork, covariance: Covariance) -> Statistics:
        """Mean and covariance of its features, from the store or as given."""
        if self.given is not None:
            return statistics_over(self.given, covariance)
        return network.statistics(self.keys, DDOF[covariance])


def plan_set(
    videos: VideoSet,
    protocol: Protocol,
    side: Side,
    options: ExtractionOptions,
    at_least: int = 1,
    *,
    pool: Pool | None = None,
) -> PlannedSet:
    """Choose a set's clips; fewer than `at_least` are an error that says where the others went.

    Args:
        pool: processes that look at the videos; by default some for this call.
    """
    planned = PlannedSet(
        videos=videos,
        selection=protocol.selection(side),
        preparation=protocol.preparation(),
        side=side,
        at_least=at_least,
        plan=ClipPlan(root=videos.root, clips=(), num_listed=0),
        prober=Prober(options.store, options.processes),
    )
    planned = _choose(planned, options, pool, known_broken=())
    check_sizes(planned.plan.clips, planned.preparation, videos.root)
    return planned


def measure_set(
    planned: PlannedSet,
    networks: Sequence[StoredNetwork],
    options: ExtractionOptions,
    *,
    pool: Pool | None = None,
) -> MeasuredSet:
    """Extract the features of a planned set.

    With `skip_broken`, the next videos replace those that turn out to be unreadable.

    Args:
        pool: processes that decode; by default some for this call.
    """
    known_broken: list[tuple[str, str]] = []
    decoded = 0
    while True:
        plan = planned.plan
        extraction = extract(
            plan.clips,
            networks,
            planned.preparation,
            options,
            label=planned.side,
            digests=planned.prober.digests,
            pool=pool,
        )
        decoded += extraction.decoded
        if not extraction.broken:
            break
        known_broken += extraction.broken
        planned = _choose(planned, options, pool, known_broken=known_broken)
    height, width = frame_size(plan.clips[0], planned.preparation)  # extract refuses other sizes
    keys = [key.hex() for key in extraction.keys]
    order = content_key({"clips in order": keys}).hex()
    for network in networks:
        network.store.remember(order, extraction.keys)
    # What the frames went through before they were measured, as far as is known.
    video, prepared = plan.clips[0].video, planned.videos.preparation
    storage: str = planned.preparation.storage
    recipe: str | None = planned.preparation.recipe
    if video.prepared:
        storage = video.image_format if isinstance(video, FrameFolder) else "array"
        recipe = prepared.recipe if prepared else None
    # A name on disk need not be text: what is not is kept as it is, escaped.
    names = [clip.video.name.encode(errors="surrogateescape").hex() for clip in plan.clips]
    record = SetRecord(
        path=planned.videos.root,
        digest=content_key({"clips": sorted(keys)}).hex(),
        order=order,
        names=content_key({"names": names}).hex(),
        num_listed=plan.num_listed,
        num_clips=len(plan.clips),
        height=height,
        width=width,
        storage=storage,
        recipe=recipe,
        too_short=plan.too_short,
        broken=plan.broken,
        notes=_notes(plan.clips),
    )
    return MeasuredSet(record=record, clips=plan.clips, keys=extraction.keys, decoded=decoded)


def _notes(clips: Sequence[Clip]) -> tuple[VideoNote, ...]:
    """What is to be known of the videos of these clips, by kind."""
    names: dict[str, dict[str, None]] = {}  # ordered sets
    for clip in clips:
        for kind in clip.info.notes:
            names.setdefault(kind, {})[clip.video.name] = None
    return tuple(
        VideoNote(kind=kind, num_videos=len(names[kind]), examples=tuple(names[kind])[:5])
        for kind in sorted(names)
    )


def statistics_set(path: Path, at_least: int = 1) -> MeasuredSet:
    """A set of which only a statistics file is given.

    Raises:
        InputError: the file is damaged, or of too few clips.
    """
    file = read_statistics_file(path)
    record = record_of_statistics(file)
    if record.num_clips is not None and record.num_clips < at_least:
        raise InputError(
            f"{path}: {at_least} videos were asked for, but these are statistics of "
            f"{record.num_clips}: lower num_videos (--num-videos)"
        )
    return MeasuredSet(record=record, given=file)


def caveats_of_sets(sets: Sequence[MeasuredSet]) -> Iterator[Caveat]:
    """What was left out of the sets, and why their clips may not be independent."""
    for measured in sets:
        record, num_clips = measured.record, len(measured.clips)
        if measured.given is not None:
            yield Caveat("statistics_alone", {"path": record.path})
            continue
        for names, reason in ((record.too_short, "too short"), (record.broken, "broken")):
            if names:
                yield Caveat("left_out", {"names": names, "reason": reason})
        for note in record.notes:
            yield Caveat("noted_videos", {"path": record.path, **asdict(note)})
        num_videos = len({clip.video.name for clip in measured.clips})
        if num_videos < num_clips:
            counts = {"num_clips": num_clips, "num_videos": num_videos}
            yield Caveat("dependent_clips", {"path": record.path, **counts})
    if len(sets) == 2 and sets[0].record.digest == sets[1].record.digest:
        yield Caveat("same_clips")


def _choose(
    planned: PlannedSet,
    options: ExtractionOptions,
    pool: Pool | None,
    *,
    known_broken: Sequence[tuple[str, str]],
) -> PlannedSet:
    probe = partial(planned.prober.probe, workers=pool or options.workers, timeout=options.timeout)
    plan = plan_clips(
        planned.videos,
        planned.selection,
        probe,
        skip_broken=options.skip_broken,
        known_broken=known_broken,
    )
    # Where every frame is taken, frames are what is counted.
    available = plan.num_frames if planned.selection.offset == "every" else len(plan.clips)
    if available < planned.at_least:
        left_out = [*plan.too_short, *plan.broken]
        where = f" (left out: {some_of(left_out)})" if left_out else ""
        raise InputError(
            f"{plan.root}: {planned.at_least} videos were asked for, but only {available} can be "
            f"used{where}: add videos or lower num_videos (--num-videos)"
        )
    return replace(planned, plan=plan)


def check_lengths(clips: Sequence[Clip], spec: NetworkSpec) -> None:
    """Refuse clips whose length a network does not take, before any is decoded."""
    names = {len(clip.frames): clip.video.name for clip in reversed(clips)}
    for length in (min(names), max(names)):
        spec.check_length(length, names[length])
