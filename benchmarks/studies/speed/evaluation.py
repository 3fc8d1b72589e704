"""`latte-bench speed`: what the project promises about time and memory, measured.

Ratios come from one run on one machine; absolute times say on which machine they were taken.
Nothing fails here when a machine is busy: these are no tests.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from benchmarks.cells.provenance import this_run
from benchmarks.documents.tables import csv_text, publish_report
from benchmarks.shapes.distortions import PaddedVideo
from benchmarks.studies.speed.timing import time_in_turns
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from evaluation.networks.i3d import I3D, fold_batch_norms
from evaluation.protocol.presets import SHAPES
from evaluation.uncertainty import FeaturePair, bootstrap_frechet, half_sample_frechet
from latte.data.shapes import ShapesVideo
from latte.data.sources import VideoSet
from reports.blocks import ProvenanceBlock, TableBlock
from reports.cells import Cell
from reports.document import Report
from reports.provenance import Provenance
from reports.table import simple_table

MEGABYTE = 1024.0  # kilobytes, the unit of getrusage
NUM_CLIPS = 2048  # size of the larger extraction


class Quantity(NamedTuple):
    """A time, a memory or a ratio, with its limit where one is promised."""

    what: str
    measured: float
    unit: str
    limit: float | None = None


def seconds_of(*command: str) -> float:
    """Wall time of `python -m COMMAND`."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", *command], capture_output=True, check=True)
    return time.perf_counter() - started


def peak_megabytes(num_clips: int) -> float:
    """Peak memory, in MB, of a process that extracts clips of 16 × 256 × 256."""
    # Not `-m`: decoding processes would import this module, and torch with it.
    code = f"from {__name__} import extract_enlarged; extract_enlarged({num_clips})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return float(done.stdout)


def extract_enlarged(num_clips: int) -> None:
    """Extract features of `num_clips` clips of 256×256 frames; print the peak memory in MB."""
    clips = tuple(
        PaddedVideo(video=ShapesVideo(index=index, split="test"), margin=112, above=112)
        for index in range(num_clips)
    )
    with tempfile.TemporaryDirectory() as folder:
        options = ExtractionOptions(store=Path(folder), workers=2, progress=False)
        protocol = replace(SHAPES, num_real=num_clips)
        measurer = Measurer(protocol, ("fvd",), Networks(options))
        videos = VideoSet(name="enlarged", videos=clips, root="enlarged")
        measured = measurer.extract(videos, "real")
        measurer.network("fvd").statistics(measured.keys)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE)


def i3d_seconds(clips: int = 6) -> tuple[float, float]:
    """Seconds for a clip of 16×224×224 through I3D: as written, and with batch norms folded.

    The best of a few clips each.
    """
    torch.manual_seed(0)
    plain = I3D().eval()
    folded = fold_batch_norms(plain)
    clip = torch.rand(1, 3, 16, 224, 224) * 2 - 1
    with torch.inference_mode():
        times = time_in_turns({"plain": lambda: plain(clip), "folded": lambda: folded(clip)}, clips)
    return min(times["plain"]), min(times["folded"])


def interval_seconds(count: int = 2048, num_features: int = 400) -> tuple[float, float]:
    """Seconds for an interval of a distance: by 1,000 bootstrap resamples, and as FVD makes it."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, count, num_features)).astype(np.float32)
    started = time.perf_counter()
    bootstrap_frechet(FeaturePair(x, y), resamples=1000)
    between = time.perf_counter()
    half_sample_frechet(FeaturePair(x, y))
    return between - started, time.perf_counter() - between


def measure_all() -> list[Quantity]:
    """Every promise, measured one after the other."""
    commands = {"latte-eval": "evaluation", "latte-bench": "benchmarks", "latte": "latte"}
    help_seconds = {
        name: statistics.median(seconds_of(module, "--help") for _ in range(5))
        for name, module in commands.items()
    }
    plain, folded = i3d_seconds()
    bootstrap, half_samples = interval_seconds()
    peak, smaller = peak_megabytes(NUM_CLIPS), peak_megabytes(NUM_CLIPS // 8)
    with tempfile.TemporaryDirectory() as folder:  # an empty store
        demo = seconds_of("benchmarks", "demo", "--out", folder)
    return [
        *(Quantity(f"{name} --help", each, "s", limit=1) for name, each in help_seconds.items()),
        Quantity("I3D, one clip, as written", plain, "s"),
        Quantity("I3D, one clip, batch norms folded", folded, "s"),
        Quantity("I3D, folded: times faster", plain / folded, "×"),
        Quantity("bootstrap, 1000 × (2048 × 400)", bootstrap, "s"),
        Quantity(
            "bootstrap: clips through I3D in the same time", bootstrap / folded, "clips", limit=100
        ),
        Quantity("interval of FVD, half samples of (2048 × 400)", half_samples, "s"),
        Quantity(f"peak memory, {NUM_CLIPS} clips of 16×256×256", peak, "MB", limit=2000),
        Quantity(f"the same, {NUM_CLIPS // 8} clips", smaller, "MB"),
        Quantity("latte-bench demo", demo, "s", limit=180),
    ]


def speed_report(quantities: Sequence[Quantity], provenance: Provenance) -> Report:
    """The table, and how many promises are kept."""
    rows: list[tuple[str, Sequence[str | Cell]]] = []
    promised, broken = 0, []
    for what, measured, unit, limit in quantities:
        number = f"{measured:.3g}"
        promise = kept = Cell(reason="Nothing is promised of it.")
        if limit is not None:
            promised += 1
            promise = Cell(text=f"< {limit:g} {unit}")
            kept = Cell(text="yes" if measured < limit else "no")
            broken += [] if measured < limit else [f"{what} ({number} {unit})"]
        rows.append((what, (Cell(value=measured, text=number), unit, promise, kept)))
    titles = {"measured": "Measured", "unit": "Unit", "promise": "Promise", "kept": "Kept"}
    table = simple_table("Time and memory on this machine", titles, rows, label_heading="What")
    rest = f"; not kept: {', '.join(broken)}" if broken else ""
    return Report(
        title="Speed and memory",
        lead=f"{promised - len(broken)} of {promised} promises are kept{rest}.",
        blocks=(TableBlock(table=table), ProvenanceBlock(records=(provenance,))),
    )


def run(out: Path) -> None:
    """Measure, write `speed.md`, `.html`, `.csv` and `.report.json`, and print the report."""
    started = time.monotonic()
    quantities = measure_all()
    report = speed_report(quantities, this_run(seconds=time.monotonic() - started))
    frame = pd.DataFrame(quantities)
    frame["measured"] = frame.measured.map("{:.3g}".format)
    print(report.markdown())
    publish_report(report, out, "speed", texts={"csv": csv_text(frame)})
