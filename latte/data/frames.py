"""A video as a folder of images, one each frame."""

import hashlib
import io
import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image
from PIL.ExifTags import Base
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from latte.data.errors import SKIP, BrokenVideoError, check_frames, outside
from latte.data.ffmpeg import check_picture
from latte.data.limits import check_clip_size, check_frame_size, max_clip_bytes
from latte.data.video import Note, VideoInfo

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"  # how they begin
_SCAN = 0xDA  # the marker in a JPEG after which its pixels come
FRAME_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_MODES = frozenset({"RGB", "L", "1", "P", "RGBA", "LA", "PA"})  # PIL's, of 8 bits or fewer


@dataclass(frozen=True, kw_only=True)
class FrameFolder:
    """One folder of JPEG or PNG images, in the natural order of their names: 2.jpg before 10.jpg.

    All have to be of 8 bits and of one size. Grey levels and palettes become RGB, and an alpha
    channel that hides nothing is dropped; 16 bits, CMYK and what shows through are refused, because
    what they would look like is not known. Pictures are read as they are stored, even where their
    metadata ask to turn them, as other tools for sets of frames do; a note says so.
    """

    name: str
    path: Path
    prepared: bool = True

    def probe(self) -> VideoInfo:
        """The number of images, and the size and notes of the first."""
        files = self._files()
        with _reading(files[0]), files[0].open("rb") as file:
            image = _image(files[0], file)
        notes: list[Note] = ["alpha"] if _has_alpha(image) else []
        notes += ["grey"] if image.mode in ("1", "L", "LA") else []
        notes += ["not_turned"] if _is_to_be_turned(image) else []
        return VideoInfo(
            num_frames=len(files), height=image.height, width=image.width, notes=tuple(notes)
        )

    @property
    def image_format(self) -> str:
        """ "jpg" or "png", of the first frame."""
        return self._files()[0].suffix.lower().lstrip(".").replace("jpeg", "jpg")

    def read(self, frames: Sequence[int]) -> np.ndarray:
        clip = np.empty(0, np.uint8)
        for index, file in enumerate(self._chosen(frames)):
            picture = _read(file)
            if not index:
                check_clip_size(len(frames), picture.shape[0], picture.shape[1], str(self.path))
                clip = np.empty((len(frames), *picture.shape), np.uint8)
            if picture.shape != clip.shape[1:]:
                raise BrokenVideoError(
                    f"{file}: its size {_size(picture)} differs from {_size(clip[0])} of the "
                    "frames before",
                    "make the frames of a video one size",
                )
            clip[index] = picture
        return clip

    def digest(self, frames: Sequence[int]) -> str:
        """Hash of the names and bytes of these frames' files."""
        digest = hashlib.sha256()
        for file in self._chosen(frames):
            with _reading(file):
                content = _content(file)
            digest.update(f"{file.name}\0{len(content)}\0".encode(errors="surrogateescape"))
            digest.update(content)
        return digest.hexdigest()

    def _files(self) -> list[Path]:
        with _listing(str(self.path)):
            files = [
                file
                for file in self.path.iterdir()
                if file.suffix.lower() in FRAME_SUFFIXES and not file.name.startswith(".")
            ]
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


_ADVICE = f"replace it, or {SKIP}"
_reading = partial(outside, what="a picture", advice=_ADVICE, error=BrokenVideoError)
_listing = partial(outside, what="a folder of frames", advice=_ADVICE, error=BrokenVideoError)


def _content(file: Path) -> bytes:
    """The bytes of a regular file that is no larger than a clip may be."""
    if file.stat().st_size > max_clip_bytes():
        raise ValueError("the file is too large")
    return file.read_bytes()


def _read(file: Path) -> np.ndarray:
    """A picture, uint8 (H, W, 3), if it is whole and shows all of itself."""
    with _reading(file):
        content = _content(file)
        _image(file, io.BytesIO(content)).verify()  # checksums; after that it cannot be decoded
        image = _image(file, io.BytesIO(content))
        if _has_alpha(image):
            rgba = np.asarray(image.convert("RGBA"), np.uint8)
            if (rgba[..., 3] < 255).any():
                raise _unfit(file, "opaque, but something shows through this one")
            pixels = np.ascontiguousarray(rgba[..., :3])
        else:
            pixels = np.asarray(image.convert("RGB"), np.uint8)
        # PIL paints over damage silently.
        check_picture(_bare(content), "png" if content.startswith(_PNG) else "mjpeg")
        return pixels


def _image(file: Path, source: IO[bytes]) -> Image.Image:
    """A picture of which only the header has been read: one of 8 bits."""
    begin = source.read(len(_PNG))
    source.seek(0)
    if not begin.startswith((_PNG, _JPEG)):
        raise ValueError("it is not a PNG or JPEG image")
    # Not `Image.open`, whose own limit of pixels nobody can raise.
    with warnings.catch_warnings(action="ignore"):  # about metadata
        image = PngImageFile(source) if begin.startswith(_PNG) else JpegImageFile(source)
    check_frame_size(image.height, image.width, str(file))
    # PIL cuts RGB of 16 bits to 8 silently: only the mode in the file tells.
    raw_mode = image.tile[0][3] if image.tile else ""
    raw_mode = raw_mode[0] if isinstance(raw_mode, tuple) else raw_mode
    if image.mode not in _MODES or "16" in str(raw_mode):
        kind = "RGB of 16 bits" if image.mode in _MODES else f"of PIL's mode {image.mode}"
        raise _unfit(file, f"RGB or grey of 8 bits, not {kind}")
    return image


def _has_alpha(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def _is_to_be_turned(image: Image.Image) -> bool:
    """Whether the metadata of a picture say that it lies on its side or is mirrored."""
    exif = Image.Exif()
    # Damaged metadata damage no pixel.
    with suppress(Exception), warnings.catch_warnings(action="ignore"):
        exif.load(image.info.get("exif", b""))
        return exif.get(Base.Orientation, 1) in range(2, 9)
    return False


def _bare(content: bytes) -> bytes:
    """A PNG or JPEG without what no pixel depends on, and decoders complain of."""
    place, kept = len(_PNG), [content[: len(_PNG)]]
    if content.startswith(_PNG):
        while place < len(content):
            end = place + 12 + int.from_bytes(content[place : place + 4], "big")
            kind = content[place + 4 : place + 8]
            if kind[:1].isupper() or kind == b"tRNS":
                kept.append(content[place:end])
            place = end
        return b"".join(kept)
    place, kept = 2, [content[:2]]
    while content[place : place + 1] == b"\xff" and (marker := content[place + 1]) != _SCAN:
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == 0xFF:  # it fills space
            end = place + 1
        elif not (0xE0 <= marker < 0xF0 or marker == 0xFE):  # data of applications, a comment
            kept.append(content[place:end])
        place = end
    return b"".join([*kept, content[place:]])


def _unfit(file: Path, what: str) -> BrokenVideoError:
    return BrokenVideoError(
        f"{file}: a frame has to be {what}",
        "convert it first (what its other channels or levels mean is yours to decide)",
    )


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}×{picture.shape[0]}"
