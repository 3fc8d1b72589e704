"""A video as a folder of images, one each frame."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from latte.data.errors import SKIP, BrokenVideoError, check_frames
from latte.data.video import VideoInfo

FRAME_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True, kw_only=True)
class FrameFolder:
    """One folder of JPEG or PNG images, in the natural order of their names: 2.jpg before 10.jpg.

    All have to be 8-bit RGB of one size: what else they might mean is not guessed.
    """

    name: str
    path: Path
    prepared: bool = True

    def probe(self) -> VideoInfo:
        """The number of images, and the size of the first."""
        files = self._files()
        with _open(files[0]) as image:
            width, height = image.size
        return VideoInfo(num_frames=len(files), height=height, width=width)

    @property
    def image_format(self) -> str:
        """ "jpg" or "png", of the first frame."""
        return self._files()[0].suffix.lower().lstrip(".").replace("jpeg", "jpg")

    def read(self, frames: Sequence[int]) -> np.ndarray:
        images: list[np.ndarray] = []
        for file in self._chosen(frames):
            with _open(file) as opened:
                image = np.asarray(opened, dtype=np.uint8)
            if images and image.shape != images[0].shape:
                raise BrokenVideoError(
                    f"{file}: its size {_size(image)} differs from {_size(images[0])} of the "
                    "frames before",
                    "make the frames of a video one size",
                )
            images.append(image)
        return np.stack(images)

    def digest(self, frames: Sequence[int]) -> str:
        """Hash of the names and bytes of these frames' files."""
        digest = hashlib.sha256()
        for file in self._chosen(frames):
            try:
                content = file.read_bytes()
            except OSError as error:
                raise _unusable(file, error) from error
            digest.update(f"{file.name}\0{len(content)}\0".encode(errors="surrogateescape"))
            digest.update(content)
        return digest.hexdigest()

    def _files(self) -> list[Path]:
        try:
            files = [
                file
                for file in self.path.iterdir()
                if file.suffix.lower() in FRAME_SUFFIXES and not file.name.startswith(".")
            ]
        except OSError as error:
            raise _unusable(self.path, error) from error
        if not files:
            raise BrokenVideoError(f"{self.path}: no frames in it", "fill it or remove it")
        return sorted(files, key=lambda file: (natural_key(file.name), file.name))

    def _chosen(self, frames: Sequence[int]) -> list[Path]:
        files = self._files()
        check_frames(frames, len(files), str(self.path))
        return [files[index] for index in frames]


def natural_key(name: str) -> tuple[tuple[str, int], ...]:
    """Orders names by their text and the value of their numbers.

    >>> sorted(["f10.jpg", "f2.jpg"], key=natural_key)
    ['f2.jpg', 'f10.jpg']
    """
    return tuple(
        (text, int(digits) if digits else -1)
        for text, digits in re.findall(r"([^0-9]*)([0-9]*)", name)
    )


@contextmanager
def _open(file: Path) -> Iterator[Image.Image]:
    """An image whose header has been read and is that of an 8-bit RGB image."""
    try:
        with Image.open(file) as image:
            # PIL cuts RGB of 16 bits to 8 silently: only the mode in the file tells.
            raw_mode = image.tile[0][3] if image.tile else ""
            raw_mode = raw_mode[0] if isinstance(raw_mode, tuple) else raw_mode
            if image.mode != "RGB" or "16" in str(raw_mode):
                what = "RGB of 16 bits" if image.mode == "RGB" else f"of PIL's mode {image.mode}"
                raise BrokenVideoError(
                    f"{file}: a frame has to be 8-bit RGB, not {what}",
                    "convert it first (what its other channels or levels mean is yours to decide)",
                )
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unusable(file, error) from error


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}×{image.shape[0]}"


def _unusable(path: Path, error: Exception) -> BrokenVideoError:
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, UnidentifiedImageError):
        reason = "it is not an image"
    return BrokenVideoError(
        f"{path}: cannot be read as a frame ({reason})", f"replace it, or {SKIP}"
    )
