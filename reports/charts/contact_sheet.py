"""Contact sheets: rows of small pictures with labels, enlarged without blending."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reports.charts.style import FAINT, INK


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A labelled row of a contact sheet.

    Attributes:
        pictures: uint8 (K, H, W, 3) RGB: the frames of one clip, or one frame of each of K clips.
        note: a few words under the label.

    Raises:
        ValueError: pictures of another dtype or shape.
    """

    label: str
    pictures: np.ndarray
    note: str = ""

    def __post_init__(self) -> None:
        shape = self.pictures.shape
        if self.pictures.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
            raise ValueError(
                f"{self.label}: pictures are uint8 of shape (K, H, W, 3), "
                f"got {self.pictures.dtype} {shape}"
            )


def evenly_spaced(clip: np.ndarray, count: int) -> np.ndarray:
    """`count` frames of a clip (T, H, W, 3), evenly spaced from its first to its last.

    A clip of fewer frames is returned whole.
    """
    places = np.linspace(0, len(clip) - 1, min(count, len(clip)))
    return clip[np.round(places).astype(int)]


def strip_image(strip: Strip, *, scale: int = 1, gap: int = 1) -> np.ndarray:
    """The pictures side by side, each pixel `scale` wide, `gap` source pixels between: (H, W, 4).

    The gap is transparent. Pixels are repeated, never blended: small clips stay crisp.
    """
    count, height, width, _ = strip.pictures.shape
    image = np.zeros((height, count * (width + gap) - gap, 4), dtype=np.uint8)
    for place, picture in enumerate(strip.pictures):
        left = place * (width + gap)
        image[:, left : left + width, :3] = picture
        image[:, left : left + width, 3] = 255
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def contact_sheet(strips: Sequence[Strip], *, picture_height: int = 64) -> np.ndarray:
    """All strips below each other on white with their labels on the left: uint8 (H, W, 3).

    Pictures are enlarged by a whole factor to at least about `picture_height` pixels.

    Raises:
        ValueError: no strips.
    """
    if not strips:
        raise ValueError("a contact sheet needs at least one strip")
    font, small = _font(15), _font(12)
    margin, gap = 16, 10
    labels = [(_line(strip.label), _line(strip.note)) for strip in strips]
    label_width = math.ceil(
        max(max(font.getlength(label), small.getlength(note)) for label, note in labels)
    )
    images = [
        Image.fromarray(strip_image(strip, scale=_scale(strip, picture_height))) for strip in strips
    ]
    left = margin + label_width + margin
    width = left + max(image.width for image in images) + margin
    height = 2 * margin + sum(image.height for image in images) + gap * (len(images) - 1)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    top = margin
    for (label, note), image in zip(labels, images, strict=True):
        sheet.paste(image, (left, top), image)
        middle = top + image.height // 2
        offset = 9 if note else 0
        draw.text((margin, middle - offset), label, fill=INK, font=font, anchor="lm")
        if note:
            draw.text((margin, middle + 10), note, fill=FAINT, font=small, anchor="lm")
        top += image.height + gap
    return np.asarray(sheet)


def png_bytes(image: np.ndarray) -> bytes:
    """A uint8 image (H, W, 3 or 4) as a PNG file's content."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _line(text: str) -> str:
    """A name may hold line breaks, for which Pillow has no anchor."""
    return text.replace("\n", " ")


def _scale(strip: Strip, picture_height: int) -> int:
    return max(1, round(picture_height / strip.pictures.shape[1]))


def _font(size: int) -> ImageFont.FreeTypeFont:
    """Matplotlib's own font: there on every machine, with the signs of all European languages."""
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, size)
