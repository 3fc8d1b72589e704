"""How a document came about: records of the command, software, hardware and time behind it."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cells.cache import FILE, CellRecord
from benchmarks.cells.scale import MEANINGS, Scale
from evaluation.results.provenance import provenance
from evaluation.results.record import Result
from reports.provenance import Provenance, Role


def recorded(
    values: Mapping[str, Any],
    *,
    role: Role = "measurements",
    seconds: float | None = None,
    details: Mapping[str, str] | None = None,
) -> Provenance:
    """The record of what `evaluation.results.provenance.provenance` or a stored cell says.

    >>> recorded({"versions": {"torch": "2.15.0"}, "host": {"cores": 2, "memory_gib": None}})
    ... # doctest: +ELLIPSIS
    Provenance(role='measurements', ..., versions={'torch': '2.15.0'}, host={'cores': '2'}, ...)
    """
    return Provenance(
        role=role,
        command=values.get("command"),
        commit=values.get("commit"),
        details=details or {},
        versions=known(values.get("versions") or {}),
        host=known(values.get("host") or {}),
        date=values.get("date"),
        seconds=seconds,
    )


def known(values: Mapping[str, Any]) -> dict[str, str]:
    """The values that are known, as text."""
    return {name: str(value) for name, value in values.items() if value is not None}


def this_run(
    *, device: str = "cpu", seconds: float | None = None, details: Mapping[str, str] | None = None
) -> Provenance:
    """Command, commit, versions, hardware, date and wall time of what this run computes."""
    values = provenance(device) | {"commit": source_commit()}
    return recorded(values, role="document", seconds=seconds, details=details)


def of_result(result: Result, *, seconds: float, details: Mapping[str, str]) -> Provenance:
    """How a document came about that this run measured, by one of its results."""
    values = {"command": result.command, "commit": source_commit(), **software_of(result)}
    return recorded(values, role="document", seconds=seconds, details=details)


def software_of(result: Result) -> dict[str, Any]:
    """The part of a result's record that its cell keeps."""
    return {"date": result.date, "versions": dict(result.versions), "host": dict(result.host)}


def of_cells(cells: Sequence[CellRecord], details: Mapping[str, str]) -> Provenance:
    """What measured these cells, as the latest of them says, and the seconds of all."""
    latest = max(cells, key=lambda cell: str(cell.provenance["date"]))
    return recorded(latest.provenance, seconds=sum(cell.seconds for cell in cells), details=details)


def of_figure(cells: Sequence[CellRecord], scale: Scale, folder: Path) -> tuple[Provenance, ...]:
    """How a figure's documents and the cells that it shows came about.

    Args:
        folder: of the cells.
    """
    record = this_run(details={"scale": f"{scale}, {MEANINGS[scale]}"})
    if not cells:
        return (record,)
    details = {
        "cells": f"{len(cells)} ({folder / FILE})",
        "fingerprints": ", ".join(sorted({str(cell.details["fingerprint"]) for cell in cells})),
    }
    # What was computed says by itself with which software.
    return replace(record, versions={}, host={}), of_cells(cells, details)


def source_commit() -> str | None:
    """The commit of the checkout that this package runs from; None where it is installed."""
    this_file = Path(__file__)
    try:
        # This file is not tracked where somebody else's repository holds the folder.
        for command in (["ls-files", "--error-unmatch", this_file.name], ["rev-parse", "HEAD"]):
            done = subprocess.run(
                ["git", "-C", str(this_file.parent), *command],
                capture_output=True,
                text=True,
                check=True,
            )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()[:12]
