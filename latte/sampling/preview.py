"""A contact sheet of samples: a row for each, frames from left to right."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from latte.data.files import atomic_path

ROWS = 16
COLUMNS = 8
SIDE = 96  # about the height of a frame on the sheet, pixels
_GAP = 4


def preview_path(folder: Path) -> Path:
    """Beside the folder: in it, it would be taken for a frame."""
    if folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.with_name(f"{folder.name}.preview.png")


def contact_sheet(rows: Sequence[tuple[str, np.ndarray]]) -> Image.Image:
    """Labelled clips, uint8 (F, H, W, 3) each and of one size, on white.

    At most COLUMNS frames of each, at even distances, the first and the last included. Small
    frames are enlarged by a whole factor and never blended; large ones are shrunk to SIDE.
    """
    font = ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", 13)
    strips = [
        (label, [_thumbnail(frame) for frame in evenly_spaced(clip, COLUMNS)])
        for label, clip in rows
    ]
    columns = max(len(frames) for _, frames in strips)
    width, height = strips[0][1][0].size
    left = 3 * _GAP + round(max(font.getlength(label) for label, _ in strips))
    size = left + columns * (width + _GAP), len(strips) * (height + _GAP) + _GAP
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for row, (label, frames) in enumerate(strips):
        top = _GAP + row * (height + _GAP)
        draw.text((_GAP, top + height // 2), label, fill="black", font=font, anchor="lm")
        for column, frame in enumerate(frames):
            sheet.paste(frame, (left + column * (width + _GAP), top))
    return sheet


def save_preview(path: Path, rows: Sequence[tuple[str, np.ndarray]]) -> None:
    """The contact sheet as a PNG file, which appears complete or not at all."""
    with atomic_path(path) as partial:
        contact_sheet(rows).save(partial)


def evenly_spaced(clip: np.ndarray, count: int) -> np.ndarray:
    """`count` frames of a clip (T, H, W, 3), from its first to its last; all, if it has no more."""
    places = np.linspace(0, len(clip) - 1, min(count, len(clip)))
    return clip[np.round(places).astype(int)]


def _thumbnail(frame: np.ndarray) -> Image.Image:
    image = Image.fromarray(frame)
    height = image.height
    if height <= SIDE:
        factor = round(SIDE / height)
        return image.resize((image.width * factor, height * factor), Image.Resampling.NEAREST)
    width = max(1, round(image.width * SIDE / height))
    return image.resize((width, SIDE), Image.Resampling.BOX, reducing_gap=None)
