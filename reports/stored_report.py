"""Reports as JSON and back: the types of `reports.blocks` are the form.

Pixels are stored as PNG. Nothing in a stored report is run, its texts are escaped like any others,
and an SVG may draw and do nothing else.
"""

import base64
import binascii
import io
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder, Encoder
from PIL import Image

from reports.charts.contact_sheet import png_bytes

T = TypeVar("T")


class StoredReport(Struct, Generic[T], frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of a file."""

    format: Literal["latte-eval report"] = "latte-eval report"
    version: Literal[3] = 3  # of the form; raised when an older program would misread it
    report: T


class Png(Struct, frozen=True, forbid_unknown_fields=True):
    """One picture (H, W, C), or `count` of them (K, H, W, C) below each other."""

    png: bytes
    count: int | None = None


def encode(report: Any) -> str:
    """The content of a file for a report.

    Raises:
        ValueError: a text that no file can hold.
    """
    return Encoder(enc_hook=_encoded).encode(StoredReport(report=report)).decode() + "\n"


def decode(text: str, kind: type[T]) -> T:
    """The report that `encode` wrote.

    Raises:
        ValueError: it is something else; the message is half a sentence that says what.
    """
    try:
        stored: StoredReport[T] = Decoder(StoredReport[kind], dec_hook=_decoded).decode(text)  # type: ignore[valid-type]
    except ValidationError as error:
        raise ValueError(f"it is no stored report of this version ({error})") from None
    except RecursionError:
        raise ValueError("it is no stored report (parts within parts without end)") from None
    except (DecodeError, UnicodeError) as error:
        raise ValueError(f"it is not JSON ({error})") from None
    return stored.report


def _encoded(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"a report holds no {type(value).__name__}")
    count = len(value) if value.ndim == 4 else None
    flat = value if count is None else value.reshape(-1, *value.shape[2:])
    return Png(png_bytes(flat), count)


def _decoded(kind: type, value: Any) -> np.ndarray:
    """Pixels of what `_encoded` made of them."""
    del kind  # arrays are all that has no type of JSON
    if not isinstance(value, dict) or not {"png"} <= value.keys() <= {"png", "count"}:
        raise ValueError("a picture has its PNG and their count")
    count = value.get("count")
    try:
        data = base64.b64decode(value["png"], validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            pixels = np.asarray(image)
    except (
        *(binascii.Error, OSError, SyntaxError, TypeError, ValueError),
        Image.DecompressionBombError,
    ) as error:
        raise ValueError(f"the picture is no PNG ({error})") from None
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ValueError("the picture's pixels are not of three or four bytes")
    if count is None:
        return pixels
    if type(count) is not int or count < 1 or len(pixels) % count:
        raise ValueError(f"there cannot be {count!r} pictures in one of {len(pixels)} rows")
    return pixels.reshape(count, -1, *pixels.shape[1:])
