"""Whether a result that comes back from a file can be what it says."""

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from evaluation.catalogue.entry import Metric
from evaluation.catalogue.registry import METRICS
from evaluation.protocol.content import fingerprint_of, fingerprint_of_states
from evaluation.protocol.fields import LABELS, REAL_FIELDS
from evaluation.protocol.presets import STYLEGAN_V, protocol_from_fields
from evaluation.results.record import Result
from latte.data.errors import InputError

ROUNDING = 1e-6  # relative difference allowed between a value and the end of its interval
REMEDY = "remove it, or measure again"


def check_result(result: Result, where: str) -> None:
    """Refuse a result that was edited after it was written, or that cannot be one.

    Args:
        where: what messages call the result: a file and a line.

    Raises:
        InputError: its fields are no protocol, its fingerprint is not theirs, or its value is out
            of the metric's range or outside its interval; the message begins with `where`.
    """
    metric = METRICS.get(result.name)
    fields = result.protocol_fields if metric is None else _protocol_fields(result, metric, where)
    if result.fingerprint not in _fingerprints(result, metric, fields):
        raise InputError(
            f"{where}: its fingerprint {result.fingerprint} is not that of its protocol and "
            f"parameters: {REMEDY}"
        )
    if not 0 < result.level < 1:
        raise InputError(f"{where}: level {result.level:g} must be between 0 and 1: {REMEDY}")
    low, high = result.ends
    slack = ROUNDING * max(1.0, abs(result.value))
    minimum = -math.inf if metric is None else metric.min_value
    if result.value < minimum - slack or not low - slack <= result.value <= high + slack:
        number = f"{result.value:g}" + (f" [{low:g}, {high:g}]" if result.interval else "")
        raise InputError(
            f"{where}: {result.metric} {number} is below {minimum:g} or outside its interval: "
            f"{REMEDY}"
        )


def _protocol_fields(result: Result, metric: Metric, where: str) -> dict[str, Any]:
    """The fields that decide the number, which must make a protocol with any name."""
    fields = {
        key: value
        for key, value in result.protocol_fields.items()
        if key not in LABELS and (metric.needs_real or key not in REAL_FIELDS)
    }
    labels = {"name": result.protocol, "description": "", "metrics": (metric.name,)}
    # A metric without real videos states nothing about them, so that any value will do.
    real = {} if metric.needs_real else {key: getattr(STYLEGAN_V, key) for key in REAL_FIELDS}
    protocol_from_fields(labels | real | fields, where=f"{where}: protocol_fields")
    return fields


def _fingerprints(
    result: Result, metric: Metric | None, fields: Mapping[str, Any]
) -> Iterator[str]:
    """The fingerprints that a result with these fields may have.

    Given statistics count where they do not follow the protocol, which the result does not say.
    """
    if metric is None:
        yield fingerprint_of_states(result.metric, fields, result.parameters)
        return
    sides = [side for side in (result.real, result.fake) if side is not None]
    digests = [side.digest for side in sides if side.storage == "statistics"]
    for count in range(len(digests) + 1):
        for given in combinations(digests, count):
            yield fingerprint_of(fields, metric.name, result.parameters, given)
