"""What a report is made of, as data. `reports.render.documents` makes Markdown and HTML of it."""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, TypeAlias
from xml.etree import ElementTree

import numpy as np
from matplotlib.figure import Figure
from msgspec import Meta, Struct

from reports.charts.contact_sheet import Strip
from reports.charts.svg import bare_svg, figure_svg
from reports.provenance import Provenance
from reports.table import Table

# Stored reports hold nothing but plain names; the pictures of a joined report lie in a folder.
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][\w.-]*$")]
_SVG = "{http://www.w3.org/2000/svg}"
_DRAWING = {"svg", "defs", "style", "g", "path", "use", "clipPath", "rect", "image", "pattern"}
_ACTS = re.compile("on", re.IGNORECASE)  # onclick, onload, …
_REACHES = re.compile(r"@|\\|url\((?!#)")  # such a style reaches outside, or hides that it does
_OWN = re.compile(r"#|data:image/png;base64,")


class _Block(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True,
    tag_field="kind", tag=True,
):  # fmt: skip
    """A part of a report."""


class Heading(_Block, frozen=True, kw_only=True):
    """A heading below the title."""

    text: str
    level: Annotated[int, Meta(ge=2, le=4)] = 2


class Paragraph(_Block, frozen=True, kw_only=True):
    """Plain text; a part between backticks is code."""

    text: str


class Code(_Block, frozen=True, kw_only=True):
    """Commands or output, as they are."""

    text: str


class TableBlock(_Block, frozen=True, kw_only=True):
    """A table; in the page it sorts by a click on a heading."""

    table: Table
    folds_notes: bool = False  # footnotes are folded away


class _Picture(_Block, frozen=True, kw_only=True):
    """What is a file beside the Markdown, and part of the page."""

    name: FileName  # file name without suffix
    description: str  # describes it to readers who cannot see it
    caption: str = ""


class SvgBlock(_Picture, frozen=True, kw_only=True):
    """A figure as vectors: the `<svg>` element that `figure_block` makes.

    Raises:
        ValueError: it is something else, or does more than draw.
    """

    svg: str

    def __post_init__(self) -> None:
        _check_svg(self.svg)


class ImageBlock(_Picture, frozen=True, kw_only=True):
    """A picture made of pixels, uint8 (H, W, 3 or 4)."""

    image: np.ndarray


class StripsBlock(_Picture, frozen=True, kw_only=True):
    """A contact sheet: one picture in Markdown; in the page rows that fit the screen's width.

    Raises:
        ValueError: no strips.
    """

    strips: tuple[Strip, ...]

    def __post_init__(self) -> None:
        if not self.strips:
            raise ValueError("a contact sheet needs at least one strip")


class ProvenanceBlock(_Block, frozen=True, kw_only=True):
    """How the numbers came about."""

    records: tuple[Provenance, ...]
    folded: bool = False  # affects Markdown; in the page it always is


class Details(_Block, frozen=True, kw_only=True):
    """Blocks that are folded away under a summary."""

    summary: str
    blocks: tuple["Block", ...]


class SectionBlock(_Block, frozen=True, kw_only=True):
    """A report within another."""

    name: str  # links lead to it
    title: str
    blocks: tuple["Block", ...]


class Contents(_Block, frozen=True, kw_only=True):
    """Links to sections: (name, title) of each."""

    entries: tuple[tuple[str, str], ...]


Picture: TypeAlias = SvgBlock | ImageBlock | StripsBlock
Block: TypeAlias = (
    Heading
    | Paragraph
    | Code
    | TableBlock
    | Picture
    | ProvenanceBlock
    | Details
    | SectionBlock
    | Contents
)


def all_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks and all blocks within them."""
    for block in blocks:
        yield block
        if isinstance(block, Details | SectionBlock):
            yield from all_blocks(block.blocks)


def figure_block(figure: Figure, *, name: str, description: str, caption: str = "") -> SvgBlock:
    """A matplotlib figure as a block: drawn once, as a second drawing would move its layout."""
    svg = bare_svg(figure_svg(figure))
    return SvgBlock(svg=svg, description=description, caption=caption, name=name)


def _check_svg(svg: str) -> None:
    """Refuse whatever is not a drawing: a script, a link, something from outside."""
    # XML and HTML read the same in it once comments, entities and instructions are refused.
    if not svg.startswith("<svg ") or "<!" in svg or "<?" in svg:
        raise ValueError("the figure is no SVG as latte-bench stores it")
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"the figure is no SVG ({error})") from None
    for element in root.iter():
        style = [element.text or ""] if element.tag == f"{_SVG}style" else []
        is_safe = (
            element.tag.removeprefix(_SVG) in _DRAWING
            and not any(_ACTS.match(name) for name in element.attrib)
            and not any(_REACHES.search(text) for text in (*element.attrib.values(), *style))
            and all(_OWN.match(element.attrib[name]) for name in element.attrib if "href" in name)
        )
        if not is_safe:
            raise ValueError(f"the figure does more than draw (at {element.tag})")
