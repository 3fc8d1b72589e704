"""Blocks of a report as Markdown and as an HTML page, and the pictures of the Markdown."""

import base64
import re
from collections.abc import Iterable
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
    Picture,
    ProvenanceBlock,
    SectionBlock,
    StripsBlock,
    SvgBlock,
    TableBlock,
    all_blocks,
)
from reports.charts.contact_sheet import contact_sheet, png_bytes, strip_image
from reports.charts.svg import inline_svg
from reports.render.escape import escape_markdown, markdown_text
from reports.render.html import TEMPLATES, table_html
from reports.render.markdown import folded_markdown, provenance_markdown, table_markdown

CONTENTS = "contents"  # links back lead to it


def report_markdown(title: str, lead: str, blocks: Iterable[Block]) -> str:
    """The document; it refers to the files of `pictures_by_file`."""
    head = [f"# {escape_markdown(title)}", *([markdown_text(lead)] if lead else [])]
    return "\n\n".join([*head, *map(_markdown, blocks)]) + "\n"


def page(title: str, lead: str, blocks: Iterable[Block]) -> str:
    """The document as one HTML page."""
    assets = files("reports") / "assets"
    return TEMPLATES.get_template("page.html").render(
        title=title,
        lead=lead,
        blocks=blocks,
        style=Markup((assets / "report.css").read_text(encoding="utf-8")),
        script=Markup((assets / "report.js").read_text(encoding="utf-8")),
    )


def pictures_by_file(blocks: Iterable[Block]) -> dict[str, Picture]:
    """The pictures that the Markdown refers to, by the names of their files.

    Raises:
        ValueError: two of them have one name.
    """
    pictures: dict[str, Picture] = {}
    for block in all_blocks(blocks):
        if isinstance(block, Picture):
            name = _file_name(block)
            if name in pictures:
                raise ValueError(f"it has two pictures called {name}")
            pictures[name] = block
    return pictures


def picture_file(block: Picture) -> bytes:
    """The content of a picture's file."""
    match block:
        case SvgBlock():
            return block.svg.encode()
        case ImageBlock():
            return png_bytes(block.image)
    return png_bytes(contact_sheet(block.strips))


def _file_name(block: Picture) -> str:
    return f"{block.name}.{'svg' if isinstance(block, SvgBlock) else 'png'}"


def _markdown(block: Block) -> str:
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
            text = table_markdown(layout, folds_notes=block.folds_notes, is_marked=True)
            return text.rstrip("\n")
        case SvgBlock() | ImageBlock() | StripsBlock():
            picture = f"![{escape_markdown(block.description)}](<{_file_name(block)}>)"
            return f"{picture}\n\n*{markdown_text(block.caption)}*" if block.caption else picture
        case ProvenanceBlock():
            lines = provenance_markdown(block.records)
            return folded_markdown("Provenance", lines) if block.folded else lines
        case Details():
            return folded_markdown(block.summary, "\n\n".join(map(_markdown, block.blocks)))
        case SectionBlock():
            heading = f'<a id="{block.name}"></a>\n\n## {escape_markdown(block.title)}'
            return "\n\n".join([heading, *map(_markdown, block.blocks)])
        case Contents():
            links = [f"- [{escape_markdown(title)}](#{name})" for name, title in block.entries]
            return "\n".join(["## Contents", "", *links])


def _data_uri(pixels: np.ndarray) -> str:
    return f"data:image/png;base64,{base64.b64encode(png_bytes(pixels)).decode()}"


TEMPLATES.filters |= {
    "kind": lambda block: type(block).__name__,
    "data_uri": _data_uri,
    "strip_image": strip_image,
    "table": lambda block, anchor: Markup(
        table_html(block.table.layout(), anchor, folds_notes=block.folds_notes)
    ),
    "figure": lambda block, anchor: Markup(inline_svg(block.svg, block.description, prefix=anchor)),
}
TEMPLATES.globals["CONTENTS"] = CONTENTS
