"""How numbers came about: records, and the lines that documents show of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    unique: list[Provenance] = []
    for record in records:
        if record not in unique:
            unique.append(record)
    return tuple(unique)


def provenance_lines(records: Sequence[Provenance]) -> tuple[str, ...]:
    """The lines under a document in every syntax, each once; code stands between backticks.

    Where another run measured what the document shows, the lines say which run is which.

    >>> provenance_lines([Provenance(command="latte-bench demo", date="2026-01-02", seconds=80.4)])
    ('command: `latte-bench demo`', 'date: 2026-01-02; 80 s in all')
    """
    of_document, of_measurements = (
        any(r.role == role and not r.subject and (r.command or r.date) for r in records)
        for role in ("document", "measurements")
    )
    lines: dict[str, None] = {}
    for record in records:
        if record.subject:
            lines[_one_line(record)] = None
        else:
            lines |= dict.fromkeys(_lines(record, distinguished=of_document and of_measurements))
    return tuple(lines)


def duration(seconds: float) -> str:
    """A time for a reader.

    >>> [duration(seconds) for seconds in (0.31, 80.4, 754, 5520)]
    ['less than 1 s', '80 s', '13 min', '1 h 32 min']
    """
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _lines(record: Provenance, *, distinguished: bool) -> Iterator[str]:
    is_document = record.role == "document"
    if record.command and distinguished:
        command = f"`{record.command}`"
        yield f"command: {command} (this document)" if is_document else f"measured by: {command}"
    elif record.command:
        yield f"command: `{record.command}`"
    if record.commit:
        yield f"commit: {record.commit}"
    for title, text in record.details.items():
        yield f"{title}: {text}"
    if record.versions:
        yield f"versions: {_listed(record.versions)}"
    if record.host:
        yield f"host: {_listed(record.host)}"
    took = f"{duration(record.seconds)} in all" if record.seconds is not None else ""
    if when := "; ".join(part for part in (record.date, took) if part):
        whose = f" ({'this document' if is_document else 'the measurements'})"
        yield f"{'date' if record.date else 'time'}: {when}{whose if distinguished else ''}"


def _one_line(record: Provenance) -> str:
    parts = [
        *(f"{title} {text}" for title, text in record.details.items()),
        _listed(record.versions),
        _listed(record.host),
        record.date,
        None if record.seconds is None else duration(record.seconds),
        f"commit {record.commit}" if record.commit else None,
        f"`{record.command}`" if record.command else None,
    ]
    return f"{record.subject}: {'; '.join(part for part in parts if part)}"


def _listed(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
