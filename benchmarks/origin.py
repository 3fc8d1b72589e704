"""How a document came about: the lines about software, hardware and source under it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.result import provenance


def versions_and_host(versions: Mapping[str, Any], host: Mapping[str, Any]) -> tuple[str, str]:
    """A line on the software and one on the hardware.

    >>> versions_and_host({"torch": "2.15.0", "numpy": "2.4.6"}, {"cores": 2})
    ('versions: torch 2.15.0, numpy 2.4.6', 'host: cores 2')
    """
    return f"versions: {_listed(versions)}", f"host: {_listed(host)}"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def commit_line() -> list[str]:
    """A line on the commit; none where the package does not run from a checkout."""
    commit = source_commit()
    return [f"commit: {commit}"] if commit else []


def made_here() -> tuple[str, ...]:
    """Command, source, versions, hardware and date of figures that are computed in this run."""
    made = provenance("cpu")
    return (
        f"command: `{made['command']}`",
        *commit_line(),
        *versions_and_host(made["versions"], made["host"]),
        f"date: {made['date']}",
    )


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
