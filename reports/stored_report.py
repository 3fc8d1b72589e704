"""What reports are made of as JSON values, and back: the dataclasses themselves are the form.

A figure is stored as the text of its SVG file and pixels as PNG; everything else is numbers and
text, and fields that have their default are left out. What comes back is checked against the types
of the fields. Nothing in it is run, its texts are escaped like any others, and an SVG may draw and
do nothing else.
"""

import base64
import binascii
import io
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from reports.blocks import (
    Block,
    Code,
    Details,
    FigureBlock,
    Heading,
    ImageBlock,
    Paragraph,
    ProvenanceBlock,
    StripsBlock,
    SvgBlock,
    TableBlock,
)
from reports.charts.contact_sheet import png_bytes
from reports.charts.svg import bare_svg

KINDS: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        *(Heading, Paragraph, Code, TableBlock, Details, ProvenanceBlock),
        *(SvgBlock, ImageBlock, StripsBlock),
    )
}
_SVG = "{http://www.w3.org/2000/svg}"
_DRAWING = {"svg", "defs", "style", "g", "path", "use", "clipPath", "rect", "image", "pattern"}
_ACTS = re.compile("on", re.IGNORECASE)  # onclick, onload, …
_REACHES = re.compile(r"@|\\|url\((?!#)")  # in a style: for something outside, or disguised
_OWN = re.compile(r"#|data:image/png;base64,")
_FILE_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def record_of(value: Any) -> Any:
    """A report, or a part of one, as JSON values."""
    if isinstance(value, FigureBlock):
        return record_of(value.drawn)
    if isinstance(value, SvgBlock):
        value = replace(value, svg=bare_svg(value.svg))
    if is_dataclass(value) and not isinstance(value, type):
        return _dataclass_record(value)
    if isinstance(value, np.ndarray):
        return _png_record(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: record_of(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [record_of(each) for each in value]
    return value


def value_of(record: Any, hint: Any) -> Any:
    """What `record_of` made of something of the type `hint`.

    Raises:
        ValueError: it is not of that type, or holds what no drawing and no picture holds.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Block:
        return _block(record)
    if hint is np.ndarray:
        return _pixels(record)
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass(record, hint)
    if origin is tuple:
        return tuple(value_of(each, arguments[0]) for each in _checked(record, list))
    if origin is Mapping:
        found = _checked(record, dict)
        return {key: value_of(each, arguments[1]) for key, each in found.items()}
    if origin is Literal:
        if record not in arguments:
            raise ValueError(f"it has {record!r} where one of {', '.join(arguments)} belongs")
        return record
    if origin in (Union, UnionType):
        return None if record is None else value_of(record, arguments[0])
    return _checked(record, hint)


def _dataclass_record(value: Any) -> dict[str, Any]:
    kind = type(value).__name__
    record = {"kind": kind} if kind in KINDS else {}
    for each in fields(value):
        found = getattr(value, each.name)
        if each.default is MISSING or found != each.default:
            record[each.name] = record_of(found)
    return record


def _dataclass(record: Any, kind: type) -> Any:
    hints = _hints(kind)
    needed = {each.name for each in fields(kind) if each.default is MISSING}
    found = _checked(record, dict)
    if not needed <= found.keys() <= hints.keys():
        keys = ", ".join(found)[:80]
        raise ValueError(f"it has {keys!r} where the fields of {kind.__name__} belong")
    return kind(**{name: value_of(each, hints[name]) for name, each in found.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _block(record: Any) -> Any:
    values = dict(_checked(record, dict))
    name = _checked(values.pop("kind", None), str)
    if name not in KINDS:
        raise ValueError(f"it has a block of the kind {name!r}, which is unknown here")
    block = _dataclass(values, KINDS[name])
    if isinstance(block, SvgBlock):
        _check_svg(block.svg)
    if getattr(block, "name", None) and not _FILE_NAME.fullmatch(block.name):
        raise ValueError(f"it has a picture called {block.name!r}, which is no name of a file")
    return block


def _checked(value: Any, kind: Any) -> Any:
    """The value, if it is of that type; a whole number is a float as well."""
    if kind is float and type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"it has {str(value)[:40]}…, a number that is too large") from None
    if type(value) is not kind:
        raise ValueError(f"it has {str(value)[:40]!r} where {kind.__name__} belongs")
    if kind is str and not value.isascii():
        value.encode()  # or refuse what no file can hold: half a pair of surrogates
    return value


def _png_record(pixels: np.ndarray) -> dict[str, Any]:
    """Of one picture (H, W, C), or of K of them (K, H, W, C), which are stored as one."""
    count = len(pixels) if pixels.ndim == 4 else None
    flat = pixels if count is None else pixels.reshape(-1, *pixels.shape[2:])
    return {"png": base64.b64encode(png_bytes(flat)).decode(), "count": count}


def _pixels(record: Any) -> np.ndarray:
    found = _checked(record, dict)
    count = found.get("count")
    try:
        data = base64.b64decode(_checked(found.get("png"), str), validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            pixels = np.asarray(image)
    except (binascii.Error, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"it has a picture that is no PNG ({error})") from None
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ValueError("it has a picture whose pixels are not of three or four bytes")
    if count is None:
        return pixels
    if type(count) is not int or count < 1 or len(pixels) % count:
        raise ValueError(f"it has {count!r} pictures in one of {len(pixels)} rows")
    return pixels.reshape(count, -1, *pixels.shape[1:])


def _check_svg(svg: str) -> None:
    """Refuse whatever is not a drawing: a script, a link, something from outside.

    Raises:
        ValueError: it is such.
    """
    # Without comments, entities and instructions XML and HTML read the same in it.
    if not svg.startswith("<svg ") or "<!" in svg or "<?" in svg:
        raise ValueError("it has a figure that is no SVG as latte-bench stores it")
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"it has a figure that is no SVG ({error})") from None
    for element in root.iter():
        style = [element.text or ""] if element.tag == f"{_SVG}style" else []
        sound = (
            element.tag.removeprefix(_SVG) in _DRAWING
            and not any(_ACTS.match(name) for name in element.attrib)
            and not any(_REACHES.search(text) for text in (*element.attrib.values(), *style))
            and all(_OWN.match(element.attrib[name]) for name in element.attrib if "href" in name)
        )
        if not sound:
            raise ValueError(f"it has a figure that does more than draw (at {element.tag})")
