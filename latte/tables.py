"""TOML tables to frozen dataclasses, with one sentence for whatever does not fit."""

import math
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from latte.data.errors import InputError, nearest

Table = TypeVar("Table")


def from_table(kind: type[Table], table: Mapping[str, Any], where: str) -> Table:
    """A dataclass from a TOML table; its fields may be dataclasses themselves.

    A field's metadata may hold a "note", which is said of a value that does not fit.

    Args:
        where: what to call the table in messages, a file for instance.

    Raises:
        InputError: an unknown or missing field, or a value of another type.
    """
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            raise InputError(f"{where}: no field is called {name!r}: {nearest(name, list(known))}")
    values: dict[str, Any] = {}
    for name, value in table.items():
        label = f"{where}: {name}"
        if is_dataclass(hints[name]):
            if not isinstance(value, Mapping):
                raise InputError(f"{label} = {value!r}: wanted is a table, [{name}]")
            values[name] = from_table(hints[name], value, f"{where} [{name}]")  # type: ignore[arg-type]
        else:
            values[name] = _value(hints[name], value, label, known[name].metadata.get("note"))
    missing = [
        name
        for name, field in known.items()
        if name not in values and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise InputError(f"{where}: give {' and '.join(missing)} as well")
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def with_settings(table: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A table with some values replaced: each setting is "table.field=value", as TOML has it.

    Raises:
        InputError: a setting is not of this form.
    """
    changed = {
        key: dict(part) if isinstance(part, Mapping) else part for key, part in table.items()
    }
    for setting in settings:
        path, equals, text = setting.partition("=")
        section, dot, field = path.strip().partition(".")
        if not (equals and dot and section and field):
            raise InputError(f'--set {setting}: write TABLE.FIELD=VALUE, as in "training.steps=9"')
        part = changed.setdefault(section, {})
        if not isinstance(part, dict):
            raise InputError(f"--set {setting}: {section} is not a table")
        part[field] = _parse(text.strip())
    return changed


def _parse(text: str) -> Any:
    """A TOML value; what is none is taken as a string, so that quotes need not be typed."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _value(hint: Any, value: Any, label: str, note: str | None) -> Any:
    for kind in get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,):
        if get_origin(kind) is Literal:
            if value in get_args(kind):
                return value
        elif kind is float:
            if type(value) in (int, float) and math.isfinite(value):
                return float(value)
        elif type(value) is kind:
            return value
    more = f" ({note})" if note else ""
    raise InputError(f"{label} = {value!r}: wanted is {_describe(hint)}{more}")


def _describe(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_describe(kind) for kind in get_args(hint) if kind is not type(None))
    return names.get(hint, str(hint))
