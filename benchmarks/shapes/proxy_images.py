"""Procedural images outside `shapes`, which a model of images is trained on before it sees videos.

A proxy for ImageNet: other scenes, of two to four shapes of any kind, size and colour on a
ground of any colour, where `shapes` has one or two of set sizes and of few hues, and moves them.
"""

from pathlib import Path

import numpy as np

from latte.data.drawing import Pose, background, paint, to_uint8
from latte.data.shapes import SHAPES

VERSION = 1


def images(count: int, size: int) -> np.ndarray:
    """Images 0 … `count` − 1, each from its own random stream: uint8 (N, 1, S, S, 3)."""
    return np.stack([_image(index, size) for index in range(count)])[:, None]


def write_images(path: Path, count: int, size: int) -> None:
    """Write an array file that `latte train` reads as videos of one frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, images(count, size))


def _image(index: int, size: int) -> np.ndarray:
    stream = np.random.Generator(np.random.PCG64([VERSION, index]))
    near, far = stream.uniform(0, 255, (2, 3))
    canvas = background(near, far, stream.uniform(0, 1), size)[None]
    for _ in range(stream.integers(2, 5)):
        colour = stream.uniform(0, 255, 3)
        pose = Pose(
            x=stream.uniform(0, 1, 1),
            y=stream.uniform(0, 1, 1),
            radius=stream.uniform(0.08, 0.32, 1),
            turns=stream.uniform(0, 1, 1),
        )
        shape = SHAPES[stream.integers(len(SHAPES))]
        paint(canvas, pose, shape, colour, np.minimum(colour * 1.3 + 20, 255))
    return to_uint8(canvas)[0]
