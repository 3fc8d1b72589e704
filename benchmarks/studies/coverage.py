"""`latte-bench coverage`: do intervals cover what they say? Simulated, where the truth is known.

Two Gaussian sets are drawn again and again. Their Fréchet distance is known exactly, and its
expected value at that number of samples from thousands of draws.
"""

import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks.cells.provenance import this_run
from benchmarks.cells.threads import processes_of_one_thread
from benchmarks.documents.tables import csv_text, publish_report
from evaluation.metrics import frechet_distance_from_features
from evaluation.metrics.inputs import Array
from evaluation.uncertainty import (
    FeaturePair,
    Interval,
    bootstrap_frechet,
    extrapolate_frechet,
    half_sample_frechet,
    jackknife_frechet,
)
from latte.data.processes.workers import map_in_order
from reports.blocks import ProvenanceBlock, TableBlock
from reports.cells import Cell
from reports.document import Report
from reports.provenance import Provenance
from reports.table import simple_table

DEGREES = 5  # degrees of freedom of Student's t, for heavy tails
CASE_COLUMNS = ("D", "N, M", "scale, shift")
LIMITS_CAPTION = (
    "The distance of the distributions, its expected value for so many samples, and its "
    "extrapolation to many; how often in percent the limit's interval covers the truth, and how "
    "often the limit is nearer to it than the value."
)


@dataclass(frozen=True)
class Case:
    """Two distributions, and how many samples are drawn from each.

    Standard deviations fall from 1 to 0.2 over the features; the second set is scaled, and shifted
    by a vector of length `shift`.
    """

    features: int
    rows: int
    other_rows: int
    scale: float = 1.0
    shift: float = 0.0
    heavy: bool = False  # Student's t instead of Gaussian

    @property
    def deviations(self) -> Array:
        """Standard deviations of the first distribution."""
        return np.linspace(1, 0.2, self.features)

    @property
    def truth(self) -> float:
        """The distance of the distributions."""
        return float(((self.deviations * (self.scale - 1)) ** 2).sum()) + self.shift**2

    def draw(self, random: np.random.Generator) -> tuple[Array, Array]:
        """One sample of both, (rows, features) and (other_rows, features)."""
        x, y = (
            random.standard_t(DEGREES, (rows, self.features)) * np.sqrt((DEGREES - 2) / DEGREES)
            if self.heavy
            else random.standard_normal((rows, self.features))
            for rows in (self.rows, self.other_rows)
        )
        shift = self.shift / np.sqrt(self.features)
        return x * self.deviations, y * self.deviations * self.scale + shift

    def __str__(self) -> str:
        return f"{self.scale:g}, {self.shift:g}{', t' if self.heavy else ''}"


CASES = (
    # The methods were developed on these cases …
    Case(8, 256, 256),
    Case(8, 256, 256, 1.0, 0.3),
    Case(8, 256, 256, 1.1, 0.6),
    Case(8, 256, 256, 1.0, 0.5, heavy=True),
    Case(16, 128, 128, 1.0, 0.5),
    Case(32, 256, 1000, 1.0, 0.5),
    Case(64, 256, 256, 1.1, 1.0),
    Case(64, 256, 256),
    Case(64, 48, 48, 1.1, 1.0),
    # … and only tried on these.
    Case(8, 48, 48),
    Case(8, 128, 128, 1.0, 1.0),
    Case(12, 1000, 1000),
    Case(12, 100, 400, 1.2, 0.2),
    Case(24, 500, 500, 0.9, 0.3),
    Case(24, 128, 128, 1.0, 0.0, heavy=True),
    Case(48, 1000, 300, 1.0, 0.4),
    Case(48, 64, 64),
    Case(64, 512, 512, 1.05, 0.5),
)


def methods(resamples: int) -> dict[str, Callable[..., Interval]]:
    """Intervals by name: functions of a pair and `seed`."""
    return {
        "half samples": partial(half_sample_frechet, resamples=resamples),
        "bootstrap": partial(bootstrap_frechet, resamples=resamples),
        "jackknife": jackknife_frechet,
    }


@dataclass(frozen=True, kw_only=True)
class CoverageRequest:
    """How much is simulated, and how the work is done."""

    repetitions: int = 300  # draws of each case
    resamples: int = 400  # bootstrap resamples of an interval
    reference: int = 3000  # draws for the expected value
    seed: int = 0
    cases: tuple[Case, ...] = CASES
    workers: int = 0  # processes that share the cases, which changes numbers by rounding at most


def cover(case: Case, request: CoverageRequest) -> dict[str, Any]:
    """One row of the table: the percentage of intervals that cover, and how wide they are.

    Widths are relative to the middle 95 % of the value itself.
    """
    random = np.random.default_rng((request.seed, case.features, case.rows))
    values = np.array(
        [frechet_distance_from_features(*case.draw(random)) for _ in range(request.reference)]
    )
    expected, width = values.mean(), float(np.diff(np.quantile(values, [0.025, 0.975]))[0])
    samples = [FeaturePair(*case.draw(random)) for _ in range(request.repetitions)]
    row: dict[str, Any] = {
        "D": case.features,
        "N, M": f"{case.rows}, {case.other_rows}",
        "scale, shift": str(case),
    }
    for name, method in methods(request.resamples).items():
        intervals = [method(pair, seed=number) for number, pair in enumerate(samples)]
        row[name] = 100 * np.mean([i.low <= expected <= i.high for i in intervals])
        row[f"{name}: width"] = np.mean([i.high - i.low for i in intervals]) / width
    limits = [extrapolate_frechet(pair, seed=number) for number, pair in enumerate(samples)]
    truth = case.truth
    row["truth"], row["FD"] = truth, expected
    row["FD∞"] = np.mean([limit.value for limit in limits])
    row["FD∞ covers"] = 100 * np.mean(
        [limit.interval.low <= truth <= limit.interval.high for limit in limits]
    )
    row["nearer than FD"] = 100 * np.mean(
        [abs(limit.value - truth) < abs(limit.measured - truth) for limit in limits]
    )
    row["reliable"] = "yes" if limits[0].reliable else "no"
    return row


def run(out: Path, request: CoverageRequest) -> None:
    """Simulate, write `coverage.md`, `.html`, `.csv` and `.report.json`, and print the report."""
    started = time.monotonic()
    cases = request.cases
    with processes_of_one_thread():
        rows = map_in_order(
            partial(cover, request=request),
            cases,
            workers=min(request.workers, len(cases)),
            timeout=math.inf,
            label=str,
        )
        frame = pd.DataFrame(tqdm(rows, total=len(cases), unit="case", file=sys.stderr))
    record = this_run(seconds=time.monotonic() - started)
    report = coverage_report(frame, request, record)
    print(report.markdown())
    publish_report(report, out, "coverage", texts={"csv": csv_text(frame)})


def coverage_report(
    frame: pd.DataFrame, request: CoverageRequest, provenance: Provenance
) -> Report:
    """A table for the intervals, and one for the limit for many samples."""
    margin = 100 * (0.95 * 0.05 / request.repetitions) ** 0.5
    caption = (
        f"Percentages of {request.repetitions} repetitions (± {margin:.1f} where 95 is right), "
        f"{request.resamples} resamples, seed {request.seed}. Width: relative to the middle 95 % "
        f"of the value itself. Expected values from {request.reference} draws."
    )
    split = list(frame.columns).index("truth")
    intervals, limits = frame.columns[len(CASE_COLUMNS) : split], frame.columns[split:]
    # How often each method covers, from the worst case to the best.
    ranges = (
        f"{name} in {frame[name].min():.3g} to {frame[name].max():.3g}" for name in methods(1)
    )
    lead = (
        f"Of 100 intervals of 95 %, over {len(frame)} cases, the expected value is covered by "
        f"{'; '.join(ranges)}."
    )
    reliable = frame[frame.reliable == "yes"]["FD∞ covers"]
    if len(reliable):
        lead += (
            f" The limit's interval covers the truth in {reliable.min():.3g} to "
            f"{reliable.max():.3g} where it calls itself reliable."
        )
    return Report(
        title="Coverage of 95 % intervals",
        lead=lead,
        blocks=(
            _table("Intervals of the value", frame, intervals, caption),
            _table("The limit for many samples", frame, limits, LIMITS_CAPTION),
            ProvenanceBlock(records=(provenance,)),
        ),
    )


def _table(title: str, frame: pd.DataFrame, columns: Iterable[str], caption: str) -> TableBlock:
    titles = {name: name for name in columns}
    rows = (
        ("; ".join(str(case[key]) for key in CASE_COLUMNS), [_cell(case[name]) for name in titles])
        for case in frame.to_dict("records")
    )
    heading = "; ".join(CASE_COLUMNS)
    return TableBlock(
        table=simple_table(title, titles, rows, label_heading=heading, caption=caption)
    )


def _cell(value: float | str) -> str | Cell:
    return value if isinstance(value, str) else Cell(value=float(value), text=f"{value:.4g}")
