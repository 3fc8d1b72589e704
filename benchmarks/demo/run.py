"""`latte-bench demo`: the whole suite in minutes, on any machine.

Real videos of the embedded data set against samples of the Latte that comes with the package, and
against "generators" that need no training: a second draw of real videos, and real videos made worse
in known ways. A sound metric puts the second draw first and grows with the strength of a
distortion; a sound model lies between. The findings in the report say whether it is so.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.shapes.distortions import DistortedVideo
from benchmarks.shapes.generated import described, generated_videos, hold
from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import MeasuredSet, measure_set, plan_set
from evaluation.measuring.results import Comparison, frechet_result, inception_result, say
from evaluation.networks.registry import build
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import SHAPES
from evaluation.results.record import Result
from latte.data.errors import InputError
from latte.data.shapes import NUM_CLASSES, shapes_video_set
from latte.data.sources import VideoSet
from latte.model.checkpoints import shipped_checkpoint
from latte.sampling.generate import SamplingOptions

SECOND_DRAW = "second draw of real videos"
REAL = "real videos"
SHIPPED, GIVEN = "Latte, shipped", "Latte, given"
SAMPLING = SamplingOptions(method="ddim", steps=20, guidance_scale=3.0)
NUM_VIDEOS = 256  # of each set
NUM_SHOWN = NUM_CLASSES  # samples of the model: one of each class


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


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Clips that a classifier puts into the class that they are of."""

    right: int
    total: int

    @property
    def share(self) -> float:
        """Of 1."""
        return self.right / self.total


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


def model_videos(
    checkpoint: Path | None, count: int, options: SamplingOptions, *, workers: int
) -> tuple[VideoSet | None, str]:
    """Samples of the shipped model, or of another; those that are shown are made at once.

    Returns:
        The samples, named as their row of the table, and how they are made, for a reader. Without
        the shipped file: None, and that it is missing.

    Raises:
        InputError: the file that is given is no model of shapes.
    """
    try:
        path = checkpoint or shipped_checkpoint()
    except InputError as error:
        return None, str(error)
    videos = generated_videos(path, count, options, dataset="shapes")
    videos = replace(videos, name=GIVEN if checkpoint else SHIPPED)
    return hold(videos, min(count, NUM_SHOWN), workers=workers), described(path, options)


def demo_sets(count: int, model: VideoSet | None) -> dict[str, VideoSet]:
    """Every set by its row: the real videos, a second draw of them, the model, the distorted."""
    real = replace(shapes_video_set("test", num_videos=count), name=REAL)
    second, *distorted = (generator_videos(generator, count, count) for generator in GENERATORS)
    sets = (real, second, *([model] if model else []), *distorted)
    return {videos.name: videos for videos in sets}


def measure_sets(
    sets: Mapping[str, VideoSet], protocol: Protocol, options: ExtractionOptions, *, resamples: int
) -> tuple[list[Result], dict[str, Accuracy]]:
    """FVD-shapes, FID-shapes and IS-shapes of every set, and IS-shapes of the real videos.

    Returns:
        The numbers, and of the sets whose videos are of a known class how many are recognised.
    """
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
            at_least=protocol.num_real,
        )
        return measure_set(planned, networks, options)

    real = measured(sets[REAL])
    results, recognised = [], {}
    frame_protocol = replace(
        protocol,
        name="shapes-frame",
        network="shapes-frame",
        output=frame_network.extractor.spec.output,
    )
    for label, videos in sets.items():
        started = time.monotonic()
        comparison = Comparison(
            protocol=protocol, dataset="shapes", model=label, resamples=resamples, started=started
        )
        fake = real if label == REAL else measured(videos)
        if label != REAL:
            of_frames = replace(comparison, protocol=frame_protocol)
            results += [
                frechet_result(real, fake, video_network, comparison),
                frechet_result(real, fake, frame_network, of_frames),
            ]
        results.append(inception_result(fake, video_network, comparison))
        if (counted := accuracy(fake, video_network)) is not None:
            recognised[label] = counted
    return results, recognised


def accuracy(measured: MeasuredSet, network: StoredNetwork) -> Accuracy | None:
    """How many clips the network puts into their class; None where a clip has none."""
    labels = [getattr(clip.video, "label", None) for clip in measured.clips]
    if None in labels:
        return None
    classes = network.extractor.probabilities(network.features(measured.keys)).argmax(axis=-1)
    return Accuracy(right=int((classes == np.array(labels)).sum()), total=len(labels))


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
    """Something that a sound metric or model does, and whether it did."""

    claim: str
    holds: bool
    seen: str


def findings(frame: pd.DataFrame, recognised: Mapping[str, Accuracy]) -> list[Finding]:
    """What was measured beside what is expected of a sound metric, and of a sound model."""
    value = frame[frame.metric == "FVD-shapes"].set_index("generator").value
    distorted = value[[each.label for each in GENERATORS if each.distortion]]
    found = [
        Finding(
            "a second draw of real videos is nearer by far than any distorted ones",
            bool(value[SECOND_DRAW] * 2 < distorted.min()),
            f"FVD-shapes {value[SECOND_DRAW]:.3g}, the nearest of the distorted is "
            f"{distorted.min():.3g} ({distorted.idxmin()})",
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
    for model in (SHIPPED, GIVEN):
        if model in value:
            found += _findings_of_model(model, value, recognised)
    return found


def _findings_of_model(
    model: str, value: "pd.Series[float]", recognised: Mapping[str, Accuracy]
) -> list[Finding]:
    spoilt = value[[each.label for each in GENERATORS if each.family == "time"]]
    found = [
        Finding(
            f"{model} is nearer to the real videos than any that are spoilt in time alone",
            bool(value[model] < spoilt.min()),
            f"FVD-shapes {value[model]:.3g}, the nearest of those is {spoilt.min():.3g} "
            f"({spoilt.idxmin()})",
        )
    ]
    if model in recognised:
        own, real = recognised[model], recognised[SECOND_DRAW]
        found.append(
            Finding(
                f"nine of ten samples of {model} are of the class that was asked for",
                own.share >= 0.9,
                f"{own.right} of {own.total} by the embedded network, of the second draw "
                f"{real.right}",
            )
        )
    return found


def run(
    *,
    out: Path,
    num_videos: int = NUM_VIDEOS,
    workers: int = 0,
    seed: int = 0,
    device: str = "cpu",
    store: Path | None = None,
    checkpoint: Path | None = None,
    sampling: SamplingOptions = SAMPLING,
    resamples: int = 500,
) -> None:
    """Measure every generator, write the report into `out`, print the table and the path.

    Args:
        checkpoint: a model of shapes; by default the one that ships with the package.
        sampling: how it is sampled; the seed is `seed`.

    Raises:
        InputError: the file that is given is no model of shapes.
    """
    from benchmarks.demo.report import DemoRun, write_demo_report

    started = time.monotonic()
    protocol = replace(SHAPES, num_real=num_videos, num_fake=num_videos, seed=seed)
    options = ExtractionOptions(store=store or out / "features", device=device, workers=workers)
    model, sampled = model_videos(
        checkpoint, num_videos, replace(sampling, seed=seed), workers=workers
    )
    if model is None:
        say(f"measured without a model: {sampled}")
    sets = demo_sets(num_videos, model)
    results, recognised = measure_sets(sets, protocol, options, resamples=resamples)
    frame = results_frame(results)
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.jsonl").write_text(
        "".join(result.to_json() + "\n" for result in results), encoding="utf-8"
    )
    report = write_demo_report(
        out,
        DemoRun(
            results=results,
            frame=frame,
            sets=sets,
            findings=findings(frame, recognised),
            model=model.name if model else None,
            sampled=sampled,
            seconds=time.monotonic() - started,
        ),
    )
    print(report)
