"""A key for anything that is described by fields: equal fields give equal keys."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def content_key(fields: Mapping[str, Any]) -> bytes:
    """32 bytes that stand for these fields: SHA-256 of their canonical JSON."""
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()


def fingerprint(fields: Mapping[str, Any]) -> str:
    """The first 16 hexadecimal digits of the key."""
    return content_key(fields).hex()[:16]


def fingerprint_of(
    fields: Mapping[str, Any],
    metric: str,
    parameters: Mapping[str, Any],
    given: Sequence[str] = (),
) -> str:
    """The fingerprint of a result: a protocol's, unless parameters or statistics add to it.

    Args:
        fields: the fields of the protocol that affect the number.
        metric, parameters: the metric's name and its parameters.
        given: digests of statistics of which the protocol does not know how they were made.
    """
    of_fields = fingerprint(fields)
    if not given and not parameters:
        return of_fields
    parts: dict[str, Any] = {"protocol": of_fields, "given": list(given)}
    if parameters:
        parts |= {"metric": metric, "parameters": dict(parameters)}
    return fingerprint(parts)


def fingerprint_of_states(
    metric: str, fields: Mapping[str, Any], parameters: Mapping[str, Any]
) -> str:
    """The fingerprint of a number from a model's hidden states, which compares no two sets."""
    return fingerprint({"metric": metric, "protocol": dict(fields), "parameters": dict(parameters)})
