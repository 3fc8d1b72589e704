"""How numbers came about, as data. `reports.render.provenance` makes sentences of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["document", "measurements"]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What one document, one measured value or one group of measurements comes from."""

    role: Role = "measurements"  # "document": the run that wrote what the reader holds
    subject: str = ""  # names one value of many, which gets one line; empty for all numbers
    command: str | None = None
    commit: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)  # title → text, in the order shown
    versions: Mapping[str, str] = field(default_factory=dict)  # software
    host: Mapping[str, str] = field(default_factory=dict)  # hardware and system
    date: str | None = None
    seconds: float | None = None


def unique_records(records: Iterable[Provenance]) -> tuple[Provenance, ...]:
    """The records in their order, each once."""
    kept: list[Provenance] = []
    for record in records:
        if record not in kept:
            kept.append(record)
    return tuple(kept)


def duration(seconds: float) -> str:
    """A time for a reader.

    >>> [duration(seconds) for seconds in (0.31, 80.4, 754, 5520)]
    ['less than 1 s', '80 s', '13 min', '1 h 32 min']
    """
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
