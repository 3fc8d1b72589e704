"""FVD, FID and Inception Score of sets on the embedded data set, by its own networks."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.shapes.stand_ins import REAL
from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import MeasuredSet, measure_set, plan_set
from evaluation.measuring.results import Comparison, frechet_result, inception_result
from evaluation.networks.registry import build
from evaluation.protocol.fields import Protocol
from evaluation.results.record import Result
from latte.data.sources import VideoSet
from reports.cells import Direction

FVD, FID, IS = "FVD-shapes", "FID-shapes", "IS-shapes"
DIRECTIONS: Mapping[str, Direction] = {FVD: "lower", FID: "lower", IS: "higher"}
RESAMPLES = 500  # bootstrap resamples of the intervals


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How many clips a classifier puts into their class."""

    right: int
    total: int

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.right / self.total


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
