"""The held-out clips that networks are shown for Figures 6 and 8."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cells.requirements import (
    default_data_root,
)

if TYPE_CHECKING:
    from evaluation.protocol.fields import Protocol
    from latte.data.sources import VideoSet

DATASET = "faceforensics"  # of the paper's ablations


@dataclass(frozen=True, kw_only=True)
class Clips:
    """Held-out videos that a network is shown."""

    dataset: str
    count: int
    stride: int
    data_root: Path | None = None  # decides nothing

    @property
    def protocol(self) -> "Protocol":
        """How clips are taken; their length and size are the network's."""
        from evaluation.protocol.presets import LATTE, SHAPES

        base = SHAPES if self.dataset == "shapes" else LATTE
        return replace(base, num_real=self.count, real_stride=self.stride)

    def videos(self) -> "VideoSet":
        """The videos that clips are taken from; of `shapes` no more than are needed."""
        from evaluation.protocol.presets import SHAPES
        from latte.data.datasets import open_dataset
        from latte.data.shapes import shapes_video_set

        if self.dataset == "shapes":
            return shapes_video_set(SHAPES.split, num_videos=self.count)
        return open_dataset(self.dataset, data_root=self.data_root or default_data_root())
