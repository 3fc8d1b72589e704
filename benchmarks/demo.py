"""`latte-bench demo`: the whole suite in minutes, on any machine.

Real videos of the embedded data set against "generators" that need no training: a second draw of
real videos, and real videos made worse in known ways. A sound metric puts the second draw first
and grows with the strength of a distortion; the findings in the report say whether it did.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.distortions import DistortedVideo
from evaluation.extraction import RunOptions, StoredNetwork
from evaluation.measure import Comparison, frechet_result, inception_result
from evaluation.networks.registry import build
from evaluation.presets import SHAPES
from evaluation.protocol import Protocol
from evaluation.result import Result
from evaluation.sets import MeasuredSet, measure_set, plan_set
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet

SECOND_DRAW = "second draw of real videos"


@dataclass(frozen=True)
class Generator:
    """A stand-in for a generator: real videos, distorted in one way (or in none)."""

    label: str
    family: str
    distortion: str | None = None
    strength: float = 0.0


GENERATORS = (
    Generator(SECOND_DRAW, "real"),
    Generator("blur, σ 0.5 px", "blur", "blur", 0.5),
    Generator("blur, σ 1 px", "blur", "blur", 1.0),
    Generator("blur, σ 2 px", "blur", "blur", 2.0),
    Generator("noise, σ 8 of 255", "noise", "noise", 8.0),
    Generator("noise, σ 16 of 255", "noise", "noise", 16.0),
    Generator("noise, σ 32 of 255", "noise", "noise", 32.0),
    Generator("wrong colours", "colour", "wrong colours", 1.0),
    Generator("frozen first frame", "time", "frozen", 1.0),
    Generator("shuffled frames", "time", "shuffled", 1.0),
    Generator("half speed", "time", "slowed", 2.0),
)


def generator_videos(generator: Generator, first: int, count: int) -> VideoSet:
    """The "generated" videos: test videos from number `first` on, distorted."""
    drawn = shapes_video_set("test", num_videos=first + count).videos[first:]
    if generator.distortion is None:
        return VideoSet(name=generator.label, videos=drawn, root=generator.label)
    distorted = tuple(
        DistortedVideo(video=video, distortion=generator.distortion, strength=generator.strength)
        for video in drawn
    )
    return VideoSet(name=generator.label, videos=distorted, root=generator.label)


def measure_generators(
    protocol: Protocol, options: RunOptions, *, resamples: int
) -> tuple[list[Result], dict[str, VideoSet]]:
    """FVD-shapes, FID-shapes and IS-shapes of every generator, and IS-shapes of the real videos."""
    count = protocol.num_real
    networks = [
        StoredNetwork.open(build(name, device=options.device), options.store)
        for name in ("shapes", "shapes-frame")
    ]
    video_network, frame_network = networks

    def measured(videos: VideoSet) -> MeasuredSet:
        planned = plan_set(
            videos,
            protocol.real_selection(),
            protocol.preparation(),
            options,
            label=videos.name,
            at_least=count,
        )
        return measure_set(planned, networks, options)

    real_videos = shapes_video_set("test", num_videos=count)
    real = measured(replace(real_videos, name="real videos"))
    sets = {"real videos": real_videos}
    results = []
    frame_protocol = replace(
        protocol,
        name="shapes-frame",
        network="shapes-frame",
        output=frame_network.extractor.spec.output,
    )
    for generator in (None, *GENERATORS):
        started = time.monotonic()
        comparison = Comparison(
            protocol=protocol,
            dataset="shapes",
            model=generator.label if generator else "real videos",
            resamples=resamples,
            started=started,
        )
        if generator is None:
            results.append(inception_result(real, video_network, comparison))
            continue
        videos = generator_videos(generator, count, count)
        sets[generator.label] = videos
        fake = measured(videos)
        results += [
            frechet_result(real, fake, video_network, comparison),
            frechet_result(real, fake, frame_network, replace(comparison, protocol=frame_protocol)),
            inception_result(fake, video_network, comparison),
        ]
    return results, sets


def results_frame(results: Sequence[Result]) -> pd.DataFrame:
    """One row for each number."""
    return pd.DataFrame(
        {
            "generator": [result.model for result in results],
            "metric": [result.metric for result in results],
            "value": [result.value for result in results],
            "low": [result.interval[0] if result.interval else np.nan for result in results],
            "high": [result.interval[1] if result.interval else np.nan for result in results],
            "fingerprint": [result.fingerprint for result in results],
        }
    )


@dataclass(frozen=True)
class Finding:
    """Something that a sound metric does, and whether it did."""

    claim: str
    holds: bool
    seen: str


def findings(frame: pd.DataFrame) -> list[Finding]:
    """What was measured beside what is expected of a sound metric."""
    value = frame[frame.metric == "FVD-shapes"].set_index("generator").value
    others = value.drop(SECOND_DRAW)
    found = [
        Finding(
            "a second draw of real videos is best by far",
            bool(value[SECOND_DRAW] * 2 < others.min()),
            f"FVD-shapes {value[SECOND_DRAW]:.3g}, the next is {others.min():.3g} "
            f"({others.idxmin()})",
        )
    ]
    for family in ("blur", "noise"):
        labels = [generator.label for generator in GENERATORS if generator.family == family]
        values = [float(value[label]) for label in labels]
        found.append(
            Finding(
                f"FVD-shapes grows with the strength of {family}",
                all(low < high for low, high in pairwise(values)),
                " < ".join(f"{number:.3g}" for number in values),
            )
        )
    return found


def run(
    *,
    out: Path,
    num_videos: int = 512,
    workers: int = 0,
    seed: int = 0,
    device: str = "cpu",
    store: Path | None = None,
    resamples: int = 500,
) -> None:
    """Measure every generator, write the report into `out`, print the table and the path."""
    from benchmarks.demo_report import write_demo_report

    started = time.monotonic()
    protocol = replace(SHAPES, num_real=num_videos, num_fake=num_videos, seed=seed)
    options = RunOptions(store=store or out / "features", device=device, workers=workers)
    results, sets = measure_generators(protocol, options, resamples=resamples)
    frame = results_frame(results)
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.jsonl").write_text(
        "".join(result.to_json() + "\n" for result in results), encoding="utf-8"
    )
    report = write_demo_report(
        out, results, frame, sets, findings(frame), seconds=time.monotonic() - started
    )
    print(report)
