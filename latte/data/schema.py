"""Files and tables to typed records: msgspec checks them, and one sentence says what does not fit.

A type describes each file once: a frozen dataclass, a `msgspec.Struct` or a `TypedDict`, whose
fields may be records, lists, mappings, literals, paths, and numbers with a range such as `Count`.
"""

import math
import operator
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
from msgspec import Meta, inspect

from latte.data.errors import InputError, nearest, outside, reason_of
from latte.data.files import read_text

T = TypeVar("T")

Count = Annotated[int, Meta(ge=1)]
CountOrZero = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]

_INT64 = 2**63
# Characters of a TOML file and of a line: the parser's time grows with the square of a line's dots.
MAX_TOML, MAX_LINE = 1_000_000, 2000
_MAX_DEPTH = 64  # values within values
_MAX_SHOWN = 80  # characters of a value in a message
# What a plain value has to be, in words and in Python; msgspec takes integers for numbers.
SCALARS: Mapping[type[inspect.Type], tuple[str, tuple[type, ...]]] = {
    inspect.IntType: ("an integer", (int,)),
    inspect.FloatType: ("a number", (int, float)),
    inspect.StrType: ("a string", (str,)),
    inspect.BoolType: ("true or false", (bool,)),
    inspect.NoneType: ("null", (type(None),)),
}
BOUNDS: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
    ("ge", "of at least", operator.ge),
    ("gt", "above", operator.gt),
    ("le", "of at most", operator.le),
    ("lt", "below", operator.lt),
)


def convert(value: Any, kind: type[T], where: str) -> T:
    """A value of plain dictionaries, lists, strings and numbers as a record.

    Integers are accepted for floats; nothing else is coerced. Unknown fields of dataclasses, and of
    structs that forbid them, are refused, as are NaN, infinity and integers beyond 64 bits.

    Args:
        where: what messages call the value, a file for instance.

    Raises:
        InputError: the value does not fit; the message names the field.
    """
    layout = _layout(kind)  # type: ignore[arg-type]  # types are hashable
    if _is_deep(value):
        raise InputError(f"{where}: its values are nested too deeply")
    for problem in _problems(value, layout, ""):
        raise InputError(f"{where}: {problem}")
    try:
        return msgspec.convert(value, kind, str_keys=True, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {_message(error)}") from error
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except UnicodeError as error:
        raise InputError(f"{where}: {reason_of(error)}") from error


def read_toml(path: Path, what: str, advice: str = "correct it") -> dict[str, Any]:
    """The tables of a TOML file.

    Args:
        what, advice: what the file should be, and what to do if it is not, for messages.

    Raises:
        InputError: it cannot be read, is not TOML, or is larger than any that people write.
    """
    text = read_text(path, what, advice).removeprefix("\ufeff")  # which Notepad writes
    with outside(str(path), what, advice):
        if len(text) > MAX_TOML:
            raise ValueError(f"it has {len(text)} characters, more than {MAX_TOML}")
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > MAX_LINE:
                raise ValueError(f"line {number} has {len(line)} characters, more than {MAX_LINE}")
        return tomllib.loads(text)


def _decode(kind: type[Any], value: Any) -> Any:
    """What msgspec does not know itself: paths, which are strings in files."""
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise TypeError(f"expected `{kind.__name__}`")


def decode_json(text: str | bytes, kind: type[T], where: str) -> T:
    """A record from JSON, as `convert` makes it.

    Raises:
        InputError: the text is not JSON, or its content does not fit.
    """
    with outside(where, "JSON", "correct or remove it"):
        value = msgspec.json.decode(text)
    return convert(value, kind, where)


class Checked:
    """A dataclass whose values are held against its annotations whenever one is made.

    Raises:
        InputError: a value is of another type, out of range, or none of the choices.
    """

    def __post_init__(self) -> None:
        record_type: Any = self.__class__
        for name, kind in _hints(record_type).items():
            value = getattr(self, name)
            for problem in _problems(value, _layout(kind), name):
                raise InputError(problem)
            try:
                msgspec.convert(value, kind)
            except msgspec.ValidationError as error:
                raise InputError(f"{name} = {shown(value)}: {_message(error)}") from error


@cache
def _layout(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def _message(error: msgspec.ValidationError) -> str:
    what, _, place = str(error).partition(" - at `$")
    place = place.strip(".`")
    return f"{place}: {what[:1].lower()}{what[1:]}".removeprefix(": ")


def _is_deep(value: Any) -> bool:
    """Whether values lie too deep within others for functions that call themselves."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            part
            for outer in level
            if isinstance(outer, Mapping | list | tuple)
            for part in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
    return bool(level)


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply, or a number of too many digits
        return f"a {type(value).__name__}"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _problems(value: Any, layout: inspect.Type | None, path: str) -> Iterator[str]:
    """Problems that msgspec accepts, or reports without a hint."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{path or 'the value'} must be a finite number, not {value}"
    elif type(value) is int and not -_INT64 <= value < _INT64:
        yield f"{path or 'the value'} is an integer of more than 64 bits"
    elif isinstance(value, Mapping):
        yield from _problems_of_mapping(value, layout, path)
    elif isinstance(value, list | tuple):
        collection = _member(layout, inspect.CollectionType)
        item = collection.item_type if collection else None
        for index, part in enumerate(value):
            yield from _problems(part, item, f"{path}[{index}]")
    elif all(type(member) in SCALARS for member in _members(layout)):
        expected = dict(_expected(member, value) for member in _members(layout))
        if not any(expected.values()):
            types = " or ".join(words for words in expected if words != "null")
            yield f"{path or 'the value'} must be {types}, got {shown(value)}"
    if isinstance(value, str | int):
        choices = _member(layout, inspect.LiteralType)
        free = _member(layout, inspect.StrType, inspect.IntType, inspect.AnyType)
        if choices and not free and value not in choices.values:
            yield f"{path} = {shown(value)}: {nearest(str(value), list(map(str, choices.values)))}"


def _expected(layout: Any, value: Any) -> tuple[str, bool]:
    """What a number or string has to be, and whether a value is.

    >>> _expected(_layout(CountOrZero), -1), _expected(_layout(Positive), 3)
    (('an integer of at least 0', False), ('a number above 0', True))
    """
    words, kinds = SCALARS[type(layout)]
    bounds = [(text, getattr(layout, name, None), compare) for name, text, compare in BOUNDS]
    limits = [f"{text} {bound:g}" for text, bound, _ in bounds if bound is not None]
    fits = (
        isinstance(value, kinds)
        and isinstance(value, bool) == (bool in kinds)
        and all(bound is None or compare(value, bound) for _, bound, compare in bounds)
    )
    return f"{words} {' and '.join(limits)}".strip(), fits


def _problems_of_mapping(
    value: Mapping[Any, Any], layout: inspect.Type | None, path: str
) -> Iterator[str]:
    record = _member(layout, inspect.DataclassType, inspect.StructType, inspect.TypedDictType)
    mapping = _member(layout, inspect.DictType)
    fields = {field.encode_name: field.type for field in record.fields} if record else {}
    known = {*fields, getattr(record, "tag_field", None)}
    closed = isinstance(record, inspect.DataclassType) or getattr(
        record, "forbid_unknown_fields", False
    )
    for name, part in value.items():
        place = f"{path}.{name}" if path else str(name)
        if closed and name not in known:
            yield f"unknown field {place[:_MAX_SHOWN]}: {nearest(str(name), list(fields))}"
        kind = mapping.value_type if mapping and not record else fields.get(name)
        yield from _problems(part, kind, place)


def _member(layout: inspect.Type | None, *kinds: type[Any]) -> Any:
    """The part of a layout that is of such a kind; None where it has none, or several."""
    fitting = [member for member in _members(layout) if isinstance(member, kinds)]
    return fitting[0] if len(fitting) == 1 else None


def _members(layout: inspect.Type | None) -> tuple[inspect.Type | None, ...]:
    if isinstance(layout, inspect.Metadata):  # a type with a description
        return _members(layout.type)
    return layout.types if isinstance(layout, inspect.UnionType) else (layout,)
