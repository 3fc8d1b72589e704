"""What was timed, and the names of its parts and ways."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

OURS, PLAIN, CD_FVD, SCRIPT = "ours", "plain", "cd-fvd", "script"
SQRTM = "sqrtm"
TWO = "two processes"
FIRST, COLD, CACHED, AGAIN, DECODE = "first", "cold", "cached", "again", "decode"
COMMANDS = {"latte-eval": "evaluation", "latte-bench": "benchmarks", "latte": "latte"}


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One way of one part: its times, in the order of the turns."""

    part: str
    way: str
    seconds: tuple[float, ...] = ()
    clips: int = 0  # measured in that time; 0: it is not about clips
    megabytes: tuple[float, ...] = ()  # peak memory of each process group, where it is watched
    reason: str = ""  # why there is no time

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def ratios(self, other: "Timing") -> tuple[float, ...]:
        """How many times as fast as another way it was, in each turn."""
        return tuple(b / a for a, b in zip(self.seconds, other.seconds, strict=True))


Timings: TypeAlias = Mapping[tuple[str, str], Timing]  # by part and way
