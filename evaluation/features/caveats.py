"""What a careful reader must know about measured sets."""

from collections.abc import Iterator, Sequence

from evaluation.features.sets import MeasuredSet
from latte.data.errors import some_of


def caveats_of_sets(sets: Sequence[MeasuredSet]) -> Iterator[str]:
    """What was left out of the sets, and why their clips may not be independent."""
    for measured in sets:
        record, num_clips = measured.record, len(measured.clips)
        if measured.given is not None:
            yield (
                f"{record.path} is a statistics file, without clips to resample: no confidence "
                "interval"
            )
            continue
        for names, reason in ((record.too_short, "too short"), (record.broken, "broken")):
            if names:
                videos = "1 video is" if len(names) == 1 else f"{len(names)} videos are"
                yield f"{videos} {reason} and left out: {some_of(names)}"
        num_videos = len({clip.video.name for clip in measured.clips})
        if num_videos < num_clips:
            yield (
                f"{num_clips} clips of {num_videos} videos of {record.path} count as independent: "
                "intervals are too narrow"
            )
    if len(sets) == 2 and sets[0].record.digest == sets[1].record.digest:
        yield "the two sets are the same clips"
