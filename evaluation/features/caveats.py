"""What a careful reader must know about measured sets, a sentence each."""

from collections.abc import Iterator, Sequence

from evaluation.features.sets import MeasuredSet, some_of


def caveats_of_sets(sets: Sequence[MeasuredSet]) -> Iterator[str]:
    """What was left out of the sets, and why their clips may not be independent."""
    for measured in sets:
        record = measured.record
        if measured.given is not None:
            yield (
                f"{record.path} is a statistics file, without clips to resample: no confidence "
                "interval"
            )
            continue
        if record.too_short:
            yield f"{_count(record.too_short)} too short and left out: {some_of(record.too_short)}"
        if record.broken:
            yield f"{_count(record.broken)} broken and left out: {some_of(record.broken)}"
        videos = len({clip.video.name for clip in measured.clips})
        if videos < len(measured.clips):
            yield (
                f"{len(measured.clips)} clips of {videos} videos of {record.path} count as "
                "independent: intervals are too narrow"
            )
    if len(sets) == 2 and sets[0].record.digest == sets[1].record.digest:
        yield "the two sets are the same clips"


def _count(names: Sequence[str]) -> str:
    return "1 video is" if len(names) == 1 else f"{len(names)} videos are"
