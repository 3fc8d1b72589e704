"""Clips in memory (NumPy arrays, torch tensors) as a set of videos."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from latte.data.arrays import clip_digest
from latte.data.errors import InputError
from latte.data.sources import VideoSet
from latte.data.video import VideoInfo

if TYPE_CHECKING:
    from torch import Tensor

Layout = Literal["NTHWC", "NCTHW", "NTCHW"]
ValueRange = tuple[float, float]
AXES: dict[str, tuple[int, ...]] = {  # layout → places of N, T, H, W and C
    "NTHWC": (0, 1, 2, 3, 4),
    "NCTHW": (0, 2, 3, 4, 1),
    "NTCHW": (0, 1, 3, 4, 2),
}
RANGES: tuple[ValueRange, ...] = ((0, 1), (-1, 1), (0, 255))
ADVICE = "pass value_range=(0, 1), (-1, 1) or (0, 255)"


@dataclass(frozen=True, kw_only=True)
class MemoryVideo:
    """One clip of an array in memory; its digest is that of the same clip in an array file."""

    name: str
    pixels: NDArray[np.uint8] = field(compare=False, repr=False)  # (T, H, W, 3), RGB
    prepared: bool = True

    def probe(self) -> VideoInfo:
        """Length and size."""
        num_frames, height, width = self.pixels.shape[:3]
        return VideoInfo(num_frames=num_frames, height=height, width=width)

    def read(self, frames: Sequence[int]) -> NDArray[np.uint8]:
        """These frames, uint8 (T, H, W, 3)."""
        return np.ascontiguousarray(self.pixels[list(frames)])

    def digest(self, frames: Sequence[int]) -> str:
        """SHA-256 (hex) of these frames' shape and pixels."""
        return clip_digest(self.read(frames))


def memory_video_set(
    clips: "NDArray[np.generic] | Tensor",
    name: str,
    *,
    layout: Layout = "NTHWC",
    value_range: ValueRange | None = None,
) -> VideoSet:
    """Clips in memory as a set of videos, whatever holds them, with nothing guessed.

    >>> clips = np.linspace(-1, 1, 2 * 3 * 16 * 32 * 32).reshape(2, 3, 16, 32, 32)
    >>> videos = memory_video_set(clips, "samples", layout="NCTHW", value_range=(-1, 1))
    >>> videos.videos[1].probe().num_frames
    16

    Args:
        clips: (N, T, H, W, 3) in the default layout, RGB; a tensor may be on any device.
        name: what messages and results call the set.
        layout: the order of the axes; C stands for the three channels.
        value_range: the values of black and white; required unless the clips are uint8.

    Raises:
        InputError: another shape, type or range; the sentence says what to pass.
    """
    if isinstance(clips, np.ndarray):
        array: NDArray[np.generic] = clips
    else:
        tensor = clips.detach().cpu()  # NumPy knows no bfloat16
        array = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    if layout not in AXES:
        raise InputError(f"layout={layout!r}: pass one of {', '.join(AXES)}")
    _check_shape(array, name, layout)
    pixels = _to_uint8(array, name, value_range).transpose(AXES[layout])
    digits = len(str(len(pixels) - 1))
    videos = tuple(
        MemoryVideo(name=f"{row:0{digits}d}", pixels=clip) for row, clip in enumerate(pixels)
    )
    return VideoSet(name=name, videos=videos, root=name)


def _check_shape(array: NDArray[np.generic], name: str, layout: Layout) -> None:
    shape = array.shape
    if len(shape) != 5 or 0 in shape:
        raise InputError(
            f"{name}: has the shape {shape}: pass clips of 5 axes, (N, T, H, W, 3) or another "
            "order with layout=, none of them empty"
        )
    if shape[AXES[layout][-1]] == 3:
        return
    fitting = [f'layout="{name}"' for name, axes in AXES.items() if shape[axes[-1]] == 3]
    advice = f"{' or '.join(fitting)} if that is what it is" if fitting else "RGB, 3 channels"
    raise InputError(f"{name}: has the shape {shape}, which is not {layout}: pass {advice}")


def _to_uint8(
    array: NDArray[np.generic], name: str, value_range: ValueRange | None
) -> NDArray[np.uint8]:
    """Values of the stated range as bytes, rounded half up as `latte sample` does."""
    if value_range is not None and (
        not isinstance(value_range, Sequence) or tuple(value_range) not in RANGES
    ):
        raise InputError(f"value_range={value_range!r}: {ADVICE}")
    if array.dtype == np.uint8:
        if value_range is not None and tuple(value_range) != (0, 255):
            raise InputError(
                f"{name}: is uint8, whose range is (0, 255): leave value_range out, or convert "
                "both sets to one type"
            )
        return array.astype(np.uint8, copy=False)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name}: holds {array.dtype}: pass uint8, or floats with value_range")
    if value_range is None:
        raise InputError(f"{name}: holds {array.dtype}, whose range is not known: {ADVICE}")
    low, high = value_range
    smallest, largest = float(array.min()), float(array.max())
    if not np.isfinite([smallest, largest]).all():
        raise InputError(f"{name}: has values that are not finite (NaN or infinite): mend them")
    if not low <= smallest <= largest <= high:
        raise InputError(
            f"{name}: has values from {smallest:g} to {largest:g}, outside of "
            f"value_range=({low:g}, {high:g}): {ADVICE}, or clamp them first"
        )
    # A set without one dark pixel, or without one bright one, in the stated range.
    if (low == -1 and smallest >= 0) or (high == 255 and largest <= 1):
        raise InputError(
            f"{name}: has values from {smallest:g} to {largest:g}, so value_range=({low:g}, "
            f"{high:g}) is hardly its range: pass value_range=(0, 1), or uint8"
        )
    values = array.astype(np.float32)
    if (low, high) == (-1, 1):
        values = (values * np.float32(0.5) + np.float32(0.5)) * np.float32(255)
    elif (low, high) == (0, 1):
        values = values * np.float32(255)
    return np.clip(values + np.float32(0.5), 0, 255).astype(np.uint8)
