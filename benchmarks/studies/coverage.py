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

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks.cells.provenance import this_run
from benchmarks.cells.threads import processes_of_one_thread
from benchmarks.documents.tables import written
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
from latte.data.workers import map_in_order
from reports.document import ProvenanceBlock, Report, TableBlock
from reports.provenance import Provenance
from reports.table import Cell, Column, Row, Table

DEGREES = 5  # of Student's t, for the heavy tails
PLACE = ("D", "N, M", "scale, shift")  # columns that say which case it is
OF_LIMITS = (
    "The distance of the distributions, what is expected of so many samples, and its extrapolation "
    "to many; of 100, how often the limit's interval covers the truth, and how often the limit is "
    "nearer to it than the value."
)
Method = Callable[[FeaturePair, int], Interval]


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
    def truth(self) -> float:
        """The distance of the distributions."""
        spread = float(((self._deviations * (self.scale - 1)) ** 2).sum())
        return spread + self.shift**2

    def draw(self, random: np.random.Generator) -> tuple[Array, Array]:
        """One sample of both, (rows, features) and (other_rows, features)."""
        x, y = (
            self._noise(random, (rows, self.features)) * self._deviations
            for rows in (self.rows, self.other_rows)
        )
        return x, y * self.scale + self.shift / np.sqrt(self.features)

    def __str__(self) -> str:
        tails = ", t" if self.heavy else ""
        return f"{self.scale:g}, {self.shift:g}{tails}"

    @property
    def _deviations(self) -> Array:
        return np.linspace(1, 0.2, self.features)

    def _noise(self, random: np.random.Generator, shape: tuple[int, int]) -> Array:
        if self.heavy:
            return random.standard_t(DEGREES, shape) * np.sqrt((DEGREES - 2) / DEGREES)
        return random.standard_normal(shape)


CASES = (
    # Those on which the methods were developed.
    Case(8, 256, 256),
    Case(8, 256, 256, 1.0, 0.3),
    Case(8, 256, 256, 1.1, 0.6),
    Case(8, 256, 256, 1.0, 0.5, heavy=True),
    Case(16, 128, 128, 1.0, 0.5),
    Case(32, 256, 1000, 1.0, 0.5),
    Case(64, 256, 256, 1.1, 1.0),
    Case(64, 256, 256),
    Case(64, 48, 48, 1.1, 1.0),
    # Those on which they were only tried.
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


def methods(resamples: int) -> dict[str, Method]:
    """Intervals by name."""
    return {
        "half samples": lambda pair, seed: half_sample_frechet(
            pair, resamples=resamples, seed=seed
        ),
        "bootstrap": lambda pair, seed: bootstrap_frechet(pair, resamples=resamples, seed=seed),
        "jackknife": lambda pair, seed: jackknife_frechet(pair, seed=seed),
    }


def cover(case: Case, *, repetitions: int, resamples: int, reference: int, seed: int) -> dict:
    """One row of the table: how often each interval covers, of 100, and how wide it is.

    Widths are relative to the middle 95 % of the value itself.
    """
    random = np.random.default_rng((seed, case.features, case.rows))
    values = np.array(
        [frechet_distance_from_features(*case.draw(random)) for _ in range(reference)]
    )
    expected, width = values.mean(), float(np.diff(np.quantile(values, [0.025, 0.975]))[0])
    samples = [FeaturePair(*case.draw(random)) for _ in range(repetitions)]
    row: dict = {
        "D": case.features,
        "N, M": f"{case.rows}, {case.other_rows}",
        "scale, shift": str(case),
    }
    for name, method in methods(resamples).items():
        found = [method(pair, number) for number, pair in enumerate(samples)]
        row[name] = 100 * np.mean([i.low <= expected <= i.high for i in found])
        row[f"{name}: width"] = np.mean([i.high - i.low for i in found]) / width
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


def run(
    *,
    out: Path,
    repetitions: int = 300,
    resamples: int = 400,
    reference: int = 3000,
    seed: int = 0,
    cases: tuple[Case, ...] = CASES,
    workers: int = 0,
) -> None:
    """Simulate, write `coverage.md`, `.html`, `.csv` and `.report.json`, and print the report.

    Args:
        workers: processes that share the cases; 0 works in this one. Moves no number but by
            rounding.
    """
    started = time.monotonic()
    simulate = partial(
        cover, repetitions=repetitions, resamples=resamples, reference=reference, seed=seed
    )
    with processes_of_one_thread():
        rows = map_in_order(
            simulate, cases, workers=min(workers, len(cases)), timeout=math.inf, label=str
        )
        frame = pd.DataFrame(tqdm(rows, total=len(cases), unit="case", file=sys.stderr))
    caption = (
        f"Of 100, from {repetitions} repetitions (± {100 * (0.95 * 0.05 / repetitions) ** 0.5:.1f} "
        f"where 95 is right), {resamples} resamples, seed {seed}. Width: against the middle "
        f"95 % of the value itself. Expected values from {reference} draws."
    )
    record = this_run(seconds=time.monotonic() - started)
    report = coverage_report(frame, caption, record)
    paths = report.write(out, "coverage")
    paths.append(out / "coverage.csv")
    frame.to_csv(paths[-1], index=False)
    print(report.markdown())
    print(written(paths))


def coverage_report(frame: pd.DataFrame, caption: str, provenance: Provenance) -> Report:
    """A table for the intervals, and one for the limit for many samples."""
    split = list(frame.columns).index("truth")
    intervals, limits = frame.columns[len(PLACE) : split], frame.columns[split:]
    return Report(
        title="Coverage of 95 % intervals",
        lead=_lead(frame),
        blocks=(
            TableBlock(table=_table("Intervals of the value", frame, intervals, caption)),
            TableBlock(table=_table("The limit for many samples", frame, limits, OF_LIMITS)),
            ProvenanceBlock(records=(provenance,)),
        ),
    )


def _table(title: str, frame: pd.DataFrame, columns: Iterable[str], caption: str) -> Table:
    names = list(columns)
    return Table(
        title=title,
        caption=caption,
        label_heading="; ".join(PLACE),
        columns=tuple(Column(key=name, title=name) for name in names),
        rows=tuple(
            Row(
                label="; ".join(str(case[key]) for key in PLACE),
                cells={name: _cell(case[name]) for name in names},
            )
            for case in frame.to_dict("records")
        ),
    )


def _cell(value: float | str) -> Cell:
    if isinstance(value, str):
        return Cell(text=value)
    return Cell(value=float(value), text=f"{value:.4g}")


def _lead(frame: pd.DataFrame) -> str:
    """How often each method covers, from the worst case to the best."""
    said = [f"{name} in {frame[name].min():.3g} to {frame[name].max():.3g}" for name in methods(1)]
    reliable = frame[frame.reliable == "yes"]["FD∞ covers"]
    limit = ""
    if len(reliable):
        limit = (
            f" The limit's interval covers the truth in {reliable.min():.3g} to "
            f"{reliable.max():.3g} where it calls itself reliable."
        )
    return (
        f"Of 100 intervals of 95 %, over {len(frame)} cases, the expected value is covered by "
        f"{'; '.join(said)}.{limit}"
    )
