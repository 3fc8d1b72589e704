"""Resize and crop as the published preparations do it: PIL, frame by frame, uint8 to uint8."""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image

Recipe = Callable[[np.ndarray, int], np.ndarray]
JPEG_QUALITY = 75


def resize_then_crop(clip: np.ndarray, size: int) -> np.ndarray:
    """StyleGAN-V's order: the short side to `size` (Lanczos), then the centre.

    The same bits as torchvision's `resize` and `center_crop` on PIL images. The long side is cut
    down to whole pixels; the crop's offset is rounded half to even.

    Args:
        clip: uint8 (T, H, W, 3).
        size: side of the square frames that come out, pixels.

    Source: universome/stylegan-v 3fecd69, convert_videos_to_frames.
    """
    height, width = clip.shape[1:3]
    short = min(height, width)
    target = (
        (size, int(size * height / short)) if width <= height else (int(size * width / short), size)
    )
    return np.stack([_centre(_resize(frame, target), size) for frame in clip])


def crop_then_resize(clip: np.ndarray, size: int) -> np.ndarray:
    """Latte's order: the centre square of the short side, then Lanczos to `size`.

    The same bits as torchvision's `center_crop` and `resize` on PIL images.

    Args:
        clip: uint8 (T, H, W, 3).
        size: side of the square frames that come out, pixels.

    Source: Vchitect/Latte b27c24a, convert_videos_to_frames.
    """
    short = min(clip.shape[1:3])
    return np.stack([_resize(_centre(frame, short), (size, size)) for frame in clip])


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {"stylegan-v": resize_then_crop, "latte": crop_then_resize}
)


def jpeg_round_trip(clip: np.ndarray, quality: int = JPEG_QUALITY) -> np.ndarray:
    """A clip, uint8 (T, H, W, 3), as it comes back from JPEG files with 4:2:0 chroma."""
    return np.stack([decode_image(encode_image(frame, "jpg", quality)) for frame in clip])


def encode_image(frame: np.ndarray, image_format: str, quality: int = JPEG_QUALITY) -> bytes:
    """One frame, uint8 (H, W, 3), as the bytes of a "jpg" or "png" file."""
    buffer = io.BytesIO()
    image = Image.fromarray(frame)
    if image_format == "jpg":
        image.save(buffer, format="JPEG", quality=quality, subsampling="4:2:0")
    else:
        image.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def decode_image(content: bytes) -> np.ndarray:
    """The frame, uint8 (H, W, 3), in the bytes of an image file that `encode_image` made."""
    return np.asarray(Image.open(io.BytesIO(content)), dtype=np.uint8)


def _resize(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """To (width, height)."""
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))


def _centre(frame: np.ndarray, size: int) -> np.ndarray:
    """The square of `size` pixels in the middle; Python's `round` is torchvision's."""
    height, width = frame.shape[:2]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return frame[top : top + size, left : left + size]
