"""What the project promises about time and memory, beside what was measured."""

import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.studies.speed.timings import (
    AGAIN,
    CACHED,
    CD_FVD,
    COLD,
    COMMANDS,
    OURS,
    PLAIN,
    Timing,
    Timings,
)

NOT_MEASURED = "This size does not measure it."


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A promise, and the median of what was measured."""

    what: str
    limit: float
    unit: str
    at_least: bool = False  # False: less than the limit
    values: tuple[float, ...] = ()  # one for each turn
    reason: str = NOT_MEASURED

    @property
    def measured(self) -> float:
        return statistics.median(self.values)

    @property
    def reached(self) -> bool | None:
        """None: not measured."""
        if not self.values:
            return None
        return self.measured >= self.limit if self.at_least else self.measured < self.limit


def goals(timings: Timings) -> list[Goal]:
    """All promises, in the order of the report."""
    whole = timings.get((COLD, CD_FVD))
    return [
        _ratio(
            "I3D: ours beside plain PyTorch on batches of four",
            2.2 if _has_amx() else 1.4,
            timings.get(("i3d", OURS)),
            timings.get(("i3d", PLAIN)),
        ),
        _ratio(
            "Whole evaluation, nothing cached: ours beside cd-fvd",
            2.5,
            timings.get((COLD, OURS)),
            whole,
        ),
        _ratio(
            "A second model, real side cached: ours beside cd-fvd's whole evaluation",
            5,
            timings.get((CACHED, OURS)),
            whole,
        ),
        _seconds("The same evaluation again", 1.5, timings.get((AGAIN, OURS))),
        _ratio(
            "Fréchet distance, 2048 features: ours beside sqrtm",
            20,
            timings.get(("distance 2048", OURS)),
            timings.get(("distance 2048", "sqrtm")),
        ),
        *_memory([timing for (part, _), timing in timings.items() if part == "memory"]),
        *(
            _seconds(f"{name} --help", 1, timings.get(("starting", f"{name} --help")))
            for name in COMMANDS
        ),
    ]


def _ratio(what: str, limit: float, ours: Timing | None, other: Timing | None) -> Goal:
    goal = Goal(what=what, limit=limit, unit="×", at_least=True)
    if ours is None or other is None or not ours.seconds:
        return goal
    if not other.seconds:
        return replace(goal, reason=other.reason)
    return replace(goal, values=ours.ratios(other))


def _seconds(what: str, limit: float, timing: Timing | None) -> Goal:
    """The best time: a busy machine only adds to it."""
    values = (timing.best,) if timing is not None and timing.seconds else ()
    return Goal(what=what, limit=limit, unit="s", values=values)


def _memory(runs: Sequence[Timing]) -> list[Goal]:
    peaks = [timing.megabytes[0] for timing in runs if timing.megabytes]
    same = "Peak memory, most clips beside fewest"
    if len(peaks) < 2:
        return [Goal(what=same, limit=1.1, unit="×", reason="This system does not tell it.")]
    return [
        Goal(what=same, limit=1.1, unit="×", values=(peaks[-1] / peaks[0],)),
        Goal(what="Peak memory of all processes", limit=2000, unit="MB", values=(max(peaks),)),
    ]


def _has_amx() -> bool:
    """Whether this is one of the processors for which more is promised."""
    with suppress(OSError):
        return "amx_tile" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    return False
