"""FVD, FID and Inception Score of sets on the embedded data set, by its own networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.shapes.distortions import REAL
from evaluation.features.extraction import ExtractionOptions
from evaluation.features.sets import MeasuredSet
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from evaluation.protocol.fields import Protocol
from evaluation.results.record import Result
from latte.data.sources import VideoSet
from reports.cells import Direction

FVD, FID, IS = "FVD-shapes", "FID-shapes", "IS-shapes"
DIRECTIONS: Mapping[str, Direction] = {FVD: "lower", FID: "lower", IS: "higher"}
RESAMPLES = 500  # bootstrap resamples of the intervals


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """How the work of a request is done, which does not affect results on a CPU."""

    workers: int = 0  # decoding processes
    device: str = "cpu"
    store: Path | None = None  # folder of features; None: in the folder of the results
    trust_weights: bool = False  # run TorchScript even if its hash is not published

    def extraction(self, out: Path) -> ExtractionOptions:
        """How features are extracted for results in `out`."""
        store = self.store or out / "features"
        return ExtractionOptions(
            store=store,
            device=self.device,
            workers=self.workers,
            trust_weights=self.trust_weights,
        )


class Accuracy(NamedTuple):
    """How many clips a classifier puts into their class."""

    right: int
    total: int


class ShapesMeasurer(Measurer):
    """Measures any number of sets against one set of real videos.

    Args:
        real: the real videos.
        protocol: the protocol `shapes` with its number of videos and its seed.
        networks: opened networks, with how features are extracted.
        resamples: bootstrap resamples of confidence intervals.
        metrics: names of metrics.
    """

    def __init__(
        self,
        real: VideoSet,
        protocol: Protocol,
        networks: Networks,
        resamples: int = RESAMPLES,
        metrics: Sequence[str] = ("fvd", "fid", "is"),
    ) -> None:
        super().__init__(
            protocol,
            metrics,
            networks,
            dataset="shapes",
            resamples=resamples,
            at_least=protocol.num_real,
            notes=False,
        )
        self.real_videos = real

    @cached_property
    def real(self) -> MeasuredSet:
        """The real videos' features."""
        return self.extract(self.real_videos, "fake")

    def results(self, label: str, measured: MeasuredSet) -> list[Result]:
        """FVD-shapes, FID-shapes and IS-shapes of a set; IS-shapes alone of the real videos."""
        if label != REAL:
            return self.measure(self.real, measured, model=label)
        alone = ShapesMeasurer(
            self.real_videos, self.protocol, self.networks, self.resamples, ("is",)
        )
        return alone.measure(None, measured, model=label)

    def accuracy(self, measured: MeasuredSet) -> Accuracy | None:
        """How many clips are recognised; None where the class of a clip is not known."""
        labels = [getattr(clip.video, "label", None) for clip in measured.clips]
        if None in labels:
            return None
        network = self.network("fvd")
        classes = network.extractor.probabilities(network.features(measured.keys)).argmax(axis=-1)
        return Accuracy(right=int((classes == np.array(labels)).sum()), total=len(labels))
