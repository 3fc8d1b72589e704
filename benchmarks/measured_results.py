"""Results of `latte-eval` on their way into a table: read with their lines, and checked."""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from latte.data.command_line import nearest
from latte.data.errors import InputError

NEEDED: Mapping[str, type | tuple[type, ...]] = {
    "protocol_fields": dict,
    "deviations": list,
    "dataset": (str, type(None)),
    "model": str,
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A result and where it stands."""

    where: str  # "results.jsonl, line 3"
    record: Mapping[str, Any]


def read_measured(path: Path, metrics: Collection[str]) -> list[Measured]:
    """The results of a file, each with its line; those of `metrics` are looked at closely.

    Raises:
        InputError: no such file, or a line that is not a sound result, by its number.
    """
    from evaluation.result import numbered_results

    found = []
    for number, record in numbered_results(path):
        where = f"{path}, line {number}"
        if record["metric"] in metrics:
            check_record(where, record)
        found.append(Measured(where=where, record=record))
    return found


def check_record(where: str, record: Mapping[str, Any]) -> None:
    """Refuse a result without what a table has to say about it.

    Raises:
        InputError: something is missing or unsound, or its protocol has fields of no protocol.
    """
    wrong = [key for key, kind in NEEDED.items() if not isinstance(record.get(key, ...), kind)]
    if wrong:
        raise InputError(
            f"{where}: this result has no usable {', '.join(wrong)}; remove that line, or measure "
            "again"
        )
    _check_protocol(where, record["protocol_fields"])
    value, ends = record["value"], record.get("interval") or []
    try:
        sound = all(math.isfinite(number) for number in (value, *ends))
        sound = sound and (not ends or ends[0] <= ends[1]) and len(ends) in (0, 2)
    except (TypeError, IndexError):
        sound = False
    if not sound:
        raise InputError(
            f"{where}: value {json.dumps(value)} with interval {json.dumps(ends)} is not a finite "
            "number with its interval; remove that line, or measure again"
        )


def _check_protocol(where: str, stated: Mapping[str, Any]) -> None:
    from evaluation.protocol import Protocol

    known = [field.name for field in fields(Protocol)]
    for name in stated:
        if name not in known:
            raise InputError(
                f"{where}: its protocol is unknown here: a protocol has no field {name!r} "
                f"({nearest(name, known)}); remove that line, or measure again"
            )
