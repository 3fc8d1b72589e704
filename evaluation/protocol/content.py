"""A key for anything that is described by fields: equal fields give equal keys."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def content_key(fields: Mapping[str, Any]) -> bytes:
    """32 bytes that stand for these fields: SHA-256 of their canonical JSON."""
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()


def fingerprint(fields: Mapping[str, Any]) -> str:
    """The first 16 hexadecimal digits of the key."""
    return content_key(fields).hex()[:16]
