"""Resize and crop as the published preparations do it: frame by frame, uint8 to uint8.

A recipe turns a clip, uint8 (T, H, W, 3), into square frames of a size in pixels, bit for bit as
its reference makes them, with the reference's filter or another of `FILTERS`. PIL widens each but
`nearest` where it makes a picture smaller, so that nothing aliases.
"""

import io
import math
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from latte.data.errors import SKIP, BrokenVideoError, outside
from latte.data.limits import max_pixels

JPEG_QUALITY = 75
FILTERS = ("lanczos", "bicubic", "bilinear", "box", "nearest")  # names of Pillow's filters


def resize_then_crop(clip: np.ndarray, size: int, filter: str = "lanczos") -> np.ndarray:
    """StyleGAN-V's order: the short side to `size`, then the centre.

    The same bits as torchvision's `resize` and `center_crop` on PIL images. The long side is cut
    down to whole pixels; the crop's offset is rounded half to even.

    Source: universome/stylegan-v 3fecd69, convert_videos_to_frames.
    """
    height, width = clip.shape[1:3]
    short = min(height, width)
    target = (
        (size, int(size * height / short)) if width <= height else (int(size * width / short), size)
    )
    _check_enlarged(clip, target)
    return np.stack([_centre(_resize(frame, target, filter), size) for frame in clip])


def crop_then_resize(clip: np.ndarray, size: int, filter: str = "lanczos") -> np.ndarray:
    """Latte's order: the centre square of the short side, then to `size`.

    The same bits as torchvision's `center_crop` and `resize` on PIL images.

    Source: Vchitect/Latte b27c24a, convert_videos_to_frames.
    """
    short = min(clip.shape[1:3])
    return np.stack([_resize(_centre(frame, short), (size, size), filter) for frame in clip])


def cd_fvd(clip: np.ndarray, size: int, filter: str = "bilinear") -> np.ndarray:
    """cd-fvd's video files: the short side to `size`, antialiased bilinear, then the centre.

    Bit for bit what its loader and its uint8 conversion make. The long side is rounded up, the
    crop's offset down; grey levels are cut off, not rounded. A frame of the wanted size stays as
    it is: the way through 0 … 1 costs none of the 256 levels.

    Source: cd-fvd 0.1.1, `data_utils.preprocess` and `compute_real_stats`.
    """
    return _short_side_by_torch(clip, size, filter, antialias=True, shift=0.0)


def videogpt(clip: np.ndarray, size: int, filter: str = "bilinear") -> np.ndarray:
    """VideoGPT's and TATS's video files: as `cd_fvd`, but bilinear without antialiasing.

    Both shift frames to −0.5 … 0.5 and back on the way: 63 of the 256 grey levels come out one
    lower, even where nothing is resized.

    Source: wilson1yan/VideoGPT 3eee7ec, `data.preprocess` and scripts/compute_fvd.py;
    songweige/TATS 26c33f5, the same in `tats/data.py`.
    """
    return _short_side_by_torch(clip, size, filter, antialias=False, shift=0.5)


def digan(clip: np.ndarray, size: int, filter: str = "bilinear") -> np.ndarray:
    """DIGAN's and PVDM's: the centre square, then bilinear without antialiasing to `size`.

    The crop's offset is rounded down; grey levels are cut off, not rounded.

    Source: sihyun-yu/digan 2709d68 (src/training/dataset.py) and sihyun-yu/PVDM 29de527
    (tools/data_utils.py), `resize_crop`.
    """
    _check_bilinear(filter)
    import torch
    from torch.nn.functional import interpolate

    height, width = clip.shape[1:3]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = np.ascontiguousarray(clip[:, top : top + short, left : left + short])
    frames = torch.from_numpy(square).permute(0, 3, 1, 2).float()
    resized = interpolate(frames, size=(size, size), mode="bilinear", align_corners=False)
    return resized.permute(0, 2, 3, 1).to(torch.uint8).contiguous().numpy()


RECIPES: Mapping[str, Callable[..., np.ndarray]] = {
    "stylegan-v": resize_then_crop,
    "latte": crop_then_resize,
    "cd-fvd": cd_fvd,
    "videogpt": videogpt,
    "digan": digan,
}
# Recipes that resize by torch, not by PIL, have one filter each.
OWN_FILTERS: Mapping[str, str] = {"cd-fvd": "bilinear", "videogpt": "bilinear", "digan": "bilinear"}


def apply_recipe(
    clip: np.ndarray, recipe: str, size: int, filter: str | None = None, *, name: str
) -> np.ndarray:
    """A clip, uint8 (T, H, W, 3), as a recipe makes it, with its own filter or another.

    Args:
        recipe: a name of `RECIPES`.
        name: what messages call the clip.

    Raises:
        BrokenVideoError: it is so narrow, or so large, that there is not enough memory.
    """
    advice = f"make its frames less narrow or smaller, or {SKIP}"
    with outside(name, "a clip of square frames", advice, error=BrokenVideoError):
        made = RECIPES[recipe](clip, size, *([] if filter is None else [filter]))
    return np.asarray(made)


def jpeg_round_trip(clip: np.ndarray, quality: int = JPEG_QUALITY) -> np.ndarray:
    """A clip, uint8 (T, H, W, 3), as it comes back from JPEG files with 4:2:0 chroma."""
    files = [io.BytesIO(encode_image(frame, "jpg", quality)) for frame in clip]
    return np.stack([np.asarray(Image.open(file), dtype=np.uint8) for file in files])


def encode_image(frame: np.ndarray, image_format: str, quality: int = JPEG_QUALITY) -> bytes:
    """One frame, uint8 (H, W, 3), as the bytes of a "jpg" or "png" file."""
    buffer = io.BytesIO()
    image = Image.fromarray(frame)
    if image_format == "jpg":
        image.save(buffer, format="JPEG", quality=quality, subsampling="4:2:0")
    else:
        image.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def _short_side_by_torch(
    clip: np.ndarray, size: int, filter: str, *, antialias: bool, shift: float
) -> np.ndarray:
    """The short side to `size` in float32, the long side rounded up; then the centre, cut off."""
    _check_bilinear(filter)
    import torch  # worker processes of other recipes start sooner without it
    from torch.nn.functional import interpolate

    height, width = clip.shape[1:3]
    scale = size / min(height, width)
    target = (
        (size, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), size)
    )
    _check_enlarged(clip, (target[1], target[0]))
    top, left = (target[0] - size) // 2, (target[1] - size) // 2
    squares = np.empty((len(clip), size, size, 3), np.uint8)
    for frame, square in zip(clip, squares, strict=True):  # one frame's floats stay in the cache
        floats = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float()
        floats /= 255.0
        resized = interpolate(
            floats, size=target, mode="bilinear", align_corners=False, antialias=antialias
        )[0, :, top : top + size, left : left + size]
        if shift:
            resized = (resized - shift) + shift
        square[:] = (resized * 255).to(torch.uint8).permute(1, 2, 0).numpy()
    return squares


def _check_enlarged(clip: np.ndarray, target: tuple[int, int]) -> None:
    """Refuse frames of 2×16000 pixels and the like, which would become huge before they are cut.

    Raises:
        ValueError: frames of this size (width, height) have too many pixels.
    """
    height, width = clip.shape[1:3]
    if target[0] * target[1] > max(max_pixels(), height * width):
        raise ValueError(
            f"its frames of {width}×{height} would first be enlarged to {target[0]}×{target[1]}"
        )


def _check_bilinear(filter: str) -> None:
    if filter != "bilinear":
        raise ValueError(f"this recipe resizes bilinear, not {filter}")


def _resize(frame: np.ndarray, size: tuple[int, int], filter: str) -> np.ndarray:
    """Resize a frame to (width, height)."""
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling[filter.upper()]))


def _centre(frame: np.ndarray, size: int) -> np.ndarray:
    """The square of `size` pixels in the middle; Python's `round` is torchvision's."""
    height, width = frame.shape[:2]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return frame[top : top + size, left : left + size]
