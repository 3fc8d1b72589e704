"""A report from blocks: Markdown with its pictures beside it, and one HTML page that needs nothing.

The page holds its styles, figures and pictures itself and asks for nothing from outside. It follows
the reader's choice of light or dark, prints, and scrolls wide tables within themselves.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure

from reports.contact_sheet import Strip, contact_sheet, png_bytes, strip_image
from reports.figures import figure_svg, inline_svg
from reports.markup import (
    escape_html,
    escape_markdown,
    html_text,
    markdown_text,
    provenance_html,
    provenance_markdown,
)
from reports.tables import Table


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
    """A heading below the title: level 2 or 3."""

    text: str
    level: int = 2

    def __post_init__(self) -> None:
        if self.level not in (2, 3):
            raise ValueError(f"a heading has level 2 or 3, got {self.level}")

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

    def markdown(self, anchor: str) -> str:
        return self.table.markdown().rstrip("\n")

    def html(self, anchor: str) -> str:
        return self.table.html(anchor)


@dataclass(frozen=True, kw_only=True)
class FigureBlock:
    """A matplotlib figure as vectors. `description` is what somebody who cannot see it is told."""

    figure: Figure
    description: str
    caption: str = ""
    name: str | None = None  # of the Markdown's file; a number of its own if not given

    def markdown(self, anchor: str) -> str:
        return _picture_markdown(self._file(anchor), self.description, self.caption)

    def html(self, anchor: str) -> str:
        svg = _own_ids(inline_svg(self.figure, self.description), anchor)
        return f'<figure class="plot">{svg}{_caption_html(self.caption)}</figure>'

    def pictures(self, anchor: str) -> dict[str, bytes]:
        return {self._file(anchor): figure_svg(self.figure).encode()}

    def _file(self, anchor: str) -> str:
        return f"{self.name or anchor}.svg"


@dataclass(frozen=True, kw_only=True)
class ImageBlock:
    """A picture made of pixels, uint8 (H, W, 3 or 4)."""

    image: np.ndarray
    description: str
    caption: str = ""
    name: str | None = None

    def markdown(self, anchor: str) -> str:
        return _picture_markdown(self._file(anchor), self.description, self.caption)

    def html(self, anchor: str) -> str:
        picture = _image_html(self.image, self.description)
        return (
            f'<figure><div class="scroll" tabindex="0">{picture}</div>'
            f"{_caption_html(self.caption)}</figure>"
        )

    def pictures(self, anchor: str) -> dict[str, bytes]:
        return {self._file(anchor): png_bytes(self.image)}

    def _file(self, anchor: str) -> str:
        return f"{self.name or anchor}.png"


@dataclass(frozen=True, kw_only=True)
class StripsBlock:
    """A contact sheet: one picture in Markdown; in the page rows that fit the screen's width."""

    strips: tuple[Strip, ...]
    description: str
    caption: str = ""
    name: str | None = None

    def markdown(self, anchor: str) -> str:
        return _picture_markdown(self._file(anchor), self.description, self.caption)

    def html(self, anchor: str) -> str:
        rows = "".join(_strip_html(strip) for strip in self.strips)
        return (
            f'<figure aria-label="{escape_html(self.description)}">'
            f'<dl class="strips">{rows}</dl>{_caption_html(self.caption)}</figure>'
        )

    def pictures(self, anchor: str) -> dict[str, bytes]:
        return {self._file(anchor): png_bytes(contact_sheet(self.strips))}

    def _file(self, anchor: str) -> str:
        return f"{self.name or anchor}.png"


@dataclass(frozen=True, kw_only=True)
class Details:
    """Blocks that are folded away under a summary."""

    summary: str
    blocks: tuple[Block, ...]

    def markdown(self, anchor: str) -> str:
        inner = "\n\n".join(b.markdown(a) for a, b in _anchored(self.blocks, anchor))
        summary = f"<details><summary>{escape_html(self.summary)}</summary>"
        return f"{summary}\n\n{inner}\n\n</details>"

    def html(self, anchor: str) -> str:
        inner = "\n".join(b.html(a) for a, b in _anchored(self.blocks, anchor))
        return f"<details><summary>{escape_html(self.summary)}</summary>\n{inner}\n</details>"

    def pictures(self, anchor: str) -> dict[str, bytes]:
        return _pictures(_anchored(self.blocks, anchor))


@dataclass(frozen=True, kw_only=True)
class Provenance(TextBlock):
    """How the numbers came about: command, versions, hardware, date, seconds, fingerprints."""

    lines: tuple[str, ...]

    def markdown(self, anchor: str) -> str:
        return provenance_markdown(self.lines)

    def html(self, anchor: str) -> str:
        return provenance_html(self.lines)


@dataclass(frozen=True, kw_only=True)
class Report:
    """A title, a sentence that says what was found, and blocks."""

    title: str
    blocks: tuple[Block, ...]
    lead: str = ""

    def markdown(self) -> str:
        """The report as Markdown; it refers to the files of `pictures`."""
        parts = [f"# {escape_markdown(self.title)}"]
        if self.lead:
            parts.append(Paragraph(text=self.lead).markdown(""))
        parts += [block.markdown(anchor) for anchor, block in _anchored(self.blocks)]
        return "\n\n".join(parts) + "\n"

    def html(self) -> str:
        """The report as one page."""
        assets = files(__package__) / "assets"
        lead = Paragraph(text=self.lead).html("") if self.lead else ""
        body = "\n".join(block.html(anchor) for anchor, block in _anchored(self.blocks))
        values = {
            "title": escape_html(self.title),
            "style": (assets / "report.css").read_text(encoding="utf-8"),
            "script": (assets / "report.js").read_text(encoding="utf-8"),
            "lead": lead.replace("<p>", '<p class="lead">', 1),
            "body": body,
        }
        page = (assets / "report.html").read_text(encoding="utf-8")
        # One pass, so that nothing in a value is taken for a place to fill.
        return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match.group(1)], page)

    def pictures(self) -> dict[str, bytes]:
        """The files that the Markdown refers to, by name."""
        return _pictures(_anchored(self.blocks))

    def write(self, folder: Path, name: str = "report") -> list[Path]:
        """Write `name.md`, its pictures and `name.html` into a folder, and say where they are.

        Everything is made before the first file is touched.
        """
        contents = {f"{name}.md": self.markdown().encode(), f"{name}.html": self.html().encode()}
        contents |= self.pictures()
        folder.mkdir(parents=True, exist_ok=True)
        for file_name, content in contents.items():
            (folder / file_name).write_bytes(content)
        return [folder / file_name for file_name in contents]


def _anchored(blocks: Sequence[Block], prefix: str = "part") -> list[tuple[str, Block]]:
    return [(f"{prefix}-{number}", block) for number, block in enumerate(blocks, 1)]


def _pictures(blocks: Sequence[tuple[str, Block]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for anchor, block in blocks:
        for name, content in block.pictures(anchor).items():
            if name in found:
                raise ValueError(f"two pictures of the report are called {name}")
            found[name] = content
    return found


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
