"""Results of `latte-eval` on their way into a table: read with their lines, and checked."""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latte.data.errors import InputError, nearest

if TYPE_CHECKING:
    from evaluation.catalogue.entry import Metric

Kinds = type | tuple[type, ...]
NOTHING = type(None)
NUMBER, SCALAR = (int, float), (str, int, float, bool, NOTHING)
NEEDED: Mapping[str, Kinds] = {
    "num_real": (int, NOTHING),
    "num_fake": (int, NOTHING),
    "network": str,
    "fingerprint": str,
    "protocol_fields": dict,
    "deviations": list,
    "dataset": (str, NOTHING),
    "model": str,
}
# What need not be there, but is shown or compared where it is.
OPTIONAL: Mapping[str, Kinds] = {
    "parameters": dict,
    "real": dict,
    "fake": dict,
    "weights_sha256": str,
    "seconds": NUMBER,
    "date": str,
    "command": str,
    "versions": dict,
    "host": dict,
}
ITEMS: Mapping[str, Kinds] = {
    "deviations": dict,
    "parameters": SCALAR,
    "versions": SCALAR,
    "host": SCALAR,
}
# Below these there is no value, by command: squares, and 1 for samples that are all alike.
LEAST: Mapping[str, float] = {"fvd": 0.0, "fid": 0.0, "is": 1.0}
ROUNDING = 1e-6  # relative: what the arithmetic of a value and of its interval may differ by
OR_ELSE = "remove that line, or measure again"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A result and where it stands."""

    where: str  # "results.jsonl, line 3"
    record: Mapping[str, Any]


def read_measured(path: Path, metrics: Collection[str]) -> list[Measured]:
    """The results of a file, each with its line; those of `metrics` are looked at closely.

    Raises:
        InputError: no such file, none in it, or a line that is not a sound result, by its number.
    """
    from evaluation.results.reading import numbered_records

    found = []
    for number, record in numbered_records(path):
        where = f"{path}, line {number}"
        if record["metric"] in metrics:
            check_record(where, record)
        found.append(Measured(where=where, record=record))
    if not found:
        raise InputError(f"{path}: holds no results; leave it out, or measure with `latte-eval`")
    return found


def check_record(where: str, record: Mapping[str, Any]) -> None:
    """Refuse a result without what a table has to say about it, or that cannot be one.

    Raises:
        InputError: something is missing or unsound, its protocol is none, or its fingerprint is
            not that of its protocol.
    """
    from evaluation.catalogue.registry import METRICS

    wrong = [key for key, kinds in NEEDED.items() if not _is(record.get(key, ...), kinds)]
    wrong += [key for key, kinds in OPTIONAL.items() if not _is(record.get(key), (kinds, NOTHING))]
    wrong += [
        key
        for key, kinds in ITEMS.items()
        if key not in wrong and not all(_is(item, kinds) for item in _items(record.get(key)))
    ]
    if wrong:
        raise InputError(f"{where}: this result has no usable {', '.join(wrong)}; {OR_ELSE}")
    chosen = next(each for each in METRICS.values() if record["metric"] in each.titles)
    _check_fingerprint(where, record, chosen, _protocol_fields(where, record, chosen))
    _check_value(where, record, LEAST.get(chosen.name, -math.inf))


def _is(value: Any, kinds: Any) -> bool:
    """Whether a value is of these types; true and false are no numbers, nor is NaN."""
    if isinstance(value, bool):
        return kinds is SCALAR
    return isinstance(value, kinds) and not (isinstance(value, float) and not math.isfinite(value))


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, Mapping) else value or ()


def _protocol_fields(where: str, record: Mapping[str, Any], chosen: "Metric") -> dict[str, Any]:
    """What moves the number, if it makes a protocol; its name is the user's own.

    Raises:
        InputError: it makes none.
    """
    from evaluation.protocol.fields import LABELS, REAL_FIELDS, Protocol
    from evaluation.protocol.presets import STYLEGAN_V

    name, stated = record["protocol"], record["protocol_fields"]
    known = [field.name for field in fields(Protocol)]
    labels = {"name": name, "description": "", "metrics": (chosen.name,)}
    moving = {
        key: value
        for key, value in stated.items()
        if key not in LABELS and (chosen.needs_real or key not in REAL_FIELDS)
    }
    # Of a metric without real videos nothing is stated about them: anything does.
    real = {} if chosen.needs_real else {key: getattr(STYLEGAN_V, key) for key in REAL_FIELDS}
    unknown = [key for key in stated if key not in known]
    lacking = [key for key in known if key not in {**labels, **real, **moving}]
    try:
        if unknown:
            near = nearest(unknown[0], known)
            raise ValueError(f"a protocol has no field {_shown(unknown[0])} ({near})")
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")
        Protocol(**labels, **real, **moving)
    except (InputError, ValueError, RecursionError) as error:
        raise InputError(
            f"{where}: its protocol is unknown here: {_brief(str(error), 200)}; {OR_ELSE}"
        ) from None
    return moving


def _check_fingerprint(
    where: str, record: Mapping[str, Any], chosen: "Metric", moving: Mapping[str, Any]
) -> None:
    """Refuse a fingerprint that is not that of the fields beside it: one of them was changed."""
    if record["fingerprint"] not in fingerprints(record, chosen, moving):
        raise InputError(
            f"{where}: its fingerprint {_shown(record['fingerprint'])} is not that of its protocol "
            f"and parameters; {OR_ELSE}"
        )


def fingerprints(
    record: Mapping[str, Any], chosen: "Metric", moving: Mapping[str, Any]
) -> list[str]:
    """What a record may be known by.

    Given statistics count where they do not follow the protocol, which the record does not say.
    """
    from evaluation.protocol.content import fingerprint_of

    parameters = record.get("parameters") or {}
    sides = [record.get(side) or {} for side in ("real", "fake")]
    digests = [str(side.get("digest")) for side in sides if side.get("storage") == "statistics"]
    return [
        fingerprint_of(moving, chosen.name, parameters, given)
        for count in range(3)
        for given in combinations(digests, count)
    ]


def _check_value(where: str, record: Mapping[str, Any], least: float) -> None:
    """Refuse what is no number, or cannot be the metric's, or lies outside its interval."""
    value, ends = record["value"], record.get("interval")
    shown = f"value {_shown(value)}" + (f" with interval {_shown(ends)}" if ends else "")
    if not _is(value, NUMBER) or not _is_interval(ends):
        raise InputError(f"{where}: {shown} is not a finite number with its interval; {OR_ELSE}")
    slack = ROUNDING * max(1.0, abs(value))
    if value < least - slack:
        raise InputError(
            f"{where}: {shown} is below {least:g}, where {record['metric']} ends; {OR_ELSE}"
        )
    if ends and not ends[0] - slack <= value <= ends[1] + slack:
        raise InputError(f"{where}: {shown} lies outside of it; {OR_ELSE}")


def _is_interval(ends: Any) -> bool:
    if ends is None or ends == []:
        return True
    whole = isinstance(ends, list) and len(ends) == 2 and all(_is(end, NUMBER) for end in ends)
    return whole and ends[0] <= ends[1]


def _shown(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    try:
        return _brief(json.dumps(value))
    except RecursionError:
        return "with parts within parts"


def _brief(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
