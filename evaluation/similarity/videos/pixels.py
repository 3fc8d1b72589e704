"""Pixels in the place of a network's features: any video has them, and nothing is fetched.

A frame is one vector of its pixels, grey being 0. Features of whole frames would fill a disk, so
the matrix of similarities is stored for each clip: one row for each frame.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evaluation.features.extraction import StoredNetwork
from evaluation.networks.spec import NetworkSpec
from evaluation.similarity.matrices import MIN_FRAMES, frame_similarity

PIXELS = "pixels"
MATRIX = "similarity"  # the output whose features are the matrix itself


def open_pixels(store: Path | None, num_frames: int) -> StoredNetwork:
    """Similarities of pixels, on the CPU: uint8 (N, F, H, W, 3) → float32 (N, F, F)."""
    spec = NetworkSpec(
        name=PIXELS,
        title="pixels of a frame, in [-1, 1]",
        unit="frame",
        outputs={MATRIX: num_frames},
        resizes=("none",),
        min_frames=MIN_FRAMES,
        metric_suffix=f"-{PIXELS}",
    )
    return StoredNetwork.of_function(spec, pixel_similarity, store)


def pixel_similarity(clips: Tensor) -> Tensor:
    """uint8 (N, F, H, W, 3) → similarity of frames as vectors of pixels in [−1, 1], (N, F, F)."""
    matrices = [frame_similarity(clip.flatten(1).double() / 127.5 - 1) for clip in clips]
    return torch.from_numpy(np.stack(matrices))
