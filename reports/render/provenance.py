"""Provenance as lines of text, the same for every syntax."""

from collections.abc import Iterator, Mapping, Sequence

from reports.provenance import Provenance, duration


def provenance_lines(records: Sequence[Provenance]) -> tuple[str, ...]:
    """The lines under a document, each once; code stands between backticks.

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
