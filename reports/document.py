"""A report from blocks: Markdown with its pictures beside it, and one HTML page that needs nothing.

The page holds its styles, figures and pictures itself and asks for nothing from outside. It follows
the reader's choice of light or dark, prints, and scrolls wide tables within themselves.

A report is stored as JSON of the types in `reports.blocks`, pixels as PNG. Nothing in it is run:
its texts are escaped like any others, and an SVG may draw and do nothing else.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from msgspec import DecodeError, Meta, Struct, ValidationError, convert
from msgspec.json import Decoder, Encoder
from PIL import Image

from reports.blocks import Block
from reports.charts.contact_sheet import png_bytes
from reports.files import write_files
from reports.render.documents import page, picture_file, pictures_by_file, report_markdown

STORED = ".report.json"  # how the names of stored reports end
Answer = Literal["yes", "no", "not decided", "not measured"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)


@dataclass(frozen=True, kw_only=True)
class PaperClaim:
    """A sentence of the paper, beside what was measured here."""

    claim: str
    verdict: Answer
    numbers: str  # decide it


@dataclass(frozen=True, kw_only=True)
class Report:
    """A title, a sentence that says what was found, and blocks.

    `findings` are for whoever joins several reports: this one shows them in its blocks.
    """

    title: str
    blocks: tuple[Block, ...]
    lead: str = ""
    scale: str = ""  # scale of the computed numbers, if there are several
    findings: tuple[PaperClaim, ...] = ()

    def markdown(self) -> str:
        """The report as Markdown; it refers to the files of `pictures`."""
        return report_markdown(self.title, self.lead, self.blocks)

    def html(self) -> str:
        """The report as one page."""
        return page(self.title, self.lead, self.blocks)

    def pictures(self) -> dict[str, bytes]:
        """The files that the Markdown refers to, by name.

        Raises:
            ValueError: two of them have one name.
        """
        pictures = pictures_by_file(self.blocks)
        return {name: picture_file(block) for name, block in pictures.items()}

    def to_json(self) -> str:
        """The report as data: `from_json` makes the same documents of it.

        Raises:
            ValueError: a text that no file can hold.
        """
        return Encoder(enc_hook=_encoded).encode(_Stored(report=self)).decode() + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The report that `to_json` wrote.

        Raises:
            ValueError: it is something else, or no documents can be made of it; the message says
                what, as half a sentence.
        """
        try:
            report = _decoded_report(text)
            pictures_by_file(report.blocks)  # refuses two of one name
        except ValueError as error:
            # The names of what is wrong may hold line breaks, and be long.
            raise ValueError(" ".join(str(error).split())[:300]) from None
        return report

    def store(self, folder: Path, name: str) -> Path:
        """Write the report as data into `name.report.json` in a folder, which is made."""
        (path,) = write_files(folder, {f"{name}{STORED}": self.to_json()})
        return path

    def write(self, folder: Path, name: str = "report", *, stored: str | None = None) -> list[Path]:
        """Write the report and its pictures into a folder, and say where they are.

        These are `name.md`, `name.html`, what the Markdown refers to, and `name.report.json`.
        Everything is made before the first file is touched.

        Args:
            stored: the name of the report as data, if it is another.
        """
        documents = {f"{name}.md": self.markdown(), f"{name}.html": self.html()}
        stored_as = {f"{stored or name}{STORED}": self.to_json()}
        return write_files(folder, {**documents, **self.pictures(), **stored_as})


class _Stored(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of a file."""

    format: Literal["latte-eval report"] = "latte-eval report"
    version: Literal[3] = 3  # raised when an older program would misread the form
    report: Report


class _Png(Struct, frozen=True, forbid_unknown_fields=True):
    """One picture (H, W, C), or `count` of them (K, H, W, C) below each other."""

    png: bytes
    count: Annotated[int, Meta(ge=1)] | None = None


def _decoded_report(text: str) -> Report:
    try:
        return Decoder(_Stored, dec_hook=_decoded).decode(text).report
    except ValidationError as error:
        raise ValueError(f"it is no stored report of this version ({error})") from None
    except RecursionError:
        raise ValueError("it is no stored report (parts within parts without end)") from None
    except (DecodeError, UnicodeError) as error:
        raise ValueError(f"it is not JSON ({error})") from None


def _encoded(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"a report holds no {type(value).__name__}")
    count = len(value) if value.ndim == 4 else None
    flat = value if count is None else value.reshape(-1, *value.shape[2:])
    return _Png(png_bytes(flat), count)


def _decoded(kind: type, value: Any) -> np.ndarray:
    """Pixels of what `_encoded` made of them."""
    del kind  # arrays are all that has no type of JSON
    try:
        stored = convert(value, _Png)
        with Image.open(io.BytesIO(stored.png), formats=["PNG"]) as image:
            pixels = np.asarray(image)
    except (
        *(ValidationError, OSError, SyntaxError, ValueError),
        Image.DecompressionBombError,
    ) as error:
        raise ValueError(f"the picture is no PNG ({error})") from None
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ValueError("the picture's pixels are not of three or four bytes")
    if stored.count is None:
        return pixels
    if len(pixels) % stored.count:
        raise ValueError(f"there cannot be {stored.count} pictures in one of {len(pixels)} rows")
    return pixels.reshape(stored.count, -1, *pixels.shape[1:])
