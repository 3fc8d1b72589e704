"""How figures that look into trained networks are made, and the clips that these are shown."""

from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.figures.designs import SETUPS, VARIANTS
from benchmarks.figures.paper.training import DATASET
from benchmarks.figures.requests import FigureRequest
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import LATTE, SHAPES
from latte.data.datasets import open_dataset
from latte.data.layouts import default_data_root
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet


@dataclass(frozen=True, kw_only=True)
class Clips:
    """Held-out videos that a network is shown."""

    dataset: str
    count: int
    stride: int
    data_root: Path | None = None  # no effect on results

    @property
    def protocol(self) -> Protocol:
        """How clips are taken; their length and size are the network's."""
        base = SHAPES if self.dataset == "shapes" else LATTE
        return replace(base, num_real=self.count, real_stride=self.stride)

    def videos(self) -> VideoSet:
        """The videos that clips are taken from; of `shapes` no more than are needed."""
        if self.dataset == "shapes":
            return shapes_video_set(SHAPES.split, num_videos=self.count)
        return open_dataset(self.dataset, data_root=self.data_root or default_data_root())


@dataclass(frozen=True, kw_only=True)
class SimilarityRequest(FigureRequest):
    """How figures that look into trained networks are made."""

    num_clips: int | None = None  # None: 256 on shapes, else 64
    checkpoint: Path | None = None  # network to look into, in place of trainings

    @property
    def clips(self) -> Clips:
        """Clips that networks are shown at this scale."""
        dataset, count = (DATASET, 64) if self.scale == "paper" else ("shapes", 256)
        return Clips(
            dataset=dataset,
            count=self.num_clips or count,
            stride=SETUPS[self.scale].config_of(VARIANTS[2]).data.stride,
            data_root=self.data_root,
        )
