"""`latte-bench speed`: what the project promises about time and memory, measured.

Ratios come from one run on one machine; absolute times say on which machine they were taken.
Nothing fails here when a machine is busy: these are no tests.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.cells.provenance import this_run
from benchmarks.documents.tables import csv_text, publish_report
from benchmarks.shapes.distortions import EnlargedVideo
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from evaluation.networks.i3d import I3D, fold_batch_norms
from evaluation.protocol.presets import SHAPES
from evaluation.uncertainty import FeaturePair, bootstrap_frechet, half_sample_frechet
from latte.data.schema import decode_json
from latte.data.shapes import ShapesVideo
from latte.data.sources import VideoSet
from reports.blocks import ProvenanceBlock, TableBlock
from reports.cells import Cell
from reports.document import Report
from reports.provenance import Provenance
from reports.table import simple_table

MEGABYTE = 1024.0  # kilobytes, the unit of getrusage


@dataclass(frozen=True, kw_only=True)
class SpeedRequest:
    """What is measured."""

    num_clips: int = 2048  # clips of the larger extraction
    with_demo: bool = True


@dataclass(frozen=True)
class Quantity:
    """A time, a memory or a ratio, with its limit where one is promised."""

    what: str
    measured: float
    unit: str
    limit: float | None = None

    @property
    def is_kept(self) -> bool | None:
        """Whether the promise is kept; None without a promise."""
        return None if self.limit is None else self.measured < self.limit

    @property
    def row(self) -> tuple[str, tuple[str | Cell, ...]]:
        """Its row of the table."""
        measured = Cell(value=self.measured, text=f"{self.measured:.3g}")
        if self.limit is None:
            none = Cell(reason="Nothing is promised of it.")
            return self.what, (measured, self.unit, none, none)
        promise, kept = f"< {self.limit:g} {self.unit}", "yes" if self.is_kept else "no"
        return self.what, (measured, self.unit, promise, kept)


def help_seconds(command: str, runs: int = 5) -> float:
    """Median wall time of `python -m MODULE --help`."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", command, "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def demo_seconds() -> float:
    """Wall time of `latte-bench demo` with an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks", "demo", "--out", folder]
        subprocess.run(command, capture_output=True, check=True)
        return time.perf_counter() - started


def peak_megabytes(num_clips: int) -> float:
    """Peak memory, in MB, of a process that extracts clips of 16 × 256 × 256."""
    # Not `-m`: decoding processes would import this module, and torch with it.
    code = f"from {__name__} import extract_enlarged; extract_enlarged({num_clips})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return decode_json(done.stdout, float, "what the extraction printed")


def extract_enlarged(num_clips: int) -> None:
    """Extract features of `num_clips` clips of 256×256 frames; print the peak memory as JSON."""
    clips = tuple(EnlargedVideo(video=ShapesVideo(index=i, split="test")) for i in range(num_clips))
    with tempfile.TemporaryDirectory() as folder:
        options = ExtractionOptions(store=Path(folder), workers=2, progress=False)
        protocol = replace(SHAPES, num_real=num_clips)
        measurer = Measurer(protocol, ("fvd",), Networks(options))
        videos = VideoSet(name="enlarged", videos=clips, root="enlarged")
        measured = measurer.extract(videos, "real")
        measurer.network("fvd").statistics(measured.keys)
    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE))


def i3d_seconds(clips: int = 6) -> tuple[float, float]:
    """Seconds for a clip of 16×224×224 through I3D: as written, and with batch norms folded.

    The best of a few clips each, taken in turn, so that a busy machine slows both alike.
    """
    torch.manual_seed(0)
    plain = I3D().eval()
    folded = fold_batch_norms(plain)
    clip = torch.rand(1, 3, 16, 224, 224) * 2 - 1
    best = {"plain": float("inf"), "folded": float("inf")}
    with torch.inference_mode():
        for _ in range(clips):
            for name, network in (("plain", plain), ("folded", folded)):
                started = time.perf_counter()
                network(clip)
                best[name] = min(best[name], time.perf_counter() - started)
    return best["plain"], best["folded"]


def interval_seconds(count: int = 2048, num_features: int = 400) -> tuple[float, float]:
    """Seconds for an interval of a distance: by 1,000 bootstrap resamples, and as FVD makes it."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, count, num_features)).astype(np.float32)
    started = time.perf_counter()
    bootstrap_frechet(FeaturePair(x, y), resamples=1000)
    between = time.perf_counter()
    half_sample_frechet(FeaturePair(x, y))
    return between - started, time.perf_counter() - between


def measure_all(num_clips: int, with_demo: bool) -> list[Quantity]:
    """Every promise, measured one after the other."""
    quantities = [
        Quantity(f"{name} --help", help_seconds(module), "s", limit=1)
        for name, module in (
            ("latte-eval", "evaluation"),
            ("latte-bench", "benchmarks"),
            ("latte", "latte"),
        )
    ]
    plain, folded = i3d_seconds()
    bootstrap, half_samples = interval_seconds()
    quantities += [
        Quantity("I3D, one clip, as written", plain, "s"),
        Quantity("I3D, one clip, batch norms folded", folded, "s"),
        Quantity("I3D, folded: times faster", plain / folded, "×"),
        Quantity("bootstrap, 1000 × (2048 × 400)", bootstrap, "s"),
        Quantity(
            "bootstrap: clips through I3D in the same time", bootstrap / folded, "clips", limit=100
        ),
        Quantity("interval of FVD, half samples of (2048 × 400)", half_samples, "s"),
        Quantity(
            f"peak memory, {num_clips} clips of 16×256×256",
            peak_megabytes(num_clips),
            "MB",
            limit=2000,
        ),
        Quantity(f"the same, {num_clips // 8} clips", peak_megabytes(num_clips // 8), "MB"),
    ]
    if with_demo:
        quantities.append(Quantity("latte-bench demo", demo_seconds(), "s", limit=180))
    return quantities


def speed_report(quantities: Sequence[Quantity], provenance: Provenance) -> Report:
    """The table, and how many promises are kept."""
    promised = [quantity for quantity in quantities if quantity.limit is not None]
    broken = [quantity for quantity in promised if not quantity.is_kept]
    lead = f"{len(promised) - len(broken)} of {len(promised)} promises are kept"
    if broken:
        named = (
            f"{quantity.what} ({quantity.measured:.3g} {quantity.unit})" for quantity in broken
        )
        lead += f"; not kept: {', '.join(named)}"
    titles = {"measured": "Measured", "unit": "Unit", "promise": "Promise", "kept": "Kept"}
    table = simple_table(
        "Time and memory on this machine",
        titles,
        (quantity.row for quantity in quantities),
        label_heading="What",
    )
    return Report(
        title="Speed and memory",
        lead=f"{lead}.",
        blocks=(TableBlock(table=table), ProvenanceBlock(records=(provenance,))),
    )


def run(out: Path, request: SpeedRequest) -> None:
    """Measure, write `speed.md`, `.html`, `.csv` and `.report.json`, and print the report."""
    started = time.monotonic()
    quantities = measure_all(request.num_clips, request.with_demo)
    report = speed_report(quantities, this_run(seconds=time.monotonic() - started))
    frame = pd.DataFrame(
        [(q.what, f"{q.measured:.3g}", q.unit, q.limit) for q in quantities],
        columns=["what", "measured", "unit", "limit"],
    )
    print(report.markdown())
    publish_report(report, out, "speed", texts={"csv": csv_text(frame)})
