"""What a careful reader must know about measured sets."""

from collections.abc import Iterator, Sequence

from evaluation.features.sets import MeasuredSet
from evaluation.results.caveats import Caveat, DependentClips, NoClips, SameClips, VideosLeftOut


def caveats_of_sets(sets: Sequence[MeasuredSet]) -> Iterator[Caveat]:
    """What was left out of the sets, and why their clips may not be independent."""
    for measured in sets:
        record = measured.record
        if measured.given is not None:
            yield NoClips(path=record.path)
            continue
        if record.too_short:
            yield VideosLeftOut(names=record.too_short, reason="too short")
        if record.broken:
            yield VideosLeftOut(names=record.broken, reason="broken")
        clips, videos = len(measured.clips), len({clip.video.name for clip in measured.clips})
        if videos < clips:
            yield DependentClips(path=record.path, num_clips=clips, num_videos=videos)
    if len(sets) == 2 and sets[0].record.digest == sets[1].record.digest:
        yield SameClips()
