"""Blocks of a report as Markdown and as an HTML page, and the pictures of the Markdown."""

import base64
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files

import numpy as np
from markupsafe import Markup

from reports.blocks import (
    Block,
    Code,
    Contents,
    Details,
    Heading,
    ImageBlock,
    Paragraph,
    ProvenanceBlock,
    SectionBlock,
    StripsBlock,
    SvgBlock,
    TableBlock,
)
from reports.charts.contact_sheet import contact_sheet, png_bytes, strip_image
from reports.charts.svg import inline_svg
from reports.render.escape import escape_markdown, markdown_text
from reports.render.html import TEMPLATES, table_html
from reports.render.markdown import folded_markdown, provenance_markdown, table_markdown

CONTENTS = "contents"  # where links back lead to
Anchored = tuple[str, Block]  # a block with a name that is unique in the report


def anchored(blocks: Sequence[Block], prefix: str = "part") -> list[Anchored]:
    """The blocks with names that are fit for ids and files."""
    return [(f"{prefix}-{number}", block) for number, block in enumerate(blocks, 1)]


def inner_blocks(anchor: str, block: Block) -> list[Anchored]:
    """The blocks within a block."""
    match block:
        case Details():
            return anchored(block.blocks, anchor)
        case SectionBlock():
            return anchored(block.blocks, f"{block.name}-part")
    return []


def report_markdown(title: str, lead: str, blocks: Sequence[Block]) -> str:
    """The document; it refers to the files of `pictures_of`."""
    head = [f"# {escape_markdown(title)}", *([markdown_text(lead)] if lead else [])]
    return "\n\n".join([*head, *map(_markdown, *_columns(anchored(blocks)))]) + "\n"


def page(title: str, lead: str, blocks: Sequence[Block]) -> str:
    """The document as one HTML page."""
    assets = files("reports") / "assets"
    return TEMPLATES.get_template("page.html").render(
        title=title,
        lead=lead,
        items=anchored(blocks),
        style=Markup((assets / "report.css").read_text(encoding="utf-8")),
        script=Markup((assets / "report.js").read_text(encoding="utf-8")),
    )


def pictures_of(items: Sequence[Anchored]) -> dict[str, bytes]:
    """Files that the Markdown refers to, by name.

    Raises:
        ValueError: two of them have one name.
    """
    pictures: dict[str, bytes] = {}
    for anchor, block in all_blocks(items):
        name = _file_name(anchor, block)
        if name in pictures:
            raise ValueError(f"two pictures of the report are called {name}")
        match block:
            case SvgBlock():
                pictures[name] = block.svg.encode()
            case ImageBlock():
                pictures[name] = png_bytes(block.image)
            case StripsBlock():
                pictures[name] = png_bytes(contact_sheet(block.strips))
    return pictures


def names_of_pictures(items: Sequence[Anchored]) -> list[str]:
    """The names in `pictures_of`, each as often as it comes, without drawing anything."""
    return [name for anchor, block in all_blocks(items) if (name := _file_name(anchor, block))]


def all_blocks(items: Sequence[Anchored]) -> Iterator[Anchored]:
    """The blocks and all blocks within them."""
    for anchor, block in items:
        yield anchor, block
        yield from all_blocks(inner_blocks(anchor, block))


def _file_name(anchor: str, block: Block) -> str:
    """The file name of a picture; empty for other blocks."""
    match block:
        case SvgBlock():
            return f"{block.name or anchor}.svg"
        case ImageBlock() | StripsBlock():
            return f"{block.name or anchor}.png"
    return ""


def _columns(items: Sequence[Anchored]) -> tuple[list[str], list[Block]]:
    return [anchor for anchor, _ in items], [block for _, block in items]


def _markdown(anchor: str, block: Block) -> str:
    inner = "\n\n".join(map(_markdown, *_columns(inner_blocks(anchor, block))))
    match block:
        case Heading():
            return f"{'#' * block.level} {escape_markdown(block.text)}"
        case Paragraph():
            return markdown_text(block.text)
        case Code():
            longest = max((len(run) for run in re.findall("`+", block.text)), default=0)
            fence = "`" * max(3, longest + 1)
            return f"{fence}\n{block.text}\n{fence}"
        case TableBlock():
            layout = block.table.layout()
            return table_markdown(layout, folds_notes=block.folds_notes).rstrip("\n")
        case SvgBlock() | ImageBlock() | StripsBlock():
            file_name = _file_name(anchor, block)
            picture = f"![{escape_markdown(block.description)}](<{file_name}>)"
            return f"{picture}\n\n*{markdown_text(block.caption)}*" if block.caption else picture
        case ProvenanceBlock():
            lines = provenance_markdown(block.records)
            return folded_markdown("Provenance", lines) if block.folded else lines
        case Details():
            return folded_markdown(block.summary, inner)
        case SectionBlock():
            heading = f'<a id="{block.name}"></a>\n\n## {escape_markdown(block.title)}'
            return f"{heading}\n\n{inner}" if inner else heading
        case Contents():
            links = [f"- [{escape_markdown(title)}](#{name})" for name, title in block.entries]
            return "\n".join(["## Contents", "", *links])


def _data_uri(pixels: np.ndarray) -> str:
    return f"data:image/png;base64,{base64.b64encode(png_bytes(pixels)).decode()}"


def _table(block: TableBlock, anchor: str) -> Markup:
    return Markup(table_html(block.table.layout(), anchor, folds_notes=block.folds_notes))


def _figure(block: SvgBlock, anchor: str) -> Markup:
    return Markup(inline_svg(block.svg, block.description, prefix=anchor))


TEMPLATES.filters |= {
    "kind": lambda block: type(block).__name__,
    "inner": lambda block, anchor: inner_blocks(anchor, block),
    "data_uri": _data_uri,
    "strip_image": strip_image,
    "table": _table,
    "figure": _figure,
}
TEMPLATES.globals["CONTENTS"] = CONTENTS
