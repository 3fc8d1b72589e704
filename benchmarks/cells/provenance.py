"""How a document came about: the lines about software, hardware and source under it."""

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evaluation.results.record import provenance

COMMAND, MEASURED_BY, DATE = "command: ", "measured by: ", "date: "  # how lines begin


def versions_and_host(versions: Mapping[str, Any], host: Mapping[str, Any]) -> tuple[str, str]:
    """A line on the software and one on the hardware.

    >>> versions_and_host({"torch": "2.15.0", "numpy": "2.4.6"}, {"cores": 2})
    ('versions: torch 2.15.0, numpy 2.4.6', 'host: cores 2')
    """
    return f"versions: {_listed(versions)}", f"host: {_listed(host)}"


def _listed(values: Mapping[str, Any]) -> str:
    """What is known; not what a machine is called, which older records say."""
    known = {key: value for key, value in values.items() if key != "name" and value is not None}
    return ", ".join(f"{name} {value}" for name, value in known.items())


def commit_line() -> list[str]:
    """A line on the commit; none where the package does not run from a checkout."""
    commit = source_commit()
    return [f"commit: {commit}"] if commit else []


def made_here(*, device: str = "cpu", seconds: float | None = None) -> tuple[str, ...]:
    """Command, commit, versions, hardware, date and wall time of what this run computes."""
    made = provenance(device)
    return (
        f"{COMMAND}`{made['command']}`",
        *commit_line(),
        *versions_and_host(made["versions"], made["host"]),
        date_line(made["date"], seconds),
    )


def of_document(lines: Iterable[str]) -> tuple[str, ...]:
    """Lines of `made_here`, of a document that shows what another command has measured.

    >>> of_document(["command: `latte-bench table5`", "commit: abc"])
    ('command: `latte-bench table5` (this document)', 'commit: abc')
    """
    return tuple(
        f"{line} (this document)" if line.startswith((COMMAND, DATE)) else line for line in lines
    )


def of_measurements(lines: Iterable[str]) -> tuple[str, ...]:
    """Lines of what a document shows, told apart from its own.

    >>> of_measurements(["command: `latte-bench table3`", "date: 2026-01-01; 80 s in all"])
    ('measured by: `latte-bench table3`', 'date: 2026-01-01; 80 s in all (the measurements)')
    """
    found = []
    for line in lines:
        if line.startswith(COMMAND):
            line = MEASURED_BY + line.removeprefix(COMMAND)
        elif line.startswith(DATE):
            line += " (the measurements)"
        found.append(line)
    return tuple(found)


def date_line(date: str, seconds: float | None = None) -> str:
    """When, and how long it took.

    >>> date_line("2026-01-02", 80.4)
    'date: 2026-01-02; 80 s in all'
    """
    return f"{DATE}{date}" + ("" if seconds is None else f"; {duration(seconds)} in all")


def duration(seconds: float) -> str:
    """A time for a reader.

    >>> [duration(seconds) for seconds in (0.31, 80.4, 754, 5520)]
    ['less than 1 s', '80 s', '13 min', '1 h 32 min']
    """
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def source_commit() -> str | None:
    """The commit of the checkout that this package runs from; None where it is installed."""
    here = Path(__file__)
    try:
        # In a folder of somebody else's repository this file is not one of its own.
        for command in (["ls-files", "--error-unmatch", here.name], ["rev-parse", "HEAD"]):
            done = subprocess.run(
                ["git", "-C", str(here.parent), *command],
                capture_output=True,
                text=True,
                check=True,
            )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()[:12]
