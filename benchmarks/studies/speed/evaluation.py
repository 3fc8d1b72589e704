"""`latte-bench speed`: time and memory of the evaluation, beside other ways and what is promised.

Ratios come from one run on one machine, in which all take turns; absolute times say on which
machine they were taken. Nothing fails here when a machine is busy: these are no tests.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells.provenance import this_run
from benchmarks.documents.tables import csv_text, publish_report
from benchmarks.studies.speed.measure import SIZES, SpeedBench
from benchmarks.studies.speed.report import csv_frame, drawings, speed_report
from benchmarks.studies.speed.timings import Timing
from latte.data.errors import InputError


@dataclass(frozen=True, kw_only=True)
class SpeedRequest:
    """How much is measured, and on which videos."""

    tiny: bool = False  # a small network on a few small clips: seconds
    small: bool = False  # fewer videos and turns
    videos: Path | None = None  # folder of videos; None: drawn ones
    workers: int = 2

    def __post_init__(self) -> None:
        if self.tiny and self.small:
            raise InputError("--tiny and --small: give one of the two")

    @property
    def size(self) -> str:
        """A name of `SIZES`."""
        return "tiny" if self.tiny else "small" if self.small else "full"


def run(out: Path, request: SpeedRequest) -> None:
    """Measure, write `speed.md`, `.html`, `.csv`, `speed-ratios.svg` and `.png` into `out`.

    The documents are written anew after each part, so that an interrupted run leaves those that
    were measured; the report is printed at the end.

    Raises:
        InputError: too few videos, or two sizes.
    """
    started = time.monotonic()
    timings: dict[tuple[str, str], Timing] = {}
    with tempfile.TemporaryDirectory(prefix="latte-speed-") as work:
        bench = SpeedBench(
            size=SIZES[request.size],
            work=Path(work),
            workers=request.workers,
            videos=request.videos,
        )
        for part in bench.parts():
            timings |= {(timing.part, timing.way): timing for timing in part}
            record = this_run(seconds=time.monotonic() - started, details={"size": request.size})
            report = speed_report(timings, bench.facts, record)
            publish_report(
                report,
                out,
                "speed",
                drawings=drawings(timings),
                texts={"csv": csv_text(csv_frame(timings))},
            )
    print(report.markdown())
