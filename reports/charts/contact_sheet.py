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

PICTURE_HEIGHT = 64  # height of enlarged pictures


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


def strip_image(strip: Strip, *, scale: int = 1) -> np.ndarray:
    """The pictures side by side, each pixel `scale` wide, with a transparent gap: (H, W, 4).

    Pixels are repeated, never blended: small clips stay crisp.
    """
    pictures = np.pad(strip.pictures, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=255)
    with_gaps = np.pad(pictures, ((0, 0), (0, 0), (0, 1), (0, 0)))  # a pixel to the right of each
    image = np.concatenate(with_gaps, axis=1)[:, :-1]
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def contact_sheet(strips: Sequence[Strip]) -> np.ndarray:
    """All strips below each other on white with their labels on the left: uint8 (H, W, 3).

    Pictures are enlarged by a whole factor to at least about `PICTURE_HEIGHT` pixels.
    """
    # Matplotlib's own font: there on every machine, with the signs of all European languages.
    font_file = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    font, small = (ImageFont.truetype(font_file, size) for size in (15, 12))
    margin, gap = 16, 10
    # Line breaks go, because Pillow has no anchor for them.
    texts = [(strip.label.replace("\n", " "), strip.note.replace("\n", " ")) for strip in strips]
    label_width = max(max(font.getlength(label), small.getlength(note)) for label, note in texts)
    scales = [max(1, round(PICTURE_HEIGHT / strip.pictures.shape[1])) for strip in strips]
    images = [
        Image.fromarray(strip_image(strip, scale=scale))
        for strip, scale in zip(strips, scales, strict=True)
    ]
    left = margin + math.ceil(label_width) + margin
    width = left + max(image.width for image in images) + margin
    height = 2 * margin + sum(image.height for image in images) + gap * (len(images) - 1)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    top = margin
    for (label, note), image in zip(texts, images, strict=True):
        sheet.paste(image, (left, top), image)
        middle = top + image.height // 2
        draw.text((margin, middle - (9 if note else 0)), label, fill=INK, font=font, anchor="lm")
        draw.text((margin, middle + 10), note, fill=FAINT, font=small, anchor="lm")
        top += image.height + gap
    return np.asarray(sheet)


def png_bytes(image: np.ndarray) -> bytes:
    """A uint8 image (H, W, 3 or 4) as a PNG file's content."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
