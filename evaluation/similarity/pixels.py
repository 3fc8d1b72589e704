"""Pixels in the place of a network's features: any video has them, and nothing is fetched.

A frame is one vector of its pixels, grey being 0. Features of a whole frame would fill a disk, so
what is kept of a clip is its matrix of similarities: a row of it for each frame.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evaluation.features.extraction import StoredNetwork
from evaluation.networks.spec import NetworkSpec
from evaluation.similarity.matrices import FEWEST_FRAMES, frame_similarity

PIXELS = "pixels"
NO_NETWORK = "none"
MATRIX = "similarity"  # the output that is a matrix already


def open_pixels(store: Path | None, num_frames: int) -> StoredNetwork:
    """Similarities of the pixels of clips of so many frames, on the CPU: uint8 (N, F, H, W, 3) →
    float32 (N, F, F)."""
    spec = NetworkSpec(
        name=PIXELS,
        title="pixels of a frame, in [-1, 1]",
        unit="frame",
        outputs={MATRIX: num_frames},
        resizes=("none",),
        min_frames=FEWEST_FRAMES,
        cpu_chunk=1,
        metric_suffix=f"-{PIXELS}",
        version=1,
    )
    return StoredNetwork.of_function(spec, pixel_similarity, store)


def pixel_similarity(clips: Tensor) -> Tensor:
    """uint8 (N, F, H, W, 3) → similarity of frames as vectors of pixels in [−1, 1], (N, F, F)."""
    matrices = [frame_similarity(clip.flatten(1).double() / 127.5 - 1) for clip in clips]
    return torch.from_numpy(np.stack(matrices))
