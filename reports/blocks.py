"""What a report is made of: each block as Markdown, as HTML, and with the pictures it refers to."""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from markupsafe import escape as escape_html
from matplotlib.figure import Figure

from reports.charts.contact_sheet import Strip, contact_sheet, png_bytes, strip_image
from reports.charts.svg import figure_svg, inline_svg
from reports.provenance import Provenance
from reports.render.escape import escape_markdown, html_text, markdown_text
from reports.render.html import provenance_html, table_html
from reports.render.markdown import folded_markdown, provenance_markdown, table_markdown
from reports.table import Table


class Block(Protocol):
    """A part of a report. `anchor` is unique in the report and fit for ids and file names."""

    def markdown(self, anchor: str) -> str: ...

    def html(self, anchor: str) -> str: ...

    def pictures(self, anchor: str) -> dict[str, bytes]:
        """Files that the Markdown refers to, by name."""
        ...


class TextBlock:
    """A block without pictures."""

    def pictures(self, anchor: str) -> dict[str, bytes]:
        return {}


@dataclass(frozen=True, kw_only=True)
class Heading(TextBlock):
    """A heading below the title: level 2, 3 or 4."""

    text: str
    level: int = 2

    def __post_init__(self) -> None:
        if self.level not in (2, 3, 4):
            raise ValueError(f"a heading has level 2, 3 or 4, got {self.level}")

    def markdown(self, anchor: str) -> str:
        return f"{'#' * self.level} {escape_markdown(self.text)}"

    def html(self, anchor: str) -> str:
        return f'<h{self.level} id="{anchor}">{escape_html(self.text)}</h{self.level}>'


@dataclass(frozen=True, kw_only=True)
class Paragraph(TextBlock):
    """Plain text; a part between backticks is code."""

    text: str

    def markdown(self, anchor: str) -> str:
        return markdown_text(self.text)

    def html(self, anchor: str) -> str:
        return f"<p>{html_text(self.text)}</p>"


@dataclass(frozen=True, kw_only=True)
class Code(TextBlock):
    """Commands or output, as they are."""

    text: str

    def markdown(self, anchor: str) -> str:
        longest = max((len(run) for run in re.findall("`+", self.text)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"{fence}\n{self.text}\n{fence}"

    def html(self, anchor: str) -> str:
        return f'<pre tabindex="0"><code>{escape_html(self.text)}</code></pre>'


@dataclass(frozen=True, kw_only=True)
class TableBlock(TextBlock):
    """A table; in the page it sorts by a click on a heading."""

    table: Table
    folds_notes: bool = False

    def markdown(self, anchor: str) -> str:
        return table_markdown(self.table.layout(), folds_notes=self.folds_notes).rstrip("\n")

    def html(self, anchor: str) -> str:
        return table_html(self.table.layout(), anchor, folds_notes=self.folds_notes)


@dataclass(frozen=True, kw_only=True)
class SvgBlock:
    """A figure as vectors: the text of an SVG file that `figure_svg` made."""

    svg: str
    description: str
    caption: str = ""
    name: str | None = None

    def markdown(self, anchor: str) -> str:
        return _picture_markdown(self.file_name(anchor), self.description, self.caption)

    def html(self, anchor: str) -> str:
        svg = _own_ids(inline_svg(self.svg, self.description), anchor)
        return (
            f'<figure class="plot"><div class="scroll" tabindex="0">{svg}</div>'
            f"{_caption_html(self.caption)}</figure>"
        )

    def pictures(self, anchor: str) -> dict[str, bytes]:
        return {self.file_name(anchor): self.svg.encode()}

    def file_name(self, anchor: str) -> str:
        return f"{self.name or anchor}.svg"


@dataclass(frozen=True, kw_only=True)
class FigureBlock:
    """A matplotlib figure as vectors. `description` is what somebody who cannot see it is told."""

    figure: Figure
    description: str
    caption: str = ""
    name: str | None = None  # of the Markdown's file; a number of its own if not given

    @cached_property
    def drawn(self) -> SvgBlock:
        """Drawn once: a second drawing would move the layout by a fraction of a point."""
        return SvgBlock(
            svg=figure_svg(self.figure),
            description=self.description,
            caption=self.caption,
            name=self.name,
        )

    def markdown(self, anchor: str) -> str:
        return self.drawn.markdown(anchor)

    def html(self, anchor: str) -> str:
        return self.drawn.html(anchor)

    def pictures(self, anchor: str) -> dict[str, bytes]:
        return self.drawn.pictures(anchor)


@dataclass(frozen=True, kw_only=True)
class ImageBlock:
    """A picture made of pixels, uint8 (H, W, 3 or 4)."""

    image: np.ndarray
    description: str
    caption: str = ""
    name: str | None = None

    def markdown(self, anchor: str) -> str:
        return _picture_markdown(self.file_name(anchor), self.description, self.caption)

    def html(self, anchor: str) -> str:
        picture = _image_html(self.image, self.description)
        return (
            f'<figure><div class="scroll" tabindex="0">{picture}</div>'
            f"{_caption_html(self.caption)}</figure>"
        )

    def pictures(self, anchor: str) -> dict[str, bytes]:
        return {self.file_name(anchor): png_bytes(self.image)}

    def file_name(self, anchor: str) -> str:
        return f"{self.name or anchor}.png"


@dataclass(frozen=True, kw_only=True)
class StripsBlock:
    """A contact sheet: one picture in Markdown; in the page rows that fit the screen's width."""

    strips: tuple[Strip, ...]
    description: str
    caption: str = ""
    name: str | None = None

    def __post_init__(self) -> None:
        if not self.strips:
            raise ValueError("a contact sheet needs at least one strip")

    def markdown(self, anchor: str) -> str:
        return _picture_markdown(self.file_name(anchor), self.description, self.caption)

    def html(self, anchor: str) -> str:
        rows = "".join(_strip_html(strip) for strip in self.strips)
        return (
            f'<figure aria-label="{escape_html(self.description)}">'
            f'<dl class="strips">{rows}</dl>{_caption_html(self.caption)}</figure>'
        )

    def pictures(self, anchor: str) -> dict[str, bytes]:
        return {self.file_name(anchor): png_bytes(contact_sheet(self.strips))}

    def file_name(self, anchor: str) -> str:
        return f"{self.name or anchor}.png"


@dataclass(frozen=True, kw_only=True)
class Details:
    """Blocks that are folded away under a summary."""

    summary: str
    blocks: tuple[Block, ...]

    def markdown(self, anchor: str) -> str:
        inner = "\n\n".join(b.markdown(a) for a, b in anchored(self.blocks, anchor))
        return folded_markdown(self.summary, inner)

    def html(self, anchor: str) -> str:
        inner = "\n".join(b.html(a) for a, b in anchored(self.blocks, anchor))
        return f"<details><summary>{escape_html(self.summary)}</summary>\n{inner}\n</details>"

    def pictures(self, anchor: str) -> dict[str, bytes]:
        return pictures_of(anchored(self.blocks, anchor))


@dataclass(frozen=True, kw_only=True)
class ProvenanceBlock(TextBlock):
    """How the numbers came about."""

    records: tuple[Provenance, ...]
    folded: bool = False  # in Markdown; in the page it always is

    def markdown(self, anchor: str) -> str:
        text = provenance_markdown(self.records)
        return folded_markdown("Provenance", text) if self.folded else text

    def html(self, anchor: str) -> str:
        return provenance_html(self.records)


def anchored(blocks: Sequence[Block], prefix: str = "part") -> list[tuple[str, Block]]:
    return [(f"{prefix}-{number}", block) for number, block in enumerate(blocks, 1)]


def pictures_of(blocks: Sequence[tuple[str, Block]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for anchor, block in blocks:
        for name, content in block.pictures(anchor).items():
            if name in found:
                raise ValueError(f"two pictures of the report are called {name}")
            found[name] = content
    return found


def names_of_pictures(blocks: Sequence[tuple[str, Block]]) -> Iterator[str]:
    """The names in `pictures_of`, each as often as it comes, without drawing anything."""
    for anchor, block in blocks:
        if isinstance(block, Details):
            yield from names_of_pictures(anchored(block.blocks, anchor))
        elif isinstance(block, SvgBlock | ImageBlock | StripsBlock):
            yield block.file_name(anchor)


def _picture_markdown(file_name: str, description: str, caption: str) -> str:
    picture = f"![{escape_markdown(description)}](<{file_name}>)"
    return f"{picture}\n\n*{markdown_text(caption)}*" if caption else picture


def _caption_html(caption: str) -> str:
    return f"<figcaption>{html_text(caption)}</figcaption>" if caption else ""


def _image_html(image: np.ndarray, description: str) -> str:
    data = base64.b64encode(png_bytes(image)).decode()
    height, width = image.shape[:2]
    return (
        f'<img alt="{escape_html(description)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{data}">'
    )


def _strip_html(strip: Strip) -> str:
    note = f"<span>{escape_html(strip.note)}</span>" if strip.note else ""
    picture = _image_html(strip_image(strip), strip.label)
    return f"<dt>{escape_html(strip.label)}{note}</dt><dd>{picture}</dd>"


def _own_ids(svg: str, anchor: str) -> str:
    """Ids and references with a prefix: two figures on one page must not share their parts."""
    svg = re.sub(r'\bid="', f'id="{anchor}-', svg)
    svg = re.sub(r'href="#', f'href="#{anchor}-', svg)
    return re.sub(r"url\(#", f"url(#{anchor}-", svg)
